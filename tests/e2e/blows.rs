//! Engine, supervisor and commands, all killed at once at any moment: who lost what is asked about, once, and nothing else is.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::kit::chance::Chance;
use crate::kit::processes::Role;
use crate::kit::{Home, end_of, wait_for};

const BLOWS: usize = 50;
/// So many steps in a chain, then so many side by side, then as many in a chain again.
const PART: usize = 4;
/// The longest that a step of these runs takes before its line, and after it, in milliseconds.
const STEP_MS: u64 = 30;

/// The twelve steps of a run, none of which may run twice: each adds its own line.
fn appending(chance: &mut Chance) -> String {
    let mut step = |number: usize, indent: &str| {
        let (before, after) = (chance.below(STEP_MS), chance.below(STEP_MS));
        format!("{indent}- {{id: s{number}, run: sleep 0.{before:03}; echo s{number} >> lines; sleep 0.{after:03}}}\n")
    };
    let mut text = "schema: runbook/v1\nid: blow\ntitle: Blow\nsteps:\n".to_owned();
    (0..PART).for_each(|number| text.push_str(&step(number, "  ")));
    text.push_str("  - id: wide\n    parallel: true\n    steps:\n");
    (PART..2 * PART).for_each(|number| text.push_str(&step(number, "      ")));
    (2 * PART..3 * PART).for_each(|number| text.push_str(&step(number, "  ")));
    text
}

/// The attempts that were started and left no status, as the supervisor's own files tell. A file without a line is of one that
/// the supervisor had not begun to start: it was killed between making the file and its first line.
fn without_status(home: &Home) -> BTreeSet<String> {
    let folder = home.run_folder().expect("a run").join("attempts");
    let lost = |path: std::path::PathBuf| {
        let key = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.to_owned();
        let text = std::fs::read_to_string(&path).ok()?;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let has_ended = lines.iter().any(|line| line["phase"].get("ended").is_some());
        (!lines.is_empty() && !has_ended).then_some(key)
    };
    std::fs::read_dir(folder).expect("a folder").flatten().filter_map(|entry| lost(entry.path())).collect()
}

/// The attempts that are asked about; a question for each, and no other ones.
fn asked(home: &Home) -> BTreeSet<String> {
    let status = home.status();
    let questions = status["questions"].as_array().expect("questions");
    assert!(questions.iter().all(|question| question["kind"] == "interrupted"), "{questions:#?}");
    let attempts = questions.iter().map(|question| question["attempt"].as_str().expect("an attempt").to_owned());
    let attempts: BTreeSet<String> = attempts.collect();
    assert_eq!(attempts.len(), questions.len(), "one question for each: {questions:#?}");
    attempts
}

/// Says of each attempt what became of it, as the file tells that it writes to.
fn answer(home: &Home, attempts: &BTreeSet<String>) {
    let lines = home.lines("lines");
    for attempt in attempts {
        let step = attempt.split('.').next().expect("a step");
        let what = if lines.iter().any(|line| line == step) { "--took-effect" } else { "--run-again" };
        let output = home.run(&["answer", "last", step, what]);
        assert_eq!(output.status.code(), Some(0), "{step} {what}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn when_all_is_killed_at_any_moment_only_what_left_no_status_is_asked_about() {
    let mut chance = Chance::new();
    let (mut blows, mut questions) = (0, 0);
    let wanted: BTreeSet<String> = (0..3 * PART).map(|number| format!("s{number}")).collect();
    while blows < BLOWS {
        let home = Home::new();
        home.write("r.yaml", &appending(&mut chance));
        let mut engine = home.start(&["exec", "r.yaml"]);
        wait_for("the run", || home.run_folder().filter(|run| run.join("status.json").exists()));
        let mut answered = BTreeSet::new();
        while blows < BLOWS {
            // Another moment each time: after a line more or a few, and a part of a step.
            let at = home.lines("lines").len() + usize::try_from(chance.below(4)).expect("a small number");
            let is_over = wait_for("progress", || {
                let is_over = engine.try_wait().expect("a child").is_some();
                (is_over || home.lines("lines").len() >= at).then_some(is_over)
            });
            if is_over {
                break;
            }
            std::thread::sleep(Duration::from_micros(chance.below(2 * STEP_MS * 1000)));
            let running = home.strike();
            engine.wait().expect("an end");
            blows += 1;

            let lost: BTreeSet<String> = without_status(&home).difference(&answered).cloned().collect();
            assert!(running.is_subset(&lost), "ran: {running:?}, left no status: {lost:?}");
            let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
            let expected = if lost.is_empty() { 0 } else { 6 };
            assert_eq!(outcome.status.code(), Some(expected), "{lost:?} {}", String::from_utf8_lossy(&outcome.stderr));
            assert_eq!(asked(&home), lost);
            answer(&home, &lost);
            questions += lost.len();
            answered.extend(lost);
            engine = home.start(&["resume", "last"]);
        }
        end_of(&mut engine);
        let outcome = home.run(&["resume", "last"]);
        assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
        let lines = home.lines("lines");
        assert_eq!(lines.iter().cloned().collect::<BTreeSet<_>>(), wanted);
        assert_eq!(lines.len(), wanted.len(), "nothing is repeated: {lines:?}");
        assert_eq!(home.status()["state"], "succeeded");
    }
    // Chance and the machine decide how many: half of them where it has nothing else to do.
    assert!(questions >= BLOWS / 5, "too few blows hit a command: {questions} questions after {blows} blows");
}

#[test]
fn what_is_answered_as_not_done_fails_and_what_is_run_again_counts_once() {
    let home = Home::new();
    home.write(
        "r.yaml",
        "schema: runbook/v1\nid: blow\ntitle: Blow\nparallel: true\nsteps:\n  \
         - {id: never, run: 'sleep 300; echo never >> lines'}\n  \
         - {id: again, run: 'if [ -e go ]; then echo again >> lines; else sleep 300; fi'}\n  \
         - {id: after, needs: [never], run: echo after >> lines}\n",
    );
    let mut engine = home.start(&["exec", "r.yaml"]);
    home.wait_for_processes("sleep 300", 2);
    let running = home.strike();
    engine.wait().expect("an end");
    assert_eq!(running, ["again.1", "never.1"].map(str::to_owned).into());
    assert_eq!(home.run(&["resume", "last", "--exit-when-waiting"]).status.code(), Some(6));
    assert_eq!(asked(&home), running);
    home.write("go", "");
    assert_eq!(home.run(&["answer", "last", "never", "--did-not"]).status.code(), Some(0));
    assert_eq!(home.run(&["answer", "last", "again", "--run-again"]).status.code(), Some(0));
    let outcome = home.run(&["resume", "last"]);
    assert_eq!(outcome.status.code(), Some(1), "{}", String::from_utf8_lossy(&outcome.stderr));
    let status = home.status();
    let state = |step: usize| status["steps"][step]["state"].as_str().expect("a state").to_owned();
    assert_eq!([state(0), state(1), state(2)], ["failed", "succeeded", "blocked"]);
    assert_eq!(home.lines("lines"), ["again"]);
    assert!(home.processes().iter().all(|process| !matches!(process.role, Role::Command(_))));
}
