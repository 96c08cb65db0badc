//! What runs beside the steps: when its time comes, when it is over, and the places that it takes.

use super::{Doing, Run, Stage, StepState};
use crate::event::{AttemptId, Failure};
use crate::plan::{OnFailure, OnTrip, Step};
use crate::units::{StepIx, Timestamp};

impl Run {
    /// The deadlines whose time is still to come, each with its time.
    pub fn deadlines(&self) -> impl Iterator<Item = (&Step, Timestamp)> {
        let made = self.made.as_ref().filter(|_| self.may_pass());
        let pending = |at: &&StepIx| self.steps[at.at()].state == StepState::Pending;
        made.into_iter().flat_map(move |made| {
            made.beside.iter().filter(pending).filter_map(|at| {
                let step = made.created.plan.step(*at);
                let after_ms = made.created.deadlines.get(&step.id)?;
                Some((step, self.started_at.after(*after_ms)))
            })
        })
    }

    /// Whether a deadline may pass: something is left to be done, nobody ends the run, and what commands need is there.
    fn may_pass(&self) -> bool {
        let goes_on = self.stage == Stage::Main && !self.main_is_over() && self.cancel.is_none();
        goes_on && self.is_equipped()
    }

    /// Whether all steps have settled, so that nothing more is to run beside them.
    pub(crate) fn main_is_over(&self) -> bool {
        self.stage == Stage::Main && self.unsettled_main == 0 && !self.asks_after_failure()
    }

    /// Whether a step runs beside the others and these have all settled. What a block does at its end is still done.
    pub(crate) fn is_over(&self, at: StepIx) -> bool {
        self.main_is_over() && self.is_beside(at) && self.is_cut(at).is_none()
    }

    /// Whether a step runs beside the others.
    pub(crate) fn is_beside(&self, at: StepIx) -> bool {
        self.plan().is_some_and(|plan| plan.step(at).beside.is_some())
    }

    /// Whether a step is a guard.
    pub(crate) fn is_guard(&self, at: StepIx) -> bool {
        self.plan().is_some_and(|plan| plan.step(at).guard().is_some())
    }

    /// Whether an attempt is a look of a guard.
    pub fn is_look(&self, attempt: &AttemptId) -> bool {
        self.step_plan(&attempt.step).is_some_and(|step| step.guard().is_some())
    }

    /// The guard that tripped and ends the run.
    pub(crate) fn tripped(&self) -> Option<&Step> {
        let made = self.made.as_ref()?;
        let tripped = |at: &&StepIx| matches!(self.steps[at.at()].state, StepState::Failed(Failure::Tripped(_)));
        made.beside.iter().find(tripped).map(|at| made.created.plan.step(*at))
    }

    /// Whether what succeeded is undone after a failure: the runbook says so, or the guard that tripped.
    pub(crate) fn undoes_after_failure(&self) -> bool {
        let by_guard = self.tripped().and_then(Step::guard).is_some_and(|guard| guard.on_trip == OnTrip::Rollback);
        by_guard || self.plan().is_some_and(|plan| plan.on_failure == OnFailure::Rollback)
    }

    /// Whether one more attempt of this step may run beside the engine. A guard, which always looks, needs no place.
    pub(crate) fn has_place(&self, at: StepIx) -> bool {
        if self.is_guard(at) {
            return true;
        }
        let taken = if self.is_beside(at) { self.outside_beside } else { self.outside };
        self.plan().is_some_and(|plan| taken < plan.max_parallel.max(1))
    }

    /// Whether a step could find a place if it runs beside the others, though the others have none.
    pub(crate) fn has_place_beside(&self) -> bool {
        self.made.as_ref().is_some_and(|made| !made.beside.is_empty())
    }

    /// Counts an attempt that goes on from now on, or does something else.
    pub(crate) fn take_place(&mut self, at: StepIx, doing: Doing) {
        let takes = doing.takes_place() && !self.is_guard(at);
        *self.places(at) += u32::from(takes);
    }

    /// Counts it no more.
    pub(crate) fn leave_place(&mut self, at: StepIx, doing: Doing) {
        let takes = doing.takes_place() && !self.is_guard(at);
        *self.places(at) -= u32::from(takes);
    }

    fn places(&mut self, at: StepIx) -> &mut u32 {
        if self.is_beside(at) { &mut self.outside_beside } else { &mut self.outside }
    }

    /// How many steps of the kind of this one have not settled.
    pub(crate) fn unsettled(&mut self, at: StepIx) -> &mut u32 {
        match self.plan().map(|plan| plan.step(at)) {
            Some(step) if step.always => &mut self.unsettled_always,
            Some(step) if step.beside.is_some() => &mut self.unsettled_beside,
            _ => &mut self.unsettled_main,
        }
    }
}
