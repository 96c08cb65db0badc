//! Which items of a long loop a person need not see.

use std::collections::BTreeMap;

use runbook_runtime::status::{Status, StepStatus};

/// All items of a loop with so many are shown.
const SHOWN_MAX: usize = 20;

/// Whether each step is left out, because it belongs to an item of a long loop about which there is nothing to say; and how
/// many items of each loop are.
pub(super) fn hidden(status: &Status) -> (Vec<bool>, BTreeMap<&str, usize>) {
    let known: BTreeMap<&str, (usize, &StepStatus)> =
        status.steps.iter().enumerate().map(|(at, step)| (step.id.as_str(), (at, step))).collect();
    let mut is_dull = vec![true; status.steps.len()];
    // Parents come before their children: from behind, each tells the one around it.
    for (at, step) in status.steps.iter().enumerate().rev() {
        is_dull[at] &= dull(step);
        let around = step.parent.as_deref().and_then(|parent| known.get(parent));
        if let (Some((around, _)), false) = (around, is_dull[at]) {
            is_dull[*around] = false;
        }
    }
    let mut is_hidden = vec![false; status.steps.len()];
    let mut left_out = BTreeMap::new();
    for (at, step) in status.steps.iter().enumerate() {
        let Some((around, parent)) = step.parent.as_deref().and_then(|parent| known.get(parent)) else { continue };
        let is_item = parent.each.is_some_and(|each| each.items > SHOWN_MAX) && is_dull[at];
        is_hidden[at] = is_hidden[*around] || is_item;
        if is_item && !is_hidden[*around] {
            *left_out.entry(parent.id.as_str()).or_default() += 1;
        }
    }
    (is_hidden, left_out)
}

/// Whether there is nothing to say of a step.
fn dull(step: &StepStatus) -> bool {
    let fine = matches!(step.state.as_str(), "succeeded" | "skipped" | "pending" | "blocked");
    fine && !matches!(step.undo.as_deref(), Some("failed" | "running" | "pending"))
}

#[cfg(test)]
mod tests {
    use runbook_runtime::looped::LoopStatus;

    use super::super::samples;
    use super::*;

    #[test]
    fn of_a_long_loop_what_failed_or_runs_is_shown() {
        let of = |items: usize| {
            let mut steps = vec![samples::step("x", "running")];
            steps[0].each = Some(LoopStatus { items, done: 0, failed: 1 });
            for number in 1..=items {
                let mut step = samples::step(&format!("x-{number}"), if number == 7 { "failed" } else { "succeeded" });
                step.parent = Some("x".to_owned());
                steps.push(step);
            }
            let status = samples::run("running", steps);
            let (hidden, left_out) = hidden(&status);
            let shown =
                status.steps.iter().zip(&hidden).filter(|(_, hidden)| !**hidden).map(|(step, _)| step.id.clone());
            (shown.collect::<Vec<_>>(), left_out.get("x").copied())
        };
        assert_eq!(of(21), (vec!["x".to_owned(), "x-7".to_owned()], Some(20)));
        assert_eq!(of(20).0.len(), 21);
        assert_eq!(of(10_000).1, Some(9_999));
    }
}
