//! The status file of each command: what is left to know when engine and supervisor were lost together.
//!
//! | file | meaning |
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

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use serde::{Deserialize, Serialize};

use super::output::OutputFile;
use super::protocol::{CommandKind, Ended, Key, Started};

/// Folder of the status files, in the run folder.
const FOLDER: &str = "attempts";
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

/// The content of a status file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StatusFile {
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
    let file = parse(&text)?;
    Ok(match file.phase {
        Phase::Starting => AttemptStatus::Starting { boot_id: file.boot_id },
        Phase::Running(started) => AttemptStatus::Running { started, boot_id: file.boot_id },
        Phase::Ended(ended) => AttemptStatus::Ended(ended),
    })
}

fn parse(text: &[u8]) -> io::Result<StatusFile> {
    let file: StatusFile = serde_json::from_slice(text)?;
    if file.version != VERSION {
        let message = format!("status file of version {}, expected {VERSION}", file.version);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(file)
}

fn file_name(key: &Key) -> String {
    format!("{key}.json")
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

    /// Writes the whole file beside, then renames it into place. Not synced: it must outlive processes, not the machine.
    pub(super) fn write(&self, key: &Key, kind: CommandKind, output: Option<&Output>, phase: Phase) -> io::Result<()> {
        let (boot_id, key) = (self.boot_id.clone(), key.clone());
        let beside = format!(".{key}.new");
        let name = file_name(&key);
        let file = StatusFile { version: VERSION, boot_id, key, kind, phase, output: output.cloned() };
        let text = serde_json::to_vec(&file)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut new = File::from(openat(&self.folder, &beside, flags, Mode::RUSR | Mode::WUSR)?);
        let written = new.write_all(&text).and_then(|()| {
            renameat(&self.folder, &beside, &self.folder, &name)?;
            Ok(())
        });
        if written.is_err() {
            // A full disk must not also be left with half a file; that this fails too changes nothing.
            let _ = unlinkat(&self.folder, &beside, AtFlags::empty());
        }
        written
    }

    /// Every status file that an earlier supervisor of this run left.
    ///
    /// A damaged one counts as `starting`: that its command has run cannot be ruled out, so it must not be started again.
    pub(super) fn read_all(&self, run_folder: &Path) -> io::Result<Vec<StatusFile>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(run_folder.join(FOLDER))? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_suffix(".json"));
            let Some(key) = name.and_then(|name| Key::new(name).ok()) else { continue };
            found.push(std::fs::read(&path).and_then(|text| parse(&text)).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "a status file cannot be read");
                let boot_id = self.boot_id.clone();
                let (kind, phase) = (CommandKind::Attempt, Phase::Starting);
                StatusFile { version: VERSION, boot_id, key, kind, phase, output: None }
            }));
        }
        Ok(found)
    }
}
