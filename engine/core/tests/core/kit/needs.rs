//! What must hold of those that wait for others.

use runbook_core::plan::{Section, Step};
use runbook_core::run::{Run, StepState};
use runbook_core::units::StepIx;

use super::check::{of, plan};

/// A step begins: all that it needs has settled; or so many as suffice are done, or cannot be, where it looks at failures.
pub(crate) fn are_met(run: &Run, step: &Step) {
    let settled = || step.needs.iter().filter(|need| of(run, **need).state.is_settled());
    let open = step.needs.len() - settled().count();
    let Some(wanted) = step.needs_any.map(|any| any as usize) else {
        return assert_eq!(open, 0, "`{}` starts too early", step.id);
    };
    let done = settled().filter(|need| !is_spoiled(run, **need)).count();
    assert!(
        done >= wanted || (looks_at_failures(step) && done + open < wanted),
        "`{}` starts after {done} of {wanted}",
        step.id
    );
}

fn looks_at_failures(step: &Step) -> bool {
    step.condition.as_ref().is_some_and(|it| it.asks_status)
}

/// Whether a step that has settled is nothing to build on: it, or something that it builds on, went wrong.
fn is_spoiled(run: &Run, at: StepIx) -> bool {
    let step = plan(run).step(at);
    match &of(run, at).state {
        StepState::Failed(_) => !step.continue_on_failure || has_spoiled_needs(run, at),
        StepState::Blocked(_) | StepState::Cancelled => true,
        _ => has_spoiled_needs(run, at),
    }
}

fn has_spoiled_needs(run: &Run, at: StepIx) -> bool {
    let step = plan(run).step(at);
    let of_section = match step.parent {
        Some(_) => step.section,
        None if step.always => Section::Always,
        None => Section::Main,
    };
    if of_section == Section::Always {
        return false;
    }
    let settled = || step.needs.iter().filter(|need| of(run, **need).state.is_settled());
    let spoiled = settled().filter(|need| is_spoiled(run, **need)).count();
    let is_enough = step.needs_any.is_some_and(|any| settled().count() - spoiled >= any as usize);
    let hands_down = |block: &StepIx| {
        let is_entered = of(run, *block).started_at.is_some();
        of_section == Section::Main && is_entered && !looks_at_failures(plan(run).step(*block))
    };
    (spoiled > 0 && !is_enough) || step.parent.filter(hands_down).is_some_and(|block| has_spoiled_needs(run, block))
}

/// Those that a step waited for: all that it needs, or those that had settled before it began.
pub(crate) fn waited_for(run: &Run, at: StepIx) -> Vec<StepIx> {
    let step = plan(run).step(at);
    let began = of(run, at).started_at.or(of(run, at).ended_at);
    let before =
        |need: &&StepIx| step.needs_any.is_none() || of(run, **need).ended_at.is_some_and(|ended| Some(ended) < began);
    step.needs.iter().filter(before).copied().collect()
}
