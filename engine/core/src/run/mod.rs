//! The state of a run: the fold of its events.

mod beside;
mod child;
mod deadlock;
mod lock_queue;
mod locks;
mod parts;
mod resets;
mod step;
mod undo;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

pub use child::Child;
pub use locks::{LockState, Locks};
pub use parts::{Cancel, Doing, End, Interrupted, Live, LoopRun, Rollback, ServiceState, Stage, Told};
pub(crate) use resets::Resets;
pub(crate) use step::Call;
pub use step::{ByHand, Prepared, StepRun, StepState, UndoRun, UndoState};

use crate::digest::digest_of;
use crate::evaluate::StepView;
use crate::event::{AttemptId, Created, Host, Identity, Phase, Question, QuestionId, QuestionKind, Verb};
use crate::plan::{OnFailure, Plan, Section, Step};
use crate::rendered::Rendered;
use crate::units::{Digest, ServiceName, StepId, StepIx, Timestamp};

pub(crate) use locks::LockKey;

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
    /// How many of these take one of the `max_parallel` places.
    pub(crate) outside: u32,
    /// The same of those that run beside the steps: these have as many places of their own.
    pub(crate) outside_beside: u32,
    pub(crate) retries: BTreeMap<(StepIx, Phase), Timestamp>,
    /// The same by time.
    pub(crate) retry_queue: BTreeSet<(Timestamp, (StepIx, Phase))>,
    pub(crate) questions: BTreeMap<QuestionId, Question>,
    /// Who agreed so far, and when, where a question needs several people.
    pub(crate) approvals: BTreeMap<QuestionId, Vec<(Identity, Timestamp)>>,
    /// Where a failure holds back what has not started: the whole run (`None`) or a section of a block; and who failed
    /// there first.
    pub(crate) failing: BTreeMap<Option<(StepIx, Section)>, StepId>,
    /// The blocks whose `always` runs before the end of the steps, and whether a request to cancel cut it.
    pub(crate) cleaning: BTreeMap<StepIx, bool>,
    /// The loops that were entered.
    pub(crate) loops: BTreeMap<StepIx, LoopRun>,
    /// The first step that failed of those that fail the run because their approval was refused or expired.
    pub(crate) rejected: Option<StepId>,
    pub(crate) always_failed: Option<StepId>,
    /// Whether one of the steps that fail the run has a person asked about that.
    pub(crate) failure_asks: bool,
    pub(crate) cancel: Option<Cancel>,
    pub(crate) rollback: Option<Rollback>,
    pub(crate) service_failed: Option<ServiceName>,
    /// The locks that are wanted or held.
    pub(crate) locks: BTreeMap<LockKey, Locks>,
    /// The lock that the run did not get.
    pub(crate) lock_refused: Option<String>,
    pub(crate) unsettled_main: u32,
    pub(crate) unsettled_beside: u32,
    pub(crate) unsettled_always: u32,
    pub(crate) settled: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) end: Option<End>,
    /// What operators told it, in order.
    pub(crate) told: Vec<Told>,
    /// Who paused it.
    pub(crate) paused: Option<Identity>,
    /// A person had it rolled back; to this step, or wholly.
    pub(crate) way_back: Option<Option<StepIx>>,
    /// How often it went on after its end.
    pub(crate) reopened: u32,
}

/// What never changes in a run, and what is derived from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Made {
    pub(crate) created: Created,
    pub(crate) index: BTreeMap<StepId, StepIx>,
    pub(crate) dependents: Vec<Vec<StepIx>>,
    /// The deadlines and guards.
    pub(crate) beside: Vec<StepIx>,
    /// What `run` is in expressions.
    pub(crate) run: Value,
    /// Of what every command gets: folder, environment, params, secret references. Part of what an approval is bound to.
    pub(crate) given: Digest,
}

static NO_OUTPUTS: BTreeMap<String, Value> = BTreeMap::new();

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

    /// The steps of a block that failed in spite of which it goes on, or has succeeded: its `rescue` is for them.
    pub fn rescued(&self, block: &Step) -> Vec<&StepId> {
        if block.section(Section::Rescue).is_empty() {
            return vec![];
        }
        let Some(plan) = self.plan() else { return vec![] };
        let failed = |at: &StepIx| matches!(self.steps[at.at()].state, StepState::Failed(_));
        let children = block.section(Section::Main).into_iter().filter(failed).map(|at| plan.step(at));
        children.filter(|step| !step.continue_on_failure).map(|step| &step.id).collect()
    }

    /// How a loop stands; none before it was entered.
    pub fn loop_of(&self, step: &StepId) -> Option<&LoopRun> {
        self.loops.get(self.made.as_ref()?.index.get(step)?)
    }

    /// The running attempts.
    pub fn live(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }

    /// The open questions, by id.
    pub fn questions(&self) -> &BTreeMap<QuestionId, Question> {
        &self.questions
    }

    /// The people who agreed so far, where a question needs several.
    pub fn approved_by(&self, question: &QuestionId) -> impl Iterator<Item = &Identity> {
        self.approvals.get(question).into_iter().flatten().map(|(by, _)| by)
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

    /// What operators told the run, in order.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Who paused it, if it is paused.
    pub fn paused(&self) -> Option<&Identity> {
        self.paused.as_ref()
    }

    /// Who answers for it: who started it, or took it over last.
    pub fn responsible(&self) -> Option<&Identity> {
        let took = |told: &&Told| matches!(told.verb, Verb::Take) && told.refused.is_none();
        let last = self.told.iter().rev().find(took).map(|told| &told.by);
        last.or_else(|| self.created().map(|created| &created.by))
    }

    /// Whether a person had it rolled back.
    pub fn is_rolled_back_by_hand(&self) -> bool {
        self.way_back.is_some()
    }

    /// Whether it is on its way to its end because a person cancelled it or had it rolled back.
    pub fn is_being_ended(&self) -> bool {
        self.cancel.is_some() || self.way_back.is_some()
    }

    /// How often it went on after its end.
    pub fn reopened(&self) -> u32 {
        self.reopened
    }

    /// Where the present engine runs; none before the first.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Whether the run has failed, or been cancelled, so far.
    pub fn is_failing(&self) -> bool {
        self.failing.contains_key(&None) || self.cancel.is_some()
    }

    /// Whether the next attempt of a step, or of its undo, could start now if it were time.
    pub(crate) fn may_repeat(&self, (at, phase): (StepIx, Phase)) -> bool {
        let run = &self.steps[at.at()];
        let takes_place = match phase {
            Phase::Do => run.prepared.as_ref().is_some_and(Prepared::may_take_place),
            Phase::Undo => run.undo.action.as_ref().is_some_and(Rendered::is_external),
            Phase::Probe => true,
        };
        let is_free = self.paused.is_none() && self.is_equipped();
        is_free && self.holds_locks((at, phase)) && (self.has_place(at) || !takes_place)
    }

    /// Whether the steps before `always` did not end as the author hoped.
    pub(crate) fn went_wrong(&self) -> bool {
        let cancelled = self.cancel.as_ref().is_some_and(|cancel| cancel.in_main);
        let unequipped = self.service_failed.is_some() || self.lock_refused.is_some();
        cancelled || self.failing.contains_key(&None) || unequipped || self.way_back.is_some()
    }

    /// Whether what succeeded is undone once all steps have settled, as far as is known now.
    pub(crate) fn rolls_back(&self) -> bool {
        let by_failure = self.undoes_after_failure() && self.went_wrong() && !self.asks_after_failure();
        self.way_back.is_some() || by_failure
    }

    /// Whether a person is to say what follows on the failure, rather than the runbook.
    pub fn asks_after_failure(&self) -> bool {
        let asks = self.failure_asks || self.plan().is_some_and(|plan| plan.on_failure == OnFailure::Ask);
        let by_failure =
            self.failing.contains_key(&None) && self.service_failed.is_none() && self.lock_refused.is_none();
        asks && by_failure && self.cancel.is_none() && self.way_back.is_none()
    }

    /// The open question what is to follow on the failure of the run.
    pub(crate) fn failure_question(&self) -> Option<&QuestionId> {
        let found = self.questions.values().find(|question| question.kind == QuestionKind::Failure);
        found.map(|question| &question.id)
    }

    /// What exactly the attempt runs, with its values.
    pub fn action_of(&self, attempt: &AttemptId) -> Option<&Rendered> {
        let step = self.step(&attempt.step)?;
        match attempt.phase {
            Phase::Do => step.prepared.as_ref().map(|prepared| &prepared.action),
            Phase::Undo => step.undo.action.as_ref(),
            Phase::Probe => step.prepared.as_ref()?.probe.as_ref(),
        }
    }

    /// The attempt that began the call which this one goes on with: itself, unless those before it were interrupted. Whoever
    /// is called knows by it that a call is made again.
    pub fn call_of(&self, attempt: &AttemptId) -> AttemptId {
        let step = self.step(&attempt.step);
        let first = step.map_or(attempt.number, |step| match attempt.phase {
            Phase::Do => step.call.first,
            Phase::Undo => step.undo.call.first,
            Phase::Probe => attempt.number,
        });
        AttemptId { number: first, ..attempt.clone() }
    }

    /// Whether a step waits to be looked at before its approval is asked for.
    pub(crate) fn is_before_approval(&self, at: StepIx) -> bool {
        let guarded = self.plan().is_some_and(|plan| plan.step(at).approval.is_some());
        guarded && self.steps[at.at()].prepared.as_ref().is_some_and(|prepared| !prepared.was_asked)
    }

    /// Of a step within the `always` of a block: whether a request to cancel cut that. None for all other steps.
    pub(crate) fn is_cut(&self, at: StepIx) -> Option<bool> {
        let plan = self.plan()?;
        let mut found = None;
        let mut place = at;
        while let Some(parent) = plan.step(place).parent {
            if plan.step(place).section == Section::Always {
                found = Some(found == Some(true) || self.cleaning.get(&parent).is_none_or(|cut| *cut));
            }
            place = parent;
        }
        found
    }

    /// The child run of an attempt, where that is one.
    pub fn child_of(&self, attempt: &AttemptId) -> Option<&Child> {
        let step = self.step(&attempt.step)?;
        match self.action_of(attempt).filter(|_| attempt.phase != Phase::Probe)? {
            Rendered::Runbook { .. } => step.child(),
            Rendered::UndoRunbook { run } => step.children.iter().find(|child| child.run == *run),
            _ => None,
        }
    }

    /// Whether a step belongs to what happens in the end of the run, or of a block, whatever became of it.
    pub fn is_cleanup(&self, at: StepIx) -> bool {
        self.is_cut(at).is_some() || self.plan().is_some_and(|plan| plan.step(at).always)
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
            already_done: step.already_done,
            exit_code: step.exit_code,
            // What it handed on before it started over is no more.
            outputs: if step.state == StepState::Succeeded { &step.outputs } else { &NO_OUTPUTS },
        })
    }
}

impl Made {
    pub(crate) fn new(created: Created) -> Self {
        let plan = &created.plan;
        let run = serde_json::json!({
            "id": created.run.as_str(),
            "runbook": plan.about.id,
            "started_by": created.by.name,
        });
        let secrets: BTreeMap<_, _> = plan.secrets.iter().collect();
        let given = digest_of(&serde_json::json!({
            "dir": created.dir,
            "env": created.env,
            "params": created.params,
            "secrets": secrets,
        }));
        let mut made = Self { created, index: BTreeMap::new(), dependents: vec![], beside: vec![], run, given };
        made.note_steps(0);
        made
    }

    /// Adds the steps of the items of a loop.
    pub(crate) fn grow(&mut self, at: StepIx, items: usize) {
        let from = self.created.plan.steps.len();
        self.created.plan.grow(at, items);
        self.note_steps(from);
    }

    /// Notes the steps from this place on: where they stand, and who waits for them.
    fn note_steps(&mut self, from: usize) {
        let plan = &self.created.plan;
        self.dependents.resize(plan.steps.len(), vec![]);
        for (at, step) in plan.iter().skip(from) {
            for need in &step.needs {
                self.dependents[need.at()].push(at);
            }
            self.index.insert(step.id.clone(), at);
            if step.deadline().is_some() || step.guard().is_some() {
                self.beside.push(at);
            }
        }
    }
}
