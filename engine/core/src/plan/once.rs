//! A plan to be looked at before a run: each loop as what it does for one item.

use std::collections::BTreeMap;

use super::grow::move_children;
use super::{Body, Plan, Step};
use crate::units::StepIx;

impl Plan {
    /// The places of all steps in the order written, those of the items of a loop straight behind it: in the list they stand
    /// where the plan grew.
    pub fn in_order(&self) -> Vec<StepIx> {
        let mut order = Vec::with_capacity(self.steps.len());
        // What comes next stands last.
        let mut open: Vec<StepIx> = self.iter().filter(|(_, step)| step.item.is_none()).map(|(at, _)| at).collect();
        open.reverse();
        while let Some(at) = open.pop() {
            order.push(at);
            if let Body::ForEach(each) = &self.step(at).body {
                let size = u32::try_from(each.body.len()).unwrap_or(u32::MAX);
                let item = |root: &StepIx| (root.0..root.0.saturating_add(size)).rev().map(StepIx);
                open.extend(each.roots.iter().rev().flat_map(item));
            }
        }
        order
    }

    /// This plan with each loop as what it does for one item: one step, which says both what is said of the whole and what
    /// of each item, and around the steps of one item.
    pub fn once(&self) -> Self {
        Self { steps: unrolled(&self.steps), ..self.clone() }
    }
}

fn unrolled(steps: &[Step]) -> Vec<Step> {
    let lists: Vec<Vec<Step>> = steps.iter().map(one).collect();
    let mut next = 0u32;
    let mut places: BTreeMap<StepIx, StepIx> = BTreeMap::new();
    for (at, list) in (0u32..).zip(&lists) {
        places.insert(StepIx(at), StepIx(next));
        next += u32::try_from(list.len()).unwrap_or(u32::MAX);
    }
    let outer = |at: StepIx| places.get(&at).copied().unwrap_or(at);
    let mut out = vec![];
    for (old, list) in steps.iter().zip(lists) {
        let from = u32::try_from(out.len()).unwrap_or(u32::MAX);
        let within = |at: StepIx| StepIx(at.0.saturating_add(from));
        let is_loop = matches!(old.body, Body::ForEach(_));
        for (index, mut step) in list.into_iter().enumerate() {
            if is_loop {
                move_children(&mut step.body, within);
            } else {
                move_children(&mut step.body, outer);
            }
            let is_own = index == 0;
            step.parent = step.parent.map(|at| if is_own { outer(at) } else { within(at) });
            step.needs.iter_mut().for_each(|at| *at = if is_own { outer(*at) } else { within(*at) });
            out.push(step);
        }
    }
    out
}

/// A step, or a loop and the steps of one item, placed among themselves.
fn one(step: &Step) -> Vec<Step> {
    let Body::ForEach(each) = &step.body else { return vec![step.clone()] };
    let mut body = unrolled(&each.body);
    let Some(root) = body.first_mut() else { return vec![step.clone()] };
    *root = Step {
        id: step.id.clone(),
        title: step.title.clone(),
        parent: step.parent,
        case: step.case,
        section: step.section,
        needs: step.needs.clone(),
        needs_any: step.needs_any,
        condition: step.condition.clone(),
        approval: step.approval.clone(),
        continue_on_failure: step.continue_on_failure,
        ..root.clone()
    };
    body
}
