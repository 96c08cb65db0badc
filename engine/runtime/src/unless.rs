//! What may take the place of a step that is approved: its `done_when`, which may say that nothing is left to do.

use runbook_core::event::Created;
use runbook_core::plan::{DoneWhen, Step};
use runbook_core::rendered::Rendered;
use runbook_core::run::Run;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foreseen::foreseen;
use crate::given::{self, Given};

/// What says, before each attempt, that a step counts as done without running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unless<A> {
    /// This expression, when it holds.
    Holds(String),
    /// This command, when it ends with exit code 0.
    Probe {
        /// What it does.
        action: A,
        /// What it gets besides its own `env`.
        #[serde(default)]
        given: Given,
    },
}

/// Of a step whose command that looks has its values.
pub(crate) fn of_prepared(step: &Step, probe: Option<&Rendered>, created: &Created) -> Option<Unless<Rendered>> {
    match (step.done_when.as_ref()?, probe) {
        (DoneWhen::Holds(expression), _) => Some(Unless::Holds(expression.source.trim().to_owned())),
        (DoneWhen::Probe(_), probe) => {
            let action = probe?.clone();
            let given = given::to_rendered(&action, created);
            Some(Unless::Probe { action, given })
        }
    }
}

/// Of a step of a loop, as far as that is known before.
pub(crate) fn of_planned(step: &Step, created: &Created, run: &Run) -> Option<Unless<Value>> {
    match step.done_when.as_ref()? {
        DoneWhen::Holds(expression) => Some(Unless::Holds(expression.source.trim().to_owned())),
        DoneWhen::Probe(probe) => {
            let action = serde_json::to_value(foreseen(probe.action.clone(), created, run)).ok()?;
            Some(Unless::Probe { action, given: given::to_planned(&probe.action, created) })
        }
    }
}
