//! What is kept beside the states of the steps, because to look for it each time would take long: computed anew from
//! these states alone. While a run goes on it is kept up event by event; where steps start over, it is computed.

use std::collections::BTreeSet;

use crate::plan::{Body, Plan, Section};
use crate::run::{Run, StepState};
use crate::units::StepIx;

impl Run {
    /// Whether all that is kept beside the states of the steps is what follows from these. Always so; for tests.
    pub fn is_derived(&self) -> bool {
        let mut derived = self.clone();
        derived.derive();
        derived == *self
    }

    pub(super) fn derive(&mut self) {
        let Some(made) = self.made.clone() else { return };
        let plan = &made.created.plan;
        self.derive_failures(plan);
        // After what spoils a step, since of some needs only those count that are done.
        self.derive_counts(plan);
        self.derive_places(plan);
        (self.outside, self.outside_beside) = (0, 0);
        let places: Vec<_> = self.live.iter().map(|((at, _), live)| (*at, live.doing)).collect();
        places.into_iter().for_each(|(at, doing)| self.take_place(at, doing));
        self.retry_queue = self.retries.iter().map(|(key, due)| (*due, *key)).collect();
    }

    fn derive_counts(&mut self, plan: &Plan) {
        let unsettled = |at: &StepIx| !self.steps[at.at()].state.is_settled();
        let count = |all: &mut dyn Iterator<Item = StepIx>| u32::try_from(all.filter(&unsettled).count());
        let mut counts = vec![];
        let (mut main, mut beside, mut always) = (0, 0, 0);
        for (at, step) in plan.iter() {
            let unmet = self.unmet_of(at);
            let section = step.section(self.steps[at.at()].section);
            let open = count(&mut section.into_iter()).unwrap_or(u32::MAX);
            counts.push((unmet, open));
            let left = match (step.always, &step.beside) {
                (true, _) => &mut always,
                (false, Some(_)) => &mut beside,
                (false, None) => &mut main,
            };
            *left += u32::from(unsettled(&at));
        }
        for (run, (unmet, open)) in self.steps.iter_mut().zip(counts) {
            (run.unmet, run.open_children) = (unmet, open);
        }
        (self.unsettled_main, self.unsettled_beside, self.unsettled_always) = (main, beside, always);
    }

    /// What failures hold back, in the order in which steps settled: the first counts.
    fn derive_failures(&mut self, plan: &Plan) {
        self.failing.clear();
        self.loops.values_mut().for_each(|run| run.failed = 0);
        (self.rejected, self.always_failed, self.failure_asks) = (None, None, false);
        for run in &mut self.steps {
            (run.taint, run.inherited) = (None, None);
        }
        let (mut settled, mut others) = (vec![], vec![]);
        for (at, _) in plan.iter() {
            let run = &self.steps[at.at()];
            let list = if run.state.is_settled() { &mut settled } else { &mut others };
            list.push((run.settled_as, at));
        }
        settled.sort_unstable();
        for (_, at) in settled {
            self.derive_inherited(plan, at);
            if matches!(self.steps[at.at()].state, StepState::Failed(_)) {
                self.spread_failure(at);
            }
            self.steps[at.at()].taint = self.taint_when_settled(at);
        }
        for (_, at) in others {
            self.derive_inherited(plan, at);
        }
    }

    /// What the blocks around a step hand down, from the outside in.
    fn derive_inherited(&mut self, plan: &Plan, at: StepIx) {
        let around: Vec<StepIx> = std::iter::successors(Some(at), |at| plan.step(*at).parent).collect();
        for pair in around.windows(2).rev() {
            let &[inner, block] = pair else { continue };
            let was_entered = self.was_entered(block);
            // What `rescue` and `always` of a block do does not build on what went before.
            let builds_on = plan.step(inner).section == Section::Main && !plan.step(block).asks_status();
            let handed_down = was_entered && builds_on;
            self.steps[inner.at()].inherited = if handed_down { self.taint_of_needs(block) } else { None };
        }
    }

    /// What may start, and which blocks may close.
    fn derive_places(&mut self, plan: &Plan) {
        let (mut ready, mut cleared, mut closing) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (at, _) in plan.iter() {
            let run = &self.steps[at.at()];
            match run.state {
                StepState::Pending if run.unmet == 0 && self.is_reachable(plan, at) => drop(ready.insert(at)),
                StepState::Cleared => drop(cleared.insert(at)),
                StepState::Entered if run.open_children == 0 => drop(closing.insert(at)),
                _ => {}
            }
        }
        (self.ready, self.cleared, self.closing) = (ready, cleared, closing);
        let loops: Vec<StepIx> = self.loops.keys().copied().collect();
        loops.into_iter().for_each(|at| self.derive_loop(plan, at));
    }

    /// Whether a block was entered, and not started over since.
    pub(crate) fn was_entered(&self, at: StepIx) -> bool {
        let is_block = self.plan().is_some_and(|plan| !matches!(plan.step(at).body, Body::Action(_)));
        is_block && self.steps[at.at()].started_at.is_some()
    }
}
