//! From two snapshots to lines: what a view tells that is not in the process of the engine.
//!
//! Between two snapshots a step may have failed and be running again; then only what came of it is told.

use std::collections::BTreeMap;

use runbook_runtime::status::{Status, StepStatus};

use super::line::{Line, attempt};
use super::paint::Tone;
use super::text::{duration, names};
use super::verbs;

/// What happened from one snapshot to the next; all that goes on when there is none before.
pub(crate) fn lines(before: Option<&Status>, after: &Status) -> Vec<Line> {
    let at = after.updated_at;
    let mut lines = vec![];
    let known = by_id(before);
    for step in &after.steps {
        let old = known.get(step.id.as_str()).copied();
        lines.extend(do_line(at, old, step, before.is_none()));
        lines.extend(undo_line(at, old, step, before.is_none()));
    }
    lines.extend(not_started(before, after));
    if let Some(before) = before {
        lines.extend(run_lines(before, after));
    }
    lines
}

/// The steps by their ids: a loop that is entered brings new ones among those that were there.
fn by_id(status: Option<&Status>) -> BTreeMap<&str, &StepStatus> {
    status.into_iter().flat_map(|status| &status.steps).map(|step| (step.id.as_str(), step)).collect()
}

fn do_line(at: u64, old: Option<&StepStatus>, step: &StepStatus, is_first: bool) -> Option<Line> {
    let changed = old.is_none_or(|old| old.state != step.state || old.attempts != step.attempts);
    // What was over before anyone looked is no news.
    let settled = matches!(step.state.as_str(), "succeeded" | "failed" | "skipped" | "cancelled");
    if !changed || (is_first && settled) || (step.is_block && step.state != "failed") {
        return None;
    }
    let id = &step.id;
    let because = step.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let ended = step.ended_at.unwrap_or(at);
    let took =
        step.started_at.map(|from| format!(" after {}", duration(ended.saturating_sub(from)))).unwrap_or_default();
    Some(match step.state.as_str() {
        "running" => Line::start(
            step.started_at.filter(|_| step.attempts < 2).unwrap_or(at),
            format!("{id} started{}", attempt(step.attempts, None)),
        ),
        "retrying" => Line::new(at, Tone::Bad, format!("{id} failed{because}")).with_log(step.log.clone()),
        "succeeded" if step.already_done => Line::new(ended, Tone::Good, format!("{id} already done")),
        "succeeded" => Line::new(ended, Tone::Good, format!("{id} succeeded{took}")),
        "failed" => Line::new(ended, Tone::Bad, format!("{id} failed{took}{because}")).with_log(step.log.clone()),
        "cancelled" => Line::new(ended, Tone::Bad, format!("{id} was ended{took}")),
        // Thousands may lie in a branch that is not taken.
        "skipped" if step.parent.is_none() => Line::new(ended, Tone::Quiet, format!("{id} skipped{because}")),
        _ => return None,
    })
}

fn undo_line(at: u64, old: Option<&StepStatus>, step: &StepStatus, is_first: bool) -> Option<Line> {
    if old.is_some_and(|old| old.undo == step.undo) {
        return None;
    }
    let id = &step.id;
    match step.undo.as_deref()? {
        "running" => Some(Line::start(at, format!("the rollback of {id} started"))),
        _ if is_first => None,
        "undone" => Some(Line::new(at, Tone::Good, format!("{id} undone"))),
        "failed" => {
            let why = step.undo_detail.as_deref().unwrap_or("for a reason that is in its log");
            Some(Line::new(at, Tone::Bad, format!("the rollback of {id} failed: {why}")))
        }
        _ => None,
    }
}

fn not_started(before: Option<&Status>, after: &Status) -> Option<Line> {
    let before = before?;
    let known = by_id(Some(before));
    let newly = |step: &&StepStatus| {
        step.state == "blocked" && known.get(step.id.as_str()).is_none_or(|old| old.state != "blocked")
    };
    let steps: Vec<&str> = after.steps.iter().filter(newly).map(|step| step.id.as_str()).collect();
    (!steps.is_empty())
        .then(|| Line::new(after.updated_at, Tone::Quiet, format!("not started: {}", names(steps.into_iter()))))
}

fn run_lines(before: &Status, after: &Status) -> Vec<Line> {
    let at = after.updated_at;
    let mut lines = vec![];
    for question in &before.questions {
        if !after.questions.iter().any(|open| open.id == question.id) {
            lines.push(Line::new(at, Tone::Quiet, format!("the question about {} is closed", question.step)));
        }
    }
    // A snapshot has only the last of them; each has a time of its own, or stands behind one with the same.
    let known = before.told.last();
    let new = after.told.iter().rev().take_while(|told| Some(*told) != known);
    let new: Vec<Line> = new.map(|told| Line::new(told.at, Tone::Active, verbs::sentence(told))).collect();
    lines.extend(new.into_iter().rev());
    let level = |status: &Status| status.cancel.as_ref().map_or(0, |cancel| cancel.level);
    if let Some(cancel) = after.cancel.as_ref().filter(|_| level(before) == 0) {
        lines.push(Line::new(at, Tone::Bad, format!("cancelled by {}", cancel.by)));
    }
    if before.stage != after.stage {
        let what = match after.stage.as_str() {
            "rollback" => Some("rolling back"),
            "stopping services" => Some("stopping services"),
            _ => None,
        };
        lines.extend(what.map(|what| Line::new(at, Tone::Active, what)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn texts(before: Option<&Status>, after: &Status) -> Vec<String> {
        lines(before, after).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn at_first_only_what_goes_on_is_told() {
        assert_eq!(texts(None, &samples::waiting()), ["probe started (attempt 2)"]);
        assert_eq!(texts(None, &samples::rolled_back()), [""; 0]);
    }

    #[test]
    fn then_what_changed() {
        let before = samples::waiting();
        let mut after = before.clone();
        after.questions.clear();
        after.steps[1].state = "retrying".to_owned();
        after.steps[1].detail = Some("attempt 3 of 3 next".to_owned());
        after.steps[2].state = "running".to_owned();
        after.steps[2].attempts = 1;
        after.steps[3].state = "blocked".to_owned();
        let told = texts(Some(&before), &after);
        let expected = [
            "probe failed: attempt 3 of 3 next",
            "contain started",
            "not started: `verify`",
            "the question about contain is closed",
        ];
        assert_eq!(told, expected);
        assert_eq!(texts(Some(&after), &after), [""; 0]);
    }

    #[test]
    fn the_way_back_is_told_step_by_step() {
        let mut before = samples::stuck();
        before.steps[1].undo = Some("running".to_owned());
        before.stage = "steps".to_owned();
        let mut after = samples::stuck();
        after.stage = "rollback".to_owned();
        let expected = ["the rollback of open_incident failed: exit code 1", "rolling back"];
        assert_eq!(texts(Some(&before), &after), expected);
    }
}
