//! A run that is looked at: in short for `status`, in full for `show`, and as JSON for both.

use runbook_core::event::Event;
use runbook_runtime::status::{LockStatus, ParentStatus, QuestionStatus, Status, StepStatus};
use serde_json::{Value, json};

use super::hint::Hints;
use super::items;
use super::paint::{self, Paint, Tone};
use super::question;
use super::records;
use super::seen::Seen;
use super::tally::Tally;
use super::text::{clock, count, duration, moment, pad, rfc3339, value, visible_line};
use super::verbs;
use crate::failure::look_at;

/// The state in short: what it is at, what is asked, what runs.
pub(crate) fn short(seen: &Seen, hints: &Hints, now: u64, paint: Paint) -> Vec<String> {
    let status = &seen.status;
    let mut lines = vec![headline(seen, now, paint)];
    lines.extend(abandoned(seen, hints, paint));
    lines.extend(status.parent.iter().map(child_of));
    if !seen.has_ended() {
        lines.push(format!("  at: {}, {}", status.stage, Tally::of(status).progress()));
    }
    lines.extend(status.locks.iter().filter_map(|lock| awaited(lock, paint)));
    lines.extend(cancel(status, now));
    lines.extend(verbs::people(status));
    lines.extend(status.cause.iter().map(|cause| format!("  why: {}", visible_line(cause))));
    let runs = |step: &&StepStatus| {
        let goes_on = matches!(step.state.as_str(), "running" | "retrying") && !step.is_block;
        goes_on || step.undo.as_deref() == Some("running")
    };
    lines.extend(status.steps.iter().filter(runs).map(|step| step_line(step, 0, now, paint)));
    for question in &status.questions {
        lines.extend(question::full(question, status, now, paint));
        lines.extend(answers(seen, question, hints));
    }
    lines.extend(verbs::lines(status, hints));
    lines
}

/// The commands that answer a question, or what takes the answer that was given.
fn answers(seen: &Seen, question: &QuestionStatus, hints: &Hints) -> Vec<String> {
    if !seen.stored.contains(&question.id) {
        return question::answer_lines(question, &hints.of_asker(question));
    }
    let taken = if seen.has_engine {
        "the engine is about to take it".to_owned()
    } else {
        format!("{} takes it", hints.command("resume", ""))
    };
    vec![format!("  an answer to this is stored; {taken}")]
}

fn headline(seen: &Seen, now: u64, paint: Paint) -> String {
    let status = &seen.status;
    let word = if seen.is_abandoned() { "no engine" } else { &status.state };
    let took = status.ended_at.unwrap_or(now).saturating_sub(status.started_at);
    let state = paint::state(paint, word, 0);
    format!("{state}  {}  {}  {}", paint.bold(&visible_line(&status.runbook)), status.run, duration(took))
}

/// A run that goes nowhere by itself says so, and what goes on with it.
fn abandoned(seen: &Seen, hints: &Hints, paint: Paint) -> Option<String> {
    let (resume, cancel) = (hints.command("resume", ""), hints.command("cancel", ""));
    let was = seen.status.state.replace('_', " ");
    let text = match hints.owner() {
        None => format!("  no engine: {resume} or {cancel} (it was {was})"),
        Some(owner) => format!("  no engine: only `{}` can go on with it (it was {was})", visible_line(owner)),
    };
    seen.is_abandoned().then(|| paint.tone(Tone::Asks, &text))
}

fn cancel(status: &Status, now: u64) -> Option<String> {
    let cancel = status.cancel.as_ref()?;
    let when = match cancel.level {
        0 | 1 if status.stage == "rollback" => "what was done is being undone".to_owned(),
        0 | 1 if status.stage == "always" => "the last steps run".to_owned(),
        0 | 1 if cancel.term_at > now => {
            format!("what runs is told to end in {}", duration(cancel.term_at - now))
        }
        0..=2 => "what runs was told to end".to_owned(),
        _ => "what runs is killed".to_owned(),
    };
    Some(format!("  cancelled by {}: {when}", visible_line(&cancel.by)))
}

/// Everything.
pub(crate) fn full(seen: &Seen, hints: &Hints, now: u64, paint: Paint) -> Vec<String> {
    let status = &seen.status;
    let mut lines = vec![headline(seen, now, paint)];
    lines.extend(abandoned(seen, hints, paint));
    if status.title != status.runbook {
        lines.push(format!("  {}", visible_line(&status.title)));
    }
    lines.push(format!("  started: {} by {}", moment(status.started_at), visible_line(&status.started_by)));
    lines.extend(status.ended_at.map(|ended| format!("  ended:   {}", moment(ended))));
    lines.extend(status.parent.iter().map(child_of));
    lines.extend(status.environment.iter().map(|name| format!("  environment: {}", visible_line(name))));
    lines.extend(
        seen.created()
            .map(|created| format!("  runbook: {}, plan sha256 {}", visible_line(&created.file), created.plan_digest)),
    );
    let part = seen.created().and_then(|created| created.part.as_ref());
    lines.extend(part.map(|part| format!("  part: {}", records::part_of(part).trim_matches([',', ' ']))));
    let key = seen.created().and_then(|created| created.key.as_deref());
    lines.extend(key.map(|key| format!("  key: {}", visible_line(key))));
    lines.extend(status.locks.iter().filter_map(|lock| awaited(lock, paint)));
    lines.extend(cancel(status, now));
    lines.extend(verbs::people(status));
    lines.extend(status.cause.iter().map(|cause| format!("  why: {}", visible_line(cause))));
    lines.extend(status.exit_code.map(|code| format!("  exit code: {code}")));
    lines.extend(pairs("params", status.params.as_object().into_iter().flatten().map(|(name, it)| (name, value(it)))));
    lines.extend(pairs("services", status.services.iter().map(|(name, state)| (name, visible_line(state)))));
    lines.extend(pairs("locks", status.locks.iter().flat_map(held)));
    lines.push(format!("  steps: {}", Tally::of(status).words()));
    lines.extend(steps(status, now, paint));
    lines.extend(pairs("outputs", status.outputs.iter().map(|(name, it)| (name, value(it)))));
    if !status.irreversible.is_empty() {
        let text = format!("  cannot be undone, and took effect: {}", status.irreversible.join(", "));
        lines.push(paint.tone(Tone::Bad, &text));
    }
    lines.extend(answered(seen));
    lines.extend(verbs::told(status));
    for question in &status.questions {
        lines.extend(question::full(question, status, now, paint));
        lines.extend(answers(seen, question, hints));
    }
    lines
}

fn child_of(parent: &ParentStatus) -> String {
    format!("  child run of step `{}` of run {}", parent.step, parent.run)
}

/// A lock that is waited for, and who holds it.
fn awaited(lock: &LockStatus, paint: Paint) -> Option<String> {
    let name = visible_line(lock.awaited.as_deref()?);
    let of = if lock.of == "run" { String::new() } else { format!("{} ", visible_line(&lock.of)) };
    let who = match &lock.holder {
        None => String::new(),
        Some(holder) => {
            let since = moment(holder.since.0);
            format!(", held by {} since {since}: {}", visible_line(&holder.to_string()), look_at(holder))
        }
    };
    Some(paint.tone(Tone::Asks, &format!("  {of}waits for the lock `{name}`{who}")))
}

fn held(lock: &LockStatus) -> impl Iterator<Item = (&String, String)> {
    let of = if lock.of == "run" { "the run".to_owned() } else { visible_line(&lock.of) };
    lock.names.iter().filter(|_| lock.held).map(move |name| (name, format!("held by {of}")))
}

fn pairs<'n>(heading: &str, all: impl Iterator<Item = (&'n String, String)>) -> Vec<String> {
    let lines: Vec<String> = all.map(|(name, text)| format!("    {name} = {text}")).collect();
    if lines.is_empty() { lines } else { std::iter::once(format!("  {heading}:")).chain(lines).collect() }
}

fn steps(status: &Status, now: u64, paint: Paint) -> Vec<String> {
    let parents: std::collections::BTreeMap<&str, Option<&str>> =
        status.steps.iter().map(|step| (step.id.as_str(), step.parent.as_deref())).collect();
    let mut lines = vec![];
    let (hidden, left_out) = items::hidden(status);
    for (step, _) in status.steps.iter().zip(hidden).filter(|(_, is_hidden)| !is_hidden) {
        let up = |parent: &&str| parents.get(*parent).copied().flatten();
        let depth = std::iter::successors(step.parent.as_deref(), up).take(status.steps.len()).count();
        lines.push(step_line(step, depth, now, paint));
        let indent = "  ".repeat(depth + 3);
        lines.extend(step.child.iter().map(|run| format!("{indent}child run {run}")));
        lines.extend(step.outputs.iter().map(|(name, it)| {
            let cut = step.outputs_cut.get(name).map(|bytes| format!("… (cut: it has {bytes} bytes)"));
            format!("{indent}{name} = {}{}", value(it), cut.unwrap_or_default())
        }));
        lines.extend(undo_line(step, &indent, paint));
        lines.extend(left_out.get(step.id.as_str()).map(|items| {
            let text =
                format!("… {} that went well or did not begin: `--output json` has all", count(*items, "more item"));
            format!("{indent}{}", paint.dim(&text))
        }));
    }
    lines
}

fn step_line(step: &StepStatus, depth: usize, now: u64, paint: Paint) -> String {
    let goes_on = matches!(step.state.as_str(), "running" | "retrying" | "waiting");
    let until = if goes_on { Some(now) } else { step.ended_at };
    let took = step.started_at.zip(until).map(|(from, until)| duration(until.saturating_sub(from)));
    let mut notes: Vec<String> = took.into_iter().collect();
    if step.attempts > 1 {
        notes.push(format!("{} attempts", step.attempts));
    }
    notes.extend(step.detail.as_deref().map(visible_line));
    notes.extend(step.due.map(|due| format!("comes at {}", clock(due))));
    let state = paint::state(paint, &step.state, 12);
    let line = format!("  {}{state} {}  {}", "  ".repeat(depth), pad(&step.id, 20), notes.join(", "));
    line.trim_end().to_owned()
}

fn undo_line(step: &StepStatus, indent: &str, paint: Paint) -> Option<String> {
    let undo = step.undo.as_deref()?;
    let why = step.undo_detail.as_deref().map(|why| format!(": {}", visible_line(why))).unwrap_or_default();
    let (tone, text) = match undo {
        "undone" => (Tone::Good, "undone".to_owned()),
        "failed" => (Tone::Bad, format!("not undone, its rollback failed{why}")),
        "running" => (Tone::Active, format!("being undone{why}")),
        _ => (Tone::Asks, "not undone yet".to_owned()),
    };
    Some(format!("{indent}{}", paint.tone(tone, &format!("↶ {text}"))))
}

/// Who answered what: the journal knows.
fn answered(seen: &Seen) -> Vec<String> {
    let one = |record: &runbook_journal::Record| match &record.event {
        Event::QuestionAnswered { .. }
        | Event::ApprovalGiven { .. }
        | Event::QuestionEscalated { .. }
        | Event::AnswerRefused { .. } => records::of_question(record.at.0, &record.event),
        _ => None,
    };
    let lines: Vec<String> =
        seen.records.iter().filter_map(one).map(|line| format!("    {}  {}", moment(line.at), line.text)).collect();
    if lines.is_empty() { lines } else { std::iter::once("  answers:".to_owned()).chain(lines).collect() }
}

/// The snapshot for programs: moments as RFC 3339 in UTC, and whether an engine has the run.
pub(crate) fn to_json(seen: &Seen, hints: &Hints) -> Value {
    let mut value = serde_json::to_value(&seen.status).unwrap_or(Value::Null);
    for place in ["/started_at", "/ended_at", "/updated_at", "/cancel/term_at"] {
        to_rfc3339(&mut value, place);
    }
    for (index, question) in seen.status.questions.iter().enumerate() {
        to_rfc3339(&mut value, &format!("/questions/{index}/due"));
        let commands: Vec<String> =
            question::answers(question, &hints.of_asker(question)).into_iter().map(|(command, _)| command).collect();
        value["questions"][index]["answers"] = json!(commands);
    }
    for index in 0..seen.status.steps.len() {
        to_rfc3339(&mut value, &format!("/steps/{index}/started_at"));
        to_rfc3339(&mut value, &format!("/steps/{index}/ended_at"));
        to_rfc3339(&mut value, &format!("/steps/{index}/due"));
    }
    for index in 0..seen.status.told.len() {
        to_rfc3339(&mut value, &format!("/told/{index}/at"));
    }
    let commands = verbs::commands(&seen.status, hints).into_iter().map(|(command, _)| command);
    value["verbs"] = commands.collect();
    value["engine"] = json!(seen.has_engine);
    value
}

fn to_rfc3339(value: &mut Value, place: &str) {
    if let Some(moment) = value.pointer_mut(place)
        && let Some(ms) = moment.as_u64()
    {
        *moment = Value::String(rfc3339(ms));
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn seen(status: Status, has_engine: bool) -> Seen {
        Seen { status, has_engine, records: vec![], flaw: None, stored: vec![] }
    }

    fn short_text(status: Status, has_engine: bool) -> String {
        short(&seen(status, has_engine), &Hints::plain("01ARZ3NDEK"), samples::NOW, Paint::PLAIN).join("\n")
    }

    #[test]
    fn an_answer_that_is_stored_is_not_asked_for_again() {
        let mut seen = seen(samples::waiting(), false);
        seen.stored = vec!["approve:contain".to_owned()];
        let text = short(&seen, &Hints::plain("01ARZ3NDEK"), 0, Paint::PLAIN).join("\n");
        assert!(text.contains("an answer to this is stored; runbook resume 01ARZ3NDEK takes it"), "{text}");
        assert!(!text.contains("runbook approve"), "{text}");
    }

    #[test]
    fn a_waiting_run_shows_the_question_and_its_commands() {
        let text = short_text(samples::waiting(), true);
        for part in [
            "▶ running  p0-response  01ARZ3NDEKTSV4RRFFQ69G5FAV  1m 03s",
            "at: steps, 1/4 done, 1 running, 1 waiting",
            "▶ running    probe                 12s, 2 attempts",
            "? may step `contain` run?",
            "runbook approve 01ARZ3NDEK contain ",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn without_an_engine_it_is_not_running() {
        let text = short_text(samples::waiting(), false);
        assert!(text.starts_with("? no engine  p0-response"), "{text}");
        let hint = "no engine: runbook resume 01ARZ3NDEK or runbook cancel 01ARZ3NDEK (it was running)";
        assert!(text.contains(hint), "{text}");
    }

    #[test]
    fn ends_say_why() {
        insta::assert_snapshot!(short_text(samples::stuck(), false), @r"
        ✗ stuck  p0-response  01ARZ3NDEKTSV4RRFFQ69G5FAV  1m 03s
          why: the rollback of step `open_incident` failed: exit code 1
        ");
        assert!(
            short_text(samples::cancelling(1), true).contains("cancelled by mia: what runs is told to end in 8.0s")
        );
    }

    #[test]
    fn everything_is_shown_of_each_step() {
        let mut run = samples::stuck();
        run.steps[4].parent = Some("contain".to_owned());
        run.steps[2].outputs.insert("sent".to_owned(), serde_json::json!("a\nb"));
        run.steps[2].outputs.insert("long".to_owned(), serde_json::json!("abc"));
        run.steps[2].outputs_cut.insert("long".to_owned(), 70_000);
        let text = full(&seen(run, false), &Hints::plain("01ARZ3NDEK"), samples::NOW, Paint::PLAIN).join("\n");
        for part in [
            "environment: sandbox",
            "incident_type = system_down",
            "exit code: 5",
            "sent = a\\nb",
            "long = abc… (cut: it has 70000 bytes)",
            "↶ not undone yet",
            "↶ not undone, its rollback failed: exit code 1",
            "    · blocked",
            "✗ failed     contain               exit code 3",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn programs_get_moments_in_utc_and_values_as_they_are() {
        let mut status = samples::waiting();
        status.params = serde_json::json!({"started_at": 5});
        let value = to_json(&seen(status, true), &Hints::plain("01ARZ3NDEK"));
        assert_eq!(value["started_at"], "2023-11-14T22:13:20.000Z");
        assert_eq!(value["steps"][0]["ended_at"], "2023-11-14T22:13:21.200Z");
        assert_eq!(value["questions"][0]["due"], "2023-11-14T22:24:21.000Z");
        assert_eq!((&value["params"]["started_at"], &value["engine"]), (&5.into(), &true.into()));
        assert_eq!(value["ended_at"], Value::Null);
        assert_eq!(value["questions"][0]["answers"][0], "runbook approve 01ARZ3NDEK contain");
    }
}
