//! Which steps of one list may run at the same time.

use std::collections::BTreeMap;

use runbook_core::plan::Plan;
use runbook_core::units::StepIx;

/// How the steps of one list follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Each waits for the one before it.
    OneByOne,
    /// None waits for another.
    AllAtOnce,
    /// As their `needs` say.
    ByNeeds,
}

/// The wave of each step: how many steps of its own list have to end one after the other before it may start. Steps of one
/// list with the same wave may run at the same time.
pub(super) fn waves(plan: &Plan) -> Vec<u32> {
    let list = |at: StepIx| {
        let step = plan.step(at);
        (step.always, step.beside.is_some(), step.parent, step.case, step.section)
    };
    let mut waves = vec![0u32; plan.steps.len()];
    let mut waiting = vec![0usize; plan.steps.len()];
    let mut followers: BTreeMap<StepIx, Vec<StepIx>> = BTreeMap::new();
    for (at, step) in plan.iter() {
        for need in step.needs.iter().filter(|need| list(**need) == list(at)) {
            waiting[at.at()] += 1;
            followers.entry(*need).or_default().push(at);
        }
    }
    // A checked plan has no cycles, so each step is ready once.
    let mut ready: Vec<StepIx> = plan.iter().map(|(at, _)| at).filter(|at| waiting[at.at()] == 0).collect();
    while let Some(at) = ready.pop() {
        for follower in followers.remove(&at).unwrap_or_default() {
            waves[follower.at()] = waves[follower.at()].max(waves[at.at()] + 1);
            waiting[follower.at()] -= 1;
            if waiting[follower.at()] == 0 {
                ready.push(follower);
            }
        }
    }
    waves
}

/// How the steps of a list follow each other.
pub(super) fn flow(plan: &Plan, list: &[StepIx]) -> Flow {
    let mut before = None;
    let mut is_chain = true;
    let mut is_free = true;
    for at in list {
        let needs = &plan.step(*at).needs;
        is_chain &= match before {
            None => needs.is_empty(),
            Some(before) => needs.as_slice() == [before],
        };
        is_free &= needs.is_empty();
        before = Some(*at);
    }
    match (is_chain, is_free) {
        (true, _) => Flow::OneByOne,
        (false, true) => Flow::AllAtOnce,
        (false, false) => Flow::ByNeeds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_language::{SourceFile, load_runbook};

    fn plan(steps: &str) -> Plan {
        let text = format!("schema: runbook/v1\nid: x\ntitle: X\nsteps:\n{steps}");
        load_runbook(&SourceFile::new("x.yaml", text), None).expect("a runbook").plan
    }

    fn step(id: &str, needs: &str) -> String {
        format!("  - {{id: {id}, {needs}run: ':'}}\n")
    }

    #[test]
    fn waves_follow_needs_in_any_order() {
        let steps = [
            step("last", "needs: [left, right], "),
            step("first", "needs: [], "),
            step("left", "needs: [first], "),
            step("right", "needs: [first], "),
            step("other", "needs: [], "),
        ];
        let plan = plan(&steps.concat());
        assert_eq!(waves(&plan), [2, 0, 1, 1, 0]);
        let all: Vec<StepIx> = plan.iter().map(|(at, _)| at).collect();
        assert_eq!(flow(&plan, &all), Flow::ByNeeds);
    }

    #[test]
    fn a_list_without_needs_is_a_chain_and_a_parallel_block_is_none() {
        let chain = plan(&[step("a", ""), step("b", ""), step("c", "")].concat());
        assert_eq!(waves(&chain), [0, 1, 2]);
        assert_eq!(flow(&chain, &[StepIx(0), StepIx(1), StepIx(2)]), Flow::OneByOne);
        let free = plan("  - {id: all, parallel: true, steps: [{id: a, run: ':'}, {id: b, run: ':'}]}\n");
        assert_eq!(waves(&free), [0, 0, 0]);
        assert_eq!(flow(&free, &[StepIx(1), StepIx(2)]), Flow::AllAtOnce);
        assert_eq!(flow(&free, &[StepIx(1)]), Flow::OneByOne);
    }
}
