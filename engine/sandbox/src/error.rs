//! What can go wrong outside of a single HTTP request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A failure of the platform or of a database command, told apart by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is reachable from other machines and that was not asked for.
    #[error("refused to listen on `{0}`: only loopback addresses are allowed")]
    NotLoopback(SocketAddr),
    /// Another process serves this folder.
    #[error("data folder `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Nobody serves this folder, or its address and token are not there.
    #[error("no platform is being served from `{}`", .0.display())]
    NotServed(PathBuf),
    /// The folder holds no platform.
    #[error("`{}` is not a data folder of the platform", .0.display())]
    NotAPlatform(PathBuf),
    /// The platform did not answer.
    #[error("platform at `{address}` did not answer: {why}")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What the transport said.
        why: String,
    },
    /// The platform answered with an error.
    #[error("platform answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The message in the body.
        message: String,
    },
    /// No fault has this name.
    #[error("unknown fault `{name}`; valid names: {}", .valid.join(", "))]
    UnknownFault {
        /// What was asked for.
        name: String,
        /// What there is.
        valid: Vec<&'static str>,
    },
    /// A parameter of the rehearsal has a value that no incident matches.
    #[error("cannot rehearse {parameter} `{value}`; valid values: {}", .valid.join(", "))]
    UnknownRehearsal {
        /// The name of the parameter.
        parameter: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        valid: Vec<&'static str>,
    },
    /// A dump cannot be trusted; nothing was touched.
    #[error("backup `{}` is not usable: {why}", .file.display())]
    BadBackup {
        /// The dump.
        file: PathBuf,
        /// What does not match.
        why: String,
    },
    /// No dump in the backup folder can be trusted.
    #[error("no usable backup in `{}`", .0.display())]
    NoBackup(PathBuf),
    /// A service that writes to the database is not stopped; nothing was touched.
    #[error("refused to replace the database: {} not stopped", .0.join(", "))]
    ServicesRunning(Vec<String>),
    /// The database is missing, incomplete or inconsistent.
    #[error("database is damaged: {}", .0.join("; "))]
    Damaged(Vec<String>),
    /// The file system refused.
    #[error("{action} `{}`: {source}", .path.display())]
    Io {
        /// What was tried, such as `cannot read`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("database error: {0}")]
    Database(#[from] rusqlite::Error),
    /// A request that the platform makes to itself was refused, such as a fault at the start.
    #[error("{0}")]
    Rejected(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
    /// A background task of the platform ended unexpectedly.
    #[error("background task ended: {0}")]
    Task(String),
}

impl Error {
    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
