//! `runbook validate`: all files, all errors, each with its place.

use serde_json::Value;

use super::{assert_seen, one_step, seen};
use crate::kit::Home;

const SIX: &str = "schema: runbook/v1
id: six
title: Six errors
params:
  size: {type: intger}
steps:
  - id: first
    run: echo
    timeout: 30
  - id: first
    run: echo
    needs: [nothing]
  - id: third
    run: echo
    if: params.size ==
    retyr: {max_attempts: 2}
";

#[test]
fn six_errors_are_six() {
    let home = Home::new();
    home.write("six.yaml", SIX);
    assert_seen!(seen(&home, &["validate", "six.yaml"]), @"");
    let output = home.run(&["validate", "six.yaml", "--output", "json"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), &[][..]));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let place = |one: &Value| format!("{}:{}:{} {}", one["file"], one["line"], one["column"], one["code"]);
    let places: Vec<String> = report["diagnostics"].as_array().expect("a list").iter().map(place).collect();
    assert_seen!(places.join("\n"), @"");
}

#[test]
fn files_are_counted_as_people_count() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("all/environments")).expect("a folder");
    home.write("all/a.yaml", &one_step("a", "run: ':'"));
    assert_seen!(seen(&home, &["validate", "all/a.yaml"]), @"");
    home.write("all/b.yml", &one_step("b", "run: ':'"));
    home.write("all/environments/c.yaml", "schema: environment/v1\nid: c\n");
    home.write("all/values.yaml", "replicas: 3\n");
    home.write("all/manifests.yaml", "kind: A\n---\nkind: B\n");
    assert_seen!(seen(&home, &["validate", "all", "all/a.yaml"]), @"");
    assert_seen!(seen(&home, &["validate", "all", "--output", "json"]), @"");
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("all")).expect("a folder");
    home.write("all/a.yaml", &one_step("a", "rnu: ':'"));
    std::fs::write(home.path().join("all/b.yaml"), b"schema: runbook/v1\nid: \xff\n").expect("a file");
    home.write("all/c.yaml", "schema: environment/v1\nvalues: [\n");
    home.write("all/d.yaml", &one_step("d", "run: ':'"));
    assert_seen!(seen(&home, &["validate", "all"]), @"");
    let output = home.run(&["validate", "all", "--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &report["valid"]), (Some(3), &false.into()));
    assert_eq!(report["unreadable"][0]["file"], "all/b.yaml");
    assert_eq!(report["files"], serde_json::json!(["all/a.yaml", "all/c.yaml", "all/d.yaml"]));
}

#[test]
fn nothing_to_check_is_an_error() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("empty")).expect("a folder");
    assert_seen!(seen(&home, &["validate", "empty"]), @"");
    assert_seen!(seen(&home, &["validate", "empty", "nowhere"]), @"");
}
