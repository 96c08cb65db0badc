//! Events and folders for the tests of the journal.

use std::fs;
use std::path::{Path, PathBuf};

use runbook_core::event::Event;
use runbook_core::units::Timestamp;
use runbook_journal::{Journal, JournalError, Record, SledJournal};
use serde_json::json;

/// The moment of every test.
pub(crate) const AT: Timestamp = Timestamp(1_700_000_000_000);

/// An event with a text of this many bytes; `number` makes it differ from others.
pub(crate) fn event(number: usize, bytes: usize) -> Event {
    let text = format!("{number}:").chars().chain("abcdefghij".chars().cycle()).take(bytes).collect::<String>();
    Event::StepSucceeded {
        step: format!("step-{number}").as_str().into(),
        outputs: [("out".to_owned(), json!(text))].into(),
        already_done: false,
    }
}

/// Small events with these numbers.
pub(crate) fn events(numbers: std::ops::Range<usize>) -> Vec<Event> {
    numbers.map(|number| event(number, 100)).collect()
}

/// The events of records.
pub(crate) fn of(records: Vec<Record>) -> Vec<Event> {
    records.into_iter().map(|record| record.event).collect()
}

/// Opens a journal and reads all its events.
pub(crate) fn reopened(dir: &Path) -> Result<Vec<Event>, JournalError> {
    SledJournal::open(dir)?.load().map(of)
}

/// A new journal in `dir` with these batches.
pub(crate) fn written(dir: &Path, batches: &[Vec<Event>]) -> SledJournal {
    let mut journal = SledJournal::create(dir).unwrap();
    for batch in batches {
        journal.append(journal.next_seq(), AT, batch).unwrap();
    }
    journal
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// All files below a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// A generator of numbers that are the same in each run of the tests.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}
