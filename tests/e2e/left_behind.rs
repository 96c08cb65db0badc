//! Engine, supervisor and the main process of a command are killed, and its children live on: they are named, and whatever
//! follows, nothing runs beside them; what the command had handed back is not lost.

use crate::kit::{Home, end_of, kill, wait_for};

/// The first time, two children live on: one in the group, one in a session of its own.
const RUNBOOK: &str = r#"schema: runbook/v1
id: left
title: Left behind
steps:
  - id: a
    run: |
      if [ -e ready ]; then LOOK; exit; fi
      sleep 7100 & echo $! > one
      setsid sh -c 'echo $$ > two; exec sleep 7200' &
      echo "v=five" >> "$RUNBOOK_OUTPUT"
      while ! [ -s two ]; do sleep 0.01; done
      echo $$ > root; mv root ready
      exec sleep 7300
    outputs: [v]
  - {id: b, run: 'echo "b $V" >> lines', env: {V: "{{ steps.a.outputs.v }}"}}
"#;

fn number(home: &Home, name: &str) -> i32 {
    wait_for(name, || home.lines(name).first()?.parse().ok())
}

/// Whether a process is there and not over.
fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A run of which all but two children of its command was killed, and an engine has looked at it; those two.
fn left_behind(runbook: &str) -> (Home, [i32; 2]) {
    let home = Home::new();
    home.write("r.yaml", runbook);
    let mut engine = home.start(&["exec", "r.yaml"]);
    let root = number(&home, "ready");
    let children = ["one", "two"].map(|name| number(&home, name));
    let supervisor = home.supervisor_pid().expect("a supervisor");
    engine.kill().expect("it lives");
    kill(supervisor);
    kill(root);
    engine.wait().expect("it is over");
    wait_for("the end of all three", || (!lives(supervisor) && !lives(root)).then_some(()));
    assert!(children.into_iter().all(lives));
    assert_eq!(home.run(&["resume", "last", "--exit-when-waiting"]).status.code(), Some(6));
    assert!(children.into_iter().all(lives), "a question ends nothing");
    (home, children)
}

fn answered(home: &Home, flag: &str) {
    let output = home.run(&["answer", "last", "a", flag]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn they_are_named_and_a_cancel_leaves_none() {
    let (home, children) = left_behind(RUNBOOK);
    let message = home.status()["questions"][0]["message"].as_str().expect("a message").to_owned();
    let [one, two] = children;
    for part in [format!("{one} `sleep 7100`"), format!("{two} `sleep 7200`")] {
        assert!(message.contains(&part), "{part} is not in {message}");
    }
    assert_eq!(home.run(&["cancel", "last", "--kill"]).status.code(), Some(10));
    assert!(!children.into_iter().any(lives), "after a cancel the whole tree is gone");
}

#[test]
fn a_cancel_while_nobody_knows_yet_leaves_none() {
    let home = Home::new();
    home.write("r.yaml", RUNBOOK);
    let mut engine = home.start(&["exec", "r.yaml"]);
    let (root, children) = (number(&home, "ready"), ["one", "two"].map(|name| number(&home, name)));
    engine.kill().expect("it lives");
    kill(home.supervisor_pid().expect("a supervisor"));
    kill(root);
    end_of(&mut engine);
    assert_eq!(home.run(&["cancel", "last"]).status.code(), Some(10));
    assert!(!children.into_iter().any(lives));
}

#[test]
fn a_rerun_does_not_run_beside_them() {
    let look = r#"for p in $(cat one two); do
        if grep -qs '^State:.[^ZX]' /proc/$p/status; then echo "$p lives" >> lines; fi
      done
      echo "v=six" >> "$RUNBOOK_OUTPUT""#;
    let (home, children) = left_behind(&RUNBOOK.replace("LOOK; exit", &format!("{look}\n      exit")));
    answered(&home, "--run-again");
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(0));
    assert!(!children.into_iter().any(lives));
    assert_eq!(home.lines("lines"), ["b six"], "the second attempt saw neither of them");
}

#[test]
fn what_it_handed_back_is_read_if_it_took_effect() {
    let (home, children) = left_behind(RUNBOOK);
    answered(&home, "--took-effect");
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(0));
    assert_eq!(home.lines("lines"), ["b five"]);
    assert!(children.into_iter().all(lives), "what a step leaves running is its own affair");
    children.into_iter().for_each(kill);
}

#[test]
fn a_reader_of_what_is_not_known_says_why_it_fails() {
    let (home, children) = left_behind(&RUNBOOK.replace("v=five", "other=five"));
    let message = home.status()["questions"][0]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("what it handed back is not known: whatever reads `v` will fail"), "{message}");
    answered(&home, "--took-effect");
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(1));
    let cause = home.status()["cause"].as_str().expect("a cause").to_owned();
    assert!(cause.contains("`a` was declared to have taken effect; its outputs are not known"), "{cause}");
    children.into_iter().for_each(kill);
}
