//! Random runbooks for people.

use runbook_core::plan::{Body, Step};

use crate::kit::book::Book;

/// A runbook in a few lines, for people who look for a bug.
pub(crate) fn outline(book: &Book) -> String {
    let plan = book.plan();
    let mut out = format!(
        "{:?}, at most {}, grace {}, services {:?}, locks {:?}, deadlines {:?}\n",
        plan.on_failure,
        plan.max_parallel,
        plan.cancel_grace_ms,
        book.services,
        book.locks.iter().map(|lock| (&lock.name, lock.wait_ms)).collect::<Vec<_>>(),
        book.deadlines.iter().map(|(_, after_ms)| after_ms).collect::<Vec<_>>(),
    );
    plan.steps.iter().for_each(|step| out += &line(step));
    out
}

fn line(step: &Step) -> String {
    let (body, within) = match &step.body {
        Body::Action(action) => (serde_json::to_string(action).expect("JSON").chars().take(60).collect(), vec![]),
        Body::Block { .. } => ("block".to_owned(), vec![]),
        Body::Switch { on, .. } => (format!("switch {}", on.source), vec![]),
        Body::ForEach(each) => {
            let text = format!("for each of {} {:?} {:?}", each.over.source, each.width, each.failures_max);
            (text, each.body.iter().map(line).collect())
        }
    };
    let mut out = format!(
        "{} in {:?}.{:?}.{:?} needs {:?} of {:?} {body}",
        step.id,
        step.parent.map(|it| it.0),
        step.case,
        step.section,
        step.needs_any,
        step.needs.iter().map(|need| need.0).collect::<Vec<_>>()
    );
    for (_, mark) in marks(step).into_iter().filter(|(is, _)| *is) {
        out += &format!(", {mark}");
    }
    out += "\n";
    within.iter().for_each(|line: &String| out += &format!("  of each: {line}"));
    out
}

/// What is said of a step, and whether it is.
fn marks(step: &Step) -> [(bool, String); 13] {
    let undo = step.rollback.as_ref().map(|it| (it.also_failed, it.on_interrupt, it.retry.is_some()));
    let locks: Vec<_> = step.locks.iter().map(|lock| (serde_json::to_string(&lock.name), lock.wait_ms)).collect();
    [
        (step.always, "always".to_owned()),
        (step.beside.is_some(), format!("beside {:?}", step.beside)),
        (step.condition.is_some(), format!("if {:?}", step.condition.as_ref().map(|it| &it.expression.source))),
        (step.continue_on_failure, "continue".to_owned()),
        (step.ask_on_failure, "asks".to_owned()),
        (step.approval.is_some(), format!("approval {:?}", step.approval.as_ref().map(|it| (it.timeout_ms, it.min)))),
        (!locks.is_empty(), format!("locks {locks:?}")),
        (step.retry.is_some(), format!("{:?}", step.retry)),
        (step.until.is_some(), format!("until {:?}", step.until.as_ref().map(|it| it.every_ms))),
        (step.done_when.is_some(), format!("done when {:?}", step.done_when)),
        (step.timeout_ms.is_some(), format!("timeout {:?}", step.timeout_ms)),
        (step.rollback.is_some() || step.irreversible, format!("undo {undo:?}, irreversible {}", step.irreversible)),
        (true, format!("{:?}", step.on_interrupt)),
    ]
}
