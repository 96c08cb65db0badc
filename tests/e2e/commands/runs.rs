//! Naming runs, and what programs read of them.

use serde_json::Value;

use super::{assert_seen, one_step, seen};
use crate::kit::Home;

fn json(home: &Home, args: &[&str]) -> Value {
    let output = home.run(args);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

/// Two runs of one runbook; their ids, the newest first.
fn two_runs() -> (Home, Vec<String>) {
    let home = Home::new();
    home.write("one.yaml", &one_step("one", "run: echo out; echo err >&2"));
    for _ in 0..2 {
        assert_eq!(home.run(&["exec", "one.yaml"]).status.code(), Some(0));
    }
    let runs = json(&home, &["runs", "--output", "json"]);
    let ids = runs.as_array().expect("a list").iter().filter_map(|run| run["run"].as_str().map(str::to_owned));
    let ids: Vec<String> = ids.collect();
    assert_eq!(ids.len(), 2);
    (home, ids)
}

#[test]
fn a_run_is_named_by_its_id_the_beginning_of_it_or_last() {
    let (home, ids) = two_runs();
    for id in &ids {
        for name in [id.as_str(), &id[..id.len() - 1], &id.to_lowercase()] {
            assert_eq!(json(&home, &["status", name, "--output", "json"])["run"], id.as_str(), "{name}");
        }
    }
    assert_eq!(json(&home, &["status", "last", "--output", "json"])["run"], ids[0].as_str());
}

#[test]
fn a_name_that_fits_several_runs_or_none_is_refused() {
    let (home, _) = two_runs();
    for verb in ["status", "show", "logs", "approve", "cancel", "resume", "attach"] {
        // Both ids begin with the time.
        for name in ["01", "7ZZZ", "nothing"] {
            let output = home.run(&[verb, name]);
            assert_eq!(output.status.code(), Some(64), "{verb} {name}");
            assert!(output.stdout.is_empty(), "{verb} {name}");
        }
    }
    assert_seen!(seen(&home, &["status", "01"]), @r"
        exit code: 64
        --- stderr
        error: `01` fits 2 runs: [RUN], [RUN]
        hint: `runbook runs` lists them; `last` is the newest
        ");
    assert_seen!(seen(&home, &["status", "nothing"]), @r"
        exit code: 64
        --- stderr
        error: no run `nothing` in [HOME]/state
        hint: `runbook runs` lists them; `last` is the newest
        ");
    assert_seen!(seen(&Home::new(), &["status", "last"]), @r"
        exit code: 64
        --- stderr
        error: no run yet in [HOME]/state
        hint: `runbook runs` lists them; `last` is the newest
        ");
    assert_seen!(seen(&home, &["runs", "--only", "runing"]), @r"
        exit code: 64
        --- stderr
        error: there is no state `runing`
        hint: the states are starting, pending, running, waiting, paused, rolling_back, succeeded, failed, rolled_back, stuck, cancelled, no_engine, damaged
        ");
}

#[test]
fn programs_read_json_everywhere() {
    let (home, ids) = two_runs();
    for verb in ["status", "show"] {
        let value = json(&home, &[verb, "last", "--output", "json"]);
        assert_eq!((&value["run"], &value["state"]), (&ids[0].as_str().into(), &"succeeded".into()), "{verb}");
    }
    let output = home.run(&["exec", "one.yaml", "--output", "json"]);
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert!(lines.len() > 3, "{text}");
    json(&home, &["schema", "runbook"]);
    json(&home, &["schema", "environment"]);
}

#[test]
fn logs_keep_the_streams_apart() {
    let (home, _) = two_runs();
    assert_seen!(seen(&home, &["logs", "last", "only"]), @r"
        exit code: 0
        --- stdout
        out
        err
        --- stderr
        ==> only, attempt 1, standard output <==
        ==> only, attempt 1, standard error <==
        ");
    assert_seen!(seen(&home, &["logs", "last", "olny"]), @r"
        exit code: 64
        --- stderr
        error: the run has no step or attempt `olny`
        hint: runbook show [RUN-PREFIX]
        ");
}
