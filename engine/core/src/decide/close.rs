//! Blocks whose steps have settled: on to the `rescue`, to the `always`, or to what the block comes to.

use super::{Decided, Deciding};
use crate::event::{BlockReason, Event, Failure, SkipReason};
use crate::plan::Section;
use crate::run::StepState;
use crate::units::{StepId, StepIx};

/// What the steps of a section came to.
#[derive(Default)]
struct Outcome {
    failed: Vec<StepId>,
    blocked: Option<BlockReason>,
    /// Those that did neither succeed nor fail, though they were to run.
    unfinished: Vec<StepId>,
    cancelled: bool,
}

impl Outcome {
    fn is_fine(&self) -> bool {
        self.failed.is_empty() && self.unfinished.is_empty()
    }

    fn and(mut self, later: Self) -> Self {
        self.failed.extend(later.failed);
        self.unfinished.extend(later.unfinished);
        self.cancelled |= later.cancelled;
        self.blocked = self.blocked.or(later.blocked);
        self
    }
}

impl Deciding<'_> {
    /// All steps of the present section of a block have settled.
    pub(super) fn close(&mut self, at: StepIx) -> Decided {
        let section = self.run.steps[at.at()].section;
        let step = self.plan().step(at).id.clone();
        if section == Section::Main && !self.plan().step(at).section(Section::Rescue).is_empty() {
            let trouble = self.outcome(at, Section::Main).failed;
            if !trouble.is_empty() {
                return self.emit(Event::SectionEntered { step, section: Section::Rescue, trouble });
            }
            for child in self.plan().step(at).section(Section::Rescue) {
                self.skip(child, SkipReason::Rescue(step.clone()))?;
            }
        }
        if section < Section::Always && !self.plan().step(at).section(Section::Always).is_empty() {
            let Outcome { failed, unfinished, .. } = self.outcome_before_always(at);
            let trouble = failed.into_iter().chain(unfinished).collect();
            return self.emit(Event::SectionEntered { step, section: Section::Always, trouble });
        }
        self.settle_block(at, step)
    }

    fn settle_block(&mut self, at: StepIx, step: StepId) -> Decided {
        let mut outcome = self.outcome_before_always(at).and(self.outcome(at, Section::Always));
        let looped = self.run.loops.get(&at);
        if looped.is_some_and(|run| run.failed <= run.failures_max) {
            outcome.failed.clear();
        }
        let outputs = looped.is_some().then(|| self.loop_outputs(at));
        if !outcome.failed.is_empty() {
            return self.emit(Event::StepFailed { step, failure: Failure::Steps(outcome.failed) });
        }
        if outcome.cancelled {
            return self.emit(Event::StepCancelled { step });
        }
        if let Some(reason) = outcome.blocked {
            return self.emit(Event::StepBlocked { step, reason });
        }
        match outputs.map_or_else(|| self.block_outputs(at), Ok) {
            Ok(outputs) => self.emit(Event::StepSucceeded { step, outputs, already_done: false }),
            Err(failure) => self.emit(Event::StepFailed { step, failure }),
        }
    }

    /// What `steps` and `rescue` came to together: where all of `rescue` is fine, what it was for does not count.
    fn outcome_before_always(&self, at: StepIx) -> Outcome {
        let main = self.outcome(at, Section::Main);
        let rescue = self.outcome(at, Section::Rescue);
        let can_rescue = !self.plan().step(at).section(Section::Rescue).is_empty();
        if can_rescue && !main.failed.is_empty() && rescue.is_fine() {
            return rescue;
        }
        main.and(rescue)
    }

    fn outcome(&self, at: StepIx, section: Section) -> Outcome {
        let mut outcome = Outcome::default();
        for child in self.plan().step(at).section(section) {
            let plan = self.plan().step(child);
            match &self.run.steps[child.at()].state {
                StepState::Failed(_) if !plan.continue_on_failure => outcome.failed.push(plan.id.clone()),
                StepState::Blocked(reason) => {
                    outcome.unfinished.push(plan.id.clone());
                    outcome.blocked = outcome.blocked.or_else(|| Some(reason.clone()));
                }
                StepState::Cancelled => {
                    outcome.unfinished.push(plan.id.clone());
                    outcome.cancelled = true;
                }
                _ => {}
            }
        }
        outcome
    }
}
