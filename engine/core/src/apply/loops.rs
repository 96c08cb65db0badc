//! Loops: how the plan grows by their items, and how many of these are let go at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::plan::{Body, ForEach, Plan};
use crate::run::{LoopRun, Run, StepRun, StepState};
use crate::units::{StepIx, Timestamp};

/// The loop at a place of a plan.
fn each(plan: &Plan, at: StepIx) -> Option<&ForEach> {
    match &plan.step(at).body {
        Body::ForEach(each) => Some(each),
        Body::Action(_) | Body::Block { .. } | Body::Switch { .. } => None,
    }
}

impl Run {
    /// The plan grows by the steps of the items; as many of them as the loop is wide may begin. A loop that started over goes
    /// on with the steps that it has when its list is the same; else those of before are out of the way, and keep their
    /// items, since what they did may have to be undone.
    pub(super) fn enter_loop(&mut self, at: StepIx, items: &[Value], failures_max: u32, now: Timestamp) {
        let had = self.loops.remove(&at);
        let is_same = had.as_ref().is_some_and(|had| had.items() == items);
        let mut run = had.unwrap_or_else(LoopRun::new);
        if !is_same {
            run.starts.push(run.items.len());
            run.items.extend_from_slice(items);
            self.grow_loop(at, items.len());
        }
        run.failures_max = failures_max;
        self.loops.insert(at, run);
        self.enter(at, None, now);
        let Some(made) = self.made.clone() else { return };
        self.derive_loop(&made.created.plan, at);
    }

    fn grow_loop(&mut self, at: StepIx, items: usize) {
        let Some(mut made) = self.made.take() else { return };
        let from = self.steps.len();
        // Grows in place where nobody else looks at it: copying a large plan for each of many loops would take long.
        Arc::make_mut(&mut made).grow(at, items);
        let (plan, new) = (&made.created.plan, made.created.plan.steps.len() - from);
        self.steps.extend(plan.steps.iter().skip(from).map(StepRun::new));
        let new = u32::try_from(new).unwrap_or(u32::MAX);
        let open = &mut self.steps[at.at()].open_children;
        *open = open.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
        self.made = Some(made);
        let unsettled = self.unsettled(at);
        *unsettled = unsettled.saturating_add(new);
    }

    /// What of a loop follows from the states of its items, but how many failed: that is counted with what a failure holds
    /// back. Lets items go.
    pub(super) fn derive_loop(&mut self, plan: &Plan, at: StepIx) {
        let is_entered = self.steps[at.at()].state == StepState::Entered && !self.is_parked(plan, at);
        let (Some(each), Some(run)) = (each(plan, at), self.loops.get_mut(&at)) else { return };
        (run.busy, run.settled, run.waiting) = (0, 0, BTreeSet::new());
        for (place, root) in each.roots.iter().enumerate().skip(run.from()) {
            match &self.steps[root.at()].state {
                StepState::Pending if is_entered => drop(run.waiting.insert(place)),
                StepState::Entered if self.steps[root.at()].parked => drop(run.waiting.insert(place)),
                StepState::Pending | StepState::Blocked(_) => {}
                state if state.is_settled() => run.settled += 1,
                _ => run.busy += 1,
            }
        }
        self.let_go(plan, at);
    }

    /// As many items of a loop as there is room for may begin.
    fn let_go(&mut self, plan: &Plan, at: StepIx) {
        let (Some(each), Some(run)) = (each(plan, at), self.loops.get_mut(&at)) else { return };
        let mut parked = vec![];
        let width = each.width.unwrap_or(plan.max_parallel).max(1);
        while run.busy < width
            && let Some(place) = run.waiting.pop_first()
        {
            run.busy += 1;
            let Some(root) = each.roots.get(place).copied() else { continue };
            if std::mem::take(&mut self.steps[root.at()].parked) {
                parked.push(root);
            } else {
                self.ready.insert(root);
            }
        }
        parked.into_iter().for_each(|root| self.unpark(plan, root));
    }

    /// What is open in an item may begin.
    fn unpark(&mut self, plan: &Plan, root: StepIx) {
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            if self.steps[at.at()].unmet == 0 && self.is_reachable(plan, at) {
                self.ready.insert(at);
            }
            self.derive_loop(plan, at);
            open.extend(plan.step(at).children());
        }
    }

    /// Whether a step lies in an item that waits for room in its loop.
    pub(crate) fn is_parked(&self, plan: &Plan, at: StepIx) -> bool {
        let mut around = std::iter::successors(Some(at), |at| plan.step(*at).parent);
        around.any(|at| self.steps[at.at()].parked)
    }

    /// An item has settled, and makes way for the next.
    pub(super) fn item_settled(&mut self, plan: &Plan, at: StepIx, root: StepIx) {
        let number = plan.step(root).item.map_or(0, |item| item.number as usize);
        let ran = !matches!(self.steps[root.at()].state, StepState::Blocked(_));
        let Some(run) = self.loops.get_mut(&at) else { return };
        let place = number.saturating_sub(1);
        if place < run.from() {
            return;
        }
        run.settled += u32::from(ran);
        if run.waiting.remove(&place) || self.steps[at.at()].state != StepState::Entered {
            return;
        }
        run.busy = run.busy.saturating_sub(1);
        self.let_go(plan, at);
    }

    /// Counts a failed item; whether now more have failed than may.
    pub(super) fn item_failed(&mut self, at: StepIx) -> bool {
        let Some(run) = self.loops.get_mut(&at) else { return true };
        run.failed += 1;
        run.failed > run.failures_max
    }
}
