//! Locks of the machine: one run at a time, the holder named, free after any end.

use std::process::Output;

use crate::kit::{Home, end_of, kill, wait_for};

/// Holds a lock while its step waits for a file.
fn holder(lock: &str) -> String {
    format!(
        "schema: runbook/v1
id: holder
title: Holder
locks: [{lock}]
steps:
  - id: a
    run: |
      echo $$ > pid
      while ! [ -e go ]; do sleep 0.01; done
    on_interrupt: rerun
"
    )
}

fn taker(lock: &str) -> String {
    format!("schema: runbook/v1\nid: taker\ntitle: Taker\nlocks: [{lock}]\nsteps:\n  - {{id: b, run: touch taken}}\n")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn pid(home: &Home) -> i32 {
    wait_for("the command", || home.lines("pid").first()?.parse().ok())
}

fn runs(home: &Home) -> usize {
    std::fs::read_dir(home.path().join("state/runs")).map_or(0, Iterator::count)
}

#[test]
fn who_does_not_wait_is_refused_before_there_is_a_run_and_the_holder_is_named() {
    let home = Home::new();
    home.write("h.yaml", &holder("db/main"));
    home.write("t.yaml", &taker("db/main"));
    home.write("o.yaml", &taker("db-main"));
    let mut first = home.start(&["exec", "h.yaml"]);
    pid(&home);
    let run = home.run_folder().expect("a run").file_name().expect("its id").to_string_lossy().into_owned();
    let output = home.run(&["exec", "t.yaml"]);
    let text = said(&output);
    assert_eq!(code(&output), Some(8), "{text}");
    let me = runbook_runtime::identity::me().name;
    for part in ["the lock `db/main` is held by", &run, "of `holder`", &format!("({me})"), "runbook status", "since"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(runs(&home), 1, "no run began");
    let listed = home.run(&["locks", "--output", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!((listed[0]["lock"].as_str(), listed[0]["run"].as_str()), (Some("db/main"), Some(run.as_str())));
    assert_eq!(code(&home.run(&["exec", "o.yaml"])), Some(0), "another lock is free");
    home.write("go", "");
    assert_eq!(end_of(&mut first), Some(0));
    assert_eq!(code(&home.run(&["exec", "t.yaml"])), Some(0));
    assert!(String::from_utf8_lossy(&home.run(&["locks"]).stderr).contains("no run holds a lock"));
}

#[test]
fn who_waits_says_for_whom_and_begins_when_the_lock_is_free() {
    let home = Home::new();
    home.write("h.yaml", &holder("x"));
    home.write("t.yaml", &taker("{name: x, wait: 10m}"));
    let mut first = home.start(&["exec", "h.yaml"]);
    pid(&home);
    let mut second = home.start(&["exec", "t.yaml"]);
    wait_for("the second run", || (runs(&home) == 2).then_some(()));
    let status = wait_for("its waiting", || {
        let output = home.run(&["status", "last", "--output", "json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (status["stage"] == "waiting for a lock").then_some(status)
    });
    assert_eq!((&status["state"], &status["locks"][0]["holder"]["runbook"]), (&"waiting".into(), &"holder".into()));
    let text = String::from_utf8_lossy(&home.run(&["status", "last"]).stdout).into_owned();
    assert!(text.contains("waits for the lock `x`, held by run"), "{text}");
    assert!(!home.path().join("taken").exists());
    home.write("go", "");
    assert_eq!((end_of(&mut first), end_of(&mut second)), (Some(0), Some(0)));
    assert!(home.path().join("taken").exists());
}

#[test]
fn who_waited_long_enough_ends_with_8_and_nothing_of_it_ran() {
    let home = Home::new();
    home.write("h.yaml", &holder("x"));
    home.write("t.yaml", &format!("{}always:\n  - {{id: z, run: touch always}}\n", taker("{name: x, wait: 50ms}")));
    let mut first = home.start(&["exec", "h.yaml"]);
    pid(&home);
    let output = home.run(&["exec", "t.yaml", "--output", "plain"]);
    assert_eq!(code(&output), Some(8), "{}", said(&output));
    assert!(said(&output).contains("waits for the lock `x`, held by run"), "{}", said(&output));
    assert!(!home.path().join("taken").exists() && !home.path().join("always").exists());
    home.write("go", "");
    assert_eq!(end_of(&mut first), Some(0));
}

#[test]
fn a_killed_engine_keeps_the_lock_as_long_as_its_command_lives_and_not_longer() {
    let home = Home::new();
    home.write("h.yaml", &holder("x"));
    home.write("t.yaml", &taker("x"));
    let mut first = home.start(&["exec", "h.yaml"]);
    let command = pid(&home);
    first.kill().expect("it lives");
    first.wait().expect("it is over");
    assert_eq!(code(&home.run(&["exec", "t.yaml"])), Some(8), "its command goes on");
    kill(command);
    wait_for("a free lock", || (code(&home.run(&["exec", "t.yaml"])) == Some(0)).then_some(()));
}

#[test]
fn killed_with_all_it_started_a_run_holds_no_lock_and_takes_it_anew_when_it_is_resumed() {
    let home = Home::new();
    home.write("h.yaml", &holder("x"));
    home.write("w.yaml", &taker("x").replace("touch taken", "until test -e go2; do sleep 0.01; done"));
    let mut first = home.start(&["exec", "h.yaml"]);
    let command = pid(&home);
    let run = home.run_folder().expect("a run").file_name().expect("its id").to_string_lossy().into_owned();
    let supervisor = home.supervisor_pid().expect("a supervisor");
    [i32::try_from(first.id()).expect("a pid"), supervisor, command].into_iter().for_each(kill);
    first.wait().expect("it is over");
    wait_for("a free lock", || home.run(&["locks"]).stdout.is_empty().then_some(()));
    let mut second = home.start(&["exec", "w.yaml"]);
    wait_for("its lock", || String::from_utf8_lossy(&home.run(&["locks"]).stdout).contains("taker").then_some(()));
    let output = home.run(&["resume", &run]);
    assert_eq!(code(&output), Some(8), "{}", said(&output));
    assert!(said(&output).contains("of `taker`"), "{}", said(&output));
    home.write("go2", "");
    assert_eq!(end_of(&mut second), Some(0));
    home.write("go", "");
    assert_eq!(code(&home.run(&["resume", &run])), Some(0));
}

#[test]
fn a_run_that_was_left_at_a_question_holds_no_lock() {
    let home = Home::new();
    home.write("q.yaml", &taker("x").replace("run: touch taken", "manual: do it"));
    home.write("t.yaml", &taker("x"));
    assert_eq!(code(&home.run(&["exec", "q.yaml", "--exit-when-waiting"])), Some(6));
    assert_eq!(code(&home.run(&["exec", "t.yaml"])), Some(0));
}

#[test]
fn steps_of_two_runs_with_one_lock_do_not_run_at_once() {
    let home = Home::new();
    let step = "mkdir busy; sleep 0.05; rmdir busy";
    let book = format!(
        "schema: runbook/v1\nid: two\ntitle: Two\nparallel: true\nsteps:
  - {{id: a, run: '{step}', locks: [{{name: x, wait: 1m}}]}}
  - {{id: b, run: '{step}', locks: [{{name: x, wait: 1m}}]}}\n"
    );
    home.write("r.yaml", &book);
    let mut all: Vec<_> = (0..3).map(|_| home.start(&["exec", "r.yaml"])).collect();
    assert!(all.iter_mut().map(end_of).all(|code| code == Some(0)));
}

#[test]
fn a_step_that_does_not_get_its_lock_fails_and_says_who_has_it() {
    let home = Home::new();
    home.write("h.yaml", &holder("x"));
    home.write("s.yaml", "schema: runbook/v1\nid: s\ntitle: S\nsteps:\n  - {id: a, run: touch taken, locks: [x]}\n");
    let mut first = home.start(&["exec", "h.yaml"]);
    pid(&home);
    let output = home.run(&["exec", "s.yaml", "--output", "plain"]);
    assert_eq!(code(&output), Some(1), "{}", said(&output));
    assert!(said(&output).contains("a failed: the lock `x` is held by run"), "{}", said(&output));
    assert!(!home.path().join("taken").exists());
    home.write("go", "");
    assert_eq!(end_of(&mut first), Some(0));
}

/// Two blocks in parallel, each with a lock, which want the lock of the other one as soon as both hold theirs.
fn crossed() -> String {
    let block = |id: &str, lock: &str, other: &str, wanted: &str| {
        format!(
            "  - id: {id}
    locks: [{{name: {lock}, wait: 1m}}]
    steps:
      - {{id: {id}_holds, run: 'touch {id}; until test -e {other}; do sleep 0.01; done'}}
      - {{id: {id}_wants, run: touch {id}_has, locks: [{{name: {wanted}, wait: 10m}}], on_failure: continue}}\n"
        )
    };
    let blocks = block("one", "x", "two", "y") + &block("two", "y", "one", "x");
    format!("schema: runbook/v1\nid: c\ntitle: C\nparallel: true\nsteps:\n{blocks}")
}

#[test]
fn of_steps_that_wait_for_each_others_locks_one_gives_up_at_once_and_says_why() {
    let home = Home::new();
    home.write("c.yaml", &crossed());
    let output = home.run(&["exec", "c.yaml", "--output", "plain"]);
    let text = said(&output);
    let why = "the lock `x` can never be free: these steps wait for each other: two_wants -> one -> one_wants -> two";
    assert!(code(&output) == Some(0) && text.contains(why), "{text}");
    assert!(home.path().join("one_has").exists() && !home.path().join("two_has").exists());
}

#[test]
fn of_two_runs_that_wait_for_each_others_locks_status_names_the_other_and_the_wait_ends_it() {
    let home = Home::new();
    let book = |own: &str, lock: &str, other: &str, wanted: &str, wait: &str| {
        format!(
            "schema: runbook/v1\nid: {own}\ntitle: T\nlocks: [{lock}]\nsteps:
  - {{id: a, run: 'touch {own}; until test -e {other}; do sleep 0.01; done'}}
  - {{id: b, run: touch {own}_has, locks: [{{name: {wanted}, wait: {wait}}}]}}
  - {{id: c, run: 'touch gave_up; until test -e go; do sleep 0.01; done', if: 'failure()'}}\n"
        )
    };
    home.write("one.yaml", &book("one", "x", "two", "y", "1m"));
    home.write("two.yaml", &book("two", "y", "one", "x", "300ms"));
    let (mut one, mut two) = (home.start(&["exec", "one.yaml"]), home.start(&["exec", "two.yaml"]));
    let waits = |runbook: &str, other: &str| {
        wait_for("both names", || {
            let said = home.run(&["status", &run_of(&home, runbook)?]);
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            (text.contains("waits for the lock") && text.contains(&format!("of `{other}`"))).then_some(())
        });
    };
    waits("one", "two");
    wait_for("who gave up", || home.path().join("gave_up").exists().then_some(()));
    home.write("go", "");
    assert_eq!((end_of(&mut two), end_of(&mut one)), (Some(1), Some(0)));
    assert!(home.path().join("one_has").exists() && !home.path().join("two_has").exists());
    let shown = home.run(&["show", &run_of(&home, "two").expect("a run")]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("the lock `x` is held by run") && text.contains("of `one`"), "{text}");
}

/// The id of the run of a runbook.
fn run_of(home: &Home, runbook: &str) -> Option<String> {
    let listed: serde_json::Value = serde_json::from_slice(&home.run(&["runs", "--output", "json"]).stdout).ok()?;
    let run = listed.as_array()?.iter().find(|run| run["runbook"] == runbook)?;
    run["run"].as_str().map(str::to_owned)
}

#[test]
fn the_folder_of_locks_is_that_of_the_project() {
    let home = Home::new();
    home.write("runbook.toml", "[locks]\ndir = \"here\"\n");
    home.write("t.yaml", &taker("x"));
    let output = home.command(&["exec", "t.yaml"]).env_remove("RUNBOOK_LOCKS").output().expect("it runs");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(std::fs::read_dir(home.path().join("here")).expect("a folder").count(), 1);
}

#[test]
fn a_child_run_has_the_locks_of_the_run_and_the_step_around_it() {
    let home = Home::new();
    home.write(
        "outer.yaml",
        "schema: runbook/v1\nid: outer\ntitle: O\nlocks: [x]\nsteps:\n  - {id: a, locks: [y], runbook: ./inner.yaml}\n",
    );
    home.write(
        "inner.yaml",
        "schema: runbook/v1\nid: inner\ntitle: I\nlocks: [x, z]\nsteps:\n  - {id: b, locks: [y], run: touch taken}\n",
    );
    let output = home.run(&["exec", "outer.yaml"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert!(home.path().join("taken").exists());
}

#[test]
fn a_child_run_that_does_not_get_a_lock_fails_its_step_and_its_record_says_why() {
    let home = Home::new();
    home.write("h.yaml", &holder("x"));
    home.write("outer.yaml", "schema: runbook/v1\nid: o\ntitle: O\nsteps:\n  - {id: a, runbook: ./t.yaml}\n");
    home.write("t.yaml", &taker("x"));
    let mut first = home.start(&["exec", "h.yaml"]);
    pid(&home);
    let output = home.run(&["exec", "outer.yaml", "--output", "plain"]);
    assert_eq!(code(&output), Some(1), "{}", said(&output));
    assert!(said(&output).contains("the lock `x` was held by another run"), "{}", said(&output));
    assert!(!home.path().join("taken").exists());
    home.write("go", "");
    assert_eq!(end_of(&mut first), Some(0));
}
