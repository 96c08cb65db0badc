//! What the engine and an executable plugin say to each other: one JSON object on each line, in UTF-8.
//!
//! ```text
//! engine ─► plugin   {"type":"call","protocol":1,"id":"post.1","operation":"run","inputs":{…},…}     once, at the start
//!                    {"type":"cancel","id":"post.1"}                                                 when it is to end
//! plugin ─► engine   {"type":"hello","protocol":1}                                                   first of all
//!                    {"type":"log","level":"info","message":"…"}                                     any number
//!                    {"type":"progress","done":3,"total":10,"message":"…"}                           any number
//!                    {"type":"result","id":"post.1","outputs":{…}}                                   or
//!                    {"type":"error","id":"post.1","message":"…","exit_code":2}                      last of all
//! ```
//!
//! The plugin reads the call from its standard input and answers on its standard output; what it prints on standard error is
//! kept in the log of the step. After its answer it ends. Keys that one side does not know it passes over, so that
//! either may say more than the other reads; what would change the meaning of what is there is a new version.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of all of this.
pub const PROTOCOL: u32 = 1;

/// The longest line that either side reads, in bytes.
pub const LINE_MAX: usize = 1 << 20;

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Do something. The first line, and the only call.
    Call(Box<Call>),
    /// Come to an end: leave nothing half done, and answer. TERM comes at the same time, KILL when the time for it is over.
    Cancel {
        /// Of the call.
        id: String,
    },
}

/// What a plugin is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// [`PROTOCOL`] of the engine.
    pub protocol: u32,
    /// The name of this call: the answer repeats it.
    pub id: String,
    /// What is to be done.
    pub operation: Operation,
    /// The inputs, secrets among them.
    pub inputs: Map<String, Value>,
    /// For an undo: what the call that is undone handed back.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// The same whenever nobody knows whether the call was made before, and never the same for another: run, step, attempt.
    pub idempotency_key: String,
    /// The id of the run.
    pub run: String,
    /// The id of the step.
    pub step: String,
    /// How long the call may take, in milliseconds; none where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// What the plugin is for.
    Run,
    /// Undo a call that succeeded.
    Undo,
}

/// What a plugin says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    /// The first line: which version it speaks.
    Hello {
        /// [`PROTOCOL`] of the plugin.
        protocol: u32,
    },
    /// A line for the log of the step.
    Log {
        /// How much it matters.
        #[serde(default)]
        level: Level,
        /// What there is to say.
        message: String,
    },
    /// How far it is.
    Progress {
        /// So much is done.
        done: u64,
        /// Of so much, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// What it is at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// It is done.
    Result {
        /// Of the call.
        id: String,
        /// What it hands back.
        #[serde(default)]
        outputs: Map<String, Value>,
    },
    /// It is not done.
    Error {
        /// Of the call.
        id: String,
        /// Why, in one sentence.
        message: String,
        /// The exit code of the step, which `retry.on.exit_codes` may name: 1 to 99, and 1 where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
    },
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever writes the plugin.
    Debug,
    /// What it does.
    #[default]
    Info,
    /// What is not as it should be.
    Warning,
    /// What went wrong.
    Error,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, Reply, Request};

    #[test]
    fn what_is_said_stays_as_it_is_documented() {
        let call = r#"{"type":"call","protocol":1,"id":"post.1","operation":"run","inputs":{"text":"hi"},"idempotency_key":"01K/post.1","run":"01K","step":"post"}"#;
        let read: Request = serde_json::from_str(call).expect("a call");
        assert!(matches!(&read, Request::Call(call) if call.operation == Operation::Run));
        assert_eq!(serde_json::to_string(&read).expect("JSON"), call);
        for line in [
            r#"{"type":"hello","protocol":1}"#,
            r#"{"type":"log","level":"info","message":"x"}"#,
            r#"{"type":"progress","done":3,"total":10,"message":"x"}"#,
            r#"{"type":"result","id":"post.1","outputs":{"ts":"1"}}"#,
            r#"{"type":"error","id":"post.1","message":"x","exit_code":2}"#,
        ] {
            let reply: Reply = serde_json::from_str(line).expect("a reply");
            assert_eq!(serde_json::to_string(&reply).expect("JSON"), line);
        }
    }

    #[test]
    fn unknown_keys_are_passed_over() {
        let line = r#"{"type":"result","id":"a","cost":3}"#;
        assert!(matches!(serde_json::from_str(line), Ok(Reply::Result { outputs, .. }) if outputs.is_empty()));
    }
}
