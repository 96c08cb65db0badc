//! A journal that lasts as long as its process, for simulation.

use runbook_core::event::Event;
use runbook_core::units::{Digest, Timestamp};

use crate::error::JournalError;
use crate::line::{Chain, Lines, verify};
use crate::{Journal, Record};

/// A journal in memory: the same lines, hashes and refusals as on disk.
#[derive(Clone, Debug)]
pub struct MemoryJournal {
    lines: Vec<Vec<u8>>,
    chain: Chain,
}

impl MemoryJournal {
    /// A journal without records.
    pub fn new() -> Self {
        Self { lines: vec![], chain: Chain::start() }
    }

    /// A journal of these lines, such as the first few of another.
    ///
    /// # Errors
    /// [`JournalError::Broken`] when they are not a journal from its first record on.
    pub fn from_lines(lines: Vec<Vec<u8>>) -> Result<Self, JournalError> {
        let chain = Lines::read(&lines)?.chain;
        Ok(Self { lines, chain })
    }

    /// The lines, each as its hash was taken.
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, expected_seq: u64, at: Timestamp, events: &[Event]) -> Result<Vec<Record>, JournalError> {
        self.chain.expect(expected_seq)?;
        let mut chain = self.chain.clone();
        let sealed = chain.seal(at, events)?;
        self.chain = chain;
        let (lines, records): (Vec<_>, Vec<_>) = sealed.into_iter().map(|one| (one.line, one.record)).unzip();
        self.lines.extend(lines);
        Ok(records)
    }

    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        verify(&self.lines)
    }

    fn next_seq(&self) -> u64 {
        self.chain.next
    }

    fn head(&self) -> &Digest {
        &self.chain.head
    }
}
