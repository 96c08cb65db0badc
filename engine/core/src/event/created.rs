//! The first event, and what it is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AttemptId, LockWish};
use crate::plan::{Part, Plan};
use crate::units::{Digest, Role, RunId, ServiceName, StepId};

/// The first event: all that a run is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The run.
    pub run: RunId,
    /// The plan, in full.
    pub plan: Plan,
    /// Of the plan.
    pub plan_digest: Digest,
    /// The values of all params, `null` where an optional one has none: an object.
    pub params: Value,
    /// The environment's name; none when the run has none.
    pub environment_name: Option<String>,
    /// The file that the environment came from: its roles are read anew at each answer.
    #[serde(default)]
    pub environment_file: Option<String>,
    /// The project file around the folder that the run was started in: its roles are read anew at each answer.
    #[serde(default)]
    pub project_file: Option<String>,
    /// The environment's resolved values: an object.
    pub environment: Value,
    /// Who holds which role, as it was at the start; answers are judged by what holds when they are read.
    pub roles: BTreeMap<Role, Vec<String>>,
    /// Roles or login names that may approve alone, whatever an approval asks for, with a reason, in an emergency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub break_glass: Vec<Role>,
    /// The services to start, with their ports and folders.
    pub services: Vec<ServicePlan>,
    /// When the deadlines come, by the ids of their blocks, in milliseconds from the start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines: BTreeMap<StepId, u64>,
    /// The locks of the run; none where it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockWish>,
    /// The locks that the runs around it, and their steps, hold for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks_above: Vec<String>,
    /// The folder that all locks lie in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub locks_dir: String,
    /// The document's `env`, rendered; secrets by name.
    pub env: BTreeMap<String, crate::rendered::RenderedSource>,
    /// The folder that `dir` defaults to.
    pub dir: String,
    /// The file that the runbook came from, for people.
    pub file: String,
    /// Who started it.
    pub by: Identity,
    /// What it was started under, so that it is started once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The part of the steps that it is a run of; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The run and step that started it, when it is a child run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// What started a child run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: AttemptId,
    /// How many runs lie around the child.
    pub depth: u32,
}

/// A service, with all that was chosen for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// Its name.
    pub name: ServiceName,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its own environment variables.
    pub env: BTreeMap<String, String>,
    /// The port chosen for it.
    pub port: u16,
    /// Its data folder, inside the run's.
    pub data: String,
    /// The URL that answers 2xx when it is ready.
    pub ready_url: String,
    /// How long it may take to get ready, in milliseconds.
    pub ready_timeout_ms: u64,
    /// From TERM to KILL, in milliseconds.
    pub kill_grace_ms: u64,
}

/// Where an engine runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The kernel's boot id.
    pub boot_id: String,
    /// The supervisor's process id and start time, as `pid:ticks`.
    pub supervisor: String,
}

/// A person, as the operating system knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The user id.
    pub uid: u32,
    /// The login name; the number as text where there is none.
    pub name: String,
}
