//! What runs beside the steps of a runbook.

use serde::{Deserialize, Serialize};

use super::{Expression, Step, Template};

/// What makes a step run beside the others: nothing waits for it, and its failure does not fail the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// It is a deadline: a block that is entered when its time has come.
    Deadline(Box<Deadline>),
    /// It lies in a deadline.
    Within,
}

/// When the steps of a deadline run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deadline {
    /// How long after the start of the run: a duration once rendered, as the first event has it.
    pub after: Template,
    /// Then they do not run if this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Expression>,
}

impl Step {
    /// What makes it a deadline, if it is one.
    pub fn deadline(&self) -> Option<&Deadline> {
        match &self.beside {
            Some(Beside::Deadline(deadline)) => Some(deadline),
            Some(Beside::Within) | None => None,
        }
    }
}
