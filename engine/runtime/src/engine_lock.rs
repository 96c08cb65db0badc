//! The right to decide for a run: one engine at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use crate::folder::RunFolder;
use crate::shared;

/// A child between fork and exec holds a copy of its engine's lock; when the engine is killed just then, the lock outlives
/// it for so long. Seen once in some hundred kills on a busy machine.
const FORK_LIMIT: Duration = Duration::from_millis(500);
const FORK_POLL: Duration = Duration::from_millis(2);

impl RunFolder {
    /// Takes the run for an engine; freed when the lock is dropped, or by any death of the process.
    ///
    /// # Errors
    /// [`LockError::Held`] when an engine has it, [`LockError::NotYours`] when it is that of another member of the group.
    pub fn lock(&self) -> Result<EngineLock, LockError> {
        if let Some(owner) = self.other_owner() {
            return Err(LockError::NotYours(owner));
        }
        let path = self.path().join("engine.lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(LockError::Io)?;
        let give_up = Instant::now() + FORK_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(EngineLock { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => std::thread::sleep(FORK_POLL),
                Err(TryLockError::WouldBlock) => return Err(LockError::Held),
                Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
            }
        }
    }

    /// Whether an engine has the run now. Of a run of another member of the group its engine says so, and must live.
    pub fn has_engine(&self) -> bool {
        if self.other_owner().is_some() {
            return shared::has_engine(self);
        }
        let Ok(file) = File::open(self.path().join("engine.lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

/// The right to decide for a run.
#[derive(Debug)]
pub struct EngineLock {
    _file: File,
}

/// Why a run cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another engine has it.
    #[error("another engine has this run")]
    Held,
    /// It is that of another member of the group, whose name this is.
    #[error("the run belongs to `{0}`, and nobody else can read it")]
    NotYours(String),
    /// The lock cannot be used.
    #[error("cannot lock the run: {0}")]
    Io(#[source] io::Error),
}
