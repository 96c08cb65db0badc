//! The file `tip`: the lock of a journal, and a note of how far it had got.
//!
//! A database with a damaged end opens without a word at an earlier point, and an engine that goes on from there repeats
//! what was done. So the end is noted here too, after each batch is durable and without waiting for the disk: a tip that
//! lags after the loss of power proves nothing, one that is ahead of the database proves that records are gone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use runbook_core::units::Digest;

use crate::line::Chain;

/// The number of records with 20 digits, a space, a hash of 64 and a newline: always the same place, within one sector.
const LENGTH: usize = 86;

/// The open file. The lock goes when it is closed.
pub(crate) struct Tip(File);

/// Why a tip could not be opened.
pub(crate) enum TipError {
    /// Another handle has it locked.
    Locked,
    /// The operating system refused.
    Io(io::Error),
}

impl From<io::Error> for TipError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Tip {
    /// Makes the file, without a note as yet, and locks it.
    pub(crate) fn create(dir: &Path) -> Result<Self, TipError> {
        Self::locked(OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(dir.join("tip"))?)
    }

    /// Opens the file and locks it.
    pub(crate) fn open(dir: &Path) -> Result<Self, TipError> {
        Self::locked(OpenOptions::new().read(true).write(true).open(dir.join("tip"))?)
    }

    fn locked(file: File) -> Result<Self, TipError> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(TipError::Locked),
            Err(TryLockError::Error(error)) => Err(TipError::Io(error)),
        }
    }

    /// The note. None when there is none yet; an error of kind `InvalidData` when it cannot be read.
    pub(crate) fn read(&self) -> io::Result<Option<Chain>> {
        if self.0.metadata()?.len() == 0 {
            return Ok(None);
        }
        let mut note = [0; LENGTH];
        self.0.read_exact_at(&mut note, 0).map_err(|_| io::ErrorKind::InvalidData)?;
        parse(&note).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Notes the end of the journal, over the note before.
    pub(crate) fn write(&self, chain: &Chain) -> io::Result<()> {
        self.0.write_all_at(format!("{:020} {}\n", chain.next, chain.head).as_bytes(), 0)
    }

    /// Waits until the note is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

fn parse(note: &[u8]) -> Option<Chain> {
    let (next, head) = std::str::from_utf8(note).ok()?.strip_suffix('\n')?.split_once(' ')?;
    let is_hash = head.len() == 64 && head.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| Some(Chain { next: next.parse().ok()?, head: Digest::from(head) }))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_a_broken_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(tip) = Tip::create(dir.path()) else { panic!("a new folder takes a tip") };
        assert_eq!(tip.read().unwrap(), None);
        let mut chain = Chain::start();
        tip.write(&chain).unwrap();
        assert_eq!(tip.read().unwrap(), Some(chain.clone()));
        chain.next = u64::MAX;
        chain.head = Digest::new("a".repeat(64));
        tip.write(&chain).unwrap();
        tip.sync().unwrap();
        assert_eq!(std::fs::metadata(dir.path().join("tip")).unwrap().len(), LENGTH as u64);
        assert_eq!(tip.read().unwrap(), Some(chain));
        tip.0.write_all_at(b"x", 40).unwrap();
        assert_eq!(tip.read().unwrap_err().kind(), io::ErrorKind::InvalidData);
        tip.0.set_len(3).unwrap();
        assert_eq!(tip.read().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
