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
    let verified: Value =
        serde_json::from_str(&shown(&home, &["verify", "last", "--output", "json"], 0).0).expect("JSON");
    assert_eq!(report["evidence"]["head"], verified["records"][0]["head"]);
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

/// A run that asks, approved or rejected by the answer.
fn asked(home: &Home, answer: &[&str], code: i32) {
    home.write(
        "asks.yaml",
        "schema: runbook/v1\nid: asks\ntitle: Asks\nseverity: P0\nsla: {acknowledge: 5m, resolve: 0s}\non_failure: rollback
steps:
  - {id: change, run: 'true', rollback: {run: 'true'}}
  - {id: ok, approval: {from: [anyone]}, run: 'exit $FAILS', env: {FAILS: '0'}}
  - {id: rare, if: 'false', run: 'true', rollback: {run: 'true'}}\n",
    );
    shown(home, &["exec", "asks.yaml", "--exit-when-waiting"], 6);
    shown(home, answer, 0);
    shown(home, &["resume", "last"], code);
}

fn json(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&shown(home, args, 0).0).expect("JSON")
}

fn acts(home: &Home, args: &[&str]) -> Vec<String> {
    let found = json(home, &[&["audit", "--output", "json"], args].concat());
    let one = |act: &Value| act["event"].as_str().expect("an event").to_owned();
    found["acts"].as_array().expect("a list").iter().map(one).collect()
}

#[test]
fn who_did_what_is_found_in_all_runs() {
    let home = Home::new();
    asked(&home, &["approve", "last", "--reason", "go | on"], 0);
    asked(&home, &["reject", "last", "--reason", "not now"], 7);
    shown(&home, &["exec", "asks.yaml", "--exit-when-waiting"], 6);
    shown(&home, &["cancel", "last"], 10);
    assert_eq!(acts(&home, &[]), ["started", "approved", "started", "rejected", "started", "cancelled"]);
    assert_eq!(acts(&home, &["--event", "approved", "--event", "cancelled"]), ["approved", "cancelled"]);
    assert_eq!(acts(&home, &["--since", "1h", "--runbook", "asks"]).len(), 6);
    for none in [["--since", "2999-01-01"], ["--by", "nobody-at-all"], ["--runbook", "other"]] {
        assert_eq!(acts(&home, &none), [""; 0], "{none:?}");
    }
    let found = json(&home, &["audit", "--event", "rejected", "--output", "json"]);
    assert_eq!((&found["acts"][0]["step"], &found["acts"][0]["reason"]), (&"ok".into(), &"not now".into()));
    let (table, _) = shown(&home, &["audit", "--event", "approved"], 0);
    assert!(
        table.trim_start().starts_with("WHEN") && table.contains("approved") && table.contains("go | on"),
        "{table}"
    );
    assert_eq!(home.run(&["audit", "--event", "aproved"]).status.code(), Some(64));
    assert_eq!(home.run(&["audit", "--since", "yesterday"]).status.code(), Some(64));
}

#[test]
fn a_run_that_an_engine_has_is_named_and_left_out() {
    let home = Home::new();
    asked(&home, &["approve", "last"], 0);
    let mut engine = home.start(&["exec", "asks.yaml", "--output", "plain"]);
    crate::kit::wait_for("the second run", || {
        (json(&home, &["runs", "--output", "json"])[0]["state"] == "waiting").then_some(())
    });
    for command in ["audit", "stats"] {
        let output = home.run(&[command, "--output", "json"]);
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(found["left_out"][0]["why"], "an engine has it", "{command}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("is left out: an engine has it"), "{command}");
    }
    shown(&home, &["cancel", "last"], 0);
    crate::kit::end_of(&mut engine);
}

#[test]
fn rates_times_and_what_was_never_tried_are_counted() {
    let home = Home::new();
    asked(&home, &["approve", "last"], 0);
    asked(&home, &["approve", "last"], 0);
    asked(&home, &["reject", "last"], 7);
    home.write("check.yaml", "schema: runbook/v1\nid: check\ntitle: Check\nsteps:\n  - {id: look, run: 'exit 1'}\n");
    shown(&home, &["exec", "check.yaml"], 1);
    let stats = &json(&home, &["stats", "--output", "json"])["stats"];
    assert_eq!(
        (&stats["runs"], &stats["ended"]),
        (&4.into(), &serde_json::json!({"failed": 1, "rolled_back": 1, "succeeded": 2}))
    );
    assert_eq!(stats["success_rate"], 0.5);
    // The check changes nothing; the rejected run had changed something, and was rolled back.
    assert_eq!(
        (&stats["changes"], stats["change_success_rate"].as_f64().map(|rate| (rate * 1000.0).round())),
        (&3.into(), Some(667.0))
    );
    let p0 = &stats["severities"][0];
    assert_eq!(
        (&p0["severity"], &p0["acknowledge"]["runs"], &p0["acknowledge"]["within"]),
        (&"P0".into(), &3.into(), &3.into())
    );
    assert_eq!((&p0["resolve"]["runs"], &p0["resolve"]["within"]), (&2.into(), &0.into()), "nothing takes no time");
    assert_eq!(p0["acknowledge"]["targets_ms"], serde_json::json!([300_000]));
    let asks = &stats["runbooks"][0];
    assert_eq!(
        (&asks["never_run"], &asks["never_undone"]),
        (&serde_json::json!(["rare"]), &serde_json::json!(["rare"]))
    );
    assert_eq!(asks["slowest"].as_array().map(Vec::len), Some(2), "{asks}");
    let (text, _) = shown(&home, &["stats", "--runbook", "asks"], 0);
    for part in [
        "3 runs\n",
        "success rate 66.7 %",
        "changes: 3; change success rate 66.7 %",
        "target 5m 00s: 3 of 3 within",
        "never run: rare",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(json(&home, &["stats", "--since", "2999-01-01", "--output", "json"])["stats"]["runs"], 0);
}
