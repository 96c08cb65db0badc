//! Open questions, as they are published.

use runbook_core::event::{Escalation, Question, QuestionKind};
use runbook_core::rendered::Rendered;
use runbook_core::run::Run;
use runbook_core::units::Role;

use crate::foreseen::foreseen;
use crate::given;
use crate::looped;
use crate::status::{QuestionStatus, VERB_STEPS_MAX};
use crate::unless::{self, Unless};

fn escalation(question: &Question) -> Option<&Escalation> {
    match &question.kind {
        QuestionKind::Approval { escalation, .. } => escalation.as_ref(),
        _ => None,
    }
}

fn names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

/// What may say that a step that is to be approved is done already.
fn unless_of(run: &Run, question: &Question) -> Option<Unless<Rendered>> {
    let QuestionKind::Approval { .. } = question.kind else { return None };
    let probe = run.step(&question.step)?.prepared.as_ref()?.probe.as_ref();
    unless::of_prepared(run.step_plan(&question.step)?, probe, run.created()?)
}

/// An open question, as it is published.
pub(crate) fn question_of(run: &Run, question: &Question) -> QuestionStatus {
    let plan = run.step_plan(&question.step);
    let is_step_by_step = plan.and_then(|plan| plan.approval.as_ref()).is_some_and(|it| it.step_by_step);
    let state = run.step(&question.step);
    let prepared = state.and_then(|state| state.prepared.as_ref()).map(|prepared| prepared.action.clone());
    let (kind, from, digest, attempt) = match &question.kind {
        QuestionKind::Approval { from, digest, .. } => {
            ("approval", from.iter().map(ToString::to_string).collect(), Some(digest.to_string()), None)
        }
        QuestionKind::Manual { attempt } => ("manual", vec![], None, Some(attempt)),
        QuestionKind::Values { attempt, .. } => ("values", vec![], None, Some(attempt)),
        QuestionKind::Interrupted { attempt } => ("interrupted", vec![], None, Some(attempt)),
        QuestionKind::Failure => ("failure", vec![], None, None),
    };
    let undo = plan.and_then(|plan| plan.rollback.as_ref()).zip(run.created());
    let undo_given = undo.map(|(undo, created)| given::to_planned(&undo.action, created)).unwrap_or_default();
    let undo = undo.map(|(undo, created)| foreseen(undo.action.clone(), created, run));
    let undo = undo.and_then(|action| serde_json::to_value(action).ok());
    let action = attempt.and_then(|attempt| run.action_of(attempt).cloned()).or(prepared);
    let given = action.as_ref().zip(run.created()).map(|(action, created)| match plan.map(looped::within) {
        Some(body) if !body.is_empty() => given::to_body(&body, created),
        _ => given::to_rendered(action, created),
    });
    QuestionStatus {
        id: question.id.0.clone(),
        step: question.step.to_string(),
        kind: kind.to_owned(),
        message: question.message.clone(),
        from,
        min: match &question.kind {
            QuestionKind::Approval { min, .. } => Some(*min),
            _ => None,
        },
        approved: run.approved_by(&question.id).map(|by| by.name.clone()).collect(),
        escalates_to: escalation(question).map(|it| names(&it.to)).unwrap_or_default(),
        escalated: escalation(question).is_some_and(|it| it.since.is_some()),
        break_glass: match &question.kind {
            QuestionKind::Approval { .. } => run.created().map(|it| names(&it.break_glass)).unwrap_or_default(),
            _ => vec![],
        },
        not_by: match &question.kind {
            QuestionKind::Approval { exclude_initiator: true, .. } => {
                run.created().map(|created| created.by.name.clone())
            }
            _ => None,
        },
        digest,
        action,
        undo,
        unless: unless_of(run, question),
        given: given.unwrap_or_default(),
        undo_given,
        due: question.due.map(|due| due.0),
        body: plan.zip(run.created()).map(|(plan, created)| looped::body(plan, created, run)).unwrap_or_default(),
        fields: match &question.kind {
            QuestionKind::Values { fields, .. } => fields.clone(),
            _ => vec![],
        },
        attempt: attempt.map(ToString::to_string),
        verbs: match &question.kind {
            QuestionKind::Failure => run.verbs(VERB_STEPS_MAX),
            QuestionKind::Approval { .. } if is_step_by_step => run.verbs_instead(&question.step),
            _ => vec![],
        },
        asker: None,
    }
}
