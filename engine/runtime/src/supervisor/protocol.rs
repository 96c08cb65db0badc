//! What engine and supervisor say to each other: one JSON value for each line over the socket in the run folder.
//!
//! ```text
//! engine      Hello ─►            Start ─►                          Signal ─►                 Leave ─►
//! supervisor         ◄─ Welcome          ◄─ Started … ◄─ Ended               … ◄─ Ended
//! ```
//!
//! Every request about a key is idempotent: asked again, the supervisor answers with the present state.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use runbook_core::event::LockHolder;
use serde::{Deserialize, Serialize};

use crate::locks::Claim;

/// Version of these messages. A supervisor refuses an engine that speaks another one.
pub const PROTOCOL_VERSION: u32 = 1;

/// Longest key in bytes: with its suffixes it must fit into a file name (255 bytes).
const KEY_MAX: usize = 200;

/// Name of one command, for example `restart.do.2.1` or `service.sandbox.1`; safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// A key that cannot be the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key: 1 to {KEY_MAX} of the characters A-Z a-z 0-9 `_` `-` `.`, and no dot in front")]
pub struct InvalidKey(String);

impl Key {
    /// Checks `text` and makes it a key.
    ///
    /// # Errors
    /// When it is empty, too long, starts with a dot or has a character that is not safe in a file name.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() || text.len() > KEY_MAX || text.starts_with('.') || !text.chars().all(safe) {
            return Err(InvalidKey(text));
        }
        Ok(Self(text))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that nobody may read: it travels over the socket and in the environment of a command, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Whoever calls this must keep it out of argv, files and messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A process that cannot be confused with a later one of the same number (on the same boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub start_time: u64,
}

/// Which supervisor this is: written to `supervisor.json`, and kept by the engine with each attempt it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its process.
    pub process: ProcessId,
    /// The boot it lives in (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
}

/// What the engine asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first message. Answered with [`Notification::Welcome`] or [`Notification::Refused`].
    Hello {
        /// [`PROTOCOL_VERSION`] of the engine.
        version: u32,
    },
    /// Start a command. Answered with `Started`, or `Ended` when it could not be started or has ended before.
    Start(Box<StartRequest>),
    /// End a command and all that it started. Answered with `Ended` once nothing of it is left, also when only its main
    /// process is known to be gone.
    Signal {
        /// Which command.
        key: Key,
        /// `false`: TERM, which a process may ignore. `true`: KILL.
        force: bool,
    },
    /// Hold these locks. Answered with `Locked`, `LockInUse` or `LockFailed`.
    Lock(Box<LockRequest>),
    /// Let go of locks. Answered with `Unlocked`.
    Unlock {
        /// Those asked for by this name.
        scope: String,
    },
    /// The run is over: the supervisor leaves at once, whatever still runs.
    Leave,
}

/// Locks to hold, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRequest {
    /// The name that they are let go by.
    pub scope: String,
    /// The folder of the locks of this machine.
    pub folder: PathBuf,
    /// Which.
    pub names: Vec<String>,
    /// For whom, as others are told.
    pub claim: Claim,
}

/// Whether a command is a step's or a service of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// An attempt of a step or of its undo.
    Attempt,
    /// A service that runs beside the steps.
    Service,
}

/// One command to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// Its name. A known one is not started again.
    pub key: Key,
    /// Step or service.
    pub kind: CommandKind,
    /// Absolute path of the program; see [`resolve_program`](super::resolve_program).
    pub program: PathBuf,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Variables to set on top of the supervisor's environment.
    pub env: BTreeMap<String, String>,
    /// Variables of the supervisor's environment that the command must not see.
    pub env_remove: Vec<String>,
    /// Secret variables to set. They are never written down, and not masked by themselves: see `mask`.
    pub env_secret: BTreeMap<String, Secret>,
    /// Values to mask in the output. When empty, the output goes to the files directly.
    pub mask: Vec<Secret>,
    /// Working folder, absolute.
    pub dir: PathBuf,
    /// File that gets standard output, appended; absolute; made with mode 0600.
    pub stdout: PathBuf,
    /// File that gets standard error, appended; absolute; made with mode 0600.
    pub stderr: PathBuf,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It never ran.
    SpawnError {
        /// Why, for programs.
        kind: SpawnErrorKind,
        /// Why, for people.
        message: String,
    },
    /// It may have run, and nobody saw how it ended: its supervisor was lost.
    Unknown,
}

/// Why a command never ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnErrorKind {
    /// There is no such program (or the interpreter that its first line names is missing).
    ProgramNotFound,
    /// The working folder is missing or no folder.
    DirNotFound,
    /// The program may not be executed.
    PermissionDenied,
    /// An output or status file could not be written.
    Output,
    /// Anything else, such as too many processes or a too long argument.
    Other,
}

/// A part of an output file, in bytes: what one command wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Span {
    /// Length of the file when the command started.
    pub from: u64,
    /// Length of the file when it had ended.
    pub to: u64,
}

/// A command that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its main process.
    pub process: ProcessId,
    /// When, in milliseconds since 1970.
    pub started_at_ms: u64,
    /// Length of the standard output file before.
    pub stdout_from: u64,
    /// Length of the standard error file before.
    pub stderr_from: u64,
}

/// A command that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How its main process ended.
    pub exit: Exit,
    /// When it started, in milliseconds since 1970; none when it never did or nobody knows.
    pub started_at_ms: Option<u64>,
    /// When it was over, in milliseconds since 1970.
    pub ended_at_ms: u64,
    /// What it wrote to standard output.
    pub stdout: Span,
    /// What it wrote to standard error.
    pub stderr: Span,
    /// The hardest signal it was sent on request, if any.
    pub signalled: Option<Stop>,
    /// Its processes that live on: of a command of which nobody saw the end, until it is signalled; else those that could
    /// not be killed because they belong to another user. Empty in all but odd cases.
    pub survivors: Vec<ProcessId>,
}

impl Ended {
    /// Whether nobody saw the end, nor made sure that nothing of it is left: then it can still be signalled.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        self.exit == Exit::Unknown && self.signalled.is_none()
    }
}

/// How hard a command was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// By TERM.
    Term,
    /// By KILL.
    Kill,
}

/// What the supervisor knows of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// It runs, or something of it is still to be ended.
    Running(Started),
    /// It is over.
    Ended(Ended),
}

/// A command that the supervisor knows, as told after a reconnect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCommand {
    /// Its name.
    pub key: Key,
    /// Step or service.
    pub kind: CommandKind,
    /// What became of it.
    pub state: CommandState,
}

/// The first answer of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Version of the messages that follow.
    pub version: u32,
    /// Which supervisor this is.
    pub identity: Identity,
    /// Every command of the run, also those of an earlier supervisor (their exit may be [`Exit::Unknown`]).
    pub commands: Vec<KnownCommand>,
}

/// Why an engine was sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Another engine is connected and alive.
    Busy,
    /// It speaks another version, or something that is no request.
    Version,
}

/// What the supervisor tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notification {
    /// Answer to `Hello`.
    Welcome(Welcome),
    /// Answer to a `Hello` that is not accepted; the connection closes.
    Refused(Refusal),
    /// A command runs.
    Started {
        /// Which.
        key: Key,
        /// Since when, and as which process.
        started: Started,
    },
    /// A command is over.
    Ended {
        /// Which.
        key: Key,
        /// How.
        ended: Ended,
    },
    /// The locks are held.
    Locked {
        /// By which name they were asked for.
        scope: String,
    },
    /// Somebody else holds a lock; none of those that were asked for with it is held.
    LockInUse {
        /// By which name they were asked for.
        scope: String,
        /// Which lock.
        name: String,
        /// Who holds it, where that is known.
        holder: Option<LockHolder>,
    },
    /// The locks are free again.
    Unlocked {
        /// By which name they were asked for.
        scope: String,
    },
    /// The locks cannot be used at all.
    LockFailed {
        /// Why.
        message: String,
    },
    /// A signal was asked for a command that was never started.
    Unknown {
        /// Which.
        key: Key,
    },
}
