//! The journal on disk: one sled database for each run.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use runbook_core::event::Event;
use runbook_core::units::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Flaw, JournalError};
use crate::line::{Chain, Lines, Sealed};
use crate::store::Store;
use crate::tip::{Tip, TipError};
use crate::{Journal, Record, parts};

/// The way in which records are stored. It grows when an old engine could not read a new journal.
const FORMAT: u64 = 1;

/// So much of an older record is written as one batch.
const BATCH_BYTES: usize = 1 << 20;

/// A journal in a folder of its own. It is locked as long as this lives.
pub struct SledJournal {
    dir: PathBuf,
    // Before the tip, so that the database is closed before the lock goes.
    store: Store,
    tip: Tip,
    chain: Chain,
    /// What opening has read, for the first `load`.
    opened: Option<Vec<Record>>,
    /// What went wrong; nothing works after it.
    poison: Option<String>,
}

/// The entry that says which format the records have and where they end.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u64,
    next: u64,
    head: Digest,
}

/// The part of it that every format has.
#[derive(Deserialize)]
struct AnyHead {
    format: u64,
}

impl SledJournal {
    /// Creates a journal without records. The folder must not exist, the one around it must.
    ///
    /// When this returns, the journal survives the loss of power.
    ///
    /// # Errors
    /// [`JournalError::Exists`] when there is anything by that name, [`JournalError::Io`] when the disk refuses.
    pub fn create(dir: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let dir = dir.into();
        DirBuilder::new().mode(0o700).create(&dir).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Exists { dir: dir.clone() },
            _ => JournalError::Io { dir: dir.clone(), action: "create the folder", source },
        })?;
        let tip = Tip::create(&dir).map_err(|error| tip_error(&dir, error))?;
        let chain = Chain::start();
        let store = Store::open(&dir)?;
        let mut batch = sled::Batch::default();
        batch.insert(parts::HEAD_KEY, encode_head(&chain)?);
        store.write(batch)?;
        store.sync_creation()?;
        // Last, because an empty tip says that the creation was cut short.
        let failed = |source| JournalError::Io { dir: dir.clone(), action: "note the end", source };
        tip.write(&chain).and_then(|()| tip.sync()).map_err(failed)?;
        Ok(Self { dir, store, tip, chain, opened: None, poison: None })
    }

    /// Opens a journal and verifies all its records.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::InUse`], [`JournalError::Format`]; [`JournalError::Damaged`] and
    /// [`JournalError::Broken`] when it is not as it was written.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let dir = dir.into();
        let damaged = |detail: &str| JournalError::Damaged { dir: dir.clone(), detail: detail.to_owned() };
        let tip = Tip::open(&dir).map_err(|error| tip_error(&dir, error))?;
        let noted = tip.read().map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => damaged("the file `tip` cannot be read"),
            _ => JournalError::Io { dir: dir.clone(), action: "read the tip", source },
        })?;
        let Some(noted) = noted else { return Err(JournalError::Missing { dir }) };
        // sled would make a new one, without records.
        if !dir.join("db").is_file() {
            return Err(damaged("the file `db` is missing"));
        }
        let store = Store::open(&dir)?;
        let contents = store.contents()?;
        let head = contents.head.ok_or_else(|| damaged("the entry that says where it ends is missing"))?;
        let head = decode_head(&dir, &head)?;
        let read = Lines::read(&contents.lines)?;
        let chain = check_end(&read.hashes, &head, &noted)?;
        Ok(Self { dir, store, tip, chain, opened: Some(read.records), poison: None })
    }

    /// Creates a journal of lines that were written before, such as those of a record, seals included. The folder must not
    /// exist, the one around it must.
    ///
    /// When this returns, the journal survives the loss of power.
    ///
    /// # Errors
    /// As [`SledJournal::create`], and [`JournalError::Broken`] when a line does not follow the one before.
    pub(crate) fn create_from(dir: impl Into<PathBuf>, lines: &[Vec<u8>]) -> Result<Self, JournalError> {
        let mut journal = Self::create(dir)?;
        let mut chain = Chain::start();
        let mut batch = sled::Batch::default();
        let mut bytes = 0;
        for line in lines {
            let seq = chain.next;
            chain.pass(line)?;
            parts::split(line).for_each(|(part, value)| batch.insert(&parts::key(seq, part), value));
            bytes += line.len();
            if bytes > BATCH_BYTES {
                journal.store.write(std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        batch.insert(parts::HEAD_KEY, encode_head(&chain)?);
        journal.store.write(batch)?;
        let failed = |source| JournalError::Io { dir: journal.dir.clone(), action: "note the end", source };
        journal.tip.write(&chain).and_then(|()| journal.tip.sync()).map_err(failed)?;
        journal.chain = chain;
        Ok(journal)
    }

    /// Gives the journal up without closing it: its folder is about to go.
    pub(crate) fn abandon(mut self) {
        self.store.abandon();
    }

    /// The end.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The stored lines, byte for byte as their hashes were taken, with the chain through them checked: what a record is
    /// written from.
    ///
    /// # Errors
    /// As [`Journal::load`].
    pub fn lines(&mut self) -> Result<Vec<Vec<u8>>, JournalError> {
        self.usable()?;
        let lines = self.store.contents()?.lines;
        let mut chain = Chain::start();
        let mut hashes = Vec::with_capacity(lines.len());
        for line in &lines {
            chain.pass(line)?;
            hashes.push(chain.head.clone());
        }
        self.check(&hashes)?;
        Ok(lines)
    }

    fn usable(&self) -> Result<(), JournalError> {
        self.poison.as_ref().map_or(Ok(()), |why| Err(JournalError::Poisoned(why.clone())))
    }

    /// Checks that lines with these hashes end where this handle has written to.
    fn check(&self, hashes: &[Digest]) -> Result<(), JournalError> {
        let head = Head { format: FORMAT, next: self.chain.next, head: self.chain.head.clone() };
        check_end(hashes, &head, &self.chain).map(|_| ())
    }

    /// Stores records with the new end as one batch, then notes the end.
    fn write(&self, sealed: &[Sealed], chain: &Chain) -> Result<(), JournalError> {
        let mut batch = sled::Batch::default();
        for Sealed { line, record } in sealed {
            for (part, value) in parts::split(line) {
                batch.insert(&parts::key(record.seq, part), value);
            }
        }
        batch.insert(parts::HEAD_KEY, encode_head(chain)?);
        self.store.write(batch)?;
        let failed = |source| JournalError::Io { dir: self.dir.clone(), action: "note the end", source };
        self.tip.write(chain).map_err(failed)
    }
}

impl Journal for SledJournal {
    fn append(&mut self, expected_seq: u64, at: Timestamp, events: &[Event]) -> Result<Vec<Record>, JournalError> {
        self.usable()?;
        self.chain.expect(expected_seq)?;
        if events.is_empty() {
            return Ok(vec![]);
        }
        let mut chain = self.chain.clone();
        let sealed = chain.seal(at, events)?;
        if let Err(error) = self.write(&sealed, &chain) {
            if !error.is_refusal() {
                self.poison = Some(error.to_string());
                self.store.abandon();
            }
            return Err(error);
        }
        self.chain = chain;
        self.opened = None;
        Ok(sealed.into_iter().map(|one| one.record).collect())
    }

    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        self.usable()?;
        if let Some(records) = self.opened.take() {
            return Ok(records);
        }
        let read = Lines::read(&self.store.contents()?.lines)?;
        self.check(&read.hashes)?;
        Ok(read.records)
    }

    fn next_seq(&self) -> u64 {
        self.chain.next
    }

    fn head(&self) -> &Digest {
        &self.chain.head
    }
}

impl std::fmt::Debug for SledJournal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SledJournal")
            .field("dir", &self.dir)
            .field("next_seq", &self.chain.next)
            .finish_non_exhaustive()
    }
}

fn tip_error(dir: &Path, error: TipError) -> JournalError {
    let dir = dir.to_owned();
    match error {
        TipError::Locked => JournalError::InUse { dir },
        TipError::Io(source) if source.kind() == io::ErrorKind::NotFound => JournalError::Missing { dir },
        TipError::Io(source) => JournalError::Io { dir, action: "open the tip", source },
    }
}

fn encode_head(chain: &Chain) -> Result<Vec<u8>, JournalError> {
    let head = Head { format: FORMAT, next: chain.next, head: chain.head.clone() };
    serde_json::to_vec(&head).map_err(|source| JournalError::Encode { seq: chain.next, source })
}

fn decode_head(dir: &Path, bytes: &[u8]) -> Result<Head, JournalError> {
    let damaged = |_| JournalError::Damaged {
        dir: dir.to_owned(),
        detail: "the entry that says where it ends cannot be read".to_owned(),
    };
    let AnyHead { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format != FORMAT {
        return Err(JournalError::Format { dir: dir.to_owned(), found: format, known: FORMAT });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Checks that lines with these hashes end where the head says, and not before the tip.
fn check_end(hashes: &[Digest], head: &Head, tip: &Chain) -> Result<Chain, JournalError> {
    let found = hashes.len() as u64;
    let broken = |seq, flaw| Err(JournalError::Broken { seq, flaw });
    let known = head.next.max(tip.next);
    if found < known {
        return broken(found, Flaw::Lost { last: known - 1 });
    }
    if found > head.next {
        return broken(head.next, Flaw::Surplus);
    }
    for (next, noted) in [(head.next, &head.head), (tip.next, &tip.head)] {
        let Some(last) = next.checked_sub(1) else { continue };
        let actual = usize::try_from(last).ok().and_then(|last| hashes.get(last));
        if let Some(actual) = actual.filter(|actual| *actual != noted) {
            return broken(last, Flaw::Head { noted: noted.clone(), actual: actual.clone() });
        }
    }
    Ok(Chain { next: head.next, head: head.head.clone() })
}
