//! How long steps take.

use runbook_core::run::{StepRun, StepState};

use super::model::StepStats;

/// The runs of one step so far.
#[derive(Debug, Default)]
pub(super) struct StepTimes {
    took_ms: Vec<u64>,
    runs: u64,
    failed: u64,
    retried: u64,
}

impl StepTimes {
    /// Adds a run of the step.
    pub(super) fn add(&mut self, state: &StepRun) {
        self.runs += 1;
        self.failed += u64::from(matches!(state.state, StepState::Failed(_)));
        self.retried += u64::from(state.attempts > 1);
        if let Some((from, to)) = state.started_at.zip(state.ended_at) {
            self.took_ms.push(to.0.saturating_sub(from.0));
        }
    }

    /// None for a step that never came to an end.
    pub(super) fn finish(mut self, step: String) -> Option<StepStats> {
        self.took_ms.sort_unstable();
        let median_ms = percentile(&self.took_ms, 50);
        let p95_ms = percentile(&self.took_ms, 95);
        let StepTimes { runs, failed, retried, .. } = self;
        (!self.took_ms.is_empty()).then_some(StepStats { step, runs, failed, retried, median_ms, p95_ms })
    }
}

/// The smallest value that so many percent of all do not exceed. The values are sorted.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let all: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&all, 50), percentile(&all, 95)), (50, 95));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 95)), (7, 7));
        assert_eq!((percentile(&[1, 9], 50), percentile(&[1, 9], 95)), (1, 9));
        assert_eq!(percentile(&[], 50), 0);
    }
}
