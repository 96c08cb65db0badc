//! What must hold of what runs beside the steps.

use runbook_core::event::Event;
use runbook_core::plan::Step;
use runbook_core::run::{Live, Run};

/// Deadlines pass while something is to be done, and not before their time.
pub(crate) fn event(before: &Run, event: &Event) {
    if let Event::GuardTripped { step, .. } = event {
        assert!(main_goes_on(before), "`{step}` trips though all is done");
    }
    if let Event::DeadlinePassed { step, .. } = event {
        let passed = before.deadlines().any(|(deadline, _)| deadline.id == *step);
        assert!(passed && main_goes_on(before), "`{step}` passes and is no matter any more");
    }
}

/// A step begins that does not lie in the `always` of a block.
pub(crate) fn begins(run: &Run, step: &Step) {
    assert!(step.beside.is_none() || main_goes_on(run), "`{}` starts though all is done", step.id);
}

/// The steps and what runs beside them have as many places each.
pub(crate) fn places(run: &Run, max_parallel: u32, takes_place: impl Fn(&Live) -> bool) {
    for beside in [false, true] {
        let of = |live: &Live| run.step_plan(&live.attempt.step).expect("a step");
        let is_of = |live: &&Live| of(live).beside.is_some() == beside && of(live).guard().is_none();
        let places = run.live().filter(is_of).filter(|live| takes_place(live)).count();
        assert!(places <= max_parallel.max(1) as usize, "{places} run at once");
    }
}

/// Whether a step that does not run beside the others has still to settle.
fn main_goes_on(run: &Run) -> bool {
    run.asks_after_failure()
        || run.steps().any(|(_, step, state)| step.beside.is_none() && !step.always && !state.state.is_settled())
}
