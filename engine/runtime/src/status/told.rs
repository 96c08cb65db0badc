//! What operators told a run, as a snapshot has it.

use runbook_core::run::{Run, Told};
use serde::{Deserialize, Serialize};

/// The most of them in a snapshot; the journal has all.
const TOLD_MAX: usize = 50;

/// What an operator told the run, or a guard that paused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStatus {
    /// What, as on the command line without the run: `retry check --downstream`.
    pub verb: String,
    /// Who.
    pub by: String,
    /// The guard, where no person said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// Why.
    pub reason: String,
    /// When it was taken, or refused.
    pub at: u64,
    /// Which message said so, when it was one.
    pub message: Option<String>,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

impl ToldStatus {
    pub(super) fn last_of(run: &Run) -> Vec<Self> {
        let told = run.told();
        told[told.len().saturating_sub(TOLD_MAX)..].iter().map(Self::from).collect()
    }
}

impl From<&Told> for ToldStatus {
    fn from(told: &Told) -> Self {
        Self {
            verb: crate::words::verb(&told.verb),
            by: told.by.name.clone(),
            guard: told.guard.as_ref().map(ToString::to_string),
            reason: told.reason.clone(),
            at: told.at.0,
            message: told.message.clone(),
            refused: told.refused.clone(),
        }
    }
}
