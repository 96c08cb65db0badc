//! The journal of a run, wherever it lies: a database while the run goes on, a sealed record when it has ended.
//!
//! ```text
//! journal/                              the run goes on
//!   ── seal ──►  record.jsonl           it has ended: the lines, then the seal; the database is gone
//!   ◄─ append ─  record.jsonl, journal/ something is decided after the end: the database has the lines of the record,
//!   ── seal ──►  record.jsonl           seals included, and what follows; then all of it is sealed anew
//! ```
//!
//! A crash between leaves both, each whole. Whichever has more counts, and it must begin with all that the other has.

use std::fs;
use std::path::{Path, PathBuf};

use runbook_core::event::Event;
use runbook_core::units::{Digest, Timestamp};

use crate::error::{Flaw, JournalError};
use crate::line::{Chain, Lines, digest_of_bytes};
use crate::record_file::{self, RECORD, failed};
use crate::seal::{self, Seal};
use crate::{Journal, Record, SledJournal};

/// The folder of the database.
const DATABASE: &str = "journal";

/// A database that nobody needs any more, while it is removed.
const OLD: &str = "journal.old";

/// A database that is being made from a record.
const NEW: &str = "journal.new";

/// The journal of one run, in the folder of the run. Nobody else may open it for writing meanwhile.
#[derive(Debug)]
pub struct RunJournal {
    folder: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the database.
    Open(Box<SledJournal>),
    /// In the record, which ends here; with what opening has read, for the first `load`.
    Sealed(Chain, Option<Vec<Record>>),
    /// Sealing or reopening failed half-way: only opening it anew shows what there is.
    Lost(Chain, String),
}

/// What is found in the folder of a run.
enum Found {
    /// The database counts.
    Database(Box<SledJournal>),
    /// The record counts.
    Record(Box<Lines>),
}

/// Whether a run's folder holds a sealed record and no database, so that it can be read without holding the run.
pub fn is_sealed(folder: &Path) -> bool {
    folder.join(RECORD).is_file() && !folder.join(DATABASE).exists()
}

/// The hash of the last line of a sealed record, which is its seal: what [`examine`](crate::examine) calls its head. None of a
/// run that is not sealed. Nothing is verified.
///
/// # Errors
/// When the record cannot be read, or is cut off.
pub fn sealed_head(folder: &Path) -> Result<Option<Digest>, JournalError> {
    let record = if is_sealed(folder) { record_file::read(folder)? } else { None };
    Ok(record.and_then(|lines| lines.last().map(|line| digest_of_bytes(line))))
}

/// The records of a run that is sealed, verified; none when it is not. Nobody needs to hold the run: a sealed record is
/// replaced whole, and only by one that begins with it.
///
/// # Errors
/// [`JournalError::Broken`] when the record is not as it was written.
pub fn load_sealed(folder: &Path) -> Result<Option<Vec<Record>>, JournalError> {
    let record = if is_sealed(folder) { record_file::read(folder)? } else { None };
    record.map(|lines| Ok(record_file::check(&lines)?.records)).transpose()
}

/// The records of a run, verified, wherever they lie. It changes nothing. The caller holds the run.
///
/// # Errors
/// As [`RunJournal::open`].
pub fn load(folder: &Path) -> Result<Vec<Record>, JournalError> {
    match look(folder)? {
        Found::Database(mut journal) => journal.load(),
        Found::Record(read) => Ok(read.records),
    }
}

/// The lines of a run, seals included, byte for byte as their hashes were taken. It changes nothing. The caller holds the run.
///
/// # Errors
/// As [`RunJournal::open`].
pub fn lines(folder: &Path) -> Result<Vec<Vec<u8>>, JournalError> {
    match look(folder)? {
        Found::Database(mut journal) => journal.lines(),
        Found::Record(_) => Ok(record_file::read(folder)?.unwrap_or_default()),
    }
}

impl RunJournal {
    /// Creates the journal of a new run, without records, in the run's folder.
    ///
    /// # Errors
    /// As [`SledJournal::create`].
    pub fn create(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let folder = folder.into();
        let journal = SledJournal::create(folder.join(DATABASE))?;
        Ok(Self { folder, state: State::Open(Box::new(journal)) })
    }

    /// The same where an earlier creation was cut short ([`JournalError::Missing`]): what that has left is removed.
    ///
    /// # Errors
    /// As [`RunJournal::create`].
    pub fn create_anew(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let folder = folder.into();
        let dir = folder.join(DATABASE);
        match std::fs::remove_dir_all(&dir) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(JournalError::Io { dir, action: "remove what was cut short", source })
            }
            _ => Self::create(folder),
        }
    }

    /// Opens the journal in a run's folder, verifies all of it, and removes what a crash has left.
    ///
    /// # Errors
    /// As [`SledJournal::open`]; [`JournalError::Broken`] also when record and database disagree.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let folder = folder.into();
        let state = match look(&folder)? {
            Found::Database(journal) => State::Open(journal),
            Found::Record(read) => {
                discard(&folder);
                State::Sealed(read.chain, Some(read.records))
            }
        };
        for left in [OLD, NEW] {
            remove(&folder.join(left));
        }
        Ok(Self { folder, state })
    }

    /// Whether all of it lies in a sealed record.
    pub fn is_sealed(&self) -> bool {
        matches!(self.state, State::Sealed(..))
    }

    /// Seals the journal of a run that has ended: writes its lines and a seal as the record, then removes the database.
    /// Nothing happens when it is sealed already.
    ///
    /// # Errors
    /// When the record cannot be written: the database then still has everything, and the next who opens the journal may
    /// seal it; this handle takes nothing more.
    pub fn seal(&mut self, at: Timestamp, plan: &Digest, engine: &str) -> Result<(), JournalError> {
        let State::Open(journal) = &mut self.state else { return Ok(()) };
        let mut lines = journal.lines()?;
        let mut chain = journal.chain().clone();
        let (segment, first) = next_segment(&lines)?;
        let seal = Seal { engine: engine.to_owned(), lines: chain.next - first, plan: plan.clone(), segment };
        let before = chain.clone();
        lines.push(seal::write(&mut chain, at, &seal)?);
        if let Err(error) = record_file::write(&self.folder, &lines) {
            self.state = State::Lost(before, error.to_string());
            return Err(error);
        }
        if let State::Open(journal) = std::mem::replace(&mut self.state, State::Sealed(chain, None)) {
            journal.abandon();
        }
        discard(&self.folder);
        Ok(())
    }

    /// Makes a database of the record again, for what is decided after the end.
    fn reopen(&mut self) -> Result<&mut SledJournal, JournalError> {
        if let State::Sealed(chain, _) = &self.state {
            let chain = chain.clone();
            self.state = match reopen(&self.folder, &chain) {
                Ok(journal) => State::Open(Box::new(journal)),
                Err(error) => {
                    self.state = State::Lost(chain, error.to_string());
                    return Err(error);
                }
            };
        }
        match &mut self.state {
            State::Open(journal) => Ok(journal),
            State::Sealed(_, _) => Err(JournalError::Poisoned("the record is not open".to_owned())),
            State::Lost(_, why) => Err(JournalError::Poisoned(why.clone())),
        }
    }

    fn chain(&self) -> &Chain {
        match &self.state {
            State::Open(journal) => journal.chain(),
            State::Sealed(chain, _) | State::Lost(chain, _) => chain,
        }
    }
}

impl Journal for RunJournal {
    /// As for every journal. A record that is sealed is opened again before the first event is appended to it.
    fn append(&mut self, expected_seq: u64, at: Timestamp, events: &[Event]) -> Result<Vec<Record>, JournalError> {
        self.chain().expect(expected_seq)?;
        if events.is_empty() {
            return Ok(vec![]);
        }
        self.reopen()?.append(expected_seq, at, events)
    }

    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        match &mut self.state {
            State::Open(journal) => journal.load(),
            State::Sealed(_, read) => read.take().map_or_else(|| load(&self.folder), Ok),
            State::Lost(_, why) => Err(JournalError::Poisoned(why.clone())),
        }
    }

    fn next_seq(&self) -> u64 {
        self.chain().next
    }

    fn head(&self) -> &Digest {
        &self.chain().head
    }
}

/// Finds out where the journal of a run lies.
fn look(folder: &Path) -> Result<Found, JournalError> {
    let database = folder.join(DATABASE);
    let Some(record) = record_file::read(folder)? else {
        return Ok(Found::Database(Box::new(SledJournal::open(database)?)));
    };
    if !database.exists() {
        return Ok(Found::Record(Box::new(record_file::check(&record)?)));
    }
    let mut journal = SledJournal::open(database)?;
    let stored = journal.lines()?;
    if stored.len() > record.len() && stored.starts_with(&record) {
        return Ok(Found::Database(Box::new(journal)));
    }
    // Of a journal that was being sealed only the seal is missing; of one that was reopened, and not yet used, nothing.
    if record.starts_with(&stored) && record.len() <= stored.len() + 1 {
        return Ok(Found::Record(Box::new(record_file::check(&record)?)));
    }
    let same = record.iter().zip(&stored).take_while(|(one, other)| one == other).count();
    Err(JournalError::Broken { seq: same as u64, flaw: Flaw::Disagreement })
}

/// The number of the segment that is not sealed yet, and of its first line.
fn next_segment(lines: &[Vec<u8>]) -> Result<(u32, u64), JournalError> {
    let (mut chain, mut segment, mut first) = (Chain::start(), 1, 0);
    for line in lines {
        if chain.pass(line)? {
            (segment, first) = (segment + 1, chain.next);
        }
    }
    Ok((segment, first))
}

/// Makes a database of a record. Until it has its name, the record is all there is.
fn reopen(folder: &Path, end: &Chain) -> Result<SledJournal, JournalError> {
    let (new, database) = (folder.join(NEW), folder.join(DATABASE));
    let lines = record_file::read(folder)?.unwrap_or_default();
    remove(&new);
    let journal = SledJournal::create_from(&new, &lines)?;
    if journal.chain() != end {
        return Err(JournalError::Conflict { expected: end.next, actual: journal.chain().next });
    }
    // sled remembers the name of its folder.
    drop(journal);
    let rename = || fs::rename(&new, &database).and_then(|()| record_file::sync_folder(folder));
    rename().map_err(|source| failed(folder, "open the record", source))?;
    SledJournal::open(database)
}

/// Removes a database all of which is in the record. It loses its name first: whatever has that name is whole.
fn discard(folder: &Path) {
    remove(&folder.join(OLD));
    if fs::rename(folder.join(DATABASE), folder.join(OLD)).is_ok() {
        remove(&folder.join(OLD));
    }
}

/// What cannot be removed now is no harm: nobody reads it, and the next who opens the journal tries again.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}
