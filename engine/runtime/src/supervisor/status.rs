//! The status file of each command: what is left to know when engine and supervisor were lost together.
//!
//! A file has a line for each phase, and the last whole line counts. A line goes in with one `write`, so whoever reads sees all of it or
//! nothing. (Writing another file and renaming it costs more than starting the command: a new inode each time, while ext4 searches
//! past those that were just given up.)
//!
//! | last line | meaning |
//! |---|---|
//! | none | never started, on the boot on which the engine meant to start it (the files are not synced) |
//! | `starting` | the supervisor was about to start it; whether it did is unknown |
//! | `running` | it ran as this process: alive, or of unknown fate |
//! | `ended` | it ended like this |

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use super::output::OutputFile;
use super::protocol::{CommandKind, Ended, Key, Started};

/// Folder of the status files, in the run folder.
const FOLDER: &str = "attempts";
/// End of their names.
const SUFFIX: &str = ".jsonl";
/// Version of the files.
const VERSION: u32 = 1;

/// How far a command is known to have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptStatus {
    /// No supervisor ever began to start it.
    NeverStarted,
    /// It was about to be started; nobody knows whether it was.
    Starting {
        /// The boot on which that was.
        boot_id: String,
    },
    /// It was started. Alive if [`super::is_alive`] says so and the boot is still the same; else of unknown fate.
    Running {
        /// Its main process, since when, and its output.
        started: Started,
        /// The boot of which that process is.
        boot_id: String,
    },
    /// It ended.
    Ended(Ended),
}

/// One line of a status file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StatusLine {
    version: u32,
    pub(super) boot_id: String,
    pub(super) key: Key,
    pub(super) kind: CommandKind,
    pub(super) phase: Phase,
    /// Where its output goes; none when the files could not even be opened.
    pub(super) output: Option<Output>,
}

/// The two output files of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) stdout: OutputFile,
    pub(super) stderr: OutputFile,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Starting,
    Running(Started),
    Ended(Ended),
}

/// Reads what is known of a command from its status file.
///
/// # Errors
/// When the file is there and cannot be read, or is no status file of this version.
pub fn read_status(run_folder: &Path, key: &Key) -> io::Result<AttemptStatus> {
    let path = run_folder.join(FOLDER).join(file_name(key));
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(AttemptStatus::NeverStarted),
        Err(error) => return Err(error),
    };
    let Some(line) = last_line(&text)? else { return Ok(AttemptStatus::NeverStarted) };
    Ok(match line.phase {
        Phase::Starting => AttemptStatus::Starting { boot_id: line.boot_id },
        Phase::Running(started) => AttemptStatus::Running { started, boot_id: line.boot_id },
        Phase::Ended(ended) => AttemptStatus::Ended(ended),
    })
}

fn last_line(text: &[u8]) -> io::Result<Option<StatusLine>> {
    // What follows the last line end was not written to its end, and is as if it had never been begun.
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(&[][..], |end| &text[..end]);
    let Some(last) = whole.split(|&byte| byte == b'\n').next_back().filter(|line| !line.is_empty()) else {
        return Ok(None);
    };
    let line: StatusLine = serde_json::from_slice(last)?;
    if line.version != VERSION {
        let message = format!("status file of version {}, expected {VERSION}", line.version);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Some(line))
}

fn file_name(key: &Key) -> String {
    format!("{key}{SUFFIX}")
}

/// Writes the status files of one run.
#[derive(Debug)]
pub(super) struct StatusFolder {
    folder: OwnedFd,
    boot_id: String,
}

impl StatusFolder {
    /// Opens the folder inside the run's, and makes it when it is not there.
    pub(super) fn open(run_folder: &Path, boot_id: String) -> io::Result<Self> {
        let path = run_folder.join(FOLDER);
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = rustix::fs::open(&path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { folder, boot_id })
    }

    /// Adds a line for a new phase. Not synced: it must outlive processes, not the machine.
    pub(super) fn write(&self, key: &Key, kind: CommandKind, output: Option<&Output>, phase: Phase) -> io::Result<()> {
        let (boot_id, output) = (self.boot_id.clone(), output.cloned());
        let line = StatusLine { version: VERSION, boot_id, key: key.clone(), kind, phase, output };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file = File::from(openat(&self.folder, file_name(key), flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(&text)
    }

    /// The last line of every status file that an earlier supervisor of this run left.
    ///
    /// A damaged one counts as `starting`: that its command has run cannot be ruled out, so it must not be started again.
    pub(super) fn read_all(&self, run_folder: &Path) -> io::Result<Vec<StatusLine>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(run_folder.join(FOLDER))? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_suffix(SUFFIX));
            let Some(key) = name.and_then(|name| Key::new(name).ok()) else { continue };
            let line = std::fs::read(&path).and_then(|text| last_line(&text)).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "a status file cannot be read");
                let boot_id = self.boot_id.clone();
                let (kind, phase) = (CommandKind::Attempt, Phase::Starting);
                Some(StatusLine { version: VERSION, boot_id, key, kind, phase, output: None })
            });
            found.extend(line);
        }
        Ok(found)
    }
}
