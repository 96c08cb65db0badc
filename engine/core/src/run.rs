//! The state of a run: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::evaluate::StepView;
use crate::event::{
    AttemptId, BlockReason, Cause, Created, EndState, Failure, Host, Identity, Phase, Question, QuestionId, SkipReason,
    StopReason,
};
use crate::plan::{Body, Plan, Step};
use crate::rendered::Rendered;
use crate::units::{Digest, ServiceName, StepId, StepIx, Timestamp};

/// The state of a run. Empty until [`RunCreated`](crate::event::Event::RunCreated) is applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    pub(crate) made: Option<Arc<Made>>,
    pub(crate) host: Option<Host>,
    pub(crate) stage: Stage,
    pub(crate) steps: Vec<StepRun>,
    pub(crate) services: BTreeMap<ServiceName, ServiceState>,
    /// Pending steps that nothing holds back any more: the next decision is about them.
    pub(crate) ready: BTreeSet<StepIx>,
    /// Prepared steps that may start as soon as there is a place.
    pub(crate) cleared: BTreeSet<StepIx>,
    /// Entered blocks all of whose steps have settled.
    pub(crate) closing: BTreeSet<StepIx>,
    pub(crate) live: BTreeMap<(StepIx, Phase), Live>,
    pub(crate) retries: BTreeMap<(StepIx, Phase), Timestamp>,
    pub(crate) questions: BTreeMap<QuestionId, Question>,
    /// Where a failure holds back what has not started: the whole run (`None`) or a block; and who failed there first.
    pub(crate) failing: BTreeMap<Option<StepIx>, StepId>,
    /// The first step that failed of those that fail the run because their approval was refused or expired.
    pub(crate) rejected: Option<StepId>,
    pub(crate) always_failed: Option<StepId>,
    pub(crate) cancel: Option<Cancel>,
    pub(crate) rollback: Option<Rollback>,
    pub(crate) service_failed: Option<ServiceName>,
    pub(crate) unsettled_main: u32,
    pub(crate) unsettled_always: u32,
    pub(crate) settled: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) end: Option<End>,
}

/// What never changes in a run, and what is derived from it.
#[derive(Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) created: Created,
    pub(crate) index: BTreeMap<StepId, StepIx>,
    pub(crate) dependents: Vec<Vec<StepIx>>,
    /// What `run` is in expressions.
    pub(crate) run: Value,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not created yet.
    #[default]
    New,
    /// Its steps run.
    Main,
    /// What succeeded is being undone.
    RollingBack,
    /// Its `always` steps run.
    Always,
    /// Its services are being stopped.
    Stopping,
    /// It is over.
    Ended,
}

/// The state of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRun {
    /// Where it stands.
    pub state: StepState,
    /// Attempts started so far.
    pub attempts: u32,
    /// Attempts that failed and count against `max_attempts`.
    pub failures: u32,
    /// The exit code of the last attempt that had one.
    pub exit_code: Option<i32>,
    /// What it handed on.
    pub outputs: BTreeMap<String, Value>,
    /// What it will do, once that is known.
    pub prepared: Option<Prepared>,
    /// Its undo.
    pub undo: UndoRun,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it settled.
    pub ended_at: Option<Timestamp>,
    /// The step that spoils this one for those that need it.
    pub(crate) taint: Option<StepId>,
    /// The same, from the needs of the block around it; known once that is entered.
    pub(crate) inherited: Option<StepId>,
    pub(crate) unmet: u32,
    pub(crate) open_children: u32,
    /// The count of settled steps when it settled: later means a larger number.
    pub(crate) settled_as: u64,
}

/// What a step will do.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The action with its values.
    pub action: Rendered,
    /// What an approval is bound to.
    pub digest: Digest,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Nothing was decided yet.
    Pending,
    /// Its approval is asked.
    Asked,
    /// It may start when there is a place.
    Cleared,
    /// An attempt runs, waits, or is asked about.
    Running,
    /// The next attempt waits for its time.
    Retrying,
    /// A block whose steps run.
    Entered,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed(Failure),
    /// It was not to run.
    Skipped(SkipReason),
    /// It could not run.
    Blocked(BlockReason),
    /// A person ended it.
    Cancelled,
}

impl StepState {
    /// Whether nothing more happens to the step, but an undo.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Pending | Self::Asked | Self::Cleared | Self::Running | Self::Retrying | Self::Entered => false,
            Self::Succeeded | Self::Failed(_) | Self::Skipped(_) | Self::Blocked(_) | Self::Cancelled => true,
        }
    }

    /// The word for it, the same everywhere.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Asked => "waiting",
            Self::Cleared => "queued",
            Self::Running | Self::Entered => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Blocked(_) => "blocked",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The state of one step's undo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UndoRun {
    /// Where it stands.
    pub state: UndoState,
    /// Attempts started so far.
    pub attempts: u32,
    /// Attempts that failed and count against `max_attempts`.
    pub failures: u32,
    /// What it will do, once that is known.
    pub action: Option<Rendered>,
}

/// Where an undo stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UndoState {
    /// It is not to be undone, or not yet known to be.
    #[default]
    None,
    /// It will be undone.
    Pending,
    /// An attempt runs or waits.
    Running,
    /// It is undone.
    Undone,
    /// The undo failed.
    Failed(Failure),
}

/// A running attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Which.
    pub attempt: AttemptId,
    /// When it is overdue; for a `wait`, when it is over.
    pub due: Option<Timestamp>,
    /// When this attempt (not this poll) started.
    pub started_at: Timestamp,
    /// What is going on.
    pub doing: Doing,
}

/// What is going on in a running attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A process or request.
    Executing,
    /// Nothing until its time: a `wait`.
    Waiting,
    /// A person is asked: `manual`.
    Asking,
    /// Nothing until the next poll.
    Polling {
        /// When that is.
        next: Timestamp,
    },
    /// A process or request that is being ended.
    Stopping {
        /// Whether it is killed.
        force: bool,
        /// Why.
        why: StopReason,
        /// When it is killed, unless it is already.
        kill_at: Timestamp,
    },
    /// A person is asked what became of it.
    Interrupted,
}

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// It is to answer before anything starts: at first, and again after a crash.
    Starting,
    /// It answers.
    Ready {
        /// Its process id.
        pid: u32,
    },
    /// It did not come up.
    Failed,
    /// It is gone, as wanted.
    Stopped,
}

/// A request to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// How hard, within the present stage.
    pub level: u8,
    /// When the first one came.
    pub at: Timestamp,
    /// Who asked first.
    pub by: Identity,
    /// Whether it came while the steps ran, and so decides how the run ends.
    pub in_main: bool,
    /// Whether the grace is over.
    pub grace_over: bool,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// The steps to undo, dependents first.
    pub order: Vec<StepIx>,
    /// How many of them are done with.
    pub done: usize,
    /// Steps that succeeded and cannot be undone.
    pub irreversible: Vec<StepId>,
    /// The step whose undo failed.
    pub failed: Option<StepId>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The state.
    pub state: EndState,
    /// Why.
    pub cause: Cause,
    /// Steps that succeeded and could not be undone although the run was rolled back.
    pub irreversible: Vec<StepId>,
    /// When.
    pub at: Timestamp,
}

impl Run {
    /// What the run was made of; none before it exists.
    pub fn created(&self) -> Option<&Created> {
        self.made.as_ref().map(|made| &made.created)
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// When it was created.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The steps with their states, in the order written.
    pub fn steps(&self) -> impl Iterator<Item = (StepIx, &Step, &StepRun)> {
        let plan = self.created().map(|created| &created.plan.steps);
        (0u32..).map(StepIx).zip(plan.into_iter().flatten()).zip(&self.steps).map(|((at, step), run)| (at, step, run))
    }

    /// The state of a step.
    pub fn step(&self, id: &StepId) -> Option<&StepRun> {
        let at = self.made.as_ref()?.index.get(id)?;
        self.steps.get(at.at())
    }

    /// The plan's text of a step.
    pub fn step_plan(&self, id: &StepId) -> Option<&Step> {
        let made = self.made.as_ref()?;
        Some(made.created.plan.step(*made.index.get(id)?))
    }

    /// The running attempts.
    pub fn live(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }

    /// The open questions, by id.
    pub fn questions(&self) -> &BTreeMap<QuestionId, Question> {
        &self.questions
    }

    /// When the next attempt of a step, or of its undo, starts.
    pub fn retry_due(&self, step: &StepId, phase: Phase) -> Option<Timestamp> {
        let at = self.made.as_ref()?.index.get(step)?;
        self.retries.get(&(*at, phase)).copied()
    }

    /// The state of each service.
    pub fn services(&self) -> &BTreeMap<ServiceName, ServiceState> {
        &self.services
    }

    /// The request to cancel, if there was one.
    pub fn cancel(&self) -> Option<&Cancel> {
        self.cancel.as_ref()
    }

    /// The rollback, if it began.
    pub fn rollback(&self) -> Option<&Rollback> {
        self.rollback.as_ref()
    }

    /// Where the present engine runs; none before the first.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Whether the run has failed, or been cancelled, so far.
    pub fn is_failing(&self) -> bool {
        self.failing.contains_key(&None) || self.cancel.is_some()
    }

    /// What exactly the attempt runs, with its values.
    pub fn action_of(&self, attempt: &AttemptId) -> Option<&Rendered> {
        let step = self.step(&attempt.step)?;
        match attempt.phase {
            Phase::Do => step.prepared.as_ref().map(|prepared| &prepared.action),
            Phase::Undo => step.undo.action.as_ref(),
        }
    }

    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.created().map(|created| &created.plan)
    }

    /// What expressions see of a step.
    pub(crate) fn view(&self, id: &StepId) -> Option<StepView<'_>> {
        let step = self.step(id)?;
        Some(StepView {
            succeeded: step.state == StepState::Succeeded,
            failed: matches!(step.state, StepState::Failed(_)),
            skipped: matches!(step.state, StepState::Skipped(_)),
            exit_code: step.exit_code,
            outputs: &step.outputs,
        })
    }
}

impl Made {
    pub(crate) fn new(created: Created) -> Self {
        let plan = &created.plan;
        let mut dependents = vec![vec![]; plan.steps.len()];
        for (at, step) in plan.iter() {
            for need in &step.needs {
                dependents[need.at()].push(at);
            }
        }
        let index = plan.iter().map(|(at, step)| (step.id.clone(), at)).collect();
        let run = serde_json::json!({
            "id": created.run.as_str(),
            "runbook": plan.about.id,
            "started_by": created.by.name,
        });
        Self { created, index, dependents, run }
    }
}

impl StepRun {
    pub(crate) fn new(step: &Step) -> Self {
        let open_children = match step.body {
            Body::Action(_) => 0,
            Body::Block { .. } | Body::Switch { .. } => u32::try_from(step.children().count()).unwrap_or(u32::MAX),
        };
        Self {
            state: StepState::Pending,
            attempts: 0,
            failures: 0,
            exit_code: None,
            outputs: BTreeMap::new(),
            prepared: None,
            undo: UndoRun::default(),
            started_at: None,
            ended_at: None,
            taint: None,
            inherited: None,
            unmet: u32::try_from(step.needs.len()).unwrap_or(u32::MAX),
            open_children,
            settled_as: 0,
        }
    }
}
