//! What was decided: the journal. A run is the fold of its events.
//!
//! A persisted format: a field is added with a default, never renamed; where that is not enough, `PLAN_VERSION` grows.
//! Each doc comment says which states accept the event.

mod attempt;
mod created;
mod lock;
mod question;
mod reason;
mod verb;
mod words;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use attempt::{AttemptId, Phase, Survivor};
pub use created::{Created, Host, Identity, Parent, ServicePlan};
pub use lock::{LockHolder, LockScope, LockWish};
pub use question::{Escalation, Question, QuestionId, QuestionKind, Timer};
pub use reason::{AfterLoss, BlockReason, Cause, ChildEnd, EndState, EndedChild, Failure, SkipReason, StopReason};
pub use verb::{FROM_PARENT, Refused, Verb};

use crate::input::{Answer, Exit};
use crate::plan::{OnInterrupt, OnTrip, Section};
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
    /// A step, or its undo, wants these locks, which nothing around it holds. The step is cleared, or to be undone next.
    LocksAsked {
        /// For whom.
        scope: LockScope,
        /// By name.
        locks: Vec<LockWish>,
    },
    /// The locks are held from now on. They were asked for.
    LocksTaken {
        /// For whom.
        scope: LockScope,
    },
    /// Somebody else holds a lock. It was asked for.
    LockAwaited {
        /// For whom.
        scope: LockScope,
        /// Which.
        name: String,
        /// Who holds it, where that is known.
        holder: Option<LockHolder>,
        /// Until when it is waited for; what had the lock before a crash waits as long as it takes.
        until: Timestamp,
    },
    /// The run does not get a lock, and so does not begin. It never held its locks.
    LockRefused {
        /// Which.
        name: String,
        /// Who holds it, where that is known.
        holder: Option<LockHolder>,
    },
    /// A block or switch was entered. The step is pending and ready.
    BlockEntered {
        /// Which.
        step: StepId,
        /// The case that was taken, counted from 0, the default last; none for a block.
        case: Option<u32>,
    },
    /// A loop was entered: the plan grows by the steps of its items. The step is pending and ready, or prepared.
    LoopEntered {
        /// Which.
        step: StepId,
        /// The list.
        items: Vec<Value>,
        /// How many items may fail before the loop fails.
        failures_max: u32,
    },
    /// The time of a deadline has come, and its steps run from now on. Its block is pending, and the steps go on.
    DeadlinePassed {
        /// Which.
        step: StepId,
        /// Why nobody knows whether its `unless` holds, when that is so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
    },
    /// The `rescue` or `always` of a block begins. All steps of the sections before it have settled.
    SectionEntered {
        /// Of which block.
        step: StepId,
        /// Which section.
        section: Section,
        /// For `rescue`, the steps that failed; for `always`, those that keep the block from succeeding.
        trouble: Vec<StepId>,
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
        /// What looks whether it is done, with its values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<Rendered>,
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
    /// One of the people whom a question needs agreed, and not yet the last. The question is open.
    ApprovalGiven {
        /// Which question.
        question: QuestionId,
        /// By whom.
        by: Identity,
        /// The roles that this person held then.
        roles: BTreeSet<Role>,
        /// Why, when said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
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
    /// Nobody answered in time, and now others may, too. The question is open, has an escalation, and has had none yet.
    QuestionEscalated {
        /// Which question.
        question: QuestionId,
        /// When it expires now.
        due: Timestamp,
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
    /// An attempt, or its next poll, may start. The step is prepared, waits, or polls; of a look, its attempt may be interrupted.
    AttemptStarted {
        /// Which.
        attempt: AttemptId,
        /// When it is overdue; for a `wait`, when it is over.
        due: Option<Timestamp>,
        /// Where it starts.
        host: Host,
        /// The child run that it starts, or goes on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child: Option<RunId>,
    },
    /// A guard found what must not be so, so often that something follows. Its probe has just ended, and the steps go on.
    GuardTripped {
        /// Which.
        step: StepId,
        /// What follows.
        then: OnTrip,
        /// What it found, in one sentence.
        found: String,
    },
    /// A poll did not find what it looks for, or the probe of a guard did not trip it. The attempt runs.
    PollMissed {
        /// Which.
        attempt: AttemptId,
        /// When to look again.
        next: Timestamp,
        /// What it found, in one sentence.
        found: String,
        /// Of a guard: how many looks, this one the last, found what must not be so.
        #[serde(default, skip_serializing_if = "attempt::is_zero")]
        trips: u32,
    },
    /// An attempt, or what an interrupted one left running, is being ended. The attempt runs, or is interrupted.
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
    /// The child run of an attempt has ended. The attempt runs, and ends next.
    ChildEnded(Box<EndedChild>),
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
        /// Its processes that live on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        survivors: Vec<Survivor>,
        /// What it hands on if it took effect; none where that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<BTreeMap<String, Value>>,
        /// Whether the step's `done_when` is asked first.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        probed: bool,
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
    /// A step ended well. It runs, or is a block all of whose steps have settled; or it was already done, or done by hand.
    StepSucceeded {
        /// Which.
        step: StepId,
        /// What it hands on.
        outputs: BTreeMap<String, Value>,
        /// Whether its `done_when` said that nothing was left to do.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        already_done: bool,
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
        /// Which message said so, when it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The grace that the first request to cancel leaves is over. The run is being cancelled.
    CancelGraceOver,
    /// An operator told the run something that makes sense. Any state; after the end [`Event::RunReopened`] follows.
    VerbTaken {
        /// What.
        verb: Verb,
        /// Who.
        by: Identity,
        /// Why.
        reason: String,
        /// When it was said.
        written_at: Timestamp,
        /// Which message said so, when it was one.
        message: Option<String>,
    },
    /// An operator told the run something that makes no sense now. Any state before the end.
    VerbRefused(Box<Refused>),
    /// The run goes on after its end, as soon as an engine takes it. Ended.
    RunReopened {
        /// Whether it is only to be undone, so that a request to cancel still says how it ended.
        undoing: bool,
    },
    /// Steps start over. None of them runs, and nothing that builds on them does.
    StepsReset {
        /// These are pending again; their attempts are counted on.
        steps: Vec<StepId>,
        /// The blocks around them that had settled are open again.
        blocks: Vec<StepId>,
        /// Those that a person told to run, whatever failed elsewhere.
        told: Vec<StepId>,
    },
    /// A failed undo of this step starts over. The run is stuck at it.
    UndoReset {
        /// Which.
        step: StepId,
    },
    /// All steps have settled and what succeeded is undone, in this order.
    RollbackStarted {
        /// The steps to undo, dependents first.
        order: Vec<StepId>,
        /// Steps that succeeded and cannot be undone.
        irreversible: Vec<StepId>,
    },
    /// A step is undone. Its undo runs; or it failed, and a person did it.
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
        /// What the run hands on; only when it succeeded.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
}
