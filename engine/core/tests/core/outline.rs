//! Random runbooks for people.

use runbook_core::plan::Body;

use crate::kit::book::Book;

/// A runbook in a few lines, for people who look for a bug.
pub(crate) fn outline(book: &Book) -> String {
    let plan = book.plan();
    let mut out = format!(
        "{:?}, at most {}, grace {}, {:?}\n",
        plan.on_failure, plan.max_parallel, plan.cancel_grace_ms, book.services
    );
    for (_, step) in plan.iter() {
        let body = match &step.body {
            Body::Action(action) => serde_json::to_string(action).expect("JSON").chars().take(60).collect(),
            Body::Block { .. } => "block".to_owned(),
            Body::Switch { on, .. } => format!("switch {}", on.source),
            Body::ForEach(each) => {
                format!("for each of {} {:?} {:?} {:#?}", each.over.source, each.width, each.failures_max, each.body)
            }
        };
        out += &format!(
            "{} in {:?}.{:?}.{:?} needs {:?} of {:?} {body}",
            step.id,
            step.parent.map(|it| it.0),
            step.case,
            step.section,
            step.needs_any,
            step.needs
        );
        let marks = [
            (step.always, "always".to_owned()),
            (step.beside.is_some(), format!("beside {:?}", step.beside)),
            (step.condition.is_some(), format!("if {:?}", step.condition.as_ref().map(|it| &it.expression.source))),
            (step.continue_on_failure, "continue".to_owned()),
            (step.approval.is_some(), format!("approval {:?}", step.approval.as_ref().map(|it| it.timeout_ms))),
            (!step.locks.is_empty(), format!("locks {:?}", step.locks)),
            (step.retry.is_some(), format!("retry {:?}", step.retry)),
            (step.until.is_some(), format!("until {:?}", step.until.as_ref().map(|it| it.every_ms))),
            (step.done_when.is_some(), format!("done when {:?}", step.done_when)),
            (step.timeout_ms.is_some(), format!("timeout {:?}", step.timeout_ms)),
            (
                step.rollback.is_some(),
                format!("undo {:?}", step.rollback.as_ref().map(|it| (it.also_failed, it.on_interrupt))),
            ),
            (step.irreversible, "irreversible".to_owned()),
            (true, format!("{:?}", step.on_interrupt)),
        ];
        for (_, mark) in marks.into_iter().filter(|(is, _)| *is) {
            out += &format!(", {mark}");
        }
        out += "\n";
    }
    out
}
