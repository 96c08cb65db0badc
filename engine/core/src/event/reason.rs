//! Why steps were skipped, blocked, ended or failed, and how runs end.

use serde::{Deserialize, Serialize};

use super::{AttemptId, Identity, LockHolder};
use crate::input::Exit;
use crate::units::{RunId, ServiceName, StepId};

/// Why a step was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its condition did not hold.
    Condition,
    /// Its branch was not taken.
    Branch,
    /// The block around it was skipped.
    Parent(StepId),
    /// The run is of a part of the steps, and this is none of them.
    LeftOut,
    /// It belongs to the `rescue` of this block, in which no step failed.
    Rescue(StepId),
    /// The `unless` of the deadline held when its time came.
    Unless,
    /// All steps had settled before the time of the deadline.
    InTime,
    /// A person said that it need not run.
    Person,
    /// It belongs to an item of a list that another one replaced when its loop started over.
    List,
}

/// Why a step will not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// This step, among those it builds on, failed, was cancelled or was blocked.
    Ancestor(StepId),
    /// This step failed elsewhere, and after a failure nothing more starts.
    Failure(StepId),
    /// The run is being cancelled.
    Cancelled,
    /// The block around it was blocked, or failed before it was entered.
    Parent(StepId),
    /// A service did not come up.
    Service(ServiceName),
    /// The rollback begins.
    Rollback,
    /// Somebody else holds this lock of the run.
    Lock(String),
    /// The steps that it runs beside have all settled.
    Over,
    /// This guard tripped.
    Guard(StepId),
    /// A person said something else about the step.
    Verb,
}

/// Why an attempt is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It is overdue.
    Timeout,
    /// A person cancelled the run.
    Cancel,
    /// It was interrupted, and processes of it live on: they end before this follows.
    Interrupted(AfterLoss),
}

/// What follows once nothing of an interrupted attempt is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterLoss {
    /// It counts as done: a person said that it took effect.
    TookEffect,
    /// It counts as done: its `done_when` said so.
    AlreadyDone,
    /// It counts as failed.
    Failed,
    /// It is run again.
    Rerun,
    /// It is cancelled with the run.
    Cancelled,
}

/// Why something counts as failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The process or request ended badly.
    Exit(Exit),
    /// It took longer than its `timeout`, in milliseconds.
    Timeout(u64),
    /// An expression or template has no value, or an output cannot be used.
    Evaluate(String),
    /// A check of an `assert` does not hold.
    Assert(String),
    /// A person said no.
    Rejected {
        /// Who.
        by: Identity,
        /// Why, when said.
        reason: Option<String>,
    },
    /// Nobody answered in time.
    Expired,
    /// The attempt was interrupted, and did not take effect or must not be repeated.
    Interrupted,
    /// A person ended it.
    Cancelled,
    /// Steps within the block failed.
    Steps(Vec<StepId>),
    /// No case fits the value, and there is no default.
    NoCase(String),
    /// Somebody else holds this lock.
    Lock {
        /// Its name.
        name: String,
        /// Who holds it, where that is known.
        holder: Option<Box<LockHolder>>,
    },
    /// A lock could never be free: these steps wait for each other, each for the next, and the last for the first.
    LockCycle {
        /// The lock that the first waits for, and the second holds.
        name: String,
        /// The steps.
        steps: Vec<StepId>,
    },
    /// The child run did not succeed.
    Child(ChildEnd),
    /// A guard found what must not be so: what, in one sentence.
    Tripped(String),
    /// The plugin says what went wrong, or what it said cannot be used.
    Plugin(String),
}

/// How a child run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildEnd {
    /// Which.
    pub run: RunId,
    /// The state.
    pub state: EndState,
    /// Why.
    pub cause: Cause,
    /// Whether it holds steps that succeeded and cannot be undone; of one that failed, whether it was rolled back all the same.
    #[serde(default)]
    pub irreversible: bool,
}

/// How the child run of an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedChild {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// How.
    pub end: ChildEnd,
}

impl ChildEnd {
    /// Whether something that it did is left: what it could not undo.
    pub fn leaves_something(&self) -> bool {
        self.state == EndState::Stuck || self.irreversible
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// All went well.
    Succeeded,
    /// A step failed and nothing was undone, or not all could be.
    Failed,
    /// A step failed, or the run was cancelled, and what had succeeded is undone.
    RolledBack,
    /// An undo failed.
    Stuck,
    /// A person ended it, and nothing was to be undone.
    Cancelled,
}

/// Why a run ended as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// All went well.
    None,
    /// This step failed.
    Step(StepId),
    /// The approval of this step was refused or expired.
    Rejected(StepId),
    /// A person ended it.
    Cancelled,
    /// A person had it rolled back.
    Rollback,
    /// This step, of `always`, failed.
    Always(StepId),
    /// The undo of this step failed.
    Undo(StepId),
    /// This service did not come up.
    Service(ServiceName),
    /// Somebody else held this lock: the run did not begin.
    Lock(String),
    /// What the runbook hands on has no value: why, in one sentence.
    Outputs(String),
}
