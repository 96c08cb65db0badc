//! The journal of a run: its events, each carrying the hash of the one before, in atomic durable batches.
//!
//! ```text
//! append(expected_seq, at, events)
//!   → seal:  {"seq":…,"at":…,"prev":"…","event":{…}} for each event; hash = SHA-256 of that line
//!   → split: parts of at most 4 KiB, since sled never syncs longer values
//!   → one sled batch → flush → fdatasync → the tip file
//! ```
//!
//! [`RunJournal`] is the one that runs use: a [`SledJournal`] until the run has ended, and then the record, one file of
//! lines that ends with a [`Seal`]. [`MemoryJournal`] is for simulation, [`FaultyJournal`] fails as planned.

mod error;
mod examine;
mod faulty;
mod finding;
mod line;
mod memory;
mod parts;
mod pool;
mod quiet;
mod record_file;
mod run_journal;
mod seal;
mod sled_journal;
mod store;
mod tip;

use runbook_core::event::Event;
use runbook_core::units::{Digest, Timestamp};

pub use error::{Flaw, JournalError};
pub use examine::{Examined, examine};
pub use faulty::{Fault, FaultyJournal};
pub use finding::{Finding, Wrong};
pub use line::{first_prev, verify};
pub use memory::MemoryJournal;
pub use record_file::RECORD;
pub use run_journal::{RunJournal, is_sealed, lines, load, load_sealed, sealed_head};
pub use seal::Seal;
pub use sled_journal::SledJournal;

/// The events of one run, in the order in which they were decided.
pub trait Journal {
    /// Writes events as one batch, which survives whole or not at all, and hands them back sealed.
    ///
    /// All records of the batch carry `at`. When this returns, the batch survives the loss of power. No events write nothing.
    ///
    /// # Errors
    /// [`JournalError::Conflict`], [`JournalError::TooLong`], [`JournalError::TooDeep`] and [`JournalError::Encode`]: nothing was
    /// written, and the journal stays usable. Any other: nobody knows whether the batch was written, and every later call
    /// fails with [`JournalError::Poisoned`]; only opening the journal anew shows what it holds.
    fn append(&mut self, expected_seq: u64, at: Timestamp, events: &[Event]) -> Result<Vec<Record>, JournalError>;

    /// All records from the first on, verified.
    ///
    /// # Errors
    /// [`JournalError::Broken`] names the first record that is not as it was written.
    fn load(&mut self) -> Result<Vec<Record>, JournalError>;

    /// The number of the next record, which is how many there are.
    fn next_seq(&self) -> u64;

    /// The hash of the last record; [`first_prev`] when there is none.
    fn head(&self) -> &Digest;
}

impl<J: Journal + ?Sized> Journal for Box<J> {
    fn append(&mut self, expected_seq: u64, at: Timestamp, events: &[Event]) -> Result<Vec<Record>, JournalError> {
        (**self).append(expected_seq, at, events)
    }

    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        (**self).load()
    }

    fn next_seq(&self) -> u64 {
        (**self).next_seq()
    }

    fn head(&self) -> &Digest {
        (**self).head()
    }
}

/// An event with its place in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number, counted from 0.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The hash of the record before.
    pub prev: Digest,
    /// The SHA-256 of the line that is stored.
    pub hash: Digest,
    /// What was decided.
    pub event: Event,
}
