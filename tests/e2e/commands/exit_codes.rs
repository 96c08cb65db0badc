//! Each exit code, reached by a run or a command that ends so.

use std::process::Child;

use super::{assert_seen, one_step, seen};
use crate::kit::{Home, wait_for};

fn code_of(home: &Home, args: &[&str]) -> i32 {
    let output = home.run(args);
    output.status.code().unwrap_or_else(|| panic!("{args:?}: {output:?}"))
}

/// A step that succeeded, can be undone in a way, and is followed by one that fails.
fn failing(undo: &str) -> String {
    format!(
        "schema: runbook/v1\nid: failing\ntitle: It fails\non_failure: rollback\nsteps:\n  - id: first\n    run: ':'\n    \
         rollback: {{run: '{undo}'}}\n  - id: second\n    run: exit 7\n"
    )
}

const ASKS: &str = "approval: {from: [anyone]}\n    run: ':'";

#[test]
fn the_end_of_a_run_is_its_exit_code() {
    let home = Home::new();
    home.write("good.yaml", &one_step("good", "run: ':'"));
    home.write("bad.yaml", &one_step("bad", "run: exit 3"));
    home.write("undone.yaml", &failing("true"));
    home.write("stuck.yaml", &failing("false"));
    for (file, code) in [("good.yaml", 0), ("bad.yaml", 1), ("undone.yaml", 2), ("stuck.yaml", 5)] {
        assert_eq!(code_of(&home, &["exec", file]), code, "{file}");
        assert_eq!(code_of(&home, &["resume", "last"]), code, "a run that has ended keeps its code: {file}");
    }
}

#[test]
fn what_cannot_start_says_why_by_its_code() {
    let home = Home::new();
    home.write("invalid.yaml", &one_step("invalid", "rnu: ':'"));
    home.write(
        "needs.yaml",
        &one_step("needs", "run: ':'").replace("steps:", "params: {x: {type: string, required: true}}\nsteps:"),
    );
    home.write("locked.yaml", &one_step("locked", "approval: {from: [nobody_at_all]}\n    run: ':'"));
    let secret = "secrets: {key: {env: NO_SUCH_VARIABLE}}\nenv: {KEY: {secret: key}}\nsteps:";
    home.write("secret.yaml", &one_step("secret", "run: ':'").replace("steps:", secret));
    for (args, code) in [
        (&["exec", "invalid.yaml"][..], 3),
        (&["exec", "needs.yaml"], 4),
        (&["exec", "locked.yaml"], 4),
        (&["exec", "secret.yaml"], 4),
        (&["exec", "needs.yaml", "-p", "x"], 64),
        (&["exec", "needs.yaml", "-p", "x=1", "-p", "x=2"], 64),
        (&["exec", "nowhere.yaml"], 64),
        (&["exec", "nothing"], 64),
        (&["exec", "needs.yaml", "-p", "x=1", "--env", "nowhere"], 64),
        (&["status", "last", "--state", "elsewhere"], 64),
        (&["runs", "--state", "invalid.yaml"], 4),
    ] {
        assert_eq!(code_of(&home, args), code, "{args:?}");
    }
}

#[test]
fn a_question_that_is_left_rejected_or_cancelled() {
    let home = Home::new();
    home.write("asks.yaml", &one_step("asks", ASKS));
    assert_eq!(code_of(&home, &["exec", "asks.yaml", "--exit-when-waiting"]), 6);
    assert_eq!(code_of(&home, &["reject", "last"]), 0, "the answer is stored");
    assert_eq!(code_of(&home, &["resume", "last"]), 7);
    home.write("expires.yaml", &one_step("expires", "approval: {from: [anyone], timeout: 1ms}\n    run: ':'"));
    assert_eq!(code_of(&home, &["exec", "expires.yaml"]), 7);
    assert_eq!(code_of(&home, &["exec", "asks.yaml", "--exit-when-waiting"]), 6);
    assert_eq!(code_of(&home, &["cancel", "last"]), 10, "without an engine, `cancel` is it");
    assert_eq!(code_of(&home, &["resume", "last"]), 10);
}

/// Ends what was started, whatever becomes of the test.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_run_has_one_engine() {
    let home = Home::new();
    home.write("asks.yaml", &one_step("asks", ASKS));
    let mut engine = Started(home.start(&["exec", "asks.yaml"]));
    wait_for("the question", || {
        let output = home.run(&["status", "last", "--output", "json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        status["questions"].get(0).map(drop)
    });
    assert_seen!(seen(&home, &["resume", "last"]), @r"
        exit code: 8
        --- stderr
        error: an engine has this run already
        hint: `runbook attach [RUN]` shows it
        ");
    assert_eq!(code_of(&home, &["approve", "last"]), 0);
    assert_eq!(engine.0.wait().expect("it ends").code(), Some(0));
}
