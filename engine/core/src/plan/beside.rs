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
    /// It is a guard: a probe that looks again and again.
    Guard(Box<Guard>),
}

/// When the probe of a guard looks, and what follows from what it finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// From one look to the next, in milliseconds.
    pub every_ms: u64,
    /// What must not be so.
    pub trip_if: Expression,
    /// It trips when so many looks, one after the other, found that it is so.
    pub trip_after: u32,
    /// What follows then.
    pub on_trip: OnTrip,
}

/// What follows when a guard trips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTrip {
    /// Nothing more starts, what runs is ended, and the run has failed.
    Stop,
    /// The same, and what succeeded is undone whatever the runbook says of failures.
    Rollback,
    /// The run is paused, as by a person; the guard looks on.
    Pause,
}

impl OnTrip {
    /// What follows, in words, such as `the run is stopped`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Stop => "the run is stopped",
            Self::Rollback => "the run is rolled back",
            Self::Pause => "the run is paused",
        }
    }
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
            Some(Beside::Within | Beside::Guard(_)) | None => None,
        }
    }

    /// What makes it a guard, if it is one.
    pub fn guard(&self) -> Option<&Guard> {
        match &self.beside {
            Some(Beside::Guard(guard)) => Some(guard),
            Some(Beside::Within | Beside::Deadline(_)) | None => None,
        }
    }
}
