//! Child runs after their end, with the real binary: rolled back with their parent, gone on with, and held.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::processes::Process;
use crate::kit::{Home, end_of, wait_for};

/// A run with a child run that has one of its own; each of them can be undone.
fn home(last: &str) -> Home {
    let home = Home::new();
    home.write(
        "outer.yaml",
        &format!(
            "schema: runbook/v1\nid: outer\ntitle: Outer\non_failure: rollback\nsteps:\n  \
             - {{id: before, run: echo before >> lines, rollback: {{run: echo undo-before >> lines}}}}\n  \
             - {{id: inner, runbook: ./middle.yaml}}\n  - {{id: last, run: '{last}'}}\n"
        ),
    );
    home.write(
        "middle.yaml",
        "schema: runbook/v1\nid: middle\ntitle: Middle\nsteps:\n  \
         - {id: begin, run: echo begin >> lines, rollback: {run: echo undo-begin >> lines}}\n  \
         - {id: inner, runbook: ./inner.yaml}\n",
    );
    home.write(
        "inner.yaml",
        "schema: runbook/v1\nid: inner\ntitle: Inner\nsteps:\n  - id: make\n    run: echo make >> lines\n    \
         rollback: {run: './undo-make', on_interrupt: fail}\n",
    );
    undo_make(&home, "");
    home
}

/// What undoes the innermost step, besides saying so.
fn undo_make(home: &Home, then: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    home.write("undo-make", &format!("#!/bin/sh\necho undo-make >> lines\n{then}\n"));
    std::fs::set_permissions(home.path().join("undo-make"), std::fs::Permissions::from_mode(0o755)).expect("a script");
}

/// The runs of a home by their runbook, as their snapshots say.
fn runs(home: &Home) -> BTreeMap<String, Value> {
    let folders = std::fs::read_dir(home.path().join("state/runs")).into_iter().flatten().flatten();
    let status = |entry: std::fs::DirEntry| -> Option<Value> {
        serde_json::from_slice(&std::fs::read(entry.path().join("status.json")).ok()?).ok()
    };
    folders.filter_map(status).map(|status| (status["runbook"].as_str().expect("an id").to_owned(), status)).collect()
}

fn states(home: &Home) -> Vec<String> {
    let state = |(runbook, status): (String, Value)| format!("{runbook} {}", status["state"].as_str().expect("a word"));
    runs(home).into_iter().map(state).collect()
}

fn id(home: &Home, runbook: &str) -> String {
    runs(home)[runbook]["run"].as_str().expect("an id").to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the program; its exit code must be this.
fn told(home: &Home, args: &[&str], code: i32) -> String {
    let output = home.run(args);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

const UNDONE: [&str; 6] = ["before", "begin", "make", "undo-make", "undo-begin", "undo-before"];
const ALL_ROLLED_BACK: [&str; 3] = ["inner rolled_back", "middle rolled_back", "outer rolled_back"];

#[test]
fn child_runs_are_rolled_back_with_the_run_that_started_them() {
    let home = home("exit 3");
    let plan = told(&home, &["plan", "outer.yaml"], 0);
    assert!(plan.contains("undo     rolls back its child run"), "{plan}");
    told(&home, &["exec", "outer.yaml"], 2);
    assert_eq!(home.lines("lines"), UNDONE);
    assert_eq!(states(&home), ALL_ROLLED_BACK);
    let shown = told(&home, &["show", &id(&home, "middle")], 0);
    assert!(shown.contains(&format!("step `inner` of run {} is undone", id(&home, "outer"))), "{shown}");
    told(&home, &["verify", &id(&home, "inner")], 0);
    home.wait_until_nothing_is_left();
}

#[test]
fn a_person_rolls_back_a_run_that_has_ended_with_its_child_runs() {
    let home = home("echo last >> lines");
    told(&home, &["exec", "outer.yaml"], 0);
    // One of them was rolled back by hand: that counts.
    told(&home, &["rollback", &id(&home, "inner"), "--reason", "by hand"], 2);
    told(&home, &["rollback", "last", "--reason", "not wanted"], 2);
    assert_eq!(home.lines("lines"), ["before", "begin", "make", "last", "undo-make", "undo-begin", "undo-before"]);
    assert_eq!(states(&home), ALL_ROLLED_BACK);
    let shown = told(&home, &["show", &id(&home, "middle")], 0);
    assert!(shown.contains("said `rollback`: not wanted"), "{shown}");
}

#[test]
fn a_child_run_that_cannot_be_rolled_back_makes_all_around_it_stuck_until_it_is() {
    for by_hand in [false, true] {
        let home = home("exit 3");
        undo_make(&home, "exit 1");
        let said = told(&home, &["exec", "outer.yaml"], 5);
        assert_eq!(states(&home), ["inner stuck", "middle stuck", "outer stuck"]);
        assert!(said.contains(&format!("the child run {} is stuck", id(&home, "middle"))), "{said}");
        assert!(said.contains("the rollback goes on"), "{said}");
        undo_make(&home, "");
        if by_hand {
            told(&home, &["retry", &id(&home, "inner"), "--reason", "mended"], 2);
        }
        told(&home, &["retry", "last", "--reason", "mended"], 2);
        let again = ["before", "begin", "make", "undo-make", "undo-make", "undo-begin", "undo-before"];
        assert_eq!(
            (states(&home), home.lines("lines")),
            (ALL_ROLLED_BACK.map(str::to_owned).into(), again.map(str::to_owned).into())
        );
    }
}

fn engines_of_children(home: &Home) -> Vec<Process> {
    home.processes().into_iter().filter(|one| one.command.contains("__child")).collect()
}

#[test]
fn engines_killed_in_the_rollback_of_a_child_run_repeat_nothing() {
    for round in 0..4 {
        let home = home("exit 3");
        undo_make(&home, "while test ! -e go; do sleep 0.02; done");
        let mut engine = home.start(&["exec", "outer.yaml"]);
        wait_for("the undo", || home.lines("lines").contains(&"undo-make".to_owned()).then_some(()));
        // The engine of the parent, those of the child runs, all of them; then also the supervisors, but the command lives.
        if round != 1 {
            engine.kill().expect("a kill");
            engine.wait().expect("an end");
        }
        if round != 0 {
            engines_of_children(&home).iter().for_each(|one| one.send(Signal::KILL));
        }
        let go = || home.write("go", "");
        if round == 3 {
            go();
        }
        if round != 1 {
            engine = home.start(&["resume", "last"]);
        }
        go();
        assert_eq!(end_of(&mut engine), Some(2), "round {round}");
        assert_eq!(home.lines("lines"), UNDONE, "round {round}");
        assert_eq!((states(&home), runs(&home).len()), (ALL_ROLLED_BACK.map(str::to_owned).into(), 3), "round {round}");
        home.wait_until_nothing_is_left();
    }
}

#[test]
fn a_retry_goes_on_with_the_child_runs_that_failed() {
    let home = Home::new();
    home.write(
        "outer.yaml",
        "schema: runbook/v1\nid: outer\ntitle: Outer\nsteps:\n  - {id: inner, runbook: ./middle.yaml}\n  \
         - {id: end, run: echo end >> lines}\n",
    );
    home.write(
        "middle.yaml",
        "schema: runbook/v1\nid: middle\ntitle: Middle\nsteps:\n  - {id: begin, run: echo begin >> lines}\n  \
         - {id: inner, runbook: ./inner.yaml}\n",
    );
    home.write(
        "inner.yaml",
        "schema: runbook/v1\nid: inner\ntitle: Inner\nsteps:\n  - {id: once, run: echo once >> lines}\n  \
         - {id: twice, run: echo twice >> lines; test -e good}\n",
    );
    told(&home, &["exec", "outer.yaml"], 1);
    // It fails again, and is asked again.
    told(&home, &["retry", "last", "inner", "--reason", "perhaps"], 1);
    home.write("good", "");
    told(&home, &["retry", "last", "inner", "--reason", "mended now"], 0);
    assert_eq!(home.lines("lines"), ["begin", "once", "twice", "twice", "twice", "end"]);
    assert_eq!(states(&home), ["inner succeeded", "middle succeeded", "outer succeeded"]);
    assert_eq!(home.run(&["runs", "--output", "json"]).status.code(), Some(0));
    assert_eq!(std::fs::read_dir(home.path().join("state/runs")).expect("runs").count(), 3, "no other child run");
    for run in ["middle", "inner"] {
        let shown = told(&home, &["show", &id(&home, run)], 0);
        assert!(shown.contains("starts over") && shown.contains("said `retry`"), "{shown}");
        assert!(shown.contains("mended now"), "{shown}");
    }
    home.wait_until_nothing_is_left();
}

#[test]
fn a_pause_holds_child_runs_and_its_end_lets_them_go_on() {
    let home = Home::new();
    home.write(
        "outer.yaml",
        "schema: runbook/v1\nid: outer\ntitle: Outer\nsteps:\n  - {id: inner, runbook: ./inner.yaml}\n",
    );
    home.write(
        "inner.yaml",
        "schema: runbook/v1\nid: inner\ntitle: Inner\nsteps:\n  \
         - {id: wait, run: 'echo wait >> lines; while test ! -e go; do sleep 0.02; done'}\n  \
         - {id: next, run: echo next >> lines}\n",
    );
    let paused = |word: &str| wait_for(word, || (runs(&home)["inner"]["state"] == word).then_some(()));
    let mut engine = home.start(&["exec", "outer.yaml"]);
    wait_for("the child run", || (!home.lines("lines").is_empty()).then_some(()));
    told(&home, &["pause", "last", "--reason", "the market opens"], 0);
    wait_for("a pause", || runs(&home)["inner"]["paused_by"].is_string().then_some(()));
    home.write("go", "");
    paused("paused");
    wait_for("the end of the command", || (runs(&home)["inner"]["steps"][0]["state"] == "succeeded").then_some(()));
    assert_eq!(home.lines("lines"), ["wait"]);
    told(&home, &["continue", "last", "--reason", "it is closed"], 0);
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["wait", "next"]);
    let shown = told(&home, &["show", &id(&home, "inner")], 0);
    assert!(shown.contains("the market opens") && shown.contains("it is closed"), "{shown}");
    home.wait_until_nothing_is_left();
}
