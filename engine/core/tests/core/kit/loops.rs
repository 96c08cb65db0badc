//! What must hold of loops.

use runbook_core::plan::{Body, ForEach};
use runbook_core::run::{Run, StepState};
use runbook_core::units::StepIx;

use super::check::{of, plan, state_of};

/// In any state: no more items have begun than may be under way at once.
pub(crate) fn state(run: &Run, max_parallel: u32) {
    for (_, step, _) in run.steps() {
        if let Body::ForEach(each) = &step.body {
            let begun = |at: &&StepIx| {
                let state = state_of(run, **at);
                !state.is_settled() && *state != StepState::Pending && !of(run, **at).parked
            };
            let begun = each.roots.iter().filter(begun).count();
            let width = each.width.unwrap_or(max_parallel).max(1) as usize;
            assert!(begun <= width, "{begun} items of `{}` at once", step.id);
        }
    }
}

/// There is one item for each of the list.
pub(crate) fn entered(run: &Run, at: StepIx, items: usize) {
    let plan = plan(run);
    let roots: Vec<&str> = plan.step(at).children().map(|at| plan.step(at).id.as_str()).collect();
    // Those of a list that this one replaced come first.
    let from = roots.len().checked_sub(items).expect("an item each");
    let expected: Vec<String> = (1..=roots.len()).map(|number| format!("{}-{number}", plan.step(at).id)).collect();
    assert_eq!(roots[from..], expected[from..], "an item each");
}

/// How many items its list has.
fn items(run: &Run, at: StepIx) -> usize {
    run.loop_of(&plan(run).step(at).id).map_or(0, |it| it.items().len())
}

/// Whether no more items failed than may.
pub(crate) fn bears(run: &Run, at: StepIx, each: &ForEach) -> bool {
    let failed = each.roots.iter().filter(|root| matches!(state_of(run, **root), StepState::Failed(_))).count();
    failed <= each.failures_max.of(items(run, at)) as usize
}

/// A loop failed if more items failed than may; else no item was left out but by a person, or something around it.
pub(crate) fn ended(run: &Run, at: StepIx, each: &ForEach) {
    let items = items(run, at);
    let too_many = !bears(run, at, each);
    let state = of(run, at);
    if state.started_at.is_some() {
        assert_eq!(too_many, matches!(state.state, StepState::Failed(_)), "the items of `{}`", plan(run).step(at).id);
    }
    if state.state == StepState::Succeeded {
        // One that was done by hand hands on nothing.
        let roots = if state.started_at.is_some() { &each.roots[each.roots.len() - items..] } else { &[] };
        assert!(each.roots.iter().all(|root| state_of(run, *root).is_settled()));
        assert_eq!(state.outputs["results"].as_array().map(Vec::len), Some(roots.len()));
        let numbers = (1u64..).zip(roots).filter(|(_, root)| matches!(state_of(run, **root), StepState::Failed(_)));
        let numbers: Vec<_> = numbers.map(|(number, _)| number.into()).collect();
        assert_eq!(state.outputs["failed"], serde_json::Value::Array(numbers));
        let left_out = |root: &StepIx| matches!(state_of(run, *root), StepState::Blocked(_) | StepState::Cancelled);
        assert!(!each.roots.iter().any(left_out), "an item of `{}` was left out", plan(run).step(at).id);
    }
}
