//! From the records of the journal to lines that matter to a person.

use runbook_core::event::{
    AttemptId, Event, Failure, LockHolder, LockScope, Phase, QuestionId, SkipReason, StopReason,
};
use runbook_core::input::Answer;
use runbook_core::plan::{Body, OnInterrupt, Part, PartKind, Section};
use runbook_core::rendered::Rendered;
use runbook_core::run::Run;
use runbook_core::units::StepId;
use runbook_journal::Record;
use runbook_runtime::words;

use super::line::{Line, attempt};
use super::paint::Tone;
use super::text::visible_line;
use super::text::{clock, count, duration, names};
use crate::failure::look_at;

/// The lines of a batch; `run` is the state after it.
pub(crate) fn lines(records: &[Record], run: &Run) -> Vec<Line> {
    let mut lines: Vec<Line> = records.iter().filter_map(|record| one(record, records, run)).collect();
    lines.extend(not_started(records));
    lines
}

fn one(record: &Record, batch: &[Record], run: &Run) -> Option<Line> {
    let at = record.at.0;
    match &record.event {
        Event::AttemptStarted { .. }
        | Event::AttemptStopping { .. }
        | Event::AttemptInterrupted { .. }
        | Event::RetryScheduled { .. } => of_attempt(at, &record.event, batch, run),
        Event::StepSkipped { .. }
        | Event::LoopEntered { .. }
        | Event::DeadlinePassed { .. }
        | Event::GuardTripped { .. }
        | Event::SectionEntered { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { .. }
        | Event::StepCancelled { .. }
        | Event::StepUndone { .. }
        | Event::UndoFailed { .. } => of_step(at, &record.event, run),
        Event::QuestionAnswered { .. }
        | Event::ApprovalGiven { .. }
        | Event::AnswerRefused { .. }
        | Event::QuestionEscalated { .. }
        | Event::QuestionExpired { .. } => of_question(at, &record.event),
        _ => of_run(record, run),
    }
}

/// The part of the steps that a run is of, behind the name of its runbook.
pub(super) fn part_of(part: &Part) -> String {
    match part.kind {
        PartKind::Only => format!(", only step `{}`,", part.step),
        PartKind::From => format!(", from step `{}` on,", part.step),
    }
}

fn of_run(record: &Record, run: &Run) -> Option<Line> {
    let at = record.at.0;
    Some(match &record.event {
        Event::EngineStarted { .. } => {
            let created = run.created()?;
            let begins = if record.seq <= 1 { "started" } else { "resumed; it was started" };
            let (id, by) = (&created.plan.about.id, &created.by.name);
            let part = created.part.as_ref().map(part_of).unwrap_or_default();
            Line::new(at, Tone::Quiet, format!("run {} of `{id}`{part} {begins} by {by}", created.run))
        }
        Event::ServiceReady { service, pid } => {
            Line::new(at, Tone::Good, format!("service `{service}` answers (pid {pid})"))
        }
        Event::ServiceFailed { service, reason } => {
            Line::new(at, Tone::Bad, format!("service `{service}` did not come up: {reason}"))
        }
        Event::CancelRequested { level, by, reason, .. } => {
            let how = ["", ", commands are told to end now", ", commands are killed"];
            let how = how[usize::from(*level).clamp(1, 3) - 1];
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            Line::new(at, Tone::Bad, format!("cancelled by {}{how}{reason}", by.name))
        }
        Event::CancelGraceOver => Line::new(at, Tone::Quiet, "the grace is over: commands are told to end"),
        Event::RollbackStarted { order, irreversible } if !order.is_empty() || !irreversible.is_empty() => {
            let first = format!("rolling back {}", count(order.len(), "step"));
            let rest = names(irreversible.iter().map(StepId::as_str));
            let rest = if irreversible.is_empty() { rest } else { format!("; cannot be undone: {rest}") };
            Line::new(at, Tone::Active, first + &rest)
        }
        Event::LockAwaited { scope, name, holder, until } => {
            let who = held_by(holder.as_ref());
            let text = format!("{}waits for the lock `{name}`, {who}, until {}", prefix(scope), clock(until.0));
            Line::new(at, Tone::Asks, text)
        }
        Event::LockRefused { name, holder } => {
            let text = format!("the lock `{name}` is {}: nothing of this run begins", held_by(holder.as_ref()));
            Line::new(at, Tone::Bad, text)
        }
        Event::ServicesStopping => Line::new(at, Tone::Quiet, "stopping services"),
        Event::VerbTaken { .. } | Event::VerbRefused(_) | Event::RunReopened { .. } => {
            return of_verb(at, &record.event);
        }
        _ => return None,
    })
}

/// What operators said.
pub(crate) fn of_verb(at: u64, event: &Event) -> Option<Line> {
    Some(match event {
        Event::VerbTaken { verb, by, reason, .. } => {
            Line::new(at, Tone::Active, format!("{} by {} ({reason})", words::verb(verb), by.name))
        }
        Event::VerbRefused(it) => {
            let (verb, by, why) = (words::verb(&it.verb), &it.by.name, &it.why);
            Line::new(at, Tone::Bad, format!("{verb} by {by} makes no sense now: {why}"))
        }
        Event::RunReopened { .. } => Line::new(at, Tone::Quiet, "the run goes on after its end"),
        _ => return None,
    })
}

/// Who holds a lock, since when, and how to look at it.
fn held_by(holder: Option<&LockHolder>) -> String {
    let Some(holder) = holder else { return "held by somebody".to_owned() };
    format!("held by {holder} since {} ({})", clock(holder.since.0), look_at(holder))
}

fn prefix(scope: &LockScope) -> String {
    match scope {
        LockScope::Run => String::new(),
        LockScope::Step(step, Phase::Do | Phase::Probe) => format!("{step} "),
        LockScope::Step(step, Phase::Undo) => format!("the rollback of {step} "),
    }
}

fn of_attempt(at: u64, event: &Event, batch: &[Record], run: &Run) -> Option<Line> {
    Some(match event {
        Event::AttemptStarted { attempt, .. } => return started(at, attempt, run),
        Event::AttemptStopping { attempt, force, why, .. } => {
            let why = match why {
                StopReason::Timeout => "is overdue",
                StopReason::Cancel => "is cancelled",
                StopReason::Interrupted(_) => "left processes that still run",
            };
            let how = if *force { "killed" } else { "told to end" };
            Line::new(at, Tone::Quiet, format!("{} {why}: {how}", subject(attempt)))
        }
        Event::AttemptInterrupted { attempt, then, .. } => {
            let then = match then {
                OnInterrupt::Rerun => "it is started again",
                OnInterrupt::Ask => "a person must say what became of it",
                OnInterrupt::Fail => "it counts as failed",
            };
            Line::new(
                at,
                Tone::Asks,
                format!("{} was interrupted, nobody knows how it ended: {then}", subject(attempt)),
            )
        }
        Event::RetryScheduled { step, phase, due } => {
            let (ended, why) = batch.iter().find_map(|record| failed_attempt(&record.event, step, *phase))?;
            let next = format!("next attempt at {}", clock(due.0));
            let number = numbered(ended, run);
            let text = format!("{} failed{number}: {why}; {next}", subject(ended));
            Line::new(at, Tone::Bad, text).with_log(log_of(ended, run))
        }
        _ => return None,
    })
}

fn started(at: u64, id: &AttemptId, run: &Run) -> Option<Line> {
    let what = match run.action_of(id) {
        // Done as soon as they begin, or asked about in full below.
        Some(Rendered::Assert | Rendered::Set(_) | Rendered::Manual(_) | Rendered::Ask { .. }) => return None,
        _ if id.poll > 1 => return None,
        Some(Rendered::WaitFor(ms)) => format!("waits {}", duration(*ms)),
        Some(Rendered::WaitUntil(until)) => format!("waits until {}", clock(until.0)),
        Some(Rendered::Runbook { name, .. }) => {
            let child = run.child_of(id).map(|child| child.run.to_string()).unwrap_or_default();
            format!("runs `{}` as the child run {child}", visible_line(name))
        }
        Some(Rendered::UndoRunbook { run }) => format!("rolls back the child run {run}"),
        _ => "started".to_owned(),
    };
    let number = numbered(id, run);
    Some(Line::start(at, format!("{} {what}{number}", subject(id))))
}

/// The attempt of this batch that failed, and why.
fn failed_attempt<'e>(event: &'e Event, step: &StepId, phase: Phase) -> Option<(&'e AttemptId, &'e Failure)> {
    match event {
        Event::AttemptEnded { attempt, failure: Some(failure), .. }
            // A look that does not say whether a step is done counts as a failed attempt of it.
            if attempt.step == *step
                && (attempt.phase == phase || (attempt.phase == Phase::Probe && phase == Phase::Do)) =>
        {
            Some((attempt, failure))
        }
        _ => None,
    }
}

fn of_step(at: u64, event: &Event, run: &Run) -> Option<Line> {
    Some(match event {
        Event::StepSkipped { step, reason: SkipReason::Condition } => {
            Line::new(at, Tone::Quiet, format!("{step} skipped: its condition does not hold"))
        }
        Event::StepSkipped { step, reason: SkipReason::Unless } => {
            Line::new(at, Tone::Quiet, format!("the deadline {step} has come: its `unless` holds"))
        }
        Event::GuardTripped { step, then, found } => {
            Line::new(at, Tone::Bad, format!("the guard {step} tripped: {found}; {}", then.words()))
        }
        // Told with what follows from it.
        Event::StepFailed { failure: Failure::Tripped(_), .. } => return None,
        Event::DeadlinePassed { step, trouble } => {
            let trouble = trouble.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            Line::new(at, Tone::Asks, format!("the deadline {step} has passed: its steps run{trouble}"))
        }
        Event::LoopEntered { step, items, .. } => {
            Line::start(at, format!("{step} begins, for {}", count(items.len(), "item")))
        }
        Event::SectionEntered { step, section: Section::Rescue, trouble } => {
            let failed = names(trouble.iter().map(StepId::as_str));
            Line::new(at, Tone::Active, format!("rescue of {step} begins: {failed} failed"))
        }
        Event::SectionEntered { step, .. } => Line::new(at, Tone::Quiet, format!("always of {step} begins")),
        Event::StepSkipped { step, reason: SkipReason::Person } => {
            Line::new(at, Tone::Quiet, format!("{step} skipped, as a person said"))
        }
        Event::StepSucceeded { step, .. } if run.loop_of(step).is_some() => {
            let failed = run.loop_of(step).map_or(0, |it| it.failed);
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            let items = run.loop_of(step).map_or(0, |it| it.items().len());
            let text = format!("{step} succeeded{}: {}{failed}", took(at, run, step), count(items, "item"));
            Line::new(at, Tone::Good, text)
        }
        Event::StepSucceeded { step, .. } if is_block(run, step) => return None,
        Event::StepSucceeded { step, already_done: true, .. } => {
            Line::new(at, Tone::Good, format!("{step} already done"))
        }
        Event::StepSucceeded { step, .. } => {
            Line::new(at, Tone::Good, format!("{step} succeeded{}", took(at, run, step)))
        }
        Event::StepFailed { step, failure } => {
            let log = log_of_last(run, step, Phase::Do);
            Line::new(at, Tone::Bad, format!("{step} failed{}: {failure}", took(at, run, step))).with_log(log)
        }
        Event::StepCancelled { step } => Line::new(at, Tone::Bad, format!("{step} was ended{}", took(at, run, step))),
        Event::StepUndone { step } => Line::new(at, Tone::Good, format!("{step} undone")),
        Event::UndoFailed { step, failure } => {
            let log = log_of_last(run, step, Phase::Undo);
            Line::new(at, Tone::Bad, format!("the rollback of {step} failed: {failure}")).with_log(log)
        }
        _ => return None,
    })
}

pub(crate) fn of_question(at: u64, event: &Event) -> Option<Line> {
    Some(match event {
        Event::QuestionAnswered { question, answer, by, .. } => {
            let (tone, what, reason) = answered(answer);
            let reason = match answer {
                Answer::BreakGlass { reason } => &Some(reason.clone()),
                _ => reason,
            };
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            Line::new(at, tone, format!("{} {what} by {}{reason}", asked_about(question), by.name))
        }
        Event::ApprovalGiven { question, by, reason, .. } => {
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let text = format!("{} approved by {}, who is one of several{reason}", asked_about(question), by.name);
            Line::new(at, Tone::Good, text)
        }
        Event::AnswerRefused { question, by, reason } => {
            let text = format!("the answer of {} about {} does not count: {reason}", by.name, asked_about(question));
            Line::new(at, Tone::Bad, text)
        }
        Event::QuestionEscalated { question, due } => {
            let about = asked_about(question);
            let text =
                format!("ESCALATED: nobody answered about {about} in time; others may, too, until {}", clock(due.0));
            Line::new(at, Tone::Bad, text)
        }
        Event::QuestionExpired { question } => {
            Line::new(at, Tone::Bad, format!("nobody answered about {} in time", asked_about(question)))
        }
        _ => return None,
    })
}

fn answered(answer: &Answer) -> (Tone, &'static str, &Option<String>) {
    match answer {
        Answer::Approve { reason } => (Tone::Good, "approved", reason),
        Answer::BreakGlass { .. } => (Tone::Bad, "BREAK GLASS: approved alone", &None),
        Answer::Reject { reason } => (Tone::Bad, "rejected", reason),
        Answer::Confirm { reason } => (Tone::Good, "confirmed as done", reason),
        Answer::Values { reason, .. } => (Tone::Good, "answered", reason),
        Answer::TookEffect { reason } => (Tone::Good, "said to have taken effect", reason),
        Answer::DidNot { reason } => (Tone::Bad, "said to have had no effect", reason),
        Answer::RunAgain { reason } => (Tone::Active, "told to run again", reason),
    }
}

/// The step that a question is about, by its id.
pub(crate) fn asked_about(question: &QuestionId) -> String {
    let rest = question.0.split_once(':').map_or(question.0.as_str(), |(_, rest)| rest);
    rest.split('.').next().unwrap_or(rest).to_owned()
}

/// All that this batch keeps from starting, in one line: a cancelled run may have thousands.
fn not_started(records: &[Record]) -> Option<Line> {
    let blocked = |record: &Record| match &record.event {
        Event::StepBlocked { step, .. } => Some((record.at.0, step.to_string())),
        _ => None,
    };
    let blocked: Vec<(u64, String)> = records.iter().filter_map(blocked).collect();
    let (at, _) = blocked.first()?;
    let steps = names(blocked.iter().map(|(_, step)| step.as_str()));
    Some(Line::new(*at, Tone::Quiet, format!("not started: {steps}")))
}

fn subject(attempt: &AttemptId) -> String {
    match attempt.phase {
        Phase::Do => attempt.step.to_string(),
        Phase::Undo => format!("the rollback of {}", attempt.step),
        Phase::Probe => format!("done_when of {}", attempt.step),
    }
}

/// Which attempt it is of how many, where there are several; how often it was looked whether a step is done says nothing.
fn numbered(id: &AttemptId, run: &Run) -> String {
    if id.phase == Phase::Probe { String::new() } else { attempt(id.number, attempts_max(run, &id.step, id.phase)) }
}

fn is_block(run: &Run, step: &StepId) -> bool {
    run.step_plan(step).is_some_and(|plan| !matches!(plan.body, Body::Action(_)))
}

fn attempts_max(run: &Run, step: &StepId, phase: Phase) -> Option<u32> {
    let plan = run.step_plan(step)?;
    let retry = match phase {
        Phase::Do | Phase::Probe => plan.retry.as_ref(),
        Phase::Undo => plan.rollback.as_ref()?.retry.as_ref(),
    };
    retry.map(|retry| retry.attempts_max)
}

/// ` after 12s`, for what took long enough to say.
fn took(at: u64, run: &Run, step: &StepId) -> String {
    let started = run.step(step).and_then(|step| step.started_at);
    started.map(|started| format!(" after {}", duration(at.saturating_sub(started.0)))).unwrap_or_default()
}

fn log_of(attempt: &AttemptId, run: &Run) -> Option<String> {
    let is_command = run.action_of(attempt).is_some_and(Rendered::is_command);
    // All polls of an attempt share one log.
    is_command.then(|| AttemptId { poll: 1, ..attempt.clone() }.to_string())
}

fn log_of_last(run: &Run, step: &StepId, phase: Phase) -> Option<String> {
    let state = run.step(step)?;
    let (phase, number) = match phase {
        Phase::Undo => (phase, state.undo.attempts),
        Phase::Do | Phase::Probe if state.attempts > 0 => (Phase::Do, state.attempts),
        Phase::Do | Phase::Probe => (Phase::Probe, state.probes),
    };
    if number == 0 { None } else { log_of(&AttemptId::first(step.clone(), phase, number), run) }
}
