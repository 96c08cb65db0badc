//! Blocks with `rescue` and `always`, as a person sees them.

use rustix::process::{Pid, Signal, kill_process};

use crate::kit::{Home, end_of, wait_for};

fn runbook(step: &str, rescue: &str) -> String {
    format!(
        "schema: runbook/v1
id: sections
title: Sections
on_failure: rollback
steps:
  - id: upgrade
    steps:
      - {{id: stop, run: echo stop >> lines, rollback: {{run: echo undo-stop >> lines}}}}
      - {{id: install, run: '{step}'}}
      - {{id: begin, run: echo begin >> lines}}
    rescue:
      - {{id: repair, run: '{rescue}'}}
    always:
      - {{id: unlock, run: echo unlock >> lines}}
  - {{id: after, run: echo after >> lines}}
"
    )
}

#[test]
fn a_rescue_contains_the_failure_and_always_runs() {
    let home = Home::new();
    home.write("r.yaml", &runbook("exit 3", "echo repair >> lines"));
    let output = home.run(&["exec", "r.yaml", "--output", "plain"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(home.lines("lines"), ["stop", "repair", "unlock", "after"]);
    assert!(said.contains("rescue of upgrade begins: `install` failed"), "{said}");
    let shown = home.run(&["show", "last"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("rescued: `install` failed"), "{shown}");
}

#[test]
fn a_rescue_that_fails_leads_to_the_rollback_after_always() {
    let home = Home::new();
    home.write("r.yaml", &runbook("exit 3", "exit 4"));
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.lines("lines"), ["stop", "unlock", "undo-stop"]);
}

#[test]
fn ctrl_c_lets_always_run_before_the_rollback() {
    let home = Home::new();
    home.write(
        "r.yaml",
        &runbook("echo install >> lines; exec sleep 300", "true").replace("on_failure", "cancel_grace: 0s\non_failure"),
    );
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the step", || (home.lines("lines").len() == 2).then_some(()));
    kill_process(Pid::from_child(&engine), Signal::INT).expect("a signal");
    assert_eq!(end_of(&mut engine), Some(10));
    assert_eq!(home.lines("lines"), ["stop", "install", "unlock", "undo-stop"]);
}

#[test]
fn a_plan_shows_the_parts_of_a_block() {
    let home = Home::new();
    home.write("r.yaml", &runbook("true", "true"));
    let output = home.run(&["plan", "r.yaml"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    insta::assert_snapshot!(&text[text.find("├─ upgrade").expect("the steps")..]);
    let output = home.run(&["plan", "r.yaml", "--output", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let steps = plan["steps"].as_array().expect("steps");
    let sections: Vec<&str> = steps.iter().filter_map(|step| step["section"].as_str()).collect();
    assert_eq!(sections, ["steps", "steps", "steps", "steps", "rescue", "always", "steps"]);
}
