//! What runs beside the steps.

use runbook_core::plan::{OnTrip, Plan, Step};
use runbook_core::units::{StepIx, format_duration};
use serde::Serialize;

use crate::view::action::template;
use crate::view::text::visible_line;

/// When a deadline passes.
#[derive(Debug, Serialize)]
pub(super) struct DeadlineView {
    /// How long after the start.
    pub(super) after: String,
    /// What keeps it from passing.
    pub(super) unless: Option<String>,
}

impl DeadlineView {
    pub(super) fn of(step: &Step) -> Option<Self> {
        let deadline = step.deadline()?;
        let unless = deadline.unless.as_ref().map(|unless| unless.source.clone());
        Some(Self { after: template(&deadline.after), unless })
    }

    /// Such as `5m after the start, unless steps.a.succeeded`.
    pub(super) fn words(&self) -> String {
        let unless = self.unless.as_ref().map(|unless| format!(", unless {}", visible_line(unless)));
        format!("{} after the start{}", visible_line(&self.after), unless.unwrap_or_default())
    }
}

/// When a guard trips, and what follows.
#[derive(Debug, Serialize)]
pub(super) struct GuardView {
    pub(super) every_ms: u64,
    pub(super) trip_if: String,
    pub(super) trip_after: u32,
    pub(super) on_trip: OnTrip,
}

impl GuardView {
    pub(super) fn of(step: &Step) -> Option<Self> {
        let guard = step.guard()?;
        let trip_if = guard.trip_if.source.clone();
        Some(Self { every_ms: guard.every_ms, trip_if, trip_after: guard.trip_after, on_trip: guard.on_trip })
    }

    /// Such as `exit_code != 0 in 3 looks in a row, asked every 30s: the run is stopped`.
    pub(super) fn words(&self) -> String {
        let (every, trip_if) = (format_duration(self.every_ms), visible_line(&self.trip_if));
        let often = if self.trip_after > 1 { format!(" in {} looks in a row", self.trip_after) } else { String::new() };
        let then = self.on_trip.words();
        format!("{trip_if}{often}, asked every {every}: {then}")
    }
}

/// The steps that lie in no other: those of the runbook, its deadlines, its guards, those of its `always`.
pub(super) fn top(plan: &Plan) -> [Vec<StepIx>; 4] {
    let kind = |step: &Step| match (step.always, &step.beside) {
        (true, _) => 3,
        (false, Some(_)) if step.guard().is_some() => 2,
        (false, Some(_)) => 1,
        (false, None) => 0,
    };
    [0, 1, 2, 3].map(|part| {
        let is_one = |step: &Step| step.parent.is_none() && kind(step) == part;
        plan.iter().filter(|(_, step)| is_one(step)).map(|(at, _)| at).collect()
    })
}
