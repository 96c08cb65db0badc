//! What may be said of a run now, as commands; and what was said.

use runbook_core::event::Verb;
use runbook_runtime::status::{Status, ToldStatus};

use super::hint::{Hints, quoted};
use super::text::{moment, visible_line};

/// A verb as the command that says it, and what it means.
fn command(verb: &Verb, is_stuck: bool, hints: &Hints) -> (String, String) {
    let step = verb.step().map(ToString::to_string).unwrap_or_default();
    let (rest, meaning) = match verb {
        Verb::Retry { step: None, .. } if is_stuck => (String::new(), "the rollback goes on".to_owned()),
        Verb::Retry { .. } if is_stuck => (step.clone(), format!("the rollback goes on, with `{step}`")),
        Verb::MarkDone { .. } if is_stuck => {
            (step.clone(), format!("you undid `{step}` by hand; the rollback goes on"))
        }
        Verb::Retry { step: None, .. } => (String::new(), "what failed starts over".to_owned()),
        Verb::Retry { .. } => (step.clone(), format!("`{step}` starts over")),
        Verb::Skip { .. } => (step.clone(), format!("`{step}` counts as done")),
        Verb::MarkDone { outputs, .. } => {
            let outputs: String =
                outputs.keys().map(|name| format!(" --output {}", quoted(&format!("{name}=VALUE")))).collect();
            (format!("{step}{outputs}"), format!("`{step}` was done by hand"))
        }
        Verb::Pause => (String::new(), "nothing more starts".to_owned()),
        Verb::Continue => (String::new(), "it goes on".to_owned()),
        Verb::Rollback { .. } => (String::new(), "what succeeded is undone".to_owned()),
        Verb::Take => (String::new(), "you answer for it from now on".to_owned()),
    };
    let rest = if rest.is_empty() { "--reason TEXT".to_owned() } else { format!("{rest} --reason TEXT") };
    (hints.command(verb.word(), &rest), meaning)
}

/// All commands that make sense now, `cancel` among them, with what each means.
pub(crate) fn commands(status: &Status, hints: &Hints) -> Vec<(String, String)> {
    let mut all: Vec<_> = status.verbs.iter().map(|verb| command(verb, status.state == "stuck", hints)).collect();
    if status.ended_at.is_none() {
        all.push((hints.command("cancel", "--reason TEXT"), "it is ended".to_owned()));
    }
    all
}

/// The commands that say what follows on a failure.
pub(crate) fn after_failure(verbs: &[Verb], hints: &Hints) -> Vec<(String, String)> {
    let answers = verbs.iter().filter(|verb| verb.answers_a_failure());
    let cancel = (hints.command("cancel", "--reason TEXT"), "nothing more is tried".to_owned());
    answers.map(|verb| command(verb, false, hints)).chain([cancel]).collect()
}

/// The same as [`commands`] as aligned lines, without those that are there all the time.
fn command_lines(status: &Status, hints: &Hints) -> Vec<String> {
    let usual = |text: &str| ["runbook pause", "runbook take"].iter().any(|verb| text.starts_with(verb));
    let all: Vec<_> = commands(status, hints).into_iter().filter(|(text, _)| !usual(text)).collect();
    let width = all.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    all.iter().map(|(command, meaning)| format!("    {command:width$}  # {meaning}")).collect()
}

/// What may be said now: in full where somebody has to say something, else by the words.
pub(crate) fn lines(status: &Status, hints: &Hints) -> Vec<String> {
    if asks(status) {
        // The question shows them.
        return vec![];
    }
    let has_ended = status.ended_at.is_some();
    let went_wrong = status.verbs.iter().any(|verb| matches!(verb, Verb::Retry { .. }));
    if (went_wrong || status.paused_by.is_some()) && !(has_ended && status.verbs.is_empty()) {
        return std::iter::once("  what may be said now:".to_owned()).chain(command_lines(status, hints)).collect();
    }
    let mut words: Vec<&str> = status.verbs.iter().map(Verb::word).collect();
    if !has_ended {
        words.push("cancel");
    }
    words.dedup();
    if words.is_empty() { vec![] } else { vec![format!("  what may be said now: {}", words.join(", "))] }
}

/// Whether a person is asked what follows on a failure.
fn asks(status: &Status) -> bool {
    status.questions.iter().any(|question| question.kind == "failure" && question.asker.is_none())
}

/// Who paused it, and who took it over.
pub(crate) fn people(status: &Status) -> Vec<String> {
    let mut lines = vec![];
    let because = status.paused_because.as_ref().map(|why| format!(": {}", visible_line(why))).unwrap_or_default();
    let paused = |by: &String| format!("  paused by {}{because}; nothing more starts", visible_line(by));
    lines.extend(status.paused_by.iter().map(paused));
    let other = status.responsible.as_ref().filter(|by| **by != status.started_by);
    lines.extend(other.map(|by| format!("  taken over by {}", visible_line(by))));
    lines
}

/// What operators said, in order, and then the pauses of guards, which are no people.
pub(crate) fn told(status: &Status) -> Vec<String> {
    let one = |told: &ToldStatus| format!("    {}  {}", moment(told.at), visible_line(&sentence(told)));
    let part = |heading: &str, by_guard: bool| {
        let lines: Vec<String> = status.told.iter().filter(|told| told.guard.is_some() == by_guard).map(one).collect();
        if lines.is_empty() { lines } else { std::iter::once(format!("  {heading}:")).chain(lines).collect() }
    };
    [part("operators", false), part("guards", true)].concat()
}

/// `retry check by ann (the disk has room again)`, with why it was refused; or `paused by the guard errors (…)`.
pub(crate) fn sentence(told: &ToldStatus) -> String {
    if let Some(guard) = &told.guard {
        return format!("paused by the guard `{guard}` ({})", told.reason);
    }
    let refused = told.refused.as_ref().map(|why| format!(": refused, {why}")).unwrap_or_default();
    format!("{} by {} ({}){refused}", told.verb, told.by, told.reason)
}
