//! What many runs come to, by runbook and by severity.
//!
//! Runs are added one after the other, and only numbers are kept of each.

mod model;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::event::EndState;
use runbook_core::plan::{Body, Step};
use runbook_core::run::{Run, StepRun, UndoState};
use runbook_journal::Record;

pub use model::{Measured, RunbookStats, SeverityStats, Stats, StepStats};
use steps::StepTimes;

use crate::targets::acknowledged_at;

/// So many of the slowest steps are named.
const SLOWEST_MAX: usize = 10;

/// The runs so far.
#[derive(Debug, Default)]
pub struct Tally {
    runbooks: BTreeMap<String, OfRunbook>,
}

/// The runs of one runbook so far.
#[derive(Debug, Default)]
struct OfRunbook {
    severity: Option<String>,
    numbers: Numbers,
    /// The steps of the newest run's plan: those that act, and those with an undo.
    steps: Vec<String>,
    undoable: Vec<String>,
    newest: u64,
    attempted: BTreeSet<String>,
    undone: BTreeSet<String>,
    times: BTreeMap<String, StepTimes>,
}

/// What is counted, of a runbook or of a severity.
#[derive(Clone, Debug, Default)]
struct Numbers {
    runs: u64,
    ended: BTreeMap<&'static str, u64>,
    changes: u64,
    changes_good: u64,
    acknowledge: Times,
    resolve: Times,
}

/// How long something took in each run, and how often that was within its target.
#[derive(Clone, Debug, Default)]
struct Times {
    all_ms: Vec<u64>,
    with_target: u64,
    within: u64,
    targets_ms: BTreeSet<u64>,
}

impl Tally {
    /// Adds a run, with all its records.
    pub fn add(&mut self, run: &Run, records: &[Record]) {
        let Some(created) = run.created() else { return };
        let about = &created.plan.about;
        let one = self.runbooks.entry(about.id.clone()).or_default();
        if run.started_at().0 >= one.newest {
            one.newest = run.started_at().0;
            one.severity = about.severity.clone();
            let ids = |fits: fn(&Step) -> bool| {
                let written = created.plan.written().into_iter().filter(|step| fits(step));
                written.map(|step| step.id.to_string()).collect()
            };
            one.steps = ids(|step| matches!(step.body, Body::Action(_)));
            one.undoable = ids(|step| step.rollback.is_some());
        }
        one.numbers.add(run, records);
        for (_, step, state) in run.steps() {
            one.add_step(step, state);
        }
    }

    /// What all the runs come to. `since` is when the first of them may have started, as it is shown.
    pub fn finish(self, since: Option<String>) -> Stats {
        let mut all = Numbers::default();
        let mut severities: BTreeMap<String, Numbers> = BTreeMap::new();
        let mut runbooks = vec![];
        for (id, one) in self.runbooks {
            all.merge(&one.numbers);
            if let Some(severity) = &one.severity {
                severities.entry(severity.clone()).or_default().merge(&one.numbers);
            }
            runbooks.push(one.finish(id));
        }
        let severities = severities.into_iter().map(|(severity, numbers)| SeverityStats {
            severity,
            runs: numbers.runs,
            acknowledge: numbers.acknowledge.finish(),
            resolve: numbers.resolve.finish(),
        });
        Stats {
            since,
            runs: all.runs,
            ended: all.ended(),
            success_rate: all.success_rate(),
            changes: all.changes,
            change_success_rate: rate(all.changes_good, all.changes),
            severities: severities.collect(),
            runbooks,
        }
    }
}

impl OfRunbook {
    fn add_step(&mut self, step: &Step, state: &StepRun) {
        if state.undo.state == UndoState::Undone {
            self.undone.insert(step.written_id().to_owned());
        }
        if state.attempts == 0 || !matches!(step.body, Body::Action(_)) {
            return;
        }
        self.attempted.insert(step.written_id().to_owned());
        let times = self.times.entry(step.written_id().to_owned()).or_default();
        times.add(state);
    }

    fn finish(self, runbook: String) -> RunbookStats {
        let mut slowest: Vec<StepStats> = self.times.into_iter().filter_map(|(id, times)| times.finish(id)).collect();
        slowest.sort_by(|one, other| other.p95_ms.cmp(&one.p95_ms).then_with(|| one.step.cmp(&other.step)));
        slowest.truncate(SLOWEST_MAX);
        let numbers = &self.numbers;
        RunbookStats {
            runbook,
            severity: self.severity,
            runs: numbers.runs,
            ended: numbers.ended(),
            success_rate: numbers.success_rate(),
            changes: numbers.changes,
            change_success_rate: rate(numbers.changes_good, numbers.changes),
            acknowledge: numbers.acknowledge.clone().finish(),
            resolve: numbers.resolve.clone().finish(),
            slowest,
            never_run: self.steps.into_iter().filter(|step| !self.attempted.contains(step)).collect(),
            never_undone: self.undoable.into_iter().filter(|step| !self.undone.contains(step)).collect(),
        }
    }
}

impl Numbers {
    fn add(&mut self, run: &Run, records: &[Record]) {
        let Some(created) = run.created() else { return };
        let target = |name: &str| created.plan.about.sla.get(name).copied();
        self.runs += 1;
        let since_start = |at: u64| at.saturating_sub(run.started_at().0);
        if let Some(at) = acknowledged_at(records) {
            self.acknowledge.add(since_start(at), target("acknowledge"));
        }
        let Some(end) = run.end() else { return };
        *self.ended.entry(word(end.state)).or_default() += 1;
        let has_succeeded = end.state == EndState::Succeeded;
        if has_succeeded {
            self.resolve.add(since_start(end.at.0), target("resolve"));
        }
        if changed_something(run) {
            self.changes += 1;
            self.changes_good += u64::from(has_succeeded);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        for (state, number) in &other.ended {
            *self.ended.entry(state).or_default() += number;
        }
        self.changes += other.changes;
        self.changes_good += other.changes_good;
        self.acknowledge.merge(&other.acknowledge);
        self.resolve.merge(&other.resolve);
    }

    fn ended(&self) -> BTreeMap<String, u64> {
        self.ended.iter().map(|(state, number)| ((*state).to_owned(), *number)).collect()
    }

    fn success_rate(&self) -> Option<f64> {
        rate(self.ended.get("succeeded").copied().unwrap_or_default(), self.ended.values().sum())
    }
}

impl Times {
    fn add(&mut self, took_ms: u64, target_ms: Option<u64>) {
        self.all_ms.push(took_ms);
        if let Some(target) = target_ms {
            self.with_target += 1;
            self.within += u64::from(took_ms <= target);
            self.targets_ms.insert(target);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.all_ms.extend(&other.all_ms);
        self.with_target += other.with_target;
        self.within += other.within;
        self.targets_ms.extend(&other.targets_ms);
    }

    fn finish(mut self) -> Option<Measured> {
        self.all_ms.sort_unstable();
        let number = self.all_ms.len() as u64;
        let mean_ms = self.all_ms.iter().sum::<u64>().checked_div(number)?;
        Some(Measured {
            runs: number,
            mean_ms,
            median_ms: steps::percentile(&self.all_ms, 50),
            targets_ms: self.targets_ms.into_iter().collect(),
            with_target: self.with_target,
            within: self.within,
        })
    }
}

/// Whether a step that changes something was tried: one that has an undo, or says that it cannot have one.
fn changed_something(run: &Run) -> bool {
    let changes = |step: &Step| step.rollback.is_some() || step.irreversible;
    run.steps().any(|(_, step, state)| changes(step) && state.attempts > 0)
}

fn word(state: EndState) -> &'static str {
    match state {
        EndState::Succeeded => "succeeded",
        EndState::Failed => "failed",
        EndState::RolledBack => "rolled_back",
        EndState::Stuck => "stuck",
        EndState::Cancelled => "cancelled",
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many runs that it matters")]
fn rate(good: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| good as f64 / all as f64)
}
