//! Plans of child runs: they lie in the plan of the outermost run, so that editing a file changes no run in flight.
//!
//! They lie in one flat list. Within each other a runbook that is named twice would be there twice, on each level again.

use std::collections::BTreeMap;

use super::{Action, Body, Plan, RunbookCall};
use crate::units::Digest;

/// Most child runs within each other: deeper than any procedure that people can follow.
pub const CHILD_DEPTH_MAX: u32 = 10;

impl Plan {
    /// The child runs that its own steps start, each that is written once.
    pub fn calls(&self) -> impl Iterator<Item = &RunbookCall> {
        self.written().into_iter().filter_map(|step| match &step.body {
            Body::Action(Action::Runbook(call)) => Some(call),
            _ => None,
        })
    }

    /// The plan of a child run, whole: with the plans of those that it starts itself.
    pub fn child(&self, digest: &Digest) -> Option<Self> {
        let mut runbooks = BTreeMap::new();
        let mut open: Vec<&Digest> = self.runbooks.get(digest)?.calls().map(|call| &call.plan).collect();
        while let Some(next) = open.pop() {
            if !runbooks.contains_key(next) {
                let plan = self.runbooks.get(next)?;
                runbooks.insert(next.clone(), plan.clone());
                open.extend(plan.calls().map(|call| &call.plan));
            }
        }
        Some(Self { runbooks, ..self.runbooks.get(digest)?.clone() })
    }

    /// How deep its child runs lie within each other; none when one of their plans is missing, or they have no end.
    pub(super) fn child_depth(&self) -> Option<u32> {
        // Each pass knows one level more, so a circle is never known.
        let mut known: BTreeMap<&Digest, u32> = BTreeMap::new();
        for _ in 0..=CHILD_DEPTH_MAX {
            for (digest, plan) in &self.runbooks {
                if let Some(depth) = depth_of(plan, &known) {
                    known.insert(digest, depth);
                }
            }
        }
        depth_of(self, &known)
    }
}

fn depth_of(plan: &Plan, known: &BTreeMap<&Digest, u32>) -> Option<u32> {
    plan.calls().try_fold(0, |deepest, call| Some(deepest.max(known.get(&call.plan)? + 1)))
}
