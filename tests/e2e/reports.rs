//! What is told about runs afterwards: `report`.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::kit::{Home, kill};

fn shown(home: &Home, args: &[&str], code: i32) -> (String, String) {
    let output = home.run(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out.into_owned(), err.into_owned())
}

const FAILS: &str = "schema: runbook/v1\nid: fails\ntitle: It <fails>\nseverity: P2\nsecrets: {key: {env: KEY}}\nsteps:
  - {id: good, run: 'echo x=1 >> \"$RUNBOOK_OUTPUT\"', outputs: [x]}
  - {id: bad, run: 'echo \"the key is $KEY\" >&2; exit 3', env: {KEY: {secret: key}}}
";

#[test]
fn a_run_that_failed_has_a_report_in_three_forms() {
    let home = Home::new();
    home.write("fails.yaml", FAILS);
    let exec = home.command(&["exec", "fails.yaml"]).env("KEY", "hunter2-hunter2").output().expect("a run");
    let told = String::from_utf8_lossy(&exec.stderr).into_owned();
    let last = told.trim_end().lines().last().unwrap_or_default();
    assert!(last.starts_with("hint: runbook report 01"), "{told}");

    let (markdown, _) = shown(&home, &["report", "last"], 0);
    for part in [
        "# It &lt;fails>: failed",
        "step `bad` failed: exit code 3",
        "the key is ***",
        "| `good` | `x` | `1` |",
        "### Root cause",
    ] {
        assert!(markdown.contains(part), "{part}\n{markdown}");
    }
    let (out, err) = shown(&home, &["report", "last", "--format", "html", "-o", "r.html"], 0);
    assert!(out.is_empty() && err == "written: r.html\n", "{out}{err}");
    let page = home.lines("r.html").join("\n");
    assert!(page.contains("<h1 class=\"failed\">It &lt;fails&gt;: failed</h1>"), "{page}");
    let mode = std::fs::metadata(home.path().join("r.html")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (json, _) = shown(&home, &["report", "last", "--format", "json"], 0);
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&report["schema"], &report["ending"]["exit_code"]), (&"report/v1".into(), &1.into()));
    let show: Value = serde_json::from_str(&shown(&home, &["show", "last", "--output", "json"], 0).0).expect("JSON");
    assert_eq!(report["ending"]["ended_at"], show["ended_at"]);
    for text in [&markdown, &page, &json] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_run_that_an_engine_has_is_reported_when_it_is_gone() {
    let home = Home::new();
    home.write(
        "asks.yaml",
        "schema: runbook/v1\nid: asks\ntitle: Asks\nsteps:\n  - {id: ok, approval: {from: [anyone]}, run: 'true'}\n",
    );
    let mut engine = home.start(&["exec", "asks.yaml", "--output", "plain"]);
    crate::kit::wait_for("the question", || {
        let text = std::fs::read_to_string(home.run_folder()?.join("status.json")).ok()?;
        text.contains("approve:ok").then_some(())
    });
    let (_, err) = shown(&home, &["report", "last"], 8);
    assert!(err.contains("an engine has this run") && err.contains("hint: `runbook status "), "{err}");
    kill(i32::try_from(engine.id()).expect("a pid"));
    engine.wait().expect("a child");
    let (markdown, _) = shown(&home, &["report", "last"], 0);
    assert!(markdown.contains("It is not over") && markdown.contains("approval of `ok` asked of anyone"), "{markdown}");
    shown(&home, &["cancel", "last"], 10);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let home = Home::new();
    home.write("fails.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, run: 'true'}\n");
    shown(&home, &["exec", "fails.yaml"], 0);
    let (_, err) = shown(&home, &["report", "last", "-o", "no/such/folder/r.md"], 4);
    assert!(err.starts_with("error: cannot write no/such/folder/r.md: "), "{err}");
}
