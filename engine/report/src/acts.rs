//! Who did what: the acts of people in the records of a run.

use runbook_core::event::{Event, Identity, Verb};
use runbook_core::input::Answer;
use runbook_core::run::Run;
use runbook_core::units::StepId;
use runbook_journal::Record;
use runbook_runtime::removals::Removal;
use serde::Serialize;

use crate::model::Person;
use crate::text::rfc3339;
use crate::timeline::{answered, person, step_of_question};

/// Something that a person did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// When, as RFC 3339 in UTC: an answer when it was written, not when it was read.
    pub at: String,
    /// The same in milliseconds since 1970, to sort by.
    #[serde(skip)]
    pub at_ms: u64,
    /// Who.
    pub by: Person,
    /// One of [`ACTS`].
    pub event: &'static str,
    /// In which run.
    pub run: String,
    /// Of which runbook.
    pub runbook: String,
    /// About which step.
    pub step: Option<String>,
    /// Why, when said; of an answer or verb that was refused, why it was.
    pub reason: Option<String>,
}

/// What people do, by the names that they have in an [`Act`].
pub const ACTS: [&str; 19] = [
    "started",
    "approved",
    "broke_glass",
    "rejected",
    "confirmed",
    "gave_values",
    "took_effect",
    "did_not",
    "run_again",
    "refused",
    "cancelled",
    "pruned",
    "retried",
    "skipped",
    "marked_done",
    "paused",
    "continued",
    "rolled_back",
    "took_over",
];

/// What an event says that a person did: which act, about which step or question, who, and why.
fn act(event: &Event) -> Option<(&'static str, Option<&str>, &Identity, Option<&String>)> {
    match event {
        Event::RunCreated(created) => Some(("started", None, &created.by, None)),
        Event::CancelRequested { by, reason, .. } => Some(("cancelled", None, by, reason.as_ref())),
        Event::AnswerRefused { question, by, reason } => Some(("refused", Some(&question.0), by, Some(reason))),
        Event::QuestionAnswered { question, answer, by, .. } => {
            let name = match answer {
                Answer::Approve { .. } => "approved",
                Answer::BreakGlass { .. } => "broke_glass",
                Answer::Reject { .. } => "rejected",
                Answer::Confirm { .. } => "confirmed",
                Answer::Values { .. } => "gave_values",
                Answer::TookEffect { .. } => "took_effect",
                Answer::DidNot { .. } => "did_not",
                Answer::RunAgain { .. } => "run_again",
            };
            Some((name, Some(&question.0), by, answered(answer).1))
        }
        Event::VerbTaken { verb, by, reason, .. } => {
            Some((name_of(verb), verb.step().map(StepId::as_str), by, Some(reason)))
        }
        Event::VerbRefused(it) => Some(("refused", it.verb.step().map(StepId::as_str), &it.by, Some(&it.why))),
        Event::ApprovalGiven { question, by, reason, .. } => Some(("approved", Some(&question.0), by, reason.as_ref())),
        _ => None,
    }
}

/// The removal of a run, of which nothing else is left.
pub fn pruned(removal: &Removal) -> Act {
    let head = removal.head.as_ref().map_or_else(String::new, |head| format!("; the head of its record was {head}"));
    Act {
        at: rfc3339(removal.at.0),
        at_ms: removal.at.0,
        by: person(&removal.by),
        event: "pruned",
        run: removal.run.to_string(),
        runbook: removal.runbook.clone(),
        step: None,
        reason: Some(format!(
            "it ended at {} and was kept for {}{head}",
            rfc3339(removal.ended_at.0),
            removal.kept_for
        )),
    }
}

fn name_of(verb: &Verb) -> &'static str {
    match verb {
        Verb::Retry { .. } => "retried",
        Verb::Skip { .. } => "skipped",
        Verb::MarkDone { .. } => "marked_done",
        Verb::Pause => "paused",
        Verb::Continue => "continued",
        Verb::Rollback { .. } => "rolled_back",
        Verb::Take => "took_over",
    }
}

/// What people did in a run, in the order in which it was read.
pub fn acts(run: &Run, records: &[Record]) -> Vec<Act> {
    let Some(created) = run.created() else { return vec![] };
    let one = |record: &Record| {
        let (event, question, by, reason) = act(&record.event)?;
        let at_ms = match &record.event {
            Event::QuestionAnswered { written_at, .. }
            | Event::ApprovalGiven { written_at, .. }
            | Event::VerbTaken { written_at, .. } => written_at.0.min(record.at.0),
            _ => record.at.0,
        };
        Some(Act {
            at: rfc3339(at_ms),
            at_ms,
            by: person(by),
            event,
            run: created.run.to_string(),
            runbook: created.plan.about.id.clone(),
            step: question.map(|question| step_of_question(question).to_owned()),
            reason: reason.cloned(),
        })
    };
    records.iter().filter_map(one).collect()
}
