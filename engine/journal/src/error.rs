//! What can go wrong with a journal, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

use runbook_core::units::Digest;

/// Why a journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else appended first. Nothing was written.
    #[error("the next record is number {actual}, not {expected}: something else wrote to this journal")]
    Conflict {
        /// What the caller took for the next number.
        expected: u64,
        /// The next number.
        actual: u64,
    },
    /// The event cannot be split into few enough parts. Nothing was written.
    #[error("record {seq} has {bytes} bytes, more than the {limit} that a record may have")]
    TooLong {
        /// The number that it would have got.
        seq: u64,
        /// How long its line is.
        bytes: usize,
        /// How long a line may be.
        limit: usize,
    },
    /// The event holds lists or objects within each other deeper than a reader accepts. Nothing was written.
    #[error("the values of record {seq} are nested deeper than {limit} levels")]
    TooDeep {
        /// The number that it would have got.
        seq: u64,
        /// How deep an event may be.
        limit: usize,
    },
    /// The event has no form in JSON. Nothing was written.
    #[error("record {seq} cannot be written as JSON")]
    Encode {
        /// The number that it would have got.
        seq: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// Another engine, or another handle of this one, has the journal open.
    #[error("the journal `{dir}` is in use by another process")]
    InUse {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// There is something where a journal was to be created.
    #[error("`{dir}` exists already")]
    Exists {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// There is no journal, or its creation was cut short before anything could be appended.
    #[error("`{dir}` holds no journal")]
    Missing {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// It was written by an engine that stores in another way.
    #[error("the journal `{dir}` has format {found}; this engine knows format {known}")]
    Format {
        /// The journal's folder.
        dir: PathBuf,
        /// The format that it says it has.
        found: u64,
        /// The format that this engine reads.
        known: u64,
    },
    /// The files cannot be read as a database.
    #[error("the journal `{dir}` is damaged: {detail}")]
    Damaged {
        /// The journal's folder.
        dir: PathBuf,
        /// What the database says, in one sentence.
        detail: String,
    },
    /// A record is not as it was written.
    #[error("the journal is broken at record {seq}: {flaw}")]
    Broken {
        /// The first record that does not fit.
        seq: u64,
        /// In what way.
        flaw: Flaw,
    },
    /// The operating system refused.
    #[error("failed to {action} in the journal `{dir}`")]
    Io {
        /// The journal's folder.
        dir: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The answer.
        source: io::Error,
    },
    /// A fault that a test planned.
    #[error("injected fault: {0}")]
    Injected(&'static str),
    /// An earlier append failed, so that nobody knows what is stored.
    #[error("the journal takes nothing more after an earlier failure: {0}")]
    Poisoned(String),
}

/// In what way a record is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The next record that is there has a later number.
    #[error("it is missing; the next one is record {found}")]
    Gap {
        /// The number of the record found in its place.
        found: u64,
    },
    /// A part of it is missing.
    #[error("its part {part} is missing")]
    Part {
        /// Which, counted from 0.
        part: u16,
    },
    /// An entry has a name that no record has.
    #[error("an entry after it is none of the journal's")]
    Foreign,
    /// Its line is not the JSON of an event.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It says that it is another one.
    #[error("it says that it is record {found}")]
    Sequence {
        /// The number in its line.
        found: u64,
    },
    /// The hash that it carries is not that of the record before.
    #[error("it follows a record with the hash {carried}, but the one before has {actual}: one of the two was altered")]
    Chain {
        /// What it carries.
        carried: Digest,
        /// The hash of the record before.
        actual: Digest,
    },
    /// It is the last, and its hash is not the one noted apart.
    #[error("it has the hash {actual}, but {noted} was noted for it: it was altered")]
    Head {
        /// The hash noted apart.
        noted: Digest,
        /// The hash of the record.
        actual: Digest,
    },
    /// It, and all after it, were written once and are gone.
    #[error("it was written once and is gone, with all up to record {last}")]
    Lost {
        /// The last record that is known to have been written.
        last: u64,
    },
    /// It is a seal that does not vouch for itself.
    #[error("the seal is broken: {0}")]
    Seal(String),
    /// No seal follows the last record, although this is the record of a run that has ended.
    #[error("it is the last, and no seal follows: the end is cut off")]
    Unsealed,
    /// The last line of a record has no end.
    #[error("the line is cut off")]
    Cut,
    /// The record and the journal of one run differ from here on.
    #[error("the record says one thing about it, and the journal another")]
    Disagreement,
    /// It is there, although fewer records were noted.
    #[error("it is one more than were noted")]
    Surplus,
}

impl JournalError {
    /// What a person can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => Some("watch that run with `runbook attach`, or wait until it has ended"),
            Self::Missing { .. } => Some("no step of this run has started; start it anew"),
            Self::Format { .. } => Some("go on with the version of runbook that started this run"),
            Self::Damaged { .. } | Self::Broken { .. } => Some(
                "put the run's folder back from a backup; without one, find out from its `logs` and `status.json` what was done, \
                 and start a new run for the rest",
            ),
            Self::Io { .. } | Self::Poisoned(_) => {
                Some("see that the disk has room and works, then go on with `runbook resume`")
            }
            Self::TooLong { .. } | Self::TooDeep { .. } | Self::Encode { .. } => Some("hand on less, or in a file"),
            Self::Conflict { .. } | Self::Exists { .. } | Self::Injected(_) => None,
        }
    }

    /// Whether an append that failed so has surely written nothing, so that the journal stays usable.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::TooLong { .. } | Self::TooDeep { .. } | Self::Encode { .. })
    }
}
