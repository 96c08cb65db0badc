//! Events as phrases of the timeline.

use runbook_core::event::{Event, Identity};
use runbook_core::units::StepId;
use runbook_runtime::words;

use crate::text::{count, names};

/// What runs beside the steps.
pub(crate) fn of_beside(event: &Event) -> Option<String> {
    Some(match event {
        Event::GuardTripped { step, then, found } => {
            format!("the guard `{step}` tripped: {found}; {}", then.words())
        }
        Event::DeadlinePassed { step, trouble } => {
            let trouble = trouble.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("the deadline `{step}` has passed{trouble}")
        }
        _ => return None,
    })
}

/// What becomes of a block.
pub(crate) fn of_block(event: &Event) -> Option<String> {
    Some(match event {
        Event::SectionEntered { step, trouble, .. } => {
            let failed = names(trouble.iter().map(StepId::as_str));
            format!("the rescue of `{step}` begins: {failed} failed")
        }
        Event::LoopEntered { step, items, .. } => format!("`{step}` begins, for {}", count(items.len(), "item")),
        _ => return None,
    })
}

/// What an operator told the run.
pub(crate) fn of_verb(event: &Event) -> Option<(String, Option<&Identity>)> {
    Some(match event {
        Event::VerbTaken { verb, by, reason, .. } => (format!("{}: {reason}", words::verb(verb)), Some(by)),
        Event::VerbRefused(it) => (format!("{} makes no sense now: {}", words::verb(&it.verb), it.why), Some(&it.by)),
        Event::RunReopened { .. } => ("the run goes on after its end".to_owned(), None),
        _ => return None,
    })
}
