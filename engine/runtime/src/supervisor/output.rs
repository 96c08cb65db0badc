//! Where the output of a command goes: straight into its files, or through a pipe that is masked on the way.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::mask::{MaskStream, Masker};
use super::protocol::Span;

/// Most bytes taken from a pipe at once; also the size the kernel is asked to give it.
const CHUNK: usize = 256 * 1024;

/// An output file, and how long it was when the command started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutputFile {
    pub(super) path: PathBuf,
    pub(super) from: u64,
}

impl OutputFile {
    /// Opens the file for appending and notes its length.
    pub(super) fn open(path: &Path) -> io::Result<(Self, File)> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let from = file.metadata()?.len();
        Ok((Self { path: path.to_owned(), from }, file))
    }

    /// What was written since. Nothing, when the file has been taken away.
    pub(super) fn span(&self) -> Span {
        let to = std::fs::metadata(&self.path).map_or(self.from, |file| file.len().max(self.from));
        Span { from: self.from, to }
    }
}

/// A file or pipe, by what cannot change while it is open. Tells whose output a process still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl From<Metadata> for FileId {
    fn from(file: Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

/// What a process has open as standard output and standard error.
pub(super) fn outputs_of(pid: u32) -> impl Iterator<Item = FileId> {
    [1, 2].into_iter().filter_map(move |fd| Some(std::fs::metadata(format!("/proc/{pid}/fd/{fd}")).ok()?.into()))
}

/// A pipe that is emptied into a file, masked.
pub(super) struct Pump {
    pipe: io::PipeReader,
    file: File,
    stream: MaskStream,
    over: bool,
}

impl Pump {
    /// Makes the pipe. The command gets the writer.
    pub(super) fn new(file: File, masker: Arc<Masker>) -> io::Result<(Self, File)> {
        let (pipe, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        // A larger pipe only saves turns; the kernel may say no to a user with many.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, CHUNK);
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        Ok((Self { pipe, file, stream: MaskStream::new(masker), over: false }, writer))
    }

    /// Whether nothing more can come.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Moves what is there, at most one chunk. When the file takes no more, the pipe closes, so that the command learns of it.
    pub(super) fn turn(&mut self, scratch: &mut Scratch) -> usize {
        scratch.input.resize(CHUNK, 0);
        let read = match self.pipe.read(&mut scratch.input) {
            Ok(0) => return self.close(scratch),
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return 0,
            Err(error) => {
                tracing::warn!(%error, "the output of a command cannot be read");
                return self.close(scratch);
            }
        };
        self.stream.push(&scratch.input[..read], &mut scratch.masked);
        self.write(scratch);
        read
    }

    /// Moves what is in the pipe now, and what was held back. A process that goes on writing does not hold this up.
    pub(super) fn drain(&mut self, scratch: &mut Scratch) {
        let mut left = rustix::io::ioctl_fionread(&self.pipe).unwrap_or(0);
        while left > 0 && !self.over {
            match self.turn(scratch) {
                0 => break,
                read => left = left.saturating_sub(read as u64),
            }
        }
        // With nothing in the pipe, this finds out whether anyone still holds it.
        if !self.over {
            self.turn(scratch);
        }
        self.stream.flush(&mut scratch.masked);
        self.write(scratch);
    }

    fn close(&mut self, scratch: &mut Scratch) -> usize {
        self.over = true;
        self.stream.flush(&mut scratch.masked);
        self.write(scratch);
        0
    }

    fn write(&mut self, scratch: &mut Scratch) {
        if let Err(error) = self.file.write_all(&scratch.masked) {
            tracing::warn!(%error, "the output of a command cannot be written; its pipe is closed");
            self.over = true;
        }
        scratch.masked.clear();
    }

    /// The reading end.
    pub(super) fn pipe_id(&self) -> io::Result<FileId> {
        Ok(FileId::from(File::from(self.pipe.as_fd().try_clone_to_owned()?).metadata()?))
    }
}

impl AsFd for Pump {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Buffers that all pumps use in turn.
#[derive(Default)]
pub(super) struct Scratch {
    input: Vec<u8>,
    masked: Vec<u8>,
}
