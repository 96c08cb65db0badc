//! What runs beside the steps.

use runbook_core::plan::{Plan, Step};
use runbook_core::units::StepIx;
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

/// The steps that lie in no other: those of the runbook, its deadlines, those of its `always`.
pub(super) fn top(plan: &Plan) -> [Vec<StepIx>; 3] {
    let of = |always: bool, beside: bool| {
        let is_one = |step: &Step| step.parent.is_none() && (step.always, step.beside.is_some()) == (always, beside);
        plan.iter().filter(|(_, step)| is_one(step)).map(|(at, _)| at).collect()
    };
    [of(false, false), of(false, true), of(true, false)]
}
