//! What was reached against `sla`.

use runbook_core::event::{EndState, Event};
use runbook_core::run::Run;
use runbook_journal::Record;

use crate::model::Target;

/// The name of the target that the first sign of a person reaches.
const ACKNOWLEDGE: &str = "acknowledge";
/// The name of the target that the end of a run that succeeded reaches.
const RESOLVE: &str = "resolve";

/// When something was reached, in milliseconds from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Then.
    After(u64),
    /// Not, and it will not be.
    Never,
    /// Not yet.
    Open,
    /// Nothing in the run tells.
    Unknown,
}

/// The targets of the runbook, each with what was measured.
pub(crate) fn targets(run: &Run, records: &[Record], now: u64) -> Vec<Target> {
    let Some(created) = run.created() else { return vec![] };
    let one = |(name, limit): (&String, &u64)| {
        let reached = reached(name, run, records);
        let so_far = now.saturating_sub(run.started_at().0);
        Target {
            name: name.clone(),
            limit_ms: *limit,
            took_ms: if let Reached::After(ms) = reached { Some(ms) } else { None },
            is_met: match reached {
                Reached::After(ms) => Some(ms <= *limit),
                Reached::Never => Some(false),
                Reached::Open => (so_far > *limit).then_some(false),
                Reached::Unknown => None,
            },
            measured: measured(name, run, records),
        }
    };
    created.plan.about.sla.iter().map(one).collect()
}

/// When a target was reached.
pub(crate) fn reached(name: &str, run: &Run, records: &[Record]) -> Reached {
    let is_over = run.end().is_some();
    let at = match name {
        RESOLVE => run.end().filter(|end| end.state == EndState::Succeeded).map(|end| end.at.0),
        ACKNOWLEDGE => acknowledged_at(records),
        step => step_done(records, step),
    };
    match at {
        None if !can_tell(name, run, records) => Reached::Unknown,
        Some(at) => Reached::After(at.saturating_sub(run.started_at().0)),
        None if is_over => Reached::Never,
        None => Reached::Open,
    }
}

/// The end of the step `acknowledge`, or the first answer of a person, whichever came first.
pub(crate) fn acknowledged_at(records: &[Record]) -> Option<u64> {
    let answered = records.iter().find_map(|record| match &record.event {
        Event::QuestionAnswered { written_at, .. } => Some(written_at.0.min(record.at.0)),
        _ => None,
    });
    answered.into_iter().chain(step_done(records, ACKNOWLEDGE)).min()
}

fn step_done(records: &[Record], id: &str) -> Option<u64> {
    records.iter().find_map(|record| match &record.event {
        Event::StepSucceeded { step, .. } if step.as_str() == id => Some(record.at.0),
        _ => None,
    })
}

/// Whether a run can tell when the target is reached: a step by that name is there, or somebody was asked.
fn can_tell(name: &str, run: &Run, records: &[Record]) -> bool {
    let asks = || records.iter().any(|record| matches!(record.event, Event::QuestionAsked { .. }));
    name == RESOLVE || run.step_plan(&name.into()).is_some() || (name == ACKNOWLEDGE && asks())
}

fn measured(name: &str, run: &Run, records: &[Record]) -> String {
    let has_step = run.step_plan(&name.into()).is_some();
    match (name, has_step) {
        (RESOLVE, _) => "the end of the run, if it succeeded".to_owned(),
        (ACKNOWLEDGE, true) => "the end of step `acknowledge`, or the first answer of a person".to_owned(),
        (ACKNOWLEDGE, false) if can_tell(name, run, records) => "the first answer of a person".to_owned(),
        (ACKNOWLEDGE, false) => "nothing: nobody was asked".to_owned(),
        (_, true) => format!("the end of step `{name}`"),
        (_, false) => format!("nothing: the runbook has no step `{name}`"),
    }
}
