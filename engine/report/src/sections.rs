//! The sentences of a report: its summary, and how values and lists read.

use runbook_core::event::Event;
use runbook_journal::Record;
use serde_json::Value;

use crate::fold::for_people;
use crate::model::{Entry, Question, Report, Rollback, Step, Weight};
use crate::text::{count, duration, names};

/// A value longer than this is cut, in characters: a report is read, the record is complete.
const VALUE_MAX: usize = 400;
/// So many of a kind in a row are told as one.
const ROW_MIN: usize = 4;

/// One paragraph that says it all.
pub(crate) fn summary(report: &Report, records: &[Record]) -> String {
    let (run, ending) = (&report.run, &report.ending);
    let severity = run.severity.as_ref().map(|severity| format!(" (severity {severity})")).unwrap_or_default();
    let environment = run.environment.as_ref().map(|name| format!(" in environment `{name}`")).unwrap_or_default();
    let mut text = format!(
        "{} started `{}`{severity}{environment} at {}. ",
        run.started_by.name,
        run.runbook,
        for_people(&ending.started_at)
    );
    let took = duration(ending.took_ms);
    match (ending.is_over, ending.state.as_str()) {
        (true, "succeeded") => text.push_str(&format!("It succeeded after {took}.")),
        (true, state) => {
            let why = ending.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            text.push_str(&format!("It ended as {} after {took}{why}.", words(state)));
        }
        (false, state) => text.push_str(&format!("It is not over: after {took} it is {}.", words(state))),
    }
    text.push_str(&format!(" Of {}, {}.", count(report.counts.all, "step"), tally(report)));
    text.push_str(&approved(&report.questions));
    text.push_str(&operators(records));
    text.push_str(&way_back(report.rollback.as_ref()));
    text
}

fn tally(report: &Report) -> String {
    let counts = &report.counts;
    let open = counts.all - counts.succeeded - counts.failed - counts.skipped - counts.blocked - counts.cancelled;
    let all = [
        (counts.succeeded, "succeeded"),
        (counts.failed, "failed"),
        (counts.cancelled, "ended by a person"),
        (counts.skipped, "skipped"),
        (counts.blocked, "not started"),
        (open, "to do"),
    ];
    let mut parts: Vec<String> =
        all.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    if counts.retried > 0 {
        parts.push(format!("{} after more than one attempt", counts.retried));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn approved(questions: &[Question]) -> String {
    let answers = |what: &'static str| {
        let all = questions.iter().flat_map(|question| &question.answers);
        all.filter(move |answer| answer.what == what).map(|answer| answer.by.name.as_str())
    };
    let mut text = String::new();
    for (what, verb) in [("approved", "given"), ("rejected", "refused")] {
        let mut people: Vec<&str> = answers(what).collect();
        let number = people.len();
        people.sort_unstable();
        people.dedup();
        if number > 0 {
            let was = if number == 1 { "was" } else { "were" };
            text.push_str(&format!(" {} {was} {verb} by {}.", count(number, "approval"), people.join(", ")));
        }
    }
    let expired = questions.iter().filter(|question| question.outcome == "expired").count();
    if expired > 0 {
        text.push_str(&format!(" {} expired.", count(expired, "question")));
    }
    text
}

/// What operators told the run, beside answers.
fn operators(records: &[Record]) -> String {
    let said = records.iter().filter_map(|record| match &record.event {
        Event::VerbTaken { verb, by, .. } => Some(format!("{} by {}", runbook_runtime::words::verb(verb), by.name)),
        _ => None,
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { String::new() } else { format!(" Operators said: {}.", said.join(", ")) }
}

fn way_back(rollback: Option<&Rollback>) -> String {
    let Some(way) = rollback else { return String::new() };
    let mut text = match way.undone.len() {
        0 => " Nothing was undone.".to_owned(),
        number => format!(" {} undone.", were(number)),
    };
    let left = way.failed.len() + way.left.len();
    if left > 0 {
        text.push_str(&format!(" {} to be undone and not undone.", were(left)));
    }
    if !way.irreversible.is_empty() {
        let names = names(way.irreversible.iter().map(String::as_str));
        text.push_str(&format!(" What took effect and cannot be undone: {names}."));
    }
    text
}

fn were(number: usize) -> String {
    format!("{} {}", count(number, "step"), if number == 1 { "was" } else { "were" })
}

/// A state in words.
pub(crate) fn words(state: &str) -> String {
    state.replace('_', " ")
}

/// A value as people read it, cut where it is long.
pub(crate) fn value(value: &Value, bytes: Option<u64>) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    let all = bytes.unwrap_or(text.len() as u64);
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}… ({all} bytes)", &text[..end]),
        None if bytes.is_some() => format!("{text}… ({all} bytes)"),
        None => text,
    }
}

/// Whether a person who looks at many steps wants to see this one.
pub(crate) fn is_of_interest(step: &Step, questions: &[Question]) -> bool {
    let is_plain = matches!(step.state.as_str(), "succeeded" | "skipped" | "blocked" | "pending");
    !is_plain || step.attempts > 1 || step.undo.is_some() || questions.iter().any(|question| question.step == step.id)
}

/// A line of the timeline, of one entry or of several in a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) at: String,
    pub(crate) what: String,
    pub(crate) by: String,
}

/// The timeline with what is alike in a row told once. Successes are told one by one as long as `succeeded_apart`.
pub(crate) fn told(timeline: &[Entry], succeeded_apart: bool) -> Vec<Told> {
    let mut all = vec![];
    let mut rest = timeline;
    while let Some(first) = rest.first() {
        let is_kept = first.weight == Weight::Own || (first.weight == Weight::Succeeded && succeeded_apart);
        let alike = rest.iter().take_while(|entry| entry.weight == first.weight).count();
        let alike = if is_kept || alike < ROW_MIN { 1 } else { alike };
        let (row, next) = rest.split_at(alike);
        all.push(if let [one] = row { one_told(one) } else { row_told(first, row) });
        rest = next;
    }
    all
}

fn one_told(entry: &Entry) -> Told {
    let by = entry.by.as_ref().map(|person| person.name.clone()).unwrap_or_default();
    Told { at: for_people(&entry.at), what: entry.what.clone(), by }
}

fn row_told(first: &Entry, row: &[Entry]) -> Told {
    let what = match first.weight {
        Weight::Blocked => "not started",
        Weight::Skipped => "skipped",
        Weight::Own | Weight::Succeeded => "succeeded",
    };
    let steps: Vec<&str> = row.iter().filter_map(|entry| entry.step.as_deref()).collect();
    let last = row.last().unwrap_or(first);
    let until = if last.at == first.at { String::new() } else { format!(", until {}", for_people(&last.at)) };
    let names = names(steps.iter().copied());
    Told {
        at: for_people(&first.at),
        what: format!("{} {what}: {names}{until}", count(row.len(), "step")),
        by: String::new(),
    }
}
