//! For people: one line for each thing that happens, and a summary at the end.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use runbook_core::event::{AttemptId, Event, Phase, Question, QuestionKind};
use runbook_core::run::Run;
use runbook_core::units::{Timestamp, format_duration};
use runbook_journal::Record;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;

/// So much of the end of a log is looked at, in bytes.
const TAIL_BYTES: u64 = 4096;

/// So many lines of a log are shown when its command failed.
const TAIL_LINES: usize = 5;

/// What a record means to a person; most mean one line, some none.
pub(super) fn lines(record: &Record, run: &Run, folder: &RunFolder) -> Vec<String> {
    let time = clock(record.at);
    let mut lines: Vec<String> = what(&record.event, run).map(|text| format!("{time} {text}")).into_iter().collect();
    match &record.event {
        Event::AttemptEnded { attempt, failure: Some(_), .. } => lines.extend(tail(attempt, folder)),
        Event::QuestionAsked { question } => lines.extend(how_to_answer(question, run)),
        _ => {}
    }
    lines
}

fn what(event: &Event, run: &Run) -> Option<String> {
    Some(match event {
        Event::RunCreated(created) => {
            let (runbook, run) = (&created.plan.about.id, &created.run);
            format!("run {run} of `{runbook}` started by {}", created.by.name)
        }
        Event::ServiceReady { service, .. } => format!("service `{service}` answers"),
        Event::ServiceFailed { service, reason } => format!("service `{service}` is not up: {reason}"),
        Event::StepSkipped { .. } | Event::StepBlocked { .. } | Event::StepFailed { .. } => step(event)?,
        Event::StepSucceeded { step, .. } => format!("`{step}` succeeded"),
        Event::StepCancelled { step } => format!("`{step}` was cancelled"),
        Event::AttemptStarted { attempt, .. } if attempt.poll == 1 => started(attempt, run),
        Event::AttemptEnded { attempt, failure: Some(failure), .. } => format!("`{attempt}` failed: {failure}"),
        Event::AttemptInterrupted { attempt, .. } => format!("`{attempt}` was interrupted: nobody saw how it ended"),
        Event::AttemptStopping { attempt, force, .. } => {
            format!("`{attempt}` is being {}", if *force { "killed" } else { "ended" })
        }
        Event::RetryScheduled { step, .. } => format!("`{step}` is tried again"),
        Event::QuestionAnswered { question, by, .. } => format!("{} answered `{}`", by.name, question.0),
        Event::AnswerRefused { question, by, reason } => {
            format!("the answer of {} to `{}` does not count: {reason}", by.name, question.0)
        }
        Event::QuestionExpired { question } => format!("nobody answered `{}` in time", question.0),
        Event::CancelRequested { by, level, .. } => match level {
            1 => format!("{} cancels the run; once more ends what runs at once", by.name),
            2 => format!("{} ends what runs at once; once more kills it", by.name),
            _ => format!("{} kills what runs", by.name),
        },
        Event::RollbackStarted { order, .. } => format!("rolling back {} steps", order.len()),
        Event::StepUndone { step } => format!("`{step}` is undone"),
        Event::UndoFailed { step, failure } => format!("the rollback of `{step}` failed: {failure}"),
        Event::ServicesStopping => "stopping services".to_owned(),
        _ => return None,
    })
}

fn step(event: &Event) -> Option<String> {
    match event {
        Event::StepSkipped { step, reason } => {
            Some(format!("`{step}` is skipped: {}", runbook_runtime::words::skipped(reason)))
        }
        Event::StepBlocked { step, reason } => {
            Some(format!("`{step}` is blocked: {}", runbook_runtime::words::blocked(reason)))
        }
        Event::StepFailed { step, failure } => Some(format!("`{step}` failed: {failure}")),
        _ => None,
    }
}

fn started(attempt: &AttemptId, run: &Run) -> String {
    let step = &attempt.step;
    let title = run.step_plan(step).map(|plan| plan.title.as_str()).filter(|title| *title != step.as_str());
    let title = title.map(|title| format!(": {title}")).unwrap_or_default();
    let again = if attempt.number > 1 { format!(" (attempt {})", attempt.number) } else { String::new() };
    match attempt.phase {
        Phase::Do => format!("`{step}` started{again}{title}"),
        Phase::Undo => format!("`{step}` is being undone{again}"),
    }
}

fn how_to_answer(question: &Question, run: &Run) -> Vec<String> {
    let id = run.created().map(|created| created.run.to_string()).unwrap_or_default();
    let step = &question.step;
    let mut lines = vec![];
    if let Some(message) = &question.message {
        lines.extend(message.trim_end().lines().map(|line| format!("         {line}")));
    }
    match &question.kind {
        QuestionKind::Approval { from, .. } => {
            let from: Vec<&str> = from.iter().map(|role| role.as_str()).collect();
            lines.insert(0, format!("         `{step}` waits for the approval of {}", from.join(" or ")));
            lines.push(format!("         runbook approve {id} {step}    or: runbook reject {id} {step}"));
        }
        QuestionKind::Manual { .. } => {
            lines.push(format!("         runbook answer {id} {step} --done    or: --not-done"));
        }
        QuestionKind::Interrupted { attempt } => {
            lines.insert(0, format!("         did `{attempt}` take effect?"));
            lines.push(format!("         runbook answer {id} {step} --took-effect    or: --did-not, --run-again"));
        }
    }
    if let Some(due) = question.due {
        lines.push(format!("         open until {}", clock(due)));
    }
    lines
}

/// The last lines that a command wrote.
fn tail(attempt: &AttemptId, folder: &RunFolder) -> Vec<String> {
    let log = AttemptId { poll: 1, ..attempt.clone() }.to_string();
    let read = |stream: &str| -> Option<Vec<String>> {
        let mut file = File::open(folder.log(&log, stream)).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
        let mut bytes = vec![];
        file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(TAIL_LINES)..].iter();
        Some(last.map(|line| format!("         | {}", clean(line))).collect())
    };
    ["err", "out"].iter().find_map(|stream| read(stream).filter(|lines| !lines.is_empty())).unwrap_or_default()
}

/// Output of a command must not move the cursor of whoever reads it.
fn clean(line: &str) -> String {
    console::strip_ansi_codes(line).chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

/// How the run ended, and what to do next.
pub(super) fn summary(status: &Status, folder: &RunFolder) -> Vec<String> {
    let Some(ended_at) = status.ended_at else { return vec![] };
    let took = format_duration(ended_at.saturating_sub(status.started_at) / 1000 * 1000);
    let mut lines = vec![format!("run {} {} after {took}", status.run, status.state.replace('_', " "))];
    lines.extend(status.cause.clone());
    let with = |undo: &str| -> Vec<&str> {
        status.steps.iter().filter(|step| step.undo.as_deref() == Some(undo)).map(|step| step.id.as_str()).collect()
    };
    for (undo, word) in [("undone", "undone"), ("failed", "NOT undone"), ("pending", "NOT undone")] {
        let steps = with(undo);
        if !steps.is_empty() {
            lines.push(format!("{word}: {}", steps.join(", ")));
        }
    }
    if !status.irreversible.is_empty() {
        lines.push(format!("cannot be undone: {}", status.irreversible.join(", ")));
    }
    lines.push(format!("logs: {}", folder.logs().display()));
    lines
}

/// The time of the day, where this machine is.
fn clock(at: Timestamp) -> String {
    let moment = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(
        || "--:--:--".to_owned(),
        |moment| moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string(),
    )
}
