//! `runbook plan`: what a run would do, and that nothing is done.

use serde_json::Value;

use super::{assert_seen, seen};
use crate::kit::Home;

const RUNBOOK: &str = r#"schema: runbook/v1
id: everything
title: Something of everything
severity: P2
owner: operations
tags: [test]
on_failure: rollback
max_parallel: 2
params:
  mode: {type: string, enum: [fast, safe], required: true}
  careful: {type: boolean, default: false}
secrets:
  token: {env: TOKEN}
  key: {file: /etc/key}
steps:
  - id: look
    title: Look around
    parallel: true
    steps:
      - {id: files, run: ls, read_only: true}
      - id: api
        http: {url: "{{ environment.api }}/health", headers: {Authorization: {secret: token}}}
        retry: {max_attempts: 3, delay: 2s, backoff: exponential, max_delay: 30s}
        outputs: {status: "{{ response.status }}"}
  - id: change
    approval: {from: [lead, nobody], timeout: 10m}
    run: |
      # as root
      touch changed
      sync
    env: {KEY: {secret: key}}
    timeout: 30s
    rollback: {run: rm changed, timeout: 5s}
  - id: choose
    switch: params.mode
    cases:
      fast:
        - {id: quick, argv: [echo, "two words"]}
      safe:
        - {id: slow, wait: 5m}
        - {id: person, manual: Look at it}
  - id: extra
    if: params.careful
    set: {a: 1, b: "{{ params.mode }}"}
  - id: left
    needs: [change]
    run: ':'
    irreversible: true
  - id: right
    needs: []
    assert: ["params.mode != ''"]
    on_failure: continue
always:
  - {id: tidy, run: ':'}
"#;

const ENVIRONMENT: &str = "schema: environment/v1
id: live
values: {api: 'http://127.0.0.1:1'}
secrets: {token: {file: /run/token}}
roles: {lead: [anyone]}
services:
  db: {argv: ['false'], ready: {http: 'http://127.0.0.1:1'}}
";

fn project() -> Home {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("runbooks/environments")).expect("a folder");
    home.write("runbooks/everything.yaml", RUNBOOK);
    home.write("runbooks/environments/live.yaml", ENVIRONMENT);
    home
}

/// A plan in two parts: what is known, and the steps.
fn parts(home: &Home) -> (String, String) {
    let text = seen(home, &["plan", "everything", "--env", "live"]);
    let (head, tree) = text.split_once("\n\n").expect("an empty line before the steps");
    (head.to_owned(), tree.to_owned())
}

#[test]
fn a_plan_begins_with_what_is_known_and_starts_nothing() {
    let home = project();
    assert_seen!(parts(&home).0, @r"
        exit code: 0
        --- stdout
        everything  Something of everything
          file         runbooks/everything.yaml
          severity     P2
          owner        operations
          tags         test
          environment  live (runbooks/environments/live.yaml), starts db
          on failure   roll back: what succeeded is undone, the latest first
          at once      at most 2 commands
          digest       [SHA256]
          params
            mode     missing: one of fast, safe
            careful  false (default)
          secrets
            key    file /etc/key
            token  file /run/token
        ");
    assert!(home.run_folder().is_none(), "there is no run");
    assert!(!home.path().join("changed").exists());
}

#[test]
fn the_steps_are_a_tree_in_eighty_columns() {
    let (_, tree) = parts(&project());
    assert!(tree.lines().all(|line| line.chars().count() <= 80), "{tree}");
    assert_seen!(tree, @r"
        do: 6 steps, as their needs say
        ├─ look  Look around
        │    needs    nothing: starts at once
        │    do       2 steps, at the same time
        │  ├─ files
        │  │    run      ls
        │  │    limits   again if interrupted
        │  └─ api
        │       http     GET {{ environment.api }}/health
        │       limits   3 attempts, 2s apart, doubling to 30s
        │       secrets  token
        │       outputs  status
        ├─ change
        │    needs    look
        │    approval by lead (anyone) or nobody, within 10m, else rejected
        │    run      touch changed (and 1 line more)
        │    limits   within 30s; asks if interrupted
        │    secrets  key
        │    undo     rm changed
        │             within 5s; asks if interrupted
        ├─ choose
        │    needs    change
        │    switch   params.mode
        │  ├─ case fast: 1 step
        │  │  └─ quick
        │  │       argv     echo 'two words'
        │  │       limits   asks if interrupted
        │  └─ case safe: 2 steps, one after the other
        │     ├─ slow
        │     │    wait     5m
        │     └─ person
        │          manual   Look at it
        ├─ extra  (skipped)
        │    if       params.careful
        │    needs    choose
        │    set      a, b
        ├─ left
        │    needs    change
        │    run      :
        │    limits   asks if interrupted
        │    undo     none: from here on there is no complete way back
        └─ right
             needs    nothing: starts at once
             assert   params.mode != ''
             failure  the run goes on

        always, at the end of every run: 1 step
        └─ tidy
             run      :
             limits   asks if interrupted
        ");
}

#[test]
fn what_the_params_decide_is_marked() {
    let home = project();
    let output = home.run(&["plan", "everything", "--env", "live", "-p", "mode=safe"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["mode     safe", "case fast: 1 step  (not taken)", "one after the other  (taken)", "extra  (skipped)"]
    {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let careful = home.run(&["plan", "everything", "--env", "live", "-p", "careful=true"]);
    let text = String::from_utf8_lossy(&careful.stdout).into_owned();
    assert!(!text.contains("(skipped)") && !text.contains("taken)"), "{text}");
}

#[test]
fn scripts_are_shown_in_full_when_asked_for() {
    let home = project();
    let output = home.run(&["plan", "everything", "--env", "live", "--full"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["│ # as root", "│ touch changed", "│ sync", "with KEY=(secret key)", "│ rm changed"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn programs_get_the_plan_as_json() {
    let home = project();
    let output = home.run(&["plan", "everything", "--env", "live", "--output", "json"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]));
    let plan: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let step = |id: &str| {
        let steps = plan["steps"].as_array().expect("steps");
        steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}")).clone()
    };
    assert_eq!(plan["environment"]["services"], serde_json::json!(["db"]));
    assert_eq!(plan["params"][0]["state"], "missing");
    assert_eq!(plan["params"][1]["state"], "default");
    assert_eq!(plan["secrets"][1], serde_json::json!({"name": "token", "source": "file", "place": "/run/token"}));
    assert_eq!((&step("files")["wave"], &step("api")["wave"]), (&0.into(), &0.into()), "at the same time");
    assert_eq!(
        (&step("change")["wave"], &step("left")["wave"], &step("right")["wave"]),
        (&1.into(), &2.into(), &0.into())
    );
    assert_eq!(step("change")["script"], "# as root\ntouch changed\nsync\n");
    assert_eq!(
        (&step("change")["approval"]["timeout_ms"], &step("change")["approval"]["you_may"]),
        (&600_000.into(), &true.into())
    );
    assert_eq!(
        (&step("change")["rollback"]["kind"], &step("change")["rollback"]["timeout_ms"]),
        (&"run".into(), &5_000.into())
    );
    assert_eq!((&step("slow")["case"], &step("slow")["taken"]), (&"safe".into(), &Value::Null));
    assert_eq!((&step("api")["secrets"], &step("left")["irreversible"]), (&serde_json::json!(["token"]), &true.into()));
    assert_eq!(plan["digest"].as_str().map(str::len), Some(64));
}

#[test]
fn the_digest_follows_the_meaning() {
    let home = project();
    let digest = |name: &str| {
        let output = home.run(&["plan", name, "--env", "live", "--output", "json"]);
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["digest"].clone()
    };
    home.write("commented.yaml", &format!("# a comment\n{RUNBOOK}"));
    home.write("changed.yaml", &RUNBOOK.replace("rm changed", "rm -f changed"));
    assert_eq!(digest("everything"), digest("commented.yaml"));
    assert_ne!(digest("everything"), digest("changed.yaml"));
}

#[test]
fn a_wrong_param_or_runbook_stops_it() {
    let home = project();
    assert_seen!(seen(&home, &["plan", "everything", "--env", "live", "-p", "mode=slow", "-p", "moed=fast"]), @r"
        exit code: 4
        --- stderr
        error: there is no param `moed`; did you mean `mode`?
        error: the param `mode` cannot be used: `slow` is none of `fast`, `safe`
        hint: give it with `-p mode=VALUE`
        ");
    home.write("bad.yaml", &RUNBOOK.replace("run: ls", "rnu: ls"));
    let output = home.run(&["plan", "bad.yaml", "--env", "live"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &[][..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.yaml:20:21"), "{output:?}");
}

#[test]
fn ten_thousand_steps_are_no_matter() {
    let home = Home::new();
    let mut text = "schema: runbook/v1\nid: big\ntitle: Big\nsteps:\n".to_owned();
    for block in 0..100 {
        text.push_str(&format!("  - id: b{block}\n    parallel: {}\n    steps:\n", block % 2 == 0));
        for step in 0..99 {
            text.push_str(&format!("      - {{id: s{block}_{step}, run: ':'}}\n"));
        }
    }
    home.write("big.yaml", &text);
    let output = home.run(&["plan", "big.yaml"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(shown.lines().filter(|line| line.contains("─ s")).count(), 9_900);
}
