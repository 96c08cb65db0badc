//! How far a failure reaches: what it holds back, what builds on it, and what `failure()` says of it.

use crate::event::{Cause, Failure};
use crate::plan::Section;
use crate::run::{Run, StepRun, StepState};
use crate::units::{StepId, StepIx};

impl Run {
    /// Marks where a failure holds back what has not started: every block up to the one that contains it, or the run.
    pub(super) fn spread_failure(&mut self, at: StepIx) {
        let Some(made) = self.made.clone() else { return };
        let plan = &made.created.plan;
        let own = &plan.step(at).id;
        // A block whose `rescue` did not help fails for the reason that it was to contain.
        let within = match &self.steps[at.at()].state {
            StepState::Failed(Failure::Steps(_)) => self.failing.get(&Some((at, Section::Main))).cloned(),
            _ => None,
        };
        let id = within.as_ref().unwrap_or(own);
        let unapproved = match &within {
            // An item fails the loop for what failed in it, which was contained until then.
            Some(inner) if plan.step(at).is_root() => self.step(inner).is_some_and(was_refused),
            _ => was_refused(&self.steps[at.at()]),
        };
        let mut asks = false;
        let mut place = at;
        loop {
            let step = plan.step(place);
            asks |= step.ask_on_failure;
            if step.continue_on_failure {
                return;
            }
            let Some(parent) = step.parent else {
                // A guard that trips, or cannot begin, fails the run; what else runs beside the steps does not.
                if step.beside.is_some() && step.guard().is_none() {
                    return;
                }
                if step.always {
                    self.always_failed.get_or_insert_with(|| id.clone());
                } else {
                    self.failing.entry(None).or_insert_with(|| id.clone());
                    self.failure_asks |= asks;
                }
                break;
            };
            // What fails within an item is a matter of the item until that has settled.
            if step.is_root() && (place != at || !self.item_failed(parent)) {
                return;
            }
            if plan.step(parent).bounds_failures() || step.is_root() {
                self.failing.entry(Some((parent, step.section))).or_insert_with(|| id.clone());
            }
            if step.section == Section::Main && plan.step(parent).can_rescue() {
                return;
            }
            place = parent;
        }
        if unapproved {
            self.rejected.get_or_insert_with(|| id.clone());
        }
    }

    /// How many of its needs a step still waits for, as their states say: what is kept as `unmet`. One to which some of
    /// several suffice waits for none as soon as so many are done, and as soon as so many cannot be.
    pub(super) fn unmet_of(&self, at: StepIx) -> u32 {
        let Some(step) = self.plan().map(|plan| plan.step(at)) else { return 0 };
        let open = step.needs.iter().filter(|need| !self.steps[need.at()].state.is_settled()).count();
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        let Some(any) = step.needs_any else { return open };
        let done = self.done_of_needs(at);
        if done >= any || done.saturating_add(open) < any { 0 } else { any - done }
    }

    /// How many of its needs are done in a way that a step may build on.
    fn done_of_needs(&self, at: StepIx) -> u32 {
        let Some(step) = self.plan().map(|plan| plan.step(at)) else { return 0 };
        u32::try_from(step.needs.iter().filter(|need| self.is_done(**need)).count()).unwrap_or(u32::MAX)
    }

    fn is_done(&self, at: StepIx) -> bool {
        self.steps[at.at()].state.is_settled() && self.steps[at.at()].taint.is_none()
    }

    /// Whether so many of its needs are done as suffice to a step that does not need all: what becomes of the others is no
    /// matter of it. What is done stays done, so this never changes back. Nor does it change once the step has settled, be it
    /// with the block around it: what is done after that is no matter of it either.
    fn has_enough(&self, at: StepIx) -> bool {
        self.has_enough_where(at, |_| true)
    }

    /// The same, where only some of its needs count.
    pub(crate) fn has_enough_where(&self, at: StepIx, counts: impl Fn(StepIx) -> bool) -> bool {
        let Some(step) = self.plan().map(|plan| plan.step(at)) else { return false };
        let Some(any) = step.needs_any else { return false };
        let run = &self.steps[at.at()];
        let in_time = |need: StepIx| !run.state.is_settled() || self.steps[need.at()].settled_as < run.settled_as;
        let helps = |need: &&StepIx| self.is_done(**need) && in_time(**need) && counts(**need);
        step.needs.iter().filter(helps).count() >= any as usize
    }

    /// The step, among all that this one builds on, that keeps it from starting.
    pub(crate) fn taint_of_needs(&self, at: StepIx) -> Option<StepId> {
        let step = self.plan()?.step(at);
        if step.runs_anyway() {
            return None;
        }
        let own = step.needs.iter().find_map(|need| self.steps[need.at()].taint.clone());
        let own = own.filter(|_| !self.has_enough(at));
        own.or_else(|| self.steps[at.at()].inherited.clone())
    }

    /// What `failure()` says in a step: whether something that it, or a block around it, builds on went wrong. The
    /// `always` steps of the runbook build on all others, the `rescue` and `always` of a block on the block's others.
    pub(crate) fn sees_failure(&self, at: StepIx) -> bool {
        let Some(plan) = self.plan() else { return false };
        let mut place = Some(at);
        while let Some(at) = place {
            let step = plan.step(at);
            if step.needs.iter().any(|need| self.steps[need.at()].taint.is_some()) && !self.has_enough(at) {
                return true;
            }
            match step.parent {
                Some(parent) if step.section != Section::Main && self.steps[parent.at()].in_trouble => return true,
                None if step.always && self.went_wrong() => return true,
                _ => {}
            }
            place = step.parent;
        }
        false
    }
}

/// Whether a step failed because its approval, or one in its child run, was refused or expired.
fn was_refused(run: &StepRun) -> bool {
    match &run.state {
        // A person may also say no to a manual step, which has started: that is a failure like any other.
        StepState::Failed(Failure::Rejected { .. } | Failure::Expired) => run.failures == 0,
        StepState::Failed(Failure::Child(end)) => matches!(end.cause, Cause::Rejected(_)),
        _ => false,
    }
}
