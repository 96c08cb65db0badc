//! From the records of a run to its report.

use std::collections::BTreeMap;

use runbook_core::event::{AttemptId, Event, Phase, QuestionId, QuestionKind};
use runbook_core::run::Run;
use runbook_core::units::{Digest, Timestamp};
use runbook_journal::Record;
use runbook_runtime::status::{Status, StepStatus};

use crate::began::Began;
use crate::model::{
    Answer, Attempt, Counts, Ending, Evidence, LogEnd, Question, Refusal, Report, Rollback, RunFacts, Source, Step,
};
use crate::schema::SCHEMA;
use crate::text::{instant, rfc3339};
use crate::timeline::{answered, follows, person, step_of_question, timeline};
use crate::{sections, targets};

/// The ends of so many logs are in a report, the first of them: more than that nobody reads, and each is a file.
const LOGS_MAX: usize = 100;

/// What a report is made of beside the records.
pub struct Given<'g> {
    /// The time of the report.
    pub now: Timestamp,
    /// The hash of the record's last line when that is a seal; none when it is not sealed.
    pub seal: Option<Digest>,
    /// Looks up the end of an attempt's log by the name of the attempt.
    pub log_end: &'g dyn Fn(&str) -> Option<LogEnd>,
}

/// The report of a run from all its records and the state after them; none for a run that has no first record.
pub fn report(run: &Run, records: &[Record], given: &Given<'_>) -> Option<Report> {
    let status = Status::of(run, given.now, None)?;
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        run: run_facts(run)?,
        ending: ending(&status, given.now.0),
        summary: String::new(),
        counts: counts(&status),
        targets: targets::targets(run, records, given.now.0),
        timeline: timeline(run, records),
        questions: questions(records),
        steps: steps(&status, &Began::after(records)),
        failed_attempts: failed_attempts(records, given.log_end),
        rollback: rollback(run, &status, records),
        evidence: Evidence {
            records: records.len() as u64,
            head: given.seal.as_ref().unwrap_or(&records.last()?.hash).to_string(),
            is_sealed: given.seal.is_some(),
            reported_at: rfc3339(given.now.0),
        },
    };
    report.summary = sections::summary(&report, records);
    Some(report)
}

fn run_facts(run: &Run) -> Option<RunFacts> {
    let created = run.created()?;
    let about = &created.plan.about;
    let source = |one: &runbook_core::plan::Source| Source { manual: one.manual.clone(), section: one.section.clone() };
    Some(RunFacts {
        id: created.run.to_string(),
        runbook: about.id.clone(),
        title: about.title.clone(),
        owner: about.owner.clone(),
        severity: about.severity.clone(),
        tags: about.tags.clone(),
        source: about.source.iter().map(source).collect(),
        file: created.file.clone(),
        plan_digest: created.plan_digest.to_string(),
        environment: created.environment_name.clone(),
        params: created.params.clone(),
        started_by: person(&created.by),
    })
}

fn ending(status: &Status, now: u64) -> Ending {
    Ending {
        state: status.state.clone(),
        is_over: status.ended_at.is_some(),
        cause: status.cause.clone(),
        exit_code: status.exit_code,
        started_at: rfc3339(status.started_at),
        ended_at: status.ended_at.map(rfc3339),
        took_ms: status.ended_at.unwrap_or(now).saturating_sub(status.started_at),
    }
}

fn counts(status: &Status) -> Counts {
    let mut counts = Counts::default();
    for step in status.steps.iter().filter(|step| !step.is_block) {
        counts.all += 1;
        counts.retried += usize::from(step.attempts > 1);
        match step.state.as_str() {
            "succeeded" => counts.succeeded += 1,
            "failed" => counts.failed += 1,
            "skipped" => counts.skipped += 1,
            "blocked" => counts.blocked += 1,
            "cancelled" => counts.cancelled += 1,
            _ => {}
        }
    }
    counts
}

fn steps(status: &Status, began: &Began) -> Vec<Step> {
    let started = |step: &StepStatus| if step.is_block { step.started_at } else { began.of(&step.id.as_str().into()) };
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    let one = |step: &StepStatus, depth: usize| Step {
        id: step.id.clone(),
        title: step.title.clone(),
        parent: step.parent.clone(),
        depth,
        always: step.always,
        is_block: step.is_block,
        state: step.state.clone(),
        why: step.detail.clone(),
        attempts: step.attempts,
        started_at: started(step).map(rfc3339),
        took_ms: started(step).zip(step.ended_at).map(|(from, to)| to.saturating_sub(from)),
        outputs: step.outputs.clone(),
        outputs_cut: step.outputs_cut.clone(),
        undo: step.undo.clone(),
        undo_why: step.undo_detail.clone(),
    };
    let mut all = vec![];
    for step in &status.steps {
        // Parents come before their children.
        let depth = step.parent.as_deref().and_then(|parent| depths.get(parent)).map_or(0, |depth| depth + 1);
        depths.insert(&step.id, depth);
        all.push(one(step, depth));
    }
    all
}

/// All questions in the order in which they were asked; one that was asked twice is there twice.
fn questions(records: &[Record]) -> Vec<Question> {
    let mut all: Vec<Question> = vec![];
    let mut asked_at: Vec<u64> = vec![];
    let mut newest: BTreeMap<&QuestionId, usize> = BTreeMap::new();
    for record in records {
        match &record.event {
            Event::QuestionAsked { question } => {
                newest.insert(&question.id, all.len());
                asked_at.push(record.at.0);
                all.push(asked(question, record.at.0));
            }
            Event::QuestionAnswered { question, answer, by, roles, written_at } => {
                let Some(index) = newest.get(question) else { continue };
                let (what, reason) = answered(answer);
                let one = &mut all[*index];
                one.outcome = what.to_owned();
                // An answer may be read long after it was written, but never counts before the question.
                let at = written_at.0.max(asked_at[*index]);
                one.took_ms = Some(at - asked_at[*index]);
                one.answers.push(Answer {
                    by: person(by),
                    roles: roles.iter().map(ToString::to_string).collect(),
                    at: rfc3339(at),
                    what: what.to_owned(),
                    reason: reason.cloned(),
                });
            }
            Event::ApprovalGiven { question, by, roles, reason, written_at } => {
                let Some(index) = newest.get(question) else { continue };
                let at = written_at.0.max(asked_at[*index]);
                all[*index].answers.push(Answer {
                    by: person(by),
                    roles: roles.iter().map(ToString::to_string).collect(),
                    at: rfc3339(at),
                    what: "approved".to_owned(),
                    reason: reason.clone(),
                });
            }
            Event::AnswerRefused { question, by, reason } => {
                let Some(index) = newest.get(question) else { continue };
                let refusal = Refusal { by: person(by), at: rfc3339(record.at.0), why: reason.clone() };
                all[*index].refused.push(refusal);
            }
            Event::QuestionExpired { question } => close(&mut all, newest.get(question), "expired"),
            Event::QuestionWithdrawn { question, .. } => close(&mut all, newest.get(question), "withdrawn"),
            // What follows on a failure is answered by a verb.
            Event::VerbTaken { verb, .. } if verb.answers_a_failure() => follow(&mut all, verb.word()),
            Event::CancelRequested { .. } => follow(&mut all, "cancel"),
            _ => {}
        }
    }
    all
}

fn follow(all: &mut [Question], verb: &str) {
    let open = all.iter_mut().filter(|question| question.kind == "failure" && question.outcome == "open");
    open.for_each(|question| question.outcome = verb.to_owned());
}

fn close(all: &mut [Question], index: Option<&usize>, outcome: &str) {
    if let Some(question) = index.and_then(|index| all.get_mut(*index)) {
        question.outcome = outcome.to_owned();
    }
}

fn asked(question: &runbook_core::event::Question, at: u64) -> Question {
    let (kind, from, digest) = match &question.kind {
        QuestionKind::Approval { from, digest, .. } => {
            ("approval", from.iter().map(ToString::to_string).collect(), Some(digest.to_string()))
        }
        QuestionKind::Manual { .. } => ("manual", vec![], None),
        QuestionKind::Values { .. } => ("values", vec![], None),
        QuestionKind::Interrupted { .. } => ("interrupted", vec![], None),
        QuestionKind::Failure => ("failure", vec![], None),
    };
    Question {
        id: question.id.0.clone(),
        step: step_of_question(&question.id.0).to_owned(),
        kind: kind.to_owned(),
        from,
        digest,
        message: question.message.clone(),
        asked_at: rfc3339(at),
        due: question.due.map(|due| rfc3339(due.0)),
        outcome: "open".to_owned(),
        took_ms: None,
        answers: vec![],
        refused: vec![],
    }
}

fn failed_attempts(records: &[Record], log_end: &dyn Fn(&str) -> Option<LogEnd>) -> Vec<Attempt> {
    let mut started: BTreeMap<AttemptId, u64> = BTreeMap::new();
    let mut all = vec![];
    for record in records {
        let (attempt, why, is_interrupted) = match &record.event {
            // All polls of an attempt are one attempt, with one log.
            Event::AttemptStarted { attempt, .. } => {
                started.entry(first_poll(attempt)).or_insert(record.at.0);
                continue;
            }
            Event::AttemptEnded { attempt, failure: Some(failure), .. } => (attempt, failure.to_string(), false),
            Event::AttemptInterrupted { attempt, then, .. } => (attempt, follows(*then).to_owned(), true),
            _ => continue,
        };
        let attempt = first_poll(attempt);
        let name = attempt.to_string();
        let log = if all.len() < LOGS_MAX { log_end(&name) } else { None };
        all.push(Attempt {
            step: attempt.step.to_string(),
            is_undo: attempt.phase == Phase::Undo,
            number: attempt.number,
            started_at: started.get(&attempt).copied().map(rfc3339),
            ended_at: rfc3339(record.at.0),
            is_interrupted,
            why,
            log,
            attempt: name,
        });
    }
    all
}

fn first_poll(attempt: &AttemptId) -> AttemptId {
    AttemptId { poll: 1, ..attempt.clone() }
}

fn rollback(run: &Run, status: &Status, records: &[Record]) -> Option<Rollback> {
    let way_back = run.rollback()?;
    let with = |word: &str| -> Vec<String> {
        let found = status.steps.iter().filter(|step| step.undo.as_deref() == Some(word));
        found.map(|step| step.id.clone()).collect()
    };
    let mut found = Rollback { failed: with("failed"), left: with("pending"), ..Rollback::default() };
    found.left.extend(with("running"));
    found.irreversible = way_back.irreversible.iter().map(ToString::to_string).collect();
    for record in records {
        match &record.event {
            Event::RollbackStarted { .. } => found.started_at = rfc3339(record.at.0),
            Event::StepUndone { step } => found.undone.push(step.to_string()),
            _ => {}
        }
    }
    Some(found)
}

/// The day and clock of a moment as this report has it, for people.
pub(crate) fn for_people(moment: &str) -> String {
    let ms = moment.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond());
    instant(u64::try_from(ms).unwrap_or_default())
}
