//! A run that waits for a person, and what happens around it meanwhile.

use crate::kit::{Home, end_of, wait_for};

const GATED: &str = "schema: runbook/v1\nid: gate\ntitle: Gate\nsteps:\n  \
     - {id: open, run: echo as planned >> lines, approval: {from: [anyone]}}\n  \
     - {id: close, run: echo and after >> lines}\n";

/// A run that waits for the approval of `open`.
fn waiting(home: &Home) -> std::process::Child {
    home.write("gate.yaml", GATED);
    let engine = home.start(&["exec", "gate.yaml"]);
    wait_for("the run", || home.run_folder().filter(|run| run.join("status.json").exists()));
    wait_for("the question", || (home.status()["questions"][0]["step"] == "open").then_some(()));
    engine
}

#[test]
fn a_run_keeps_its_plan_when_the_file_changes_or_goes() {
    for change in ["edited", "deleted"] {
        let home = Home::new();
        let mut engine = waiting(&home);
        match change {
            "edited" => home.write("gate.yaml", &GATED.replace("as planned", "something else")),
            _ => std::fs::remove_file(home.path().join("gate.yaml")).expect("it is there"),
        }
        assert_eq!(home.run(&["approve", "last"]).status.code(), Some(0), "{change}");
        assert_eq!(end_of(&mut engine), Some(0), "{change}");
        assert_eq!(home.lines("lines"), ["as planned", "and after"], "{change}");
    }
}

#[test]
fn a_run_keeps_its_plan_also_when_another_engine_takes_it() {
    let home = Home::new();
    let mut engine = waiting(&home);
    engine.kill().expect("it lives");
    engine.wait().expect("a child");
    home.write("gate.yaml", "not even YAML: [");
    assert_eq!(home.run(&["approve", "last", "open"]).status.code(), Some(0));
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(0));
    assert_eq!(home.lines("lines"), ["as planned", "and after"]);
}

#[test]
fn approving_twice_is_harmless_and_approving_what_is_over_is_refused() {
    let home = Home::new();
    let mut engine = waiting(&home);
    engine.kill().expect("it lives");
    engine.wait().expect("a child");
    // The engine is down, so nobody has read the first answer when the second is given.
    assert_eq!(home.run(&["approve", "last", "open"]).status.code(), Some(0));
    let second = home.run(&["approve", "last", "open"]);
    assert!(String::from_utf8_lossy(&second.stderr).contains("runbook resume"), "it says how to go on");
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(0));
    assert_eq!(home.lines("lines"), ["as planned", "and after"]);

    let late = home.run(&["approve", "last", "open"]);
    let told = String::from_utf8_lossy(&late.stderr).into_owned();
    assert_ne!(late.status.code(), Some(0), "{told}");
    assert!(told.contains("succeeded"), "it says what became of it: {told}");
}
