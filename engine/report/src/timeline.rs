//! From the records to what was decided, in order, as phrases. Every event is named, so that none is left out unseen.

use runbook_core::event::{
    AttemptId, BlockReason, EndState, Event, Failure, Identity, LockHolder, LockScope, Phase, Question, QuestionKind,
    SkipReason, StopReason,
};
use runbook_core::input::Answer;
use runbook_core::plan::{Body, OnInterrupt, Section};
use runbook_core::run::Run;
use runbook_core::units::StepId;
use runbook_journal::Record;
use runbook_runtime::words;

use crate::began::Began;
use crate::model::{Entry, Person, Weight};
use crate::phrases::{of_beside, of_block, of_verb};
use crate::text::{count, duration, instant, names, rfc3339};

/// What was decided, in order; `run` is the state after all records.
pub(crate) fn timeline(run: &Run, records: &[Record]) -> Vec<Entry> {
    let mut teller = Teller { run, last_failure: None, began: Began::default() };
    records.iter().filter_map(|record| teller.tell(record)).collect()
}

/// A person in a report.
pub(crate) fn person(identity: &Identity) -> Person {
    Person { name: identity.name.clone(), uid: identity.uid }
}

/// What was answered, in a word.
pub(crate) fn answered(answer: &Answer) -> (&'static str, Option<&String>) {
    match answer {
        Answer::Approve { reason } => ("approved", reason.as_ref()),
        Answer::BreakGlass { reason } => ("approved alone: BREAK GLASS", Some(reason)),
        Answer::Reject { reason } => ("rejected", reason.as_ref()),
        Answer::Confirm { reason } => ("confirmed", reason.as_ref()),
        Answer::Values { reason, .. } => ("gave values", reason.as_ref()),
        Answer::TookEffect { reason } => ("took effect", reason.as_ref()),
        Answer::DidNot { reason } => ("did not take effect", reason.as_ref()),
        Answer::RunAgain { reason } => ("run again", reason.as_ref()),
    }
}

/// How a run ended, in words.
pub(crate) fn ended(state: EndState) -> &'static str {
    match state {
        EndState::Succeeded => "succeeded",
        EndState::Failed => "failed",
        EndState::RolledBack => "was rolled back",
        EndState::Stuck => "is stuck",
        EndState::Cancelled => "was cancelled",
    }
}

/// What follows from an interruption.
pub(crate) fn follows(then: OnInterrupt) -> &'static str {
    match then {
        OnInterrupt::Rerun => "it is started again",
        OnInterrupt::Ask => "a person must say what became of it",
        OnInterrupt::Fail => "it counts as failed",
    }
}

/// What an attempt is one of.
pub(crate) fn subject(attempt: &AttemptId) -> String {
    match attempt.phase {
        Phase::Do => format!("`{}`", attempt.step),
        Phase::Undo => format!("the undo of `{}`", attempt.step),
        Phase::Probe => format!("`done_when` of `{}`", attempt.step),
    }
}

/// Tells one record after the other.
struct Teller<'r> {
    run: &'r Run,
    /// The last attempt that failed, told together with what follows from it.
    last_failure: Option<(AttemptId, Failure)>,
    began: Began,
}

impl Teller<'_> {
    fn tell(&mut self, record: &Record) -> Option<Entry> {
        self.began.follow(record);
        let (what, step, by, weight) = match &record.event {
            Event::StepSkipped { step, reason } => (skipped(step, reason)?, Some(step), None, Weight::Skipped),
            Event::StepBlocked { step, reason } => (blocked(step, reason), Some(step), None, Weight::Blocked),
            Event::StepSucceeded { step, .. } => {
                self.succeeded(step, record.at.0).map(|(what, weight)| (what, Some(step), None, weight))?
            }
            Event::SectionEntered { step, section: Section::Rescue, .. }
            | Event::LoopEntered { step, .. }
            | Event::DeadlinePassed { step, .. }
            | Event::GuardTripped { step, .. } => {
                (of_block(&record.event).or_else(|| of_beside(&record.event))?, Some(step), None, Weight::Own)
            }
            Event::AttemptStarted { attempt, .. } => (again(attempt)?, Some(&attempt.step), None, Weight::Own),
            Event::AttemptStopping { .. }
            | Event::AttemptEnded { .. }
            | Event::AttemptInterrupted { .. }
            | Event::RetryScheduled { .. }
            | Event::PollMissed { .. } => {
                let (what, step) = self.of_attempt(&record.event)?;
                (what, Some(step), None, Weight::Own)
            }
            Event::QuestionAsked { .. }
            | Event::QuestionAnswered { .. }
            | Event::ApprovalGiven { .. }
            | Event::AnswerRefused { .. }
            | Event::QuestionEscalated { .. }
            | Event::QuestionExpired { .. }
            | Event::QuestionWithdrawn { .. }
            | Event::VerbTaken { .. }
            | Event::VerbRefused(_)
            | Event::RunReopened { .. } => {
                let (what, by) = of_question(&record.event).or_else(|| of_verb(&record.event))?;
                (what, None, by, Weight::Own)
            }
            Event::RunCreated(_)
            | Event::EngineStarted { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceFailed { .. }
            | Event::StepFailed { .. }
            | Event::StepCancelled { .. }
            | Event::CancelRequested { .. }
            | Event::CancelGraceOver
            | Event::LockAwaited { .. }
            | Event::LockRefused { .. }
            | Event::RollbackStarted { .. }
            | Event::StepUndone { .. }
            | Event::UndoFailed { .. }
            | Event::AlwaysStarted
            | Event::RunEnded { .. } => {
                let (what, step, by) = self.of_run(record.seq, &record.event)?;
                (what, step, by, Weight::Own)
            }
            // How it is done, not what was decided.
            Event::ServiceStopped { .. }
            | Event::LocksAsked { .. }
            | Event::LocksTaken { .. }
            | Event::ServicesStopping
            | Event::BlockEntered { .. }
            | Event::SectionEntered { .. }
            | Event::StepPrepared { .. }
            | Event::ChildEnded(_)
            | Event::StepsReset { .. }
            | Event::UndoReset { .. }
            | Event::UndoPrepared { .. } => return None,
        };
        let step = step.map(ToString::to_string).or_else(|| about(&record.event));
        Some(Entry { at: rfc3339(record.at.0), what, step, by: by.map(person), weight })
    }

    fn succeeded(&self, step: &StepId, at: u64) -> Option<(String, Weight)> {
        let is_block = self.run.step_plan(step).is_some_and(|plan| !matches!(plan.body, Body::Action(_)));
        if is_block {
            return None;
        }
        let state = self.run.step(step)?;
        if state.already_done {
            return Some((format!("`{step}` was already done"), Weight::Own));
        }
        let took = self.began.of(step).map(|from| at.saturating_sub(from));
        let took = took.map(|ms| format!(" after {}", duration(ms))).unwrap_or_default();
        let weight = if state.attempts > 1 { Weight::Own } else { Weight::Succeeded };
        Some((format!("`{step}` succeeded{took}"), weight))
    }

    fn of_attempt<'e>(&mut self, event: &'e Event) -> Option<(String, &'e StepId)> {
        match event {
            Event::AttemptStopping { attempt, force, why, .. } => {
                let why = match why {
                    StopReason::Timeout => "is overdue",
                    StopReason::Cancel => "is cancelled",
                    StopReason::Interrupted(_) => "left processes that still run",
                };
                let how = if *force { "killed" } else { "told to end" };
                Some((format!("{} {why}: {how}", subject(attempt)), &attempt.step))
            }
            Event::AttemptEnded { attempt, failure, .. } => {
                self.last_failure = failure.clone().map(|failure| (attempt.clone(), failure));
                None
            }
            Event::AttemptInterrupted { attempt, then, .. } => {
                let lost = "was interrupted, and nobody knows how it ended";
                Some((format!("{} {lost}: {}", subject(attempt), follows(*then)), &attempt.step))
            }
            Event::RetryScheduled { step, phase, due } => {
                let failed = self.last_failure.take();
                // A look that does not say whether a step is done counts as a failed attempt of it.
                let is_of = |of: Phase| of == *phase || (of == Phase::Probe && *phase == Phase::Do);
                let failed = failed.filter(|(attempt, _)| attempt.step == *step && is_of(attempt.phase));
                let next = format!("the next one starts at {}", instant(due.0));
                let (attempt, failure) = failed?;
                if attempt.phase == Phase::Probe {
                    return Some((format!("`{step}`: {failure}; {next}"), step));
                }
                let text = format!("attempt {} of {} failed: {failure}; {next}", attempt.number, subject(&attempt));
                Some((text, step))
            }
            // What a poll finds is no decision; how the attempt ends is.
            _ => None,
        }
    }

    fn of_run<'e>(&self, seq: u64, event: &'e Event) -> Option<Told<'e>> {
        Some(match event {
            Event::RunCreated(created) => {
                (format!("run of `{}` started", created.plan.about.id), None, Some(&created.by))
            }
            Event::EngineStarted { .. } if seq > 1 => ("an engine goes on with the run".to_owned(), None, None),
            Event::ServiceReady { service, .. } => (format!("service `{service}` answers"), None, None),
            Event::ServiceFailed { service, reason } => {
                (format!("service `{service}` did not come up: {reason}"), None, None)
            }
            // Told with what follows from it.
            Event::StepFailed { failure: Failure::Tripped(_), .. } => return None,
            Event::StepFailed { step, failure } => (format!("`{step}` failed: {failure}"), Some(step), None),
            Event::StepCancelled { step } => (format!("`{step}` was ended"), Some(step), None),
            Event::CancelRequested { level, by, reason, .. } => {
                let how = ["", ", what runs is told to end now", ", what runs is killed"];
                let how = how[usize::from(*level).clamp(1, 3) - 1];
                (format!("the run is cancelled{how}{}", because(reason.as_ref())), None, Some(by))
            }
            Event::CancelGraceOver => ("the grace is over: what runs is told to end".to_owned(), None, None),
            Event::LockAwaited { scope, name, holder, .. } => {
                let (who, step) = awaits(scope);
                (format!("{who} waits for the lock `{name}`{}", held_by(holder.as_ref())), step, None)
            }
            Event::LockRefused { name, holder } => {
                (format!("the run did not get the lock `{name}`{}", held_by(holder.as_ref())), None, None)
            }
            Event::RollbackStarted { order, irreversible } => (rolling_back(order, irreversible), None, None),
            Event::StepUndone { step } => (format!("`{step}` is undone"), Some(step), None),
            Event::UndoFailed { step, failure } => {
                (format!("the undo of `{step}` failed: {failure}"), Some(step), None)
            }
            Event::AlwaysStarted if self.run.steps().any(|(_, step, _)| step.always) => {
                ("the `always` steps begin".to_owned(), None, None)
            }
            Event::RunEnded { state, .. } => (format!("the run {}", ended(*state)), None, None),
            _ => return None,
        })
    }
}

/// What follows from what runs beside the steps.
type Told<'e> = (String, Option<&'e StepId>, Option<&'e Identity>);

/// Who waits for a lock.
fn awaits(scope: &LockScope) -> (String, Option<&StepId>) {
    match scope {
        LockScope::Run => ("the run".to_owned(), None),
        LockScope::Step(step, Phase::Do | Phase::Probe) => (format!("`{step}`"), Some(step)),
        LockScope::Step(step, Phase::Undo) => (format!("the undo of `{step}`"), Some(step)),
    }
}

fn held_by(holder: Option<&LockHolder>) -> String {
    holder.map(|holder| format!(", held by {holder}")).unwrap_or_default()
}

fn again(attempt: &AttemptId) -> Option<String> {
    let is_again = attempt.number > 1 && attempt.poll == 1 && attempt.phase != Phase::Probe;
    is_again.then(|| format!("attempt {} of {} starts", attempt.number, subject(attempt)))
}

/// A branch that was not taken says so once, by the one that was.
fn skipped(step: &StepId, reason: &SkipReason) -> Option<String> {
    let is_told = matches!(reason, SkipReason::Condition | SkipReason::Unless);
    is_told.then(|| format!("`{step}` skipped: {}", words::skipped(reason)))
}

fn blocked(step: &StepId, reason: &BlockReason) -> String {
    let why = words::blocked(reason);
    let why = why.strip_prefix("not started: ").or_else(|| why.strip_prefix("not started ")).unwrap_or(&why);
    format!("`{step}` not started: {why}")
}

fn rolling_back(order: &[StepId], irreversible: &[StepId]) -> String {
    let rest = names(irreversible.iter().map(StepId::as_str));
    let rest = if irreversible.is_empty() { rest } else { format!("; cannot be undone: {rest}") };
    if order.is_empty() {
        return format!("the way back: there is nothing to undo{rest}");
    }
    format!("the way back: {} to undo{rest}", count(order.len(), "step"))
}

fn because(reason: Option<&String>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn of_question(event: &Event) -> Option<(String, Option<&Identity>)> {
    Some(match event {
        Event::QuestionAsked { question } => (asked(question), None),
        Event::QuestionAnswered { question, answer, by, .. } => {
            let (what, reason) = answered(answer);
            let about = about_id(&question.0);
            let text = match answer {
                Answer::Approve { .. } | Answer::Reject { .. } => format!("{about} {what} by {}", by.name),
                Answer::BreakGlass { .. } => format!("{about} {what}, by {}", by.name),
                Answer::Confirm { .. } => format!("{about} confirmed as done"),
                Answer::Values { values, .. } => {
                    let names: Vec<&str> = values.keys().map(String::as_str).collect();
                    format!("{about} got its values: {}", names.join(", "))
                }
                Answer::TookEffect { .. } | Answer::DidNot { .. } => format!("it is said that {about} {what}"),
                Answer::RunAgain { .. } => format!("{about} is to run again"),
            };
            (text + &because(reason), Some(by))
        }
        Event::ApprovalGiven { question, by, reason, .. } => {
            let text = format!("{} approved by {}, one of several", about_id(&question.0), by.name);
            (text + &because(reason.as_ref()), Some(by))
        }
        Event::AnswerRefused { question, by, reason } => {
            (format!("an answer about {} does not count: {reason}", about_id(&question.0)), Some(by))
        }
        Event::QuestionEscalated { question, due } => {
            let text =
                format!("nobody answered about {} in time: escalated, until {}", about_id(&question.0), instant(due.0));
            (text, None)
        }
        Event::QuestionExpired { question } => {
            (format!("nobody answered about {} in time", about_id(&question.0)), None)
        }
        Event::QuestionWithdrawn { question, reason } => {
            let why = words::blocked(reason);
            (format!("the question about {} is withdrawn: {why}", about_id(&question.0)), None)
        }
        _ => return None,
    })
}

fn asked(question: &Question) -> String {
    let until = question.due.map(|due| format!(", until {}", instant(due.0))).unwrap_or_default();
    match &question.kind {
        QuestionKind::Approval { from, .. } => {
            let from: Vec<&str> = from.iter().map(runbook_core::units::Role::as_str).collect();
            format!("approval of `{}` asked of {}{until}", question.step, from.join(", "))
        }
        QuestionKind::Manual { .. } => format!("a person is to do `{}`{until}", question.step),
        QuestionKind::Values { fields, .. } => {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            format!("values for `{}` asked for: {}{until}", question.step, names.join(", "))
        }
        QuestionKind::Interrupted { attempt } => format!("it is asked what became of {}{until}", subject(attempt)),
        QuestionKind::Failure => format!("it is asked what follows on the failure of `{}`", question.step),
    }
}

/// The step in the id of a question, such as `approve:restart` or `manual:check.1`.
pub(crate) fn step_of_question(id: &str) -> &str {
    let rest = id.split_once(':').map_or(id, |(_, rest)| rest);
    rest.split('.').next().unwrap_or(rest)
}

fn about_id(id: &str) -> String {
    format!("`{}`", step_of_question(id))
}

fn about(event: &Event) -> Option<String> {
    match event {
        Event::QuestionAsked { question } => Some(question.step.to_string()),
        Event::QuestionAnswered { question, .. }
        | Event::ApprovalGiven { question, .. }
        | Event::AnswerRefused { question, .. }
        | Event::QuestionEscalated { question, .. }
        | Event::QuestionExpired { question }
        | Event::QuestionWithdrawn { question, .. } => Some(step_of_question(&question.0).to_owned()),
        _ => None,
    }
}
