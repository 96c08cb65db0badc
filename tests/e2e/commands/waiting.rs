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

#[test]
fn of_two_answers_at_once_exactly_one_counts_and_the_other_is_told_so() {
    let home = Home::new();
    let mut engine = waiting(&home);
    let pid = rustix::process::Pid::from_raw(i32::try_from(engine.id()).expect("a pid")).expect("a pid");
    let signal = |signal| rustix::process::kill_process(pid, signal).expect("it lives");
    signal(rustix::process::Signal::STOP);
    let mut people: Vec<_> =
        [&["approve", "last"][..], &["reject", "last", "--reason", "no"]].iter().map(|args| home.start(args)).collect();
    let inbox = home.run_folder().expect("a run").join("inbox");
    let messages = || {
        let files = std::fs::read_dir(&inbox).expect("the inbox").flatten().map(|entry| entry.path());
        files.filter(|file| file.extension().is_some_and(|it| it == "json")).collect::<Vec<_>>()
    };
    let stored = wait_for("an answer", || messages().first().cloned());
    // One that was given at the same moment, by somebody who looked before the first was there.
    let text = std::fs::read_to_string(&stored).expect("a message");
    let other = text.replace("\"approve\"", "\"reject\"");
    let other = if other == text { text.replace("\"reject\"", "\"approve\"") } else { other };
    let beside = stored.with_file_name("zzz.json");
    std::fs::write(beside.with_extension("new"), other).expect("written");
    std::fs::set_permissions(beside.with_extension("new"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("its");
    std::fs::rename(beside.with_extension("new"), &beside).expect("put");
    signal(rustix::process::Signal::CONT);
    let codes: Vec<Option<i32>> = people.iter_mut().map(end_of).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    let is_approved = codes[0] == Some(0);
    assert_eq!(end_of(&mut engine), Some(if is_approved { 0 } else { 7 }), "{codes:?}");
    assert!(beside.with_extension("late").exists() && messages().is_empty(), "the other one is put aside");
    assert_eq!(home.lines("lines").len(), if is_approved { 2 } else { 0 });
}
