//! The live view as text: what goes on now, in a few lines, however many steps there are.
//!
//! ```text
//! ▶ running   p0-response  P0 incident response  1m 03s
//!   ▶ running   probe    12s   attempt 2 of 3 · connection refused
//!   ? waiting   contain        waits for approval
//!   2/14 done, 1 running, 1 waiting
//! ```

use std::collections::BTreeMap;

use runbook_runtime::status::{Status, StepStatus};

use super::paint::{self, Paint, Tone};
use super::tally::Tally;
use super::text::{cut, duration, log_line, pad, visible_line};

/// The most steps that are shown at once.
const STEPS_MAX: usize = 12;
/// Of those, the most that are over.
const DONE_MAX: usize = 3;
/// The widest column of names.
const NAME_MAX: usize = 32;
/// The columns of a state with its symbol.
const STATE_WIDTH: usize = 12;

/// What a frame needs beside the snapshot.
pub(crate) struct Scene<'s> {
    /// When it is.
    pub(crate) now: u64,
    /// The size of the terminal.
    pub(crate) width: usize,
    /// Its lines.
    pub(crate) height: usize,
    /// The most attempts of each step that has more than one; empty when not known.
    pub(crate) attempts_max: &'s BTreeMap<String, u32>,
    /// The last line that an attempt wrote.
    pub(crate) last_line: &'s dyn Fn(&str) -> Option<String>,
    /// Whether Ctrl-C ends the run, rather than only this view.
    pub(crate) hosts: bool,
    /// Colours.
    pub(crate) paint: Paint,
}

/// The lines of one frame, each at most as wide as the terminal, never more than fit.
pub(crate) fn frame(status: &Status, scene: &Scene<'_>) -> Vec<String> {
    let paint = scene.paint;
    let took = duration(scene.now.saturating_sub(status.started_at));
    let title = if status.title == status.runbook { "" } else { &status.title };
    let state = paint::state(paint, &status.state, STATE_WIDTH + 2);
    let stage = if status.stage == "steps" { String::new() } else { format!("  {}", paint.dim(&status.stage)) };
    let mut lines = vec![format!("{state}{}  {title}  {took}{stage}", paint.bold(&status.runbook))];
    // The title, the counts, what Ctrl-C does, and one line for the cursor.
    let room = scene.height.saturating_sub(4).min(STEPS_MAX);
    let shown = chosen(status, room);
    let names = shown.iter().map(|(step, depth)| console::measure_text_width(&step.id) + 2 * depth).max();
    let name_width = names.unwrap_or(0).min(NAME_MAX);
    lines.extend(shown.iter().map(|(step, depth)| step_line(step, *depth, name_width, scene)));
    lines.extend(services(status, paint));
    lines.extend(locks(status, paint));
    lines.push(format!("  {}", paint.dim(&Tally::of(status).progress())));
    lines.extend(ctrl_c(status, scene).map(|text| format!("  {}", paint.tone(Tone::Asks, &text))));
    lines.iter().map(|line| cut(line, scene.width.saturating_sub(1))).collect()
}

/// The locks that the run itself waits for; those of steps are said with the steps.
fn locks(status: &Status, paint: Paint) -> Option<String> {
    let lock = status.locks.iter().find(|lock| lock.of == "run" && lock.awaited.is_some())?;
    let who = lock.holder.as_ref().map(|holder| format!(", held by {holder}")).unwrap_or_default();
    let name = lock.awaited.as_deref().unwrap_or_default();
    Some(format!("  {}", paint.tone(Tone::Asks, &visible_line(&format!("waits for the lock `{name}`{who}")))))
}

/// The steps that matter now, in the order written: those that go on or wait for somebody, that failed, and that ended last.
fn chosen(status: &Status, room: usize) -> Vec<(&StepStatus, usize)> {
    let parents: BTreeMap<&str, Option<&str>> =
        status.steps.iter().map(|step| (step.id.as_str(), step.parent.as_deref())).collect();
    let mut ranked: Vec<(u8, u64, usize)> = status
        .steps
        .iter()
        .enumerate()
        .filter_map(|(position, step)| {
            let rank = rank(step)?;
            // Of those that are over, the newest.
            let order = if rank >= 3 { u64::MAX - step.ended_at.unwrap_or(0) } else { position as u64 };
            Some((rank, order, position))
        })
        .collect();
    ranked.sort_unstable();
    let mut over = 0;
    ranked.retain(|(rank, ..)| {
        over += usize::from(*rank >= 3);
        *rank < 3 || over <= DONE_MAX
    });
    ranked.truncate(room);
    let mut positions: Vec<usize> = ranked.into_iter().map(|(_, _, position)| position).collect();
    positions.sort_unstable();
    let depth = |step: &StepStatus| {
        std::iter::successors(step.parent.as_deref(), |parent| parents.get(parent).copied().flatten()).take(8).count()
    };
    positions.into_iter().map(|position| (&status.steps[position], depth(&status.steps[position]))).collect()
}

/// How much a step matters now; less is more.
fn rank(step: &StepStatus) -> Option<u8> {
    let undoes = matches!(step.undo.as_deref(), Some("running" | "failed"));
    match step.state.as_str() {
        _ if undoes => Some(0),
        "waiting" => Some(0),
        "running" | "retrying" if !step.is_block || step.each.is_some() => Some(1),
        "failed" if !step.is_block => Some(2),
        "succeeded" | "cancelled" if !step.is_block => Some(3),
        _ => None,
    }
}

fn step_line(step: &StepStatus, depth: usize, name_width: usize, scene: &Scene<'_>) -> String {
    let paint = scene.paint;
    let (word, detail) = match step.undo.as_deref() {
        Some("running") => ("undoing", step.undo_detail.clone()),
        Some("undone") => ("undone", None),
        Some("failed") => ("failed", Some(format!("not undone: {}", step.undo_detail.as_deref().unwrap_or("failed")))),
        _ => (step.state.as_str(), step.detail.clone()),
    };
    let goes_on = matches!(word, "running" | "retrying" | "undoing" | "waiting");
    let until = if goes_on { Some(scene.now) } else { step.ended_at };
    let took = step.started_at.zip(until).map(|(from, until)| duration(until.saturating_sub(from))).unwrap_or_default();
    let mut notes = vec![];
    let of = scene.attempts_max.get(&step.id).copied();
    if word == "running" && (step.attempts > 1 || of.is_some_and(|of| of > 1)) {
        notes.push(super::line::attempt(step.attempts, of).trim_matches([' ', '(', ')']).to_owned());
    }
    notes.extend(detail.map(|detail| log_line(&detail)));
    let log = step.log.as_ref().filter(|_| word == "running");
    notes.extend(log.and_then(|log| (scene.last_line)(log)));
    notes.retain(|note| !note.is_empty());
    let name = pad(&format!("{}{}", "  ".repeat(depth), step.id), name_width);
    let state = paint::state(paint, word, STATE_WIDTH);
    format!("  {state}{name}  {}  {}", pad(&took, 7), paint.dim(&notes.join(" · ")))
}

/// Services that are not simply there.
fn services(status: &Status, paint: Paint) -> Option<String> {
    let waited: Vec<String> =
        status.services.iter().filter(|(_, state)| *state == "starting").map(|(name, _)| format!("`{name}`")).collect();
    (!waited.is_empty()).then(|| format!("  {}", paint.tone(Tone::Active, &format!("starting {}", waited.join(", ")))))
}

/// What Ctrl-C does, where that is worth a line.
fn ctrl_c(status: &Status, scene: &Scene<'_>) -> Option<String> {
    if !scene.hosts {
        return Some("Ctrl-C leaves this view; the run goes on".to_owned());
    }
    let cancel = status.cancel.as_ref()?;
    let undoes = status.stage == "rollback" || status.stage == "always";
    Some(match cancel.level {
        0 | 1 if status.stage == "rollback" => {
            "cancelled: undoing what was done · Ctrl-C again: leaves the run stuck".to_owned()
        }
        0 | 1 if undoes => "cancelled: the last steps run · Ctrl-C again: end them now".to_owned(),
        0 | 1 if cancel.term_at > scene.now => {
            let left = (cancel.term_at - scene.now).div_ceil(1000);
            format!("cancelled: what runs is told to end in {left}s · Ctrl-C again: now")
        }
        0 | 1 => "cancelled: what runs was told to end · Ctrl-C again: tell all to end now".to_owned(),
        2 => "cancelled: what runs was told to end · Ctrl-C again: kill it now".to_owned(),
        _ => "cancelled: what runs is being killed".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use runbook_runtime::looped::LoopStatus;

    use super::super::samples;
    use super::*;

    fn draw_in(status: &Status, width: usize, height: usize) -> Vec<String> {
        let attempts_max = BTreeMap::from([("probe".to_owned(), 3)]);
        let last_line = |log: &str| (log == "probe.2").then(|| "connection refused".to_owned());
        let scene = Scene {
            now: samples::NOW,
            width,
            height,
            attempts_max: &attempts_max,
            last_line: &last_line,
            hosts: true,
            paint: Paint::PLAIN,
        };
        frame(status, &scene)
    }

    fn draw(status: &Status) -> String {
        draw_in(status, 100, 40).iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_goes_on_is_shown_with_attempt_and_last_line() {
        insta::assert_snapshot!(draw(&samples::waiting()), @r"
        ▶ running     p0-response  P0 incident response  1m 03s
          ✓ succeeded assess   1.2s
          ▶ running   probe    12s      attempt 2 of 3 · connection refused
          ? waiting   contain           waits for approval
          1/4 done, 1 running, 1 waiting
        ");
    }

    #[test]
    fn steps_of_a_block_are_indented() {
        let mut status = samples::waiting();
        status.steps[1].parent = Some("assess".to_owned());
        assert!(draw(&status).contains("  ▶ running     probe"), "{}", draw(&status));
    }

    #[test]
    fn a_loop_has_one_line_and_its_items_that_run() {
        let mut steps = vec![samples::step("restart", "running")];
        steps[0].is_block = true;
        steps[0].each = Some(LoopStatus { items: 40, done: 12, failed: 1 });
        steps[0].detail = steps[0].each.map(|each| each.to_string());
        for number in 1..=40 {
            let state = if number <= 12 {
                "succeeded"
            } else if number <= 14 {
                "running"
            } else {
                "pending"
            };
            let mut step = samples::step(&format!("restart-{number}"), state);
            step.parent = Some("restart".to_owned());
            step.ended_at = (number <= 12).then_some(samples::START + number);
            steps.push(step);
        }
        let text = draw(&samples::run("running", steps));
        assert!(text.contains("restart") && text.contains("12 of 40 done, 1 failed"), "{text}");
        assert!(text.contains("restart-13") && text.contains("restart-14") && !text.contains("restart-15"), "{text}");
        assert!(text.lines().count() <= 8, "{text}");
    }

    #[test]
    fn the_next_ctrl_c_is_explained() {
        let text = |status: &Status| draw(status).lines().last().unwrap().trim().to_owned();
        assert_eq!(text(&samples::cancelling(1)), "cancelled: what runs is told to end in 8s · Ctrl-C again: now");
        assert_eq!(text(&samples::cancelling(2)), "cancelled: what runs was told to end · Ctrl-C again: kill it now");
        assert_eq!(text(&samples::cancelling(3)), "cancelled: what runs is being killed");
        let mut undoing = samples::cancelling(1);
        undoing.stage = "rollback".to_owned();
        assert!(text(&undoing).contains("leaves the run stuck"));
    }

    #[test]
    fn ten_thousand_steps_fit_and_those_that_wait_are_seen() {
        let mut steps: Vec<StepStatus> = (0..10_000)
            .map(|number| {
                let state = ["succeeded", "running", "failed", "pending"][number % 4];
                let mut step = samples::step(&format!("step_{number}"), state);
                step.ended_at = Some(number as u64);
                step
            })
            .collect();
        steps[9_999] = samples::step("asks", "waiting");
        let status = samples::run("running", steps);
        let lines = draw_in(&status, 60, 24);
        assert!(lines.len() <= STEPS_MAX + 3, "{} lines", lines.len());
        assert!(lines.iter().any(|line| line.contains("asks")), "{lines:?}");
        assert!(lines.iter().all(|line| console::measure_text_width(line) < 60), "{lines:?}");
        assert!(draw_in(&status, 20, 8).len() <= 8);
        assert!(draw_in(&status, 20, 2).len() <= 3, "a terminal of two lines still has a title and the counts");
    }
}
