//! What was decided: the journal. A run is the fold of its events.
//!
//! Events are a persisted format: a field is added with a default, never renamed; [`PLAN_VERSION`](crate::plan::PLAN_VERSION)
//! grows when that is not enough. Each doc comment says which states accept the event.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::input::{Answer, Exit};
use crate::plan::{OnInterrupt, Plan};
use crate::rendered::Rendered;
use crate::units::{Digest, Role, RunId, ServiceName, StepId, Timestamp};

/// Something that was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// The run exists. First, and only first.
    RunCreated(Box<Created>),
    /// An engine took the run. Any state before the end.
    EngineStarted {
        /// Where it runs.
        host: Host,
    },
    /// A service answers. Starting, or again after a crash.
    ServiceReady {
        /// Which.
        service: ServiceName,
        /// Its process id.
        pid: u32,
    },
    /// A service did not come up. Starting.
    ServiceFailed {
        /// Which.
        service: ServiceName,
        /// Why.
        reason: String,
    },
    /// A service is gone, as wanted. Stopping.
    ServiceStopped {
        /// Which.
        service: ServiceName,
    },
    /// A block or switch was entered. The step is pending and ready.
    BlockEntered {
        /// Which.
        step: StepId,
        /// The case that was taken, counted from 0, the default last; none for a block.
        case: Option<u32>,
    },
    /// A step will not run, and counts as done. The step is pending.
    StepSkipped {
        /// Which.
        step: StepId,
        /// Why.
        reason: SkipReason,
    },
    /// A step will not run, and does not count as done. The step is pending, asked or prepared.
    StepBlocked {
        /// Which.
        step: StepId,
        /// Why.
        reason: BlockReason,
    },
    /// What a step will do was computed. The step is pending and ready.
    StepPrepared {
        /// Which.
        step: StepId,
        /// What will run, with its values.
        action: Rendered,
        /// Of the action, its values, its undo, folder and secret references.
        digest: Digest,
    },
    /// What an undo will do was computed. The step is to be undone next.
    UndoPrepared {
        /// Which.
        step: StepId,
        /// What will run, with its values.
        action: Rendered,
    },
    /// A person is asked.
    QuestionAsked {
        /// What.
        question: Question,
    },
    /// The answer that closed a question. The question is open.
    QuestionAnswered {
        /// Which question.
        question: QuestionId,
        /// What was answered.
        answer: Answer,
        /// By whom.
        by: Identity,
        /// The roles that this person held then.
        roles: BTreeSet<Role>,
        /// When the answer was written.
        written_at: Timestamp,
    },
    /// An answer that does not count. Any state before the end.
    AnswerRefused {
        /// To which question.
        question: QuestionId,
        /// By whom.
        by: Identity,
        /// Why.
        reason: String,
    },
    /// Nobody answered in time. The question is open.
    QuestionExpired {
        /// Which question.
        question: QuestionId,
    },
    /// The question is pointless now. The question is open.
    QuestionWithdrawn {
        /// Which question.
        question: QuestionId,
        /// Why.
        reason: BlockReason,
    },
    /// An attempt, or the next poll of one, may start from now on. The step is prepared, waits to retry, or polls.
    AttemptStarted {
        /// Which.
        attempt: AttemptId,
        /// When it is overdue; for a `wait`, when it is over.
        due: Option<Timestamp>,
        /// Where it starts.
        host: Host,
    },
    /// A poll did not find what it looks for. The attempt runs.
    PollMissed {
        /// Which.
        attempt: AttemptId,
        /// When to look again.
        next: Timestamp,
        /// What it found, in one sentence.
        found: String,
    },
    /// A running attempt is being ended. The attempt runs.
    AttemptStopping {
        /// Which.
        attempt: AttemptId,
        /// Whether it is killed at once.
        force: bool,
        /// Why.
        why: StopReason,
        /// When it is killed, unless it is already.
        kill_at: Timestamp,
    },
    /// An attempt ended. The attempt runs.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// What became of it.
        exit: Exit,
        /// Why it counts as failed; none when it succeeded.
        failure: Option<Failure>,
    },
    /// Nobody knows how an attempt ended. The attempt runs.
    AttemptInterrupted {
        /// Which.
        attempt: AttemptId,
        /// What follows.
        then: OnInterrupt,
    },
    /// The next attempt waits. The last attempt failed.
    RetryScheduled {
        /// Of which step.
        step: StepId,
        /// Of the step or of its undo.
        phase: Phase,
        /// When it starts.
        due: Timestamp,
    },
    /// A step ended well. It runs, or is a block all of whose steps have settled.
    StepSucceeded {
        /// Which.
        step: StepId,
        /// What it hands on.
        outputs: BTreeMap<String, Value>,
    },
    /// A step ended badly. It runs, is asked, could not be prepared, or is a block.
    StepFailed {
        /// Which.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// A step was ended by a person. It runs.
    StepCancelled {
        /// Which.
        step: StepId,
    },
    /// A person wants the run to end. Any state before the end.
    CancelRequested {
        /// How hard: 1 with grace, 2 TERM now, 3 KILL now.
        level: u8,
        /// Who.
        by: Identity,
        /// Why, when said.
        reason: Option<String>,
    },
    /// The grace that the first request to cancel leaves is over. The run is being cancelled.
    CancelGraceOver,
    /// All steps have settled and what succeeded is undone, in this order.
    RollbackStarted {
        /// The steps to undo, dependents first.
        order: Vec<StepId>,
        /// Steps that succeeded and cannot be undone.
        irreversible: Vec<StepId>,
    },
    /// A step is undone. Its undo runs.
    StepUndone {
        /// Which.
        step: StepId,
    },
    /// An undo ended badly: the run is stuck. Its undo runs, or could not be prepared.
    UndoFailed {
        /// Of which step.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// The `always` steps begin. All steps have settled and the rollback, if any, is over.
    AlwaysStarted,
    /// Services are being stopped. All that was to run has run.
    ServicesStopping,
    /// The end.
    RunEnded {
        /// The state.
        state: EndState,
        /// Why, which with the state gives the exit code.
        cause: Cause,
        /// Steps that succeeded and could not be undone although the run was rolled back.
        irreversible: Vec<StepId>,
    },
}

/// The first event: all that a run is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The environment's resolved values: an object.
    pub environment: Value,
    /// Who holds which role, as it was at the start; answers are judged by what holds when they are read.
    pub roles: BTreeMap<Role, Vec<String>>,
    /// The services to start, with their ports and folders.
    pub services: Vec<ServicePlan>,
    /// The document's `env`, rendered; secrets by name.
    pub env: BTreeMap<String, crate::rendered::RenderedSource>,
    /// The folder that `dir` defaults to.
    pub dir: String,
    /// The file that the runbook came from, for people.
    pub file: String,
    /// Who started it.
    pub by: Identity,
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The user id.
    pub uid: u32,
    /// The login name; the number as text where there is none.
    pub name: String,
}

/// Of a step, or of its undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The step itself.
    Do,
    /// Its undo.
    Undo,
}

/// One attempt, or one poll of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptId {
    /// Of which step.
    pub step: StepId,
    /// Of the step or its undo.
    pub phase: Phase,
    /// Counted from 1.
    pub number: u32,
    /// Counted from 1; 1 where nothing is polled.
    pub poll: u32,
}

impl AttemptId {
    /// The first poll of an attempt.
    pub fn first(step: StepId, phase: Phase, number: u32) -> Self {
        Self { step, phase, number, poll: 1 }
    }

    /// The poll after this one.
    #[must_use]
    pub fn next_poll(&self) -> Self {
        Self { poll: self.poll + 1, ..self.clone() }
    }
}

/// `<step>.<number>`, `<step>.undo.<number>`, and `.<poll>` behind it from the second poll on: safe as a file name.
impl std::fmt::Display for AttemptId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let undo = if self.phase == Phase::Undo { ".undo" } else { "" };
        write!(out, "{}{undo}.{}", self.step, self.number)?;
        if self.poll > 1 { write!(out, ".{}", self.poll) } else { Ok(()) }
    }
}

/// A question, unique within its run: `approve:<step>`, `manual:<attempt>`, `interrupt:<attempt>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub String);

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// About which step.
    pub step: StepId,
    /// What kind.
    pub kind: QuestionKind,
    /// What is asked, beyond what the kind says.
    pub message: Option<String>,
    /// When it expires.
    pub due: Option<Timestamp>,
}

/// The kinds of questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// May this step run?
    Approval {
        /// Roles or login names, of which one suffices.
        from: Vec<Role>,
        /// Of exactly what will run.
        digest: Digest,
    },
    /// Has a person done this?
    Manual {
        /// In which attempt.
        attempt: AttemptId,
    },
    /// Did this attempt take effect?
    Interrupted {
        /// Which.
        attempt: AttemptId,
    },
}

/// A timer that the core asked for; `decide` ignores one that no longer matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// A question expires.
    Question(QuestionId),
    /// An attempt is overdue.
    Overdue(AttemptId),
    /// TERM was not enough.
    Kill(AttemptId),
    /// The next attempt starts.
    Retry(StepId, Phase),
    /// The next poll starts.
    Poll(AttemptId),
    /// A `wait` is over.
    Wait(AttemptId),
    /// The grace after the first request to cancel is over.
    CancelGrace,
}

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
}

/// Why an attempt is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It is overdue.
    Timeout,
    /// A person cancelled the run.
    Cancel,
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
    /// This step, of `always`, failed.
    Always(StepId),
    /// The undo of this step failed.
    Undo(StepId),
    /// This service did not come up.
    Service(ServiceName),
}
