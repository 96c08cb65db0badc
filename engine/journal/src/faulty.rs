//! A journal that fails as planned, for tests of what happens after a crash.

use std::collections::BTreeMap;

use runbook_core::event::Event;
use runbook_core::units::{Digest, Timestamp};

use crate::error::JournalError;
use crate::{Journal, Record};

/// In what way an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    Before,
    /// All is written, but the caller learns of an error.
    After,
    /// Only so many events of the batch are written: what an atomic batch rules out, to show that it matters.
    Torn(usize),
}

/// Wraps a journal and fails chosen appends. After the first fault every call fails, as after a real one;
/// [`FaultyJournal::into_inner`] gives what the next engine would find.
#[derive(Clone, Debug)]
pub struct FaultyJournal<J> {
    inner: J,
    faults: BTreeMap<u64, Fault>,
    appends: u64,
    poisoned: bool,
}

impl<J: Journal> FaultyJournal<J> {
    /// Fails the appends with these numbers, counted from 1 over all calls.
    pub fn new(inner: J, faults: impl IntoIterator<Item = (u64, Fault)>) -> Self {
        Self { inner, faults: faults.into_iter().collect(), appends: 0, poisoned: false }
    }

    /// What was written.
    pub fn into_inner(self) -> J {
        self.inner
    }

    fn usable(&self) -> Result<(), JournalError> {
        if self.poisoned { Err(JournalError::Poisoned("an injected fault".to_owned())) } else { Ok(()) }
    }
}

impl<J: Journal> Journal for FaultyJournal<J> {
    fn append(&mut self, expected_seq: u64, at: Timestamp, events: &[Event]) -> Result<Vec<Record>, JournalError> {
        self.usable()?;
        self.appends += 1;
        let Some(fault) = self.faults.get(&self.appends) else {
            return self.inner.append(expected_seq, at, events);
        };
        self.poisoned = true;
        match *fault {
            Fault::Before => Err(JournalError::Injected("nothing was written")),
            Fault::After => {
                self.inner.append(expected_seq, at, events)?;
                Err(JournalError::Injected("all was written"))
            }
            Fault::Torn(kept) => {
                self.inner.append(expected_seq, at, &events[..kept.min(events.len())])?;
                Err(JournalError::Injected("the batch was torn"))
            }
        }
    }

    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        self.usable()?;
        self.inner.load()
    }

    fn next_seq(&self) -> u64 {
        self.inner.next_seq()
    }

    fn head(&self) -> &Digest {
        self.inner.head()
    }
}
