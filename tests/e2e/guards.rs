//! Guards: a probe that watches while the steps go on.

use crate::kit::{Home, end_of, kill, wait_for};

/// A step that waits for a file, watched by a guard that trips when there is a file `bad`.
fn book(on_failure: &str, on_trip: &str) -> String {
    format!(
        "schema: runbook/v1
id: watched
title: Watched
on_failure: {on_failure}
cancel_grace: 100ms
steps:
  - {{id: before, run: echo before >> done, rollback: {{run: echo undone >> done}}}}
  - id: a
    run: |
      echo $$ > pid
      while ! [ -e go ]; do sleep 0.01; done
    on_interrupt: rerun
  - {{id: b, run: echo b >> done}}
guards:
  - {{id: errors, run: 'echo look >> looks; ! [ -e bad ]', every: 1s, trip_if: exit_code != 0, on_trip: {on_trip}}}
always:
  - {{id: z, run: echo z >> done}}
"
    )
}

fn looks(home: &Home) -> usize {
    home.lines("looks").len()
}

#[test]
fn it_looks_until_the_steps_are_over_and_its_looks_are_in_the_record() {
    let home = Home::new();
    home.write("r.yaml", &book("stop", "stop"));
    let plan = home.run(&["plan", "r.yaml"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    for part in ["guards, beside the steps", "exit_code != 0, asked every 1s: the run is stopped"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("two looks", || (looks(&home) >= 2).then_some(()));
    home.write("go", "");
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("done"), ["before", "b", "z"]);
    let status = home.status();
    let guard = status["steps"].as_array().and_then(|steps| steps.iter().find(|step| step["id"] == "errors").cloned());
    assert_eq!(guard.map(|guard| guard["state"].clone()), Some("succeeded".into()));
    home.wait_until_nothing_is_left();
}

#[test]
fn when_it_trips_what_runs_is_ended_and_the_run_fails_because_of_it() {
    let home = Home::new();
    home.write("r.yaml", &book("stop", "stop"));
    let output = std::thread::scope(|scope| {
        let run = scope.spawn(|| home.run(&["exec", "r.yaml", "--output", "plain"]));
        wait_for("a look", || (looks(&home) > 0 && home.path().join("pid").exists()).then_some(()));
        home.write("bad", "");
        run.join().expect("it ends")
    });
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let tripped = "the guard errors tripped: `exit_code != 0` holds (exit code 1); the run is stopped";
    for part in [tripped, "✗ failed", "why: the guard `errors` tripped: `exit_code != 0` holds (exit code 1)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(home.lines("done"), ["before", "z"], "nothing is undone, and `always` runs");
    let report = home.run(&["report", "last"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("the guard `errors` tripped"), "{report}");
    home.wait_until_nothing_is_left();
}

#[test]
fn rollback_undoes_what_was_done_whatever_on_failure_says() {
    let home = Home::new();
    home.write("r.yaml", &book("stop", "rollback"));
    home.write("bad", "");
    let mut engine = home.start(&["exec", "r.yaml"]);
    assert_eq!(end_of(&mut engine), Some(2));
    let done = home.lines("done");
    assert!(done.ends_with(&["z".to_owned()]) && !done.contains(&"b".to_owned()), "{done:?}");
    assert_eq!(done.contains(&"before".to_owned()), done.contains(&"undone".to_owned()), "{done:?}");
}

#[test]
fn after_a_crash_it_looks_on() {
    let home = Home::new();
    home.write("r.yaml", &book("stop", "rollback"));
    let engine = home.start(&["exec", "r.yaml"]);
    wait_for("a look", || (looks(&home) > 0 && home.path().join("pid").exists()).then_some(()));
    let mut engine = engine;
    kill(engine.id() as i32);
    engine.wait().expect("it is dead");
    home.write("bad", "");
    let mut engine = home.start(&["resume", "last"]);
    assert_eq!(end_of(&mut engine), Some(2));
    assert_eq!(home.lines("done"), ["before", "undone", "z"]);
    home.wait_until_nothing_is_left();
}

#[test]
fn who_leaves_at_a_question_leaves_the_guard_too_and_it_looks_again_after_that() {
    let home = Home::new();
    let text = book("stop", "stop").replace("{id: b,", "{id: b, approval: {from: [anyone]},");
    home.write("r.yaml", &text);
    home.write("go", "");
    let output = home.run(&["exec", "r.yaml", "--exit-when-waiting"]);
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    let before = looks(&home);
    assert!(before > 0);
    assert_eq!(home.status()["state"], "waiting", "a guard that looks does not make it running");
    home.write("bad", "");
    let mut engine = home.start(&["resume", "last"]);
    assert_eq!(end_of(&mut engine), Some(1), "it looks before anybody has answered");
    assert!(looks(&home) > before);
}

#[test]
fn it_may_pause_the_run_and_says_what_it_found_and_how_to_go_on() {
    let home = Home::new();
    home.write("r.yaml", &book("stop", "pause"));
    home.write("bad", "");
    let plan = home.run(&["plan", "r.yaml"]);
    assert!(String::from_utf8_lossy(&plan.stdout).contains("exit_code != 0, asked every 1s: the run is paused"));
    let found = "`exit_code != 0` holds (exit code 1)";
    let output = std::thread::scope(|scope| {
        let run = scope.spawn(|| home.run(&["exec", "r.yaml", "--output", "plain", "--exit-when-waiting"]));
        let is_paused = || home.run_folder().is_some_and(|run| run.join("status.json").exists());
        wait_for("a pause", || (is_paused() && home.status()["state"] == "paused").then_some(()));
        // What runs goes on to its end, whenever that is.
        home.write("go", "");
        run.join().expect("it ends")
    });
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.contains(&format!("the guard errors tripped: {found}; the run is paused")), "{text}");
    assert!(!home.lines("done").contains(&"b".to_owned()), "nothing more starts");
    let status = home.status();
    assert_eq!((&status["paused_by"], &status["paused_because"]), (&"the guard `errors`".into(), &found.into()));
    let status = home.run(&["status", "last"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    for part in [&format!("paused by the guard `errors`: {found}; nothing more starts"), "runbook continue "] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let shown = home.run(&["show", "last"]);
    let status = String::from_utf8_lossy(&shown.stdout).into_owned();
    let of_guards = status.split("  guards:\n").nth(1).unwrap_or_else(|| panic!("guards are no operators: {status}"));
    assert!(of_guards.contains(&format!("paused by the guard `errors` ({found})")), "{status}");
    assert!(!status.contains("operators:"), "{status}");
    std::fs::remove_file(home.path().join("bad")).expect("a file");
    home.run(&["continue", "last", "--reason", "mended"]);
    let mut engine = home.start(&["resume", "last"]);
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("done"), ["before", "b", "z"]);
    let report = home.run(&["report", "last"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    for part in ["the guard `errors` tripped: ", "; the run is paused"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    home.wait_until_nothing_is_left();
}
