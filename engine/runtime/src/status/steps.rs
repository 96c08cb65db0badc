//! The steps of a snapshot.

use std::collections::BTreeMap;

use runbook_core::event::{AttemptId, Phase};
use runbook_core::plan::{Body, Step};
use runbook_core::rendered::Rendered;
use runbook_core::run::{Doing, Live, Run, StepRun, StepState, UndoState};
use runbook_core::units::StepId;
use serde_json::Value;

use super::StepStatus;
use crate::looped;
use crate::shortened::shortened;

/// What a step handed on before it started over is no more.
static NO_OUTPUTS: BTreeMap<String, Value> = BTreeMap::new();

pub(super) fn of(run: &Run) -> Vec<StepStatus> {
    let plan = run.created().map(|created| &created.plan);
    let live: BTreeMap<(&StepId, Phase), &Live> =
        run.live().map(|live| ((&live.attempt.step, live.attempt.phase), live)).collect();
    let one = |(step, state): (&Step, &StepRun)| {
        // What is looked at is asked about only after that.
        let look = live.get(&(&step.id, Phase::Probe)).copied();
        let is_to_be_looked_at = look.is_none() && run.retry_due(&step.id, Phase::Probe).is_some();
        let own = look.or_else(|| live.get(&(&step.id, Phase::Do)).copied()).filter(|_| !is_to_be_looked_at);
        let undoing = live.get(&(&step.id, Phase::Undo)).copied();
        let (undo, undo_detail) = undo_of(state, undoing);
        let outputs = if state.state == StepState::Succeeded { &state.outputs } else { &NO_OUTPUTS };
        let (outputs, outputs_cut) = shortened(outputs);
        StepStatus {
            id: step.id.to_string(),
            title: step.title.clone(),
            parent: step.parent.and_then(|at| plan.map(|plan| plan.step(at).id.to_string())),
            always: step.always,
            is_block: !matches!(step.body, Body::Action(_)),
            each: looped::of(run, &step.id),
            state: if asks(own) { "waiting".to_owned() } else { state.state.word().to_owned() },
            detail: detail_of(run, step, state, own),
            due: step.deadline().and_then(|_| run.deadlines().find(|(it, _)| it.id == step.id)).map(|(_, due)| due.0),
            already_done: state.already_done,
            attempts: state.attempts,
            log: log_of(step, state),
            exit_code: state.exit_code,
            started_at: state.started_at.map(|at| at.0),
            ended_at: state.ended_at.map(|at| at.0),
            undo,
            undo_detail,
            outputs,
            outputs_cut,
            child: child_of(state),
        }
    };
    let all: Vec<(&Step, &StepRun)> = run.steps().map(|(_, step, state)| (step, state)).collect();
    let order = plan.map(runbook_core::plan::Plan::in_order).unwrap_or_default();
    order.into_iter().filter_map(|at| all.get(at.at()).copied()).map(one).collect()
}

impl StepStatus {
    /// Whether its undo goes on.
    pub(crate) fn is_being_undone(&self) -> bool {
        self.undo.as_deref() == Some("running")
    }
}

/// The log of the last attempt; of a step that was only looked at, of the last look.
fn log_of(step: &Step, state: &StepRun) -> Option<String> {
    let (phase, number) = match state.attempts {
        0 => (Phase::Probe, state.probes),
        attempts => (Phase::Do, attempts),
    };
    (number > 0).then(|| AttemptId::first(step.id.clone(), phase, number).to_string())
}

fn asks(live: Option<&Live>) -> bool {
    live.is_some_and(|live| matches!(live.doing, Doing::Asking | Doing::Interrupted))
}

fn detail_of(run: &Run, step: &Step, state: &StepRun, live: Option<&Live>) -> Option<String> {
    if let (Some(live), Some(guard)) = (live, step.guard()) {
        return Some(crate::words::guard(guard, live));
    }
    if let Some(live) = live {
        return crate::words::doing(live);
    }
    match &state.state {
        StepState::Failed(failure) => Some(failure.to_string()),
        StepState::Blocked(reason) => Some(crate::words::blocked(reason)),
        StepState::Skipped(reason) => Some(crate::words::skipped(reason)),
        StepState::Pending => state.by_hand.as_ref().map(|it| crate::words::by_hand(it).to_owned()),
        StepState::Asked => Some("waits for approval".to_owned()),
        StepState::Cleared => Some(crate::words::cleared(run, step)),
        StepState::Retrying => {
            let of = step.retry.as_ref().map_or(1, |retry| retry.attempts_max);
            run.retry_due(&step.id, Phase::Do).map(|_| format!("attempt {} of {of} next", state.failures + 1))
        }
        StepState::Succeeded if state.already_done => Some(crate::words::ALREADY_DONE.to_owned()),
        StepState::Entered | StepState::Succeeded => {
            looped::of(run, &step.id).map(|each| each.to_string()).or_else(|| crate::words::section(run, step, state))
        }
        _ => None,
    }
}

fn undo_of(state: &StepRun, live: Option<&Live>) -> (Option<String>, Option<String>) {
    match &state.undo.state {
        UndoState::None => (None, None),
        UndoState::Pending => (Some("pending".to_owned()), None),
        UndoState::Running => (Some("running".to_owned()), live.and_then(crate::words::doing)),
        UndoState::Undone => (Some("undone".to_owned()), None),
        UndoState::Failed(failure) => (Some("failed".to_owned()), Some(failure.to_string())),
    }
}

/// The child run that goes on, or ran last.
fn child_of(state: &StepRun) -> Option<String> {
    match (&state.undo.state, &state.undo.action) {
        (UndoState::Running | UndoState::Failed(_), Some(Rendered::UndoRunbook { run })) => Some(run.to_string()),
        _ => state.child().map(|child| child.run.to_string()),
    }
}
