//! What must hold of locks.

use runbook_core::event::{LockScope, Phase};
use runbook_core::run::{LockState, Run};
use runbook_core::units::StepIx;

use super::check::plan;

/// Whether a step holds its locks.
pub(crate) fn holds(run: &Run, at: StepIx) -> bool {
    let scope = LockScope::Step(plan(run).step(at).id.clone(), Phase::Do);
    run.locks().any(|(it, locks)| it == scope && locks.state == LockState::Held)
}

/// No lock is held twice in one run.
pub(crate) fn are_held_once(run: &Run) {
    let held = run.locks().filter(|(_, locks)| locks.state == LockState::Held);
    let mut names: Vec<&String> = held.flat_map(|(_, locks)| locks.wishes.iter().map(|wish| &wish.name)).collect();
    names.sort();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "held twice: {names:?}");
}
