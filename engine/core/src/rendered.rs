//! An action with its values: what exactly will run. It is in the journal, in questions, and under their digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Field, Operation};
use crate::units::{Digest, RunId, SecretName, StepId, Timestamp};

/// An action with its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendered {
    /// A script; its text is in the plan.
    Run {
        /// The text, exactly as written.
        text: String,
        /// `bash`, `sh` or a path.
        shell: String,
        /// The step's own environment variables.
        env: BTreeMap<String, RenderedSource>,
        /// The folder; none means the run's.
        dir: Option<String>,
    },
    /// A program with arguments.
    Argv {
        /// The program and its arguments.
        argv: Vec<String>,
        /// The step's own environment variables.
        env: BTreeMap<String, RenderedSource>,
        /// The folder; none means the run's.
        dir: Option<String>,
    },
    /// A request.
    Http {
        /// Upper case.
        method: String,
        /// Where to.
        url: String,
        /// Request headers.
        headers: BTreeMap<String, RenderedSource>,
        /// The body, JSON or text.
        body: Option<RenderedBody>,
        /// The statuses that are a success, as inclusive ranges.
        expect: Vec<(u16, u16)>,
    },
    /// Checks, which the core makes itself.
    Assert,
    /// Values, which the core computed itself.
    Set(BTreeMap<String, Value>),
    /// A pause, in milliseconds from its start.
    WaitFor(u64),
    /// A pause until a moment.
    WaitUntil(Timestamp),
    /// What a person is to do.
    Manual(String),
    /// What a person is asked for.
    Ask {
        /// What is asked.
        prompt: String,
        /// The values, in the order written.
        fields: Vec<Field>,
    },
    /// Another runbook, as a child run.
    Runbook {
        /// How the step names it.
        name: String,
        /// Its plan.
        plan: Digest,
        /// The values of all its params: an object.
        params: Value,
    },
    /// A call of a plugin.
    Plugin {
        /// How the step names it.
        name: String,
        /// Which: its files, all of them.
        plugin: Digest,
        /// What it is to do.
        operation: Operation,
        /// Its inputs, without those that are secrets.
        inputs: BTreeMap<String, Value>,
        /// Those of its inputs that are secrets.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        secrets: BTreeMap<String, RenderedSource>,
        /// For an undo: what the call that is undone handed back.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
    /// As an undo: this child run is rolled back.
    UndoRunbook {
        /// Which.
        run: RunId,
    },
    /// Other steps, for the approval of a block.
    Steps(Vec<StepId>),
    /// The items of a loop, for its approval.
    Items(Vec<Value>),
}

/// A value, or the secret that it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenderedSource {
    /// The value.
    Value(String),
    /// The secret, resolved for the attempt only.
    Secret {
        /// Which.
        name: SecretName,
        /// Fixed text before the value.
        prefix: String,
    },
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenderedBody {
    /// Sent as `application/json`.
    Json(Value),
    /// Sent as it is.
    Text(String),
}

impl Rendered {
    /// Whether something runs outside of the engine's own decisions, and so takes one of the `max_parallel` places.
    pub fn is_external(&self) -> bool {
        matches!(self, Self::Http { .. }) || self.is_command()
    }

    /// Whether the supervisor runs it.
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Run { .. } | Self::Argv { .. } | Self::Plugin { .. }) || self.is_child()
    }

    /// Whether it is a child run, or the rollback of one.
    pub fn is_child(&self) -> bool {
        matches!(self, Self::Runbook { .. } | Self::UndoRunbook { .. })
    }

    /// The secrets it uses.
    pub fn secrets(&self) -> Vec<&SecretName> {
        let sources = match self {
            Self::Run { env, .. } | Self::Argv { env, .. } => env,
            Self::Http { headers, .. } => headers,
            Self::Plugin { secrets, .. } => secrets,
            _ => return vec![],
        };
        sources
            .values()
            .filter_map(|source| match source {
                RenderedSource::Secret { name, .. } => Some(name),
                RenderedSource::Value(_) => None,
            })
            .collect()
    }

    /// One line for a list of steps.
    pub fn summary(&self) -> String {
        match self {
            Self::Run { text, .. } => text.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim().to_owned(),
            Self::Argv { argv, .. } => argv.join(" "),
            Self::Http { method, url, .. } => format!("{method} {url}"),
            Self::Assert => "assert".to_owned(),
            Self::Set(values) => format!("set {}", values.keys().cloned().collect::<Vec<_>>().join(", ")),
            Self::WaitFor(ms) => format!("wait {}", crate::units::format_duration(*ms)),
            Self::WaitUntil(_) => "wait until a moment".to_owned(),
            Self::Ask { prompt: text, .. } | Self::Manual(text) => text.lines().next().unwrap_or("").to_owned(),
            Self::Runbook { name, .. } => format!("runbook {name}"),
            Self::Plugin { name, operation: Operation::Run, .. } => format!("uses {name}"),
            Self::Plugin { name, operation: Operation::Undo, .. } => format!("undo of {name}"),
            Self::UndoRunbook { run } => format!("roll back the child run {run}"),
            Self::Steps(steps) => format!("{} steps", steps.len()),
            Self::Items(items) => format!("{} items", items.len()),
        }
    }
}
