//! Why an engine cannot go on, by what the caller can do about it.

use std::io;

use runbook_core::IllegalEvent;
use runbook_core::event::LockHolder;
use runbook_journal::JournalError;

use crate::supervisor::ClientError;

/// Why an engine cannot go on. The run stays as its journal has it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another engine has the run.
    #[error("another engine has this run")]
    InUse,
    /// Something outside must be put right first; each is a sentence.
    #[error("{}", .0.join("\n"))]
    Precondition(Vec<String>),
    /// Another run holds a lock that this one needs.
    #[error("the lock `{name}` is held{}", .holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Locked {
        /// Its name.
        name: String,
        /// Who holds it, where that is known.
        holder: Option<Box<LockHolder>>,
    },
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal and this program disagree.
    #[error("the journal does not fit this program: {0}")]
    Illegal(#[from] IllegalEvent),
    /// The supervisor cannot be reached.
    #[error(transparent)]
    Supervisor(#[from] ClientError),
    /// The record is sealed, and cannot be signed.
    #[error("{0}")]
    Unsigned(String),
    /// A file or folder of the run cannot be used.
    #[error("cannot use the folder of the run: {0}")]
    Io(#[from] io::Error),
}
