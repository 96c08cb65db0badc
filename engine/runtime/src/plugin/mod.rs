//! Plugins that are programs: their files, kept with the run, and the process that speaks with one.
//!
//! ```text
//! engine ─► supervisor ─► host (this program) ─► the plugin        one process of each for a call
//! ```
//!
//! A call is a command like any other, so that it survives the engine, is ended and masked like one, and nothing that a plugin
//! does reaches the engine: it reads what the host leaves.

pub(crate) mod files;
mod host;
mod talk;

use std::collections::BTreeMap;
use std::path::PathBuf;

use runbook_plugin_protocol::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use files::{FILES_MAX, PluginFiles, SIZE_MAX};
pub use host::host;

/// The hidden command that speaks with a plugin.
pub const PLUGIN_SUBCOMMAND: &str = "__plugin";

/// The exit code of a call that the plugin did not answer as it should have.
pub const BROKEN: u8 = 70;

/// What a host is started with; secrets are in its environment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// What to say.
    pub(crate) call: Call,
    /// The inputs that are secrets, and the variables that hold them.
    pub(crate) secrets: BTreeMap<String, String>,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Where to leave what came of it.
    pub(crate) left: PathBuf,
}

/// What a host leaves.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Left {
    /// What the plugin hands back.
    Outputs(Map<String, Value>),
    /// Why there is nothing.
    Failed {
        /// In one sentence.
        why: String,
        /// The exit code of the call.
        code: u8,
    },
}
