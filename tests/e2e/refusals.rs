//! What is refused before anything ran, with the reason and the way out; and what has no say in a run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use crate::kit::{Home, wait_for};

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Refused as a precondition that is not met: all of `parts` are said, and there is no run.
fn assert_refused(home: &Home, args: &[&str], parts: &[&str]) {
    let output = home.run(args);
    assert_eq!(code(&output), Some(4), "{args:?}: {}", said(&output));
    for part in parts {
        assert!(said(&output).contains(part), "{part:?} is missing in\n{}", said(&output));
    }
    assert_eq!(output.stdout, b"", "no id is printed");
    assert!(home.run_folder().is_none(), "there is no run");
}

fn runbook(head: &str, step: &str) -> String {
    format!("schema: runbook/v1\nid: one\ntitle: One\n{head}\nsteps:\n  - id: only\n    {step}\n")
}

#[test]
fn secrets_that_are_missing_are_all_named_before_there_is_a_run() {
    let home = Home::new();
    let head = "secrets: {key: {env: NO_SUCH_KEY}, token: {file: /nonexistent/token}, unused: {env: NO_SUCH_OTHER}}
env: {KEY: {secret: key}}";
    let step = "run: touch ran\n    env: {TOKEN: {secret: token}}";
    home.write("r.yaml", &runbook(head, step));
    let parts = ["`NO_SUCH_KEY` is not set", "/nonexistent/token", "set it"];
    assert_refused(&home, &["exec", "r.yaml"], &parts);
    assert_refused(&home, &["exec", "r.yaml", "--detach"], &parts);
    assert!(!said(&home.run(&["exec", "r.yaml"])).contains("NO_SUCH_OTHER"), "nothing uses it");
}

#[test]
fn values_that_no_variable_can_hold_are_refused_before_there_is_a_run() {
    let home = Home::new();
    let head = "params: {big: {type: string, required: true}}\nenv: {TWICE: \"{{ params.big }}{{ params.big }}\"}";
    home.write("r.yaml", &runbook(head, "run: echo \"${#BIG} ${#TWICE}\" > lengths"));
    let big = |bytes: usize| format!("big={}", "x".repeat(bytes));
    assert_refused(&home, &["exec", "r.yaml", "-p", &big(70_000)], &["`big` has 70000", "`env.TWICE` has 140000"]);
    assert_refused(&home, &["exec", "r.yaml", "-p", &big(32_769)], &["`env.TWICE` has 65538 bytes"]);
    let output = home.run(&["exec", "r.yaml", "-p", &big(32_768)]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(home.lines("lengths"), ["32768 65536"]);
}

#[test]
fn a_state_folder_that_cannot_be_one_is_named() {
    let home = Home::new();
    home.write("r.yaml", &runbook("", "run: touch ran"));
    let file = home.path().join("r.yaml").display().to_string();
    assert_refused(&home, &["exec", "r.yaml", "--state", "r.yaml"], &[&file, "it is no folder"]);
    assert_refused(&home, &["exec", "r.yaml", "--state", "r.yaml/below"], &[&file, "it is no folder"]);
    assert_refused(&home, &["runs", "--state", "r.yaml"], &[&file, "Not a directory", "--state"]);
    assert_refused(&home, &["exec", "r.yaml", "--state", "12:30"], &["/12:30/", "`:`"]);
    assert!(!home.path().join("12:30").exists() && !home.path().join("ran").exists());
}

#[test]
fn a_run_that_was_moved_below_a_colon_goes_on_nowhere() {
    let home = Home::new();
    home.write("r.yaml", &runbook("", "run: touch ran\n    approval: {from: [anyone]}"));
    assert_eq!(code(&home.run(&["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    std::fs::rename(home.path().join("state"), home.path().join("12:30")).expect("it moves");
    let output = home.run(&["resume", "last", "--state", "12:30", "--exit-when-waiting"]);
    assert_eq!(code(&output), Some(4), "{}", said(&output));
    assert_eq!(code(&home.run(&["show", "last", "--state", "12:30"])), Some(0), "it can still be read");
}

#[test]
fn the_log_of_an_engine_in_the_background_is_for_its_user_alone() {
    let home = Home::new();
    home.write("r.yaml", &runbook("", "run: ':'"));
    let output = home.run(&["exec", "r.yaml", "--detach"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let log = home.run_folder().expect("a run").join("engine.log");
    let mode = std::fs::metadata(log).expect("the log").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    wait_for("the end", || (home.status()["state"] == "succeeded").then_some(()));
}

#[test]
fn an_approval_that_too_few_could_give_is_refused_before_there_is_a_run() {
    let home = Home::new();
    let refused = |approval: &str, part: &str| {
        home.write("r.yaml", &runbook("", &format!("run: touch ran\n    approval: {{from: [anyone], {approval}}}")));
        assert_refused(&home, &["exec", "r.yaml"], &["`only`", part]);
    };
    refused("min: 2", "the approval of 2 people, and only");
    refused("exclude_initiator: true", "somebody else than");
    home.write("r.yaml", &runbook("", "run: touch ran\n    approval: {from: [anyone], min: 1}"));
    assert_eq!(code(&home.run(&["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
}

const ENVIRONMENT: &str = r#"schema: environment/v1
id: small
title: One service
services:
  platform:
    argv: ["{{ run.binary }}", sandbox, serve, --port, "{{ service.port }}", --data, "{{ service.data }}"]
    ready: {http: "{{ service.url }}/ready", timeout: 1m}
values:
  api: "{{ services.platform.url }}"
"#;

#[test]
fn a_proxy_has_no_say_in_what_goes_to_this_very_machine() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("environments")).expect("a folder");
    home.write("environments/small.yaml", ENVIRONMENT);
    home.write("r.yaml", &runbook("", "http: {url: \"{{ environment.api }}/ready\"}"));
    home.write("out.yaml", &runbook("", "http: {url: \"http://192.0.2.1/\"}"));
    let exec = |args: &[&str]| {
        // Nothing listens there.
        let proxy = "http://127.0.0.1:9";
        let mut command = home.command(args);
        command.env("http_proxy", proxy).env("HTTP_PROXY", proxy).env("ALL_PROXY", proxy).output().expect("it runs")
    };
    let output = exec(&["--runbooks", ".", "exec", "r.yaml", "--env", "small"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let output = exec(&["exec", "out.yaml"]);
    assert_eq!(code(&output), Some(1), "another machine is reached by the proxy: {}", said(&output));
}

fn in_folder(home: &Home, folder: &Path, args: &[&str]) -> Output {
    home.command(args).current_dir(folder).output().expect("it runs")
}

fn project(home: &Home, name: &str, text: &str) {
    std::fs::create_dir_all(home.path().join(name)).expect("a folder");
    home.write(&format!("{name}/runbook.toml"), text);
}

#[test]
fn the_project_of_the_start_says_who_may_approve_not_that_of_the_present_folder() {
    let home = Home::new();
    let me = runbook_runtime::identity::me().name;
    let (mine, of_others) = (format!("[roles]\nboss = [\"{me}\"]\n"), "[roles]\nboss = [\"somebody_else\"]\n");
    project(&home, "own", &mine);
    project(&home, "other", of_others);
    project(&home, "broken", "[roles\n");
    home.write("own/r.yaml", &runbook("", "run: ':'\n    approval: {from: [boss]}"));
    let (own, other, broken) = (home.path().join("own"), home.path().join("other"), home.path().join("broken"));
    let start = || {
        let output = in_folder(&home, &own, &["exec", "r.yaml", "--exit-when-waiting"]);
        assert_eq!(code(&output), Some(6), "{}", said(&output));
    };

    start();
    for command in [&["status", "last"][..], &["approve", "last"]] {
        let output = in_folder(&home, &broken, command);
        assert_eq!(code(&output), Some(0), "{command:?}: {}", said(&output));
    }
    let output = in_folder(&home, &other, &["resume", "last", "--exit-when-waiting"]);
    assert_eq!(code(&output), Some(0), "the roles of `other` do not count: {}", said(&output));

    start();
    let output = in_folder(&home, &broken, &["cancel", "last"]);
    assert_eq!(code(&output), Some(10), "{}", said(&output));

    start();
    project(&home, "other", &mine);
    project(&home, "own", of_others);
    in_folder(&home, &own, &["approve", "last"]);
    let output = in_folder(&home, &other, &["resume", "last", "--exit-when-waiting"]);
    assert_eq!(code(&output), Some(6), "what was taken from me I do not get by going elsewhere: {}", said(&output));
}

#[test]
fn a_project_file_that_cannot_be_read_any_more_leaves_the_roles_of_the_start() {
    let home = Home::new();
    let me = runbook_runtime::identity::me().name;
    project(&home, "own", &format!("[roles]\nboss = [\"{me}\"]\n"));
    home.write("own/r.yaml", &runbook("", "run: ':'\n    approval: {from: [boss]}"));
    let own = home.path().join("own");
    assert_eq!(code(&in_folder(&home, &own, &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    project(&home, "own", "[roles\n");
    assert_eq!(code(&in_folder(&home, &own, &["approve", "last"])), Some(0));
    let output = in_folder(&home, &own, &["resume", "last", "--exit-when-waiting"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert!(said(&output).contains("those of the start count"), "{}", said(&output));
}
