//! The lowered plan: what `language` makes of a runbook, and all that the engine ever reads of it.
//!
//! A plan is complete: it is stored in the first event of a run, so editing the YAML never changes a run in flight.
//! Steps lie in one list, parents before their children, in the order written; `needs` are explicit.

mod action;
mod beside;
mod check;
mod child;
mod confirm;
mod grow;
mod once;
mod part;
mod plugin;
pub(crate) mod step;
mod template;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use action::{Action, Argv, Ask, Check, Field, Http, HttpBody, RunbookCall, Script, Wait};
pub use beside::{Beside, Deadline, Guard, OnTrip};
pub use check::BrokenPlan;
pub use child::CHILD_DEPTH_MAX;
pub use part::{NoPart, Part, PartKind};
pub use plugin::{Operation, Plugin, PluginCall};
pub use step::{
    Approval, Body, Case, Condition, DoneWhen, FailuresMax, ForEach, ItemOf, Lock, OnInterrupt, Probe, Retry, RetryOn,
    Section, Step, Undo, Until,
};
pub use template::{EnvSource, Expression, SecretCommand, SecretSource, Template};

use crate::units::{Digest, SecretName, StepIx};

/// The version of the format below. It grows when an old engine could not run a new plan.
pub const PLAN_VERSION: u32 = 1;

/// A runbook, checked and lowered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the engine that lowered it.
    pub version: u32,
    /// What the runbook says about itself.
    pub about: About,
    /// The declared params.
    pub params: BTreeMap<String, Param>,
    /// The document's `env`, for every `run` and `argv`.
    pub env: BTreeMap<String, EnvSource>,
    /// Where secrets come from, by name; the environment's override the runbook's at launch.
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// Most attempts at once.
    pub max_parallel: u32,
    /// What happens after a step failed.
    pub on_failure: OnFailure,
    /// What the run holds from its first step to its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// From the first request to cancel to TERM, in milliseconds.
    pub cancel_grace_ms: u64,
    /// All steps: those of `steps`, then those of `deadlines`, then `guards`, then those of `always`; parents before
    /// children.
    pub steps: Vec<Step>,
    /// What a run of it hands on when it succeeds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Template>,
    /// The plans of all child runs, also of those that start others, by their digest without this list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runbooks: BTreeMap<Digest, Plan>,
    /// The plugins that its own steps use, by the digest of all their files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plugins: BTreeMap<Digest, Plugin>,
}

/// What a runbook says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The id, such as `p0-response`.
    pub id: String,
    /// One line.
    pub title: String,
    /// Markdown, for the person who runs it.
    pub description: Option<String>,
    /// Who keeps it.
    pub owner: Option<String>,
    /// Such as `P0`.
    pub severity: Option<String>,
    /// For lists and retention.
    pub tags: Vec<String>,
    /// Where the procedure comes from.
    pub source: Vec<Source>,
    /// Targets, in milliseconds, by name: `acknowledge`, `resolve`.
    pub sla: BTreeMap<String, u64>,
}

/// A section of a manual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The manual's name.
    pub manual: String,
    /// The heading.
    pub section: String,
}

/// A declared param.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// The type of its value.
    pub kind: ParamKind,
    /// The allowed values; empty when all of the type are.
    pub choices: Vec<Value>,
    /// Whether a run needs a value.
    pub required: bool,
    /// The value when none is given. A duration is its text, such as `5m`.
    pub default: Option<Value>,
    /// For the person who is asked for it.
    pub description: Option<String>,
}

/// The type of a param.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration: `5m` in expressions, so that it fits where a duration is due; exported to scripts in seconds.
    Duration,
    /// A list, exported as JSON.
    List,
    /// An object, exported as JSON.
    Object,
}

/// What a run does after a step failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Start nothing more (but `failure()` and `always()`), then end as failed.
    #[default]
    Stop,
    /// The same, then undo what succeeded.
    Rollback,
    /// The same, then ask a person what is to follow.
    Ask,
}

impl Plan {
    /// The step at a place of this plan.
    pub fn step(&self, at: StepIx) -> &Step {
        &self.steps[at.at()]
    }

    /// The places and steps, in order.
    pub fn iter(&self) -> impl Iterator<Item = (StepIx, &Step)> {
        (0u32..).map(StepIx).zip(&self.steps)
    }

    /// All steps that are written: also those of the bodies of loops, each once.
    pub fn written(&self) -> Vec<&Step> {
        self.written_of(None)
    }

    /// The same of a part of the steps.
    pub fn written_of(&self, part: Option<&Part>) -> Vec<&Step> {
        let runs = |step: &&Step| step.item.is_none() && part.is_none_or(|part| !part.left_out.contains(&step.id));
        let mut found: Vec<&Step> = self.steps.iter().filter(runs).collect();
        let mut next = 0;
        while let Some(step) = found.get(next).copied() {
            if let Body::ForEach(each) = &step.body {
                found.extend(&each.body);
            }
            next += 1;
        }
        found
    }

    /// Where a step stands.
    pub fn find(&self, id: &str) -> Option<StepIx> {
        self.iter().find(|(_, step)| step.id.as_str() == id).map(|(at, _)| at)
    }
}
