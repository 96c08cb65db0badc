//! The lowered plan: what `language` makes of a runbook, and all that the engine ever reads of it.
//!
//! A plan is complete: it is stored in the first event of a run, so editing the YAML never changes a run in flight.
//! Steps lie in one list, parents before their children, in the order written; `needs` are explicit.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::{Role, SecretName, StepId, StepIx};

/// The version of the format below. It grows when an old engine could not run a new plan.
pub const PLAN_VERSION: u32 = 1;

/// A runbook, checked and lowered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// From the first request to cancel to TERM, in milliseconds.
    pub cancel_grace_ms: u64,
    /// All steps: those of `steps`, then those of `always`; parents before children.
    pub steps: Vec<Step>,
}

/// What a runbook says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Start nothing more (but `failure()` and `always()`), then end as failed.
    Stop,
    /// The same, then undo what succeeded.
    Rollback,
}

/// An expression, without braces: `params.x == 'a'`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expression {
    /// The text.
    pub source: String,
    /// The steps whose results it may read; all have ended when it is evaluated.
    pub reads: BTreeSet<StepId>,
    /// The local names it reads, such as `stdout`, `stderr`, `response`: only these are collected for it.
    #[serde(default)]
    pub locals: BTreeSet<String>,
}

/// A value in which texts may hold `{{ … }}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// No braces anywhere within: taken as it is.
    Literal(Value),
    /// A text that is one `{{ expression }}` and nothing else: its value keeps its type.
    Value(Expression),
    /// A text with braces within: the result is text.
    Text(Expression),
    /// A list with a template somewhere within.
    List(Vec<Template>),
    /// An object with a template somewhere within.
    Object(BTreeMap<String, Template>),
}

impl Template {
    /// A template that is just this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Literal(Value::String(text.into()))
    }
}

/// Where an environment variable or a header gets its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvSource {
    /// From a template.
    Template(Template),
    /// From a secret, with fixed text around it (`Bearer ` before a token).
    Secret {
        /// Which secret.
        name: SecretName,
        /// Fixed text before the value.
        prefix: String,
    },
}

/// Where a secret is found at the start of each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// In an environment variable of the engine.
    Env(String),
    /// In a file; one newline at the end is not part of it.
    File(String),
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// One line; the id where none is written.
    pub title: String,
    /// The block, or switch, that it lies in.
    pub parent: Option<StepIx>,
    /// Which case of its parent, when that is a switch; counted from 0, the default last.
    pub case: Option<u32>,
    /// Whether it belongs to `always`.
    pub always: bool,
    /// What must have settled before it starts.
    pub needs: Vec<StepIx>,
    /// Its `if`.
    pub condition: Option<Condition>,
    /// What it does.
    pub body: Body,
    /// Bounds one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// From TERM to KILL, in milliseconds.
    pub kill_grace_ms: u64,
    /// How failed attempts are repeated.
    pub retry: Option<Retry>,
    /// Polls within one attempt until it holds.
    pub until: Option<Until>,
    /// Who must agree before it starts.
    pub approval: Option<Approval>,
    /// What happens to an attempt whose fate is unknown.
    pub on_interrupt: OnInterrupt,
    /// `on_failure: continue`: its failure counts as done.
    pub continue_on_failure: bool,
    /// How it is undone.
    pub rollback: Option<Undo>,
    /// There is no way to undo it.
    pub irreversible: bool,
    /// Values for later steps, computed from the result.
    pub outputs: BTreeMap<String, Template>,
}

/// The `if` of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What must hold.
    pub expression: Expression,
    /// Whether it calls `failure()` or `always()`, and so is asked also after a failure.
    pub asks_status: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// It acts.
    Action(Action),
    /// It holds other steps.
    Block {
        /// Its direct children, in the order written.
        children: Vec<StepIx>,
    },
    /// It holds lists of steps of which one is taken.
    Switch {
        /// Whose value chooses.
        on: Expression,
        /// The value of each case and its steps.
        cases: Vec<Case>,
        /// The steps for any other value. Without it, an unknown value fails the step.
        default: Option<Vec<StepIx>>,
    },
}

/// One case of a switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Taken when the value equals this, compared as text.
    pub value: String,
    /// Its direct children, in the order written.
    pub children: Vec<StepIx>,
}

/// What a step, or its undo, does in the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A script for a shell; its text is never templated.
    Run(Script),
    /// A program with arguments, no shell.
    Argv(Argv),
    /// An HTTP request.
    Http(Box<Http>),
    /// Expressions that must hold.
    Assert(Vec<Check>),
    /// Values.
    Set(BTreeMap<String, Template>),
    /// A pause.
    Wait(Wait),
    /// Something that a person does and confirms.
    Manual(Template),
}

/// `run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The text, exactly as written.
    pub text: String,
    /// `bash`, `sh` or a path.
    pub shell: String,
    /// The step's own `env`.
    pub env: BTreeMap<String, EnvSource>,
    /// The folder to run in; the one that the run was started in where none is written.
    pub dir: Option<Template>,
}

/// `argv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Argv {
    /// The program and its arguments.
    pub argv: Vec<Template>,
    /// The step's own `env`.
    pub env: BTreeMap<String, EnvSource>,
    /// The folder to run in.
    pub dir: Option<Template>,
}

/// `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// Upper case.
    pub method: String,
    /// Where to.
    pub url: Template,
    /// Request headers.
    pub headers: BTreeMap<String, EnvSource>,
    /// The body.
    pub body: Option<HttpBody>,
    /// The statuses that are a success, as inclusive ranges.
    pub expect: Vec<(u16, u16)>,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// Sent as `application/json`.
    Json(Template),
    /// Sent as it is.
    Text(Template),
}

/// One check of an `assert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What must hold.
    pub that: Expression,
    /// What to say when it does not.
    pub message: Option<Template>,
}

/// `wait`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// For so long: a duration once rendered.
    For(Template),
    /// Until a moment: an RFC 3339 time with its offset once rendered.
    Until(Template),
}

/// How failed attempts are repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all: 3 means three runs.
    pub attempts_max: u32,
    /// From a failure to the next attempt, in milliseconds.
    pub delay_ms: u64,
    /// Whether the delay doubles each time.
    pub exponential: bool,
    /// The delay never grows beyond this, in milliseconds.
    pub delay_max_ms: Option<u64>,
}

impl Retry {
    /// The delay after the given failed attempt, counted from 1.
    pub fn delay_after(&self, failed: u32) -> u64 {
        let doubled = if self.exponential {
            1u64.checked_shl(failed.saturating_sub(1)).map_or(u64::MAX, |by| self.delay_ms.saturating_mul(by))
        } else {
            self.delay_ms
        };
        doubled.min(self.delay_max_ms.unwrap_or(u64::MAX))
    }
}

/// `until` and `every`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// What ends the poll.
    pub condition: Expression,
    /// From one poll to the next, in milliseconds.
    pub every_ms: u64,
}

/// Who must agree before a step starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Roles or login names, of which one suffices.
    pub from: Vec<Role>,
    /// How long the question stays open, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Shown with the question.
    pub message: Option<Template>,
}

/// What happens to an attempt whose fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInterrupt {
    /// Start a new attempt.
    Rerun,
    /// Ask a person.
    Ask,
    /// Count it as failed.
    Fail,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// What undoes it; it sees the step's outputs.
    pub action: Action,
    /// Whether a failed or killed step is undone too.
    pub also_failed: bool,
    /// Bounds one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// From TERM to KILL, in milliseconds.
    pub kill_grace_ms: u64,
    /// How failed attempts are repeated.
    pub retry: Option<Retry>,
    /// What happens to an attempt whose fate is unknown.
    pub on_interrupt: OnInterrupt,
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

    /// Where a step stands.
    pub fn find(&self, id: &str) -> Option<StepIx> {
        self.iter().find(|(_, step)| step.id.as_str() == id).map(|(at, _)| at)
    }
}

impl Step {
    /// Its direct children, of all cases.
    pub fn children(&self) -> impl Iterator<Item = StepIx> {
        let lists: Vec<&[StepIx]> = match &self.body {
            Body::Action(_) => vec![],
            Body::Block { children } => vec![children],
            Body::Switch { cases, default, .. } => {
                cases.iter().map(|case| case.children.as_slice()).chain(default.as_deref()).collect()
            }
        };
        lists.into_iter().flatten().copied()
    }
}
