//! What must hold where a `done_when` is asked.

use runbook_core::event::{AttemptId, Phase};
use runbook_core::plan::DoneWhen;
use runbook_core::run::{Doing, Live, Run, StepState};
use runbook_core::units::StepId;

/// A look begins: before an attempt, or because the last one was interrupted.
pub(crate) fn look_started(run: &Run, attempt: &AttemptId) {
    let step = run.step_plan(&attempt.step).expect("a step");
    let state = run.step(&attempt.step).expect("a step");
    assert!(step.probe().is_some(), "`{}` has nothing that looks", step.id);
    assert!(run.is_equipped(), "`{}` is looked at before the services answer and the locks are held", step.id);
    assert_eq!(attempt.number, state.probes + 1);
    assert!(matches!(state.state, StepState::Cleared | StepState::Running | StepState::Retrying), "{:?}", state.state);
    let own = run.live().find(|live| live.attempt.step == attempt.step && live.attempt.phase == Phase::Do);
    assert!(own.is_none_or(|live| live.doing == Doing::Interrupted), "`{}` is looked at while it runs", step.id);
    assert!(!run.questions().values().any(|question| question.step == attempt.step), "somebody is asked meanwhile");
}

/// A step is done already.
pub(crate) fn succeeded(run: &Run, step: &StepId) {
    let plan = run.step_plan(step).expect("a step");
    let attempts = run.step(step).expect("a step").probes;
    match plan.done_when {
        None => panic!("`{step}` cannot say that it is done already"),
        Some(DoneWhen::Holds(_)) => {}
        Some(DoneWhen::Probe(_)) => assert!(attempts > 0, "nobody looked at `{step}`"),
    }
}

/// Whether something looks, or will, what became of an attempt.
pub(crate) fn is_to_be_looked_at(run: &Run, live: &Live) -> bool {
    let step = &live.attempt.step;
    let looks = run.live().any(|other| other.attempt.step == *step && other.attempt.phase == Phase::Probe);
    live.attempt.phase == Phase::Do && (looks || run.retry_due(step, Phase::Probe).is_some())
}
