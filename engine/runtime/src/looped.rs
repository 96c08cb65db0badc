//! Loops as seen from outside: how far they are, and what an approval of one is about.

use runbook_core::event::Created;
use runbook_core::plan::{Action, Body, Step};
use runbook_core::run::Run;
use runbook_core::units::StepId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foreseen::foreseen;
use crate::unless::{self, Unless};

/// How far a loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopStatus {
    /// How many items it has.
    pub items: usize,
    /// How many of them ran and are over, however that went.
    pub done: u32,
    /// How many of them failed.
    pub failed: u32,
}

impl std::fmt::Display for LoopStatus {
    /// Such as `12 of 40 done, 1 failed`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} of {} done", self.done, self.items)?;
        if self.failed > 0 { write!(out, ", {} failed", self.failed) } else { Ok(()) }
    }
}

/// What a loop does for each item, in one of its steps, as far as that is known before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BodyStatus {
    /// The id, without the number of an item.
    pub step: String,
    /// Its title.
    pub title: String,
    /// What it does; none for a block or switch.
    pub action: Option<Value>,
    /// How that is undone.
    pub undo: Option<Value>,
    /// What may say that it is done already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Unless<Value>>,
}

/// How far a loop is; none for other steps, and for a loop that was not entered.
pub(crate) fn of(run: &Run, step: &StepId) -> Option<LoopStatus> {
    let it = run.loop_of(step)?;
    Some(LoopStatus { items: it.items().len(), done: it.settled, failed: it.failed })
}

/// What a loop does for each item, step by step.
pub(crate) fn body(step: &Step, created: &Created, run: &Run) -> Vec<BodyStatus> {
    let known = |action: &Action| serde_json::to_value(foreseen(action.clone(), created, run)).ok();
    let one = |step: &Step| BodyStatus {
        step: step.id.to_string(),
        title: step.title.clone(),
        action: action_of(step).and_then(known),
        undo: step.rollback.as_ref().and_then(|undo| known(&undo.action)),
        unless: unless::of_planned(step, created, run),
    };
    within(step).into_iter().map(one).collect()
}

/// The steps of the body of a loop, and of the loops in it; none of another step.
pub(crate) fn within(step: &Step) -> Vec<&Step> {
    let Body::ForEach(each) = &step.body else { return vec![] };
    let mut found: Vec<&Step> = vec![];
    for step in &each.body {
        match step.body {
            Body::ForEach(_) => found.extend(within(step)),
            Body::Action(_) | Body::Block { .. } | Body::Switch { .. } => found.push(step),
        }
    }
    found
}

/// The action of a step that is one.
pub(crate) fn action_of(step: &Step) -> Option<&Action> {
    match &step.body {
        Body::Action(action) => Some(action),
        Body::Block { .. } | Body::Switch { .. } | Body::ForEach(_) => None,
    }
}
