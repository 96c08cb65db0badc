//! Statistics as data. Durations are in milliseconds, rates from 0 to 1.

use std::collections::BTreeMap;

use serde::Serialize;

/// What many runs come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Only runs that were started since then.
    pub since: Option<String>,
    /// How many runs there are.
    pub runs: u64,
    /// How many ended in which state.
    pub ended: BTreeMap<String, u64>,
    /// Of those that ended, the share that succeeded.
    pub success_rate: Option<f64>,
    /// Runs that ended and tried a step that changes something: one with an undo, or `irreversible`.
    pub changes: u64,
    /// The share of these that succeeded.
    pub change_success_rate: Option<f64>,
    /// By the severity of the runbooks that have one.
    pub severities: Vec<SeverityStats>,
    /// By runbook.
    pub runbooks: Vec<RunbookStats>,
}

/// The runs of the runbooks of one severity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeverityStats {
    /// Such as `P0`.
    pub severity: String,
    /// How many runs there are.
    pub runs: u64,
    /// From the start to the first sign of a person.
    pub acknowledge: Option<Measured>,
    /// From the start to the end of those that succeeded; its mean is the MTTR.
    pub resolve: Option<Measured>,
}

/// The runs of one runbook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunbookStats {
    /// Its id.
    pub runbook: String,
    /// Its severity.
    pub severity: Option<String>,
    /// How many runs there are.
    pub runs: u64,
    /// How many ended in which state.
    pub ended: BTreeMap<String, u64>,
    /// Of those that ended, the share that succeeded.
    pub success_rate: Option<f64>,
    /// Runs that ended and tried a step that changes something.
    pub changes: u64,
    /// The share of these that succeeded.
    pub change_success_rate: Option<f64>,
    /// From the start to the first sign of a person.
    pub acknowledge: Option<Measured>,
    /// From the start to the end of those that succeeded.
    pub resolve: Option<Measured>,
    /// The slowest steps, by what 95 of 100 runs of them do not exceed.
    pub slowest: Vec<StepStats>,
    /// Steps of the newest plan that none of these runs tried.
    pub never_run: Vec<String>,
    /// Steps of the newest plan with an undo that none of these runs used.
    pub never_undone: Vec<String>,
}

/// How long something took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// In how many runs it was reached.
    pub runs: u64,
    /// The mean.
    pub mean_ms: u64,
    /// The median.
    pub median_ms: u64,
    /// The targets that the runbooks of these runs had for it.
    pub targets_ms: Vec<u64>,
    /// How many of these runs had a target.
    pub with_target: u64,
    /// How many of those were within it.
    pub within: u64,
}

/// How long a step takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepStats {
    /// Its id.
    pub step: String,
    /// In how many runs it was tried.
    pub runs: u64,
    /// In how many of these it failed.
    pub failed: u64,
    /// In how many it was tried more than once.
    pub retried: u64,
    /// The median.
    pub median_ms: u64,
    /// What 95 of 100 runs do not exceed.
    pub p95_ms: u64,
}
