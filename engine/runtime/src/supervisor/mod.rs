//! The supervisor: the process that outlives the engine, starts the commands of one run, and remembers how each ended.
//!
//! It decides nothing. The engine asks over a socket in the run folder ([`SupervisorClient`]), the supervisor ([`serve`])
//! starts, waits, kills and tells. What it knows of a command is also in a status file, so that it can be known after both were lost.
//!
//! ```text
//! engine ── socket ──► supervisor ── duct ──► command ──► logs/<step>.<attempt>.{out,err}
//!                          │  ▲ pidfd            └ with secrets: pipe ─► mask ─► file
//!                          ▼
//!                  attempts/<key>.json
//! ```

mod adopt;
mod client;
mod command;
mod descriptors;
mod forms;
mod forms_in_urls;
mod locks;
mod mask;
mod output;
mod overwrite;
mod process;
mod program;
mod protocol;
mod reactor;
mod requests;
mod server;
mod socket;
mod spawn;
mod status;
mod stop;
mod tree;

pub use client::{ClientError, Lost, SupervisorClient};
pub use mask::{MASK_MIN_BYTES, MaskError, Masker};
pub use process::{boot_id, command_line, is_alive, own as own_process, wait_gone};
pub use program::{ProgramNotFound, resolve_program};
pub use protocol::{
    CommandKind, CommandState, Ended, Exit, Identity, InvalidKey, Key, KnownCommand, LockRequest, Notification,
    PROTOCOL_VERSION, ProcessId, Refusal, Request, Secret, Span, SpawnErrorKind, StartRequest, Started, Stop, Welcome,
};
pub use server::{SupervisorError, read_identity, serve};
pub use status::{AttemptStatus, read_status};

/// Name of the hidden subcommand that calls `serve`.
pub const SUBCOMMAND: &str = "__supervise";
/// The socket, in the run folder.
const SOCKET_FILE: &str = "supervisor.sock";
/// Held by the living supervisor, in the run folder.
const LOCK_FILE: &str = "supervisor.lock";
/// Who it is, in the run folder.
const IDENTITY_FILE: &str = "supervisor.json";
/// What the supervisor itself has to say, in the run folder.
const LOG_FILE: &str = "supervisor.log";
/// What a supervisor writes to its standard output once it listens.
const READY_LINE: &str = "ready\n";
