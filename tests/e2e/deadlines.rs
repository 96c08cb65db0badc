//! Deadlines: what runs beside the steps when these take too long.

use crate::kit::{Home, end_of, kill, wait_for};

/// A step that waits for a file, beside which a deadline passes.
fn book(after: &str, unless: &str, escalation: &str) -> String {
    format!(
        "schema: runbook/v1
id: slow
title: Slow
on_failure: rollback
params: {{after: {{type: duration, default: {after}}}}}
steps:
  - id: a
    run: |
      echo $$ > pid
      while ! [ -e go ]; do sleep 0.01; done
    on_interrupt: rerun
  - {{id: b, run: echo b >> done}}
deadlines:
  - id: late
    after: \"{{{{ params.after }}}}\"
    unless: {unless}
    steps:
      - {{id: escalate, run: '{escalation}', env: {{WHY: \"{{{{ 'a' if not steps.a.succeeded else 'b' }}}}\"}}}}
      - {{id: again, run: echo again >> told}}
"
    )
}

const TELL: &str = "echo late $WHY >> told";

/// The snapshot that the engine publishes.
fn published(home: &Home) -> Option<serde_json::Value> {
    let text = std::fs::read(home.run_folder()?.join("status.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

fn pid(home: &Home) -> i32 {
    wait_for("the command", || home.lines("pid").first()?.parse().ok())
}

#[test]
fn it_passes_beside_a_step_that_takes_too_long_and_is_shown_and_reported() {
    let home = Home::new();
    home.write("r.yaml", &book("300ms", "steps.a.succeeded", TELL));
    let plan = home.run(&["plan", "r.yaml"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    for part in ["deadlines, beside the steps", "{{ params.after }} after the start, unless steps.a.succeeded"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the escalation", || (home.lines("told") == ["late a", "again"]).then_some(()));
    home.write("go", "");
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!((home.lines("told").len(), home.lines("done").len()), (2, 1));
    let report = home.run(&["report", "last"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("the deadline `late` has passed"), "{report}");
}

#[test]
fn its_failure_is_loud_and_does_not_fail_the_run() {
    let home = Home::new();
    home.write("r.yaml", &book("100ms", "'false == true'", "echo nobody answers >&2; exit 7"));
    let output = std::thread::scope(|scope| {
        let run = scope.spawn(|| home.run(&["exec", "r.yaml", "--output", "plain"]));
        wait_for("its failure", || {
            let status = published(&home)?;
            let escalate = status["steps"].as_array()?.iter().find(|step| step["id"] == "escalate")?;
            (escalate["state"] == "failed").then_some(())
        });
        home.write("go", "");
        run.join().expect("it ends")
    });
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "the deadline late has passed: its steps run",
        "✓ succeeded",
        "✗ `escalate` failed: exit code 7",
        "nobody answers",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn it_passes_late_when_nobody_was_there_and_only_once() {
    let home = Home::new();
    home.write("r.yaml", &book("1s", "steps.a.succeeded", TELL));
    let mut engine = home.start(&["exec", "r.yaml"]);
    pid(&home);
    kill(engine.id() as i32);
    engine.wait().expect("it is dead");
    // It has come when the next engine takes the run.
    let started = wait_for("its start", || published(&home)?["started_at"].as_u64());
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |it| it.as_millis());
    wait_for("its time", || (now() > u128::from(started) + 1_000).then_some(()));
    assert_eq!(home.lines("told").len(), 0);
    let mut engine = home.start(&["resume", "last"]);
    wait_for("the escalation", || (home.lines("told") == ["late a", "again"]).then_some(()));
    kill(engine.id() as i32);
    engine.wait().expect("it is dead");
    let mut engine = home.start(&["resume", "last"]);
    home.write("go", "");
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("told"), ["late a", "again"]);
}
