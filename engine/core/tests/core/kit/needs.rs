//! What must hold of those that wait for others.

use runbook_core::plan::Step;
use runbook_core::run::{Run, StepState};
use runbook_core::units::StepIx;

use super::check::{of, plan};

/// A step begins: all that it needs has settled, or so many as suffice.
pub(crate) fn are_met(run: &Run, step: &Step) {
    let settled = step.needs.iter().filter(|need| of(run, **need).state.is_settled()).count();
    let wanted = step.needs_any.map_or(step.needs.len(), |any| any as usize);
    assert!(settled >= wanted, "`{}` starts after {settled} of {wanted}", step.id);
    if step.needs_any.is_some() && !step.condition.as_ref().is_some_and(|it| it.asks_status) {
        let fits =
            |state: &StepState| matches!(state, StepState::Succeeded | StepState::Skipped(_) | StepState::Failed(_));
        let done = step.needs.iter().filter(|need| fits(&of(run, **need).state)).count();
        assert!(done >= wanted, "`{}` starts after {done} of {wanted}", step.id);
    }
}

/// Those that a step waited for: all that it needs, or those that had settled before it began.
pub(crate) fn waited_for(run: &Run, at: StepIx) -> Vec<StepIx> {
    let step = plan(run).step(at);
    let began = of(run, at).started_at.or(of(run, at).ended_at);
    let before =
        |need: &&StepIx| step.needs_any.is_none() || of(run, **need).ended_at.is_some_and(|ended| Some(ended) < began);
    step.needs.iter().filter(before).copied().collect()
}
