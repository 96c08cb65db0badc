//! What an operator may tell a run, beside answers and the request to cancel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Identity;
use crate::units::StepId;

/// What the names of messages begin with that a child run has from the run that started it.
pub const FROM_PARENT: &str = "parent-";

/// What an operator tells a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Start over what failed, and what did not start because of it.
    Retry {
        /// Only this step; none: all that failed or was ended.
        step: Option<StepId>,
        /// Also what has succeeded, and all that builds on it.
        downstream: bool,
    },
    /// A step need not run: it counts as done.
    Skip {
        /// Which.
        step: StepId,
    },
    /// A step was done by hand, or its undo was.
    MarkDone {
        /// Which.
        step: StepId,
        /// What it hands on.
        outputs: BTreeMap<String, Value>,
    },
    /// Nothing more starts until `continue`.
    Pause,
    /// Go on after a pause.
    Continue,
    /// Undo what succeeded.
    Rollback {
        /// Only what settled after this step; none: all.
        to: Option<StepId>,
    },
    /// Somebody takes the run over from whoever was responsible for it.
    Take,
}

impl Verb {
    /// The word for it, as on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::MarkDone { .. } => "mark-done",
            Self::Pause => "pause",
            Self::Continue => "continue",
            Self::Rollback { .. } => "rollback",
            Self::Take => "take",
        }
    }

    /// The step that it names.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::Retry { step, .. } => step.as_ref(),
            Self::Skip { step } | Self::MarkDone { step, .. } => Some(step),
            Self::Rollback { to } => to.as_ref(),
            Self::Pause | Self::Continue | Self::Take => None,
        }
    }

    /// Whether it says what follows on the failure of a run.
    pub fn answers_a_failure(&self) -> bool {
        match self {
            Self::Retry { .. } | Self::Skip { .. } | Self::MarkDone { .. } | Self::Rollback { .. } => true,
            Self::Pause | Self::Continue | Self::Take => false,
        }
    }
}

/// What an operator told a run and made no sense then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// What.
    pub verb: Verb,
    /// Who.
    pub by: Identity,
    /// Why that person wanted it.
    pub reason: String,
    /// Why it makes no sense, and what does.
    pub why: String,
    /// Which message said so, when it was one.
    pub message: Option<String>,
}
