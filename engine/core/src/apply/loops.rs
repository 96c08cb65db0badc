//! Loops: how the plan grows by their items, and how many of these are let go at once.

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
    /// The plan grows by the steps of the items; as many of them as the loop is wide may begin.
    pub(super) fn enter_loop(&mut self, at: StepIx, items: &[Value], failures_max: u32, now: Timestamp) {
        let Some(mut made) = self.made.take() else { return };
        let from = self.steps.len();
        // Grows in place where nobody else looks at it: copying a large plan for each of many loops would take long.
        Arc::make_mut(&mut made).grow(at, items.len());
        let (plan, new) = (&made.created.plan, made.created.plan.steps.len() - from);
        self.steps.extend(plan.steps.iter().skip(from).map(StepRun::new));
        let new = u32::try_from(new).unwrap_or(u32::MAX);
        let width = each(plan, at).and_then(|each| each.width).unwrap_or(plan.max_parallel).max(1);
        self.made = Some(made);
        let unsettled = self.unsettled(at);
        *unsettled = unsettled.saturating_add(new);
        let items = items.to_vec();
        self.steps[at.at()].open_children = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.loops.insert(at, LoopRun { items, failures_max, failed: 0, settled: 0, begun: 0 });
        self.enter(at, None, now);
        for _ in 0..width {
            self.begin_item(at);
        }
    }

    /// The next item of a loop may begin.
    fn begin_item(&mut self, at: StepIx) {
        let Some(run) = self.loops.get_mut(&at) else { return };
        let roots = self.made.as_ref().and_then(|made| each(&made.created.plan, at)).map(|each| &each.roots);
        let Some(root) = roots.and_then(|roots| roots.get(run.begun)).copied() else { return };
        run.begun += 1;
        if self.steps[root.at()].state == StepState::Pending {
            self.ready.insert(root);
        }
    }

    /// An item has settled, and makes way for the next.
    pub(super) fn item_settled(&mut self, at: StepIx, root: StepIx) {
        let ran = !matches!(self.steps[root.at()].state, StepState::Blocked(_));
        let Some(run) = self.loops.get_mut(&at) else { return };
        run.settled += u32::from(ran);
        self.begin_item(at);
    }

    /// Counts a failed item; whether now more have failed than may.
    pub(super) fn item_failed(&mut self, at: StepIx) -> bool {
        let Some(run) = self.loops.get_mut(&at) else { return true };
        run.failed += 1;
        run.failed > run.failures_max
    }
}
