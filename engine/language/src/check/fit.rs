//! One action for each step, and only keys that mean something with it.

use super::outline::Item;
use crate::code::Code;
use crate::decode::Place;
use crate::diagnostic::Collector;
use crate::document::{GuardDoc, StepDoc, UndoDoc};
use crate::suggest::one_of;

/// The keys that say what a step does.
pub(crate) const ACTIONS: [&str; 12] =
    ["run", "argv", "http", "assert", "set", "wait", "manual", "ask", "runbook", "uses", "steps", "switch"];

/// The actions that can undo a step.
const UNDO_ACTIONS: [&str; 5] = ["run", "argv", "http", "manual", "uses"];

const COMMANDS: &[&str] = &["run", "argv"];
const TRIES: &[&str] = &["run", "argv", "http", "uses"];

/// The actions that can look at something beside the run.
const PROBES: &[&str] = &["run", "argv", "http"];

/// With which actions a key means something; keys that are not here mean something with all.
const FITS: &[(&str, &[&str])] = &[
    ("shell", &["run"]),
    ("env", COMMANDS),
    ("dir", COMMANDS),
    ("kill_grace", &["run", "argv", "uses"]),
    ("outputs", &["run", "argv", "http", "uses", "steps", "switch"]),
    ("timeout", &["run", "argv", "http", "manual", "ask", "runbook", "uses"]),
    ("retry", &["run", "argv", "http", "runbook", "uses"]),
    ("with", &["runbook", "uses"]),
    ("until", TRIES),
    ("every", TRIES),
    ("done_when", &["run", "argv", "http", "manual", "uses"]),
    ("on_interrupt", TRIES),
    ("read_only", TRIES),
    ("cases", &["switch"]),
    ("default", &["switch"]),
    ("parallel", &["steps"]),
    ("rescue", &["steps"]),
    ("always", &["steps"]),
    ("approval", &["run", "argv", "http", "assert", "set", "wait", "manual", "ask", "runbook", "uses"]),
    ("rollback", &["run", "argv", "http", "manual", "runbook", "uses"]),
    ("irreversible", &["run", "argv", "http", "manual", "runbook", "uses"]),
];

/// Checks the keys of a step against each other.
pub(crate) fn check(item: &Item<'_>, found: &mut Collector) {
    let doc = item.doc;
    let Some(action) = only_action(&doc.place, &ACTIONS, "a step", found) else { return };
    for (key, fitting) in FITS {
        let Some(span) = doc.place.key(key) else { continue };
        // These are about the loop, whatever is repeated.
        let of_loop = doc.for_each.is_some() && matches!(*key, "parallel" | "approval");
        if of_loop || fitting.contains(&action) {
            continue;
        }
        match (*key, item.holds_steps()) {
            ("rollback", true) => found
                .error(Code::UndoOfBlock, span, format!("`{action}` has no rollback of its own"))
                .help("put `rollback` on the steps within: they are undone in reverse order, those that succeeded"),
            ("approval" | "irreversible", true) => found
                .error(Code::Misplaced, span, format!("`{key}` makes no sense with `{action}`"))
                .help(format!("put `{key}` on the steps within that need it")),
            _ => found
                .error(Code::Misplaced, span, format!("`{key}` makes no sense with `{action}`"))
                .help(format!("it goes with {}", one_of(fitting))),
        };
    }
    check_pairs(doc, action, found);
}

/// The one action there is; reports none and several.
fn only_action<'k>(place: &Place, actions: &[&'k str], what: &str, found: &mut Collector) -> Option<&'k str> {
    let written: Vec<&str> = actions.iter().copied().filter(|action| place.key(action).is_some()).collect();
    match written.as_slice() {
        [one] => Some(one),
        [] => {
            // A key that was dropped because its value is unusable has been reported as such.
            found
                .error(Code::Actions, place.span, format!("{what} needs an action"))
                .help(format!("add {}", one_of(actions)));
            None
        }
        [first, second, ..] => {
            let (first_span, second_span) = (place.key_or_start(first), place.key_or_start(second));
            found
                .error(
                    Code::Actions,
                    second_span,
                    format!("{what} has one action, and this has `{first}` and `{second}`"),
                )
                .label("a second action")
                .related(first_span, "the first")
                .help("make two steps of it");
            None
        }
    }
}

fn check_pairs(doc: &StepDoc, action: &str, found: &mut Collector) {
    for key in ["as", "max_parallel", "max_failures"] {
        if let (Some(span), None) = (doc.place.key(key), doc.place.key("for_each")) {
            found
                .error(Code::Misplaced, span, format!("`{key}` makes no sense without `for_each`"))
                .help("add `for_each: <list expression>`, or remove it");
        }
    }
    let irreversible = doc.irreversible.as_ref().is_some_and(|flag| flag.value);
    if let (Some(span), true) = (doc.place.key("rollback"), irreversible) {
        found
            .error(
                Code::UndoOfIrreversible,
                doc.place.key_or_start("irreversible"),
                "a step with a rollback is not irreversible",
            )
            .related(span, "this undoes it")
            .help("remove one of them");
    }
    if let (Some(span), None) = (doc.place.key("every"), doc.place.key("until")) {
        found
            .error(
                Code::EveryWithoutUntil,
                span,
                "`every` says how often to look for what `until` says, and there is no `until`",
            )
            .help("add `until: <expression>`, or use `retry` to repeat failures");
    }
    if action == "switch" {
        if doc.place.key("cases").is_none() {
            found.error(Code::MissingKey, doc.place.key_or_start("switch"), "`switch` needs `cases`");
        } else if doc.cases.as_ref().is_some_and(|cases| cases.items.is_empty()) {
            found.error(Code::Empty, doc.place.key_or_start("cases"), "there are no cases in it");
        }
    }
    if doc.on_interrupt.is_some() && doc.read_only.as_ref().is_some_and(|flag| flag.value) {
        found
            .error(
                Code::Misplaced,
                doc.place.key_or_start("read_only"),
                "`read_only` and `on_interrupt` both say what to do after an interruption",
            )
            .help("remove one of them");
    }
}

/// Checks the keys of a guard against each other.
pub(crate) fn check_guard(doc: &GuardDoc, found: &mut Collector) {
    let place = &doc.probe.place;
    let Some(probe) = only_action(place, PROBES, "a guard", found) else { return };
    for (key, fitting) in FITS.iter().filter(|(key, _)| ["shell", "env", "dir", "kill_grace"].contains(key)) {
        if let Some(span) = place.key(key).filter(|_| !fitting.contains(&probe)) {
            found
                .error(Code::Misplaced, span, format!("`{key}` makes no sense with `{probe}`"))
                .help(format!("it goes with {}", one_of(fitting)));
        }
    }
}

/// Checks the keys of an undo against each other; gives its action.
pub(crate) fn check_undo(doc: &UndoDoc, found: &mut Collector) {
    let Some(action) = only_action(&doc.place, &UNDO_ACTIONS, "`rollback`", found) else { return };
    for (key, fitting) in FITS {
        if let Some(span) = doc.place.key(key)
            && !fitting.contains(&action)
        {
            found
                .error(Code::Misplaced, span, format!("`{key}` makes no sense with `{action}`"))
                .help(format!("it goes with {}", one_of(fitting)));
        }
    }
    if let Some(when) = &doc.when
        && !when.items.contains(&crate::document::UndoWhenWord::Succeeded)
        && !when.items.is_empty()
    {
        found
            .error(Code::WrongValue, when.span, "a step that succeeded must be undone too")
            .help("write `when: [succeeded, failed]`");
    }
    if let Some(when) = &doc.when
        && when.empty
    {
        found.error(Code::Empty, when.span, "nothing would ever be undone").help("remove `when`");
    }
}
