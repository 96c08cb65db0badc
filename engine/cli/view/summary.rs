//! How a run ended, said once at the end: what failed and why, what is undone and what is not, and what to do next.

use runbook_core::event::Verb;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::{Status, StepStatus};

use super::hint::Hints;
use super::paint::{self, Paint, Tone};
use super::tail::{self, Tail};
use super::tally::Tally;
use super::text::{count, duration, names, visible_line};

/// How many lines of the log of a failed step are shown.
const LOG_LINES: usize = 10;
/// How many failed steps are shown with their logs.
const FAILED_SHOWN: usize = 5;

/// The summary, for a run that has ended or whose engine left.
pub(crate) fn summary(status: &Status, folder: &RunFolder, hints: &Hints, paint: Paint) -> Vec<String> {
    let mut lines = vec![String::new(), headline(status, paint)];
    lines.extend(status.cause.iter().map(|cause| format!("  why: {}", visible_line(cause))));
    lines.extend(failures(status, folder, paint));
    lines.extend(undone(status, paint));
    lines.extend(next(status, hints));
    lines
}

fn headline(status: &Status, paint: Paint) -> String {
    let (tone, symbol) = paint::look(&status.state);
    let word = paint.tone(tone, &format!("{symbol} {}", status.state.replace('_', " ")));
    let took = status.ended_at.unwrap_or(status.updated_at).saturating_sub(status.started_at);
    let so_far = if status.ended_at.is_some() { "" } else { " so far" };
    format!("{word}  {} after {}{so_far}: {}", visible_line(&status.runbook), duration(took), Tally::of(status).words())
}

fn failures(status: &Status, folder: &RunFolder, paint: Paint) -> Vec<String> {
    // A block fails because of a step in it, which is shown.
    let failed: Vec<&StepStatus> =
        status.steps.iter().filter(|step| step.state == "failed" && !step.is_block).collect();
    let mut lines = vec![];
    for step in failed.iter().take(FAILED_SHOWN) {
        let tail = step.log.as_ref().and_then(|log| tail::of_failure(folder, log, LOG_LINES));
        lines.extend(failure(step, step.detail.as_deref(), "failed", tail.as_ref(), paint));
    }
    if failed.len() > FAILED_SHOWN {
        lines.push(format!("  … and {} more failed", failed.len() - FAILED_SHOWN));
    }
    for step in status.steps.iter().filter(|step| step.undo.as_deref() == Some("failed")) {
        let tail = tail::undo_log(folder, &step.id).and_then(|log| tail::of_failure(folder, &log, LOG_LINES));
        lines.extend(failure(step, step.undo_detail.as_deref(), "was not undone", tail.as_ref(), paint));
    }
    lines
}

fn failure(step: &StepStatus, why: Option<&str>, what: &str, tail: Option<&Tail>, paint: Paint) -> Vec<String> {
    let why = why.map(|why| format!(": {}", visible_line(why))).unwrap_or_default();
    let tries =
        if step.attempts > 1 { format!(" ({})", count(step.attempts as usize, "attempt")) } else { String::new() };
    let mut lines = vec![paint.tone(Tone::Bad, &format!("  ✗ `{}` {what}{why}{tries}", step.id))];
    lines.extend(log_lines(tail, paint));
    lines
}

/// The last lines of a log with its path.
pub(crate) fn log_lines(tail: Option<&Tail>, paint: Paint) -> Vec<String> {
    let Some(tail) = tail else { return vec![] };
    let mut lines: Vec<String> = tail.lines.iter().map(|line| format!("      {} {line}", paint.dim("│"))).collect();
    lines.push(paint.dim(&format!("      log: {}", tail.path.display())));
    lines
}

/// What became of the way back.
fn undone(status: &Status, paint: Paint) -> Vec<String> {
    let with = |word: &str| -> Vec<&str> {
        let undo = |step: &&StepStatus| step.undo.as_deref() == Some(word);
        status.steps.iter().filter(undo).map(|step| step.id.as_str()).collect()
    };
    let all = |found: &[&str]| found.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
    let (undone, failed) = (with("undone"), with("failed"));
    let mut left = with("pending");
    left.extend(with("running"));
    let mut lines = vec![];
    if status.state == "rolled_back" && undone.is_empty() {
        lines.push("  nothing was undone: no step with a rollback had succeeded".to_owned());
    }
    if !undone.is_empty() {
        lines.push(format!(
            "  undone: {}",
            if status.state == "stuck" { all(&undone) } else { names(undone.into_iter()) }
        ));
    }
    if !failed.is_empty() {
        lines.push(paint.tone(Tone::Bad, &format!("  not undone, its rollback failed: {}", all(&failed))));
    }
    if !left.is_empty() {
        lines.push(paint.tone(Tone::Bad, &format!("  not undone, not tried: {}", all(&left))));
    }
    if !status.irreversible.is_empty() {
        let steps: Vec<&str> = status.irreversible.iter().map(String::as_str).collect();
        lines.push(paint.tone(Tone::Bad, &format!("  cannot be undone, and took effect: {}", all(&steps))));
    }
    lines
}

/// What a person may want next.
fn next(status: &Status, hints: &Hints) -> Vec<String> {
    let mut lines = vec![];
    let failed_log = |step: &&StepStatus| {
        let ended_badly = step.state == "failed" || step.undo.as_deref() == Some("failed");
        ended_badly && !step.is_block && step.attempts > 0
    };
    if let Some(step) = status.steps.iter().find(failed_log) {
        lines.push(format!("hint: {}", hints.command("logs", &step.id)));
    }
    lines.push(format!("hint: {}", hints.command("show", "")));
    if status.state == "stuck" {
        lines.push(format!("hint: {}  # the rollback goes on", hints.command("retry", "--reason TEXT")));
        if let Some(step) = status.steps.iter().find(|step| step.undo.as_deref() == Some("failed")) {
            let rest = format!("{} --reason TEXT", step.id);
            lines.push(format!("hint: {}  # you undid it by hand", hints.command("mark-done", &rest)));
        }
    } else if status.verbs.iter().any(|verb| matches!(verb, Verb::Retry { step: None, .. })) {
        lines.push(format!("hint: {}", hints.command("retry", "--reason TEXT")));
    }
    if status.ended_at.is_some() {
        lines.push(format!("hint: {}", hints.command("report", "")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use runbook_core::units::RunId;
    use runbook_runtime::folder::StateFolder;

    fn lines(status: &Status) -> String {
        let folder = tempfile::tempdir().unwrap();
        let run = StateFolder::new(folder.path()).create_run(&RunId::new(&*status.run)).unwrap();
        std::fs::write(run.log("contain.1", "err"), "first\nno such unit\n").unwrap();
        let lines = summary(status, &run, &Hints::plain("01ARZ3NDEK"), Paint::PLAIN).join("\n");
        lines.replace(&folder.path().display().to_string(), "STATE")
    }

    #[test]
    fn a_failure_says_why_with_its_log_and_what_cannot_be_undone() {
        insta::assert_snapshot!(lines(&samples::rolled_back()), @r"

        ✗ failed  p0-response after 1m 03s: 2 succeeded, 1 failed, 1 not started
          why: step `contain` failed: exit code 3
          ✗ `contain` failed: exit code 3
              │ first
              │ no such unit
              log: STATE/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/logs/contain.1.err
          undone: `open_incident`
          cannot be undone, and took effect: `notify`
        hint: runbook logs 01ARZ3NDEK contain
        hint: runbook show 01ARZ3NDEK
        hint: runbook report 01ARZ3NDEK
        ");
    }

    #[test]
    fn a_stuck_run_lists_exactly_what_is_and_is_not_undone() {
        let text = lines(&samples::stuck());
        for part in [
            "✗ stuck",
            "✗ `open_incident` was not undone: exit code 1",
            "undone: `notify`",
            "not undone, its rollback failed: `open_incident`",
            "not undone, not tried: `acknowledge`",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn success_is_short() {
        let mut status = samples::run("succeeded", vec![samples::step("a", "succeeded")]);
        status.ended_at = Some(samples::NOW);
        insta::assert_snapshot!(lines(&status), @r"

        ✓ succeeded  p0-response after 1m 03s: 1 succeeded
        hint: runbook show 01ARZ3NDEK
        hint: runbook report 01ARZ3NDEK
        ");
    }
}
