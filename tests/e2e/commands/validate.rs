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
    let text = seen(&home, &["validate", "six.yaml"]);
    let told: Vec<&str> = text.lines().filter(|line| line.contains(" × ") || line.contains("╭─[")).collect();
    assert_seen!(told.join("\n"), @r"
        × unknown value `intger`
         ╭─[six.yaml:5:16]
        × `30` has no unit
          ╭─[six.yaml:9:14]
        × the id `first` is taken
          ╭─[six.yaml:10:9]
        × there is no step `nothing`
          ╭─[six.yaml:12:13]
        × unexpected end of input, expected expression
          ╭─[six.yaml:15:21]
        × unknown key `retyr`
          ╭─[six.yaml:16:5]
        ");
    assert!(text.contains("error: 6 errors in 1 file\nhint: `runbook explain CODE` says more"), "{text}");
    let output = home.run(&["validate", "six.yaml", "--output", "json"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), &[][..]));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let place = |one: &Value| format!("{}:{}:{} {}", one["file"], one["line"], one["column"], one["code"]);
    let places: Vec<String> = report["diagnostics"].as_array().expect("a list").iter().map(place).collect();
    assert_seen!(places.join("\n"), @r#"
        "six.yaml":5:16 "RB0104"
        "six.yaml":9:14 "RB0106"
        "six.yaml":10:9 "RB0108"
        "six.yaml":12:13 "RB0112"
        "six.yaml":15:21 "RB0115"
        "six.yaml":16:5 "RB0101"
        "#);
}

#[test]
fn files_are_counted_as_people_count() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("all/environments")).expect("a folder");
    home.write("all/a.yaml", &one_step("a", "run: ':'"));
    assert_seen!(seen(&home, &["validate", "all/a.yaml"]), @r"
        exit code: 0
        --- stderr
        1 file is valid
        ");
    home.write("all/b.yml", &one_step("b", "run: ':'"));
    home.write("all/environments/c.yaml", "schema: environment/v1\nid: c\n");
    home.write("all/values.yaml", "replicas: 3\n");
    home.write("all/manifests.yaml", "kind: A\n---\nkind: B\n");
    assert_seen!(seen(&home, &["validate", "all", "all/a.yaml"]), @r"
        exit code: 0
        --- stderr
        3 files are valid
        ");
    assert_seen!(seen(&home, &["validate", "all", "--output", "json"]), @r#"
        exit code: 0
        --- stdout
        {
          "valid": true,
          "files": [
            "all/a.yaml",
            "all/b.yml",
            "all/environments/c.yaml"
          ],
          "unreadable": [],
          "diagnostics": []
        }
        "#);
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("all")).expect("a folder");
    home.write("all/a.yaml", &one_step("a", "rnu: ':'"));
    std::fs::write(home.path().join("all/b.yaml"), b"schema: runbook/v1\nid: \xff\n").expect("a file");
    home.write("all/c.yaml", "schema: environment/v1\nvalues: [\n");
    home.write("all/d.yaml", &one_step("d", "run: ':'"));
    assert_seen!(seen(&home, &["validate", "all"]), @r"
        exit code: 3
        --- stdout
        RB0109

          × a step needs an action
           ╭─[all/a.yaml:5:5]
         4 │ steps:
         5 │   - id: only
           ·     ────────
         6 │     rnu: ':'
           ╰────
          help: add `run`, `argv`, `http`, `assert`, `set`, `wait`, `manual`, `ask`, `runbook`, `uses`,
                `steps` or `switch`

        RB0101

          × unknown key `rnu`
           ╭─[all/a.yaml:6:5]
         5 │   - id: only
         6 │     rnu: ':'
           ·     ───
           ╰────
          help: did you mean `run`?
        RB0001

          × this is not YAML: while parsing a node, did not find expected node content
           ╭─[all/c.yaml:3:1]
         2 │ values: [
           ╰────
        --- stderr
        error: cannot read all/b.yaml: stream did not contain valid UTF-8
        error: 3 errors and 1 file that cannot be read in 4 files
        hint: `runbook explain CODE` says more about each
        ");
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
    assert_seen!(seen(&home, &["validate", "empty"]), @r"
        exit code: 64
        --- stderr
        error: no runbook or environment in empty
        hint: a document begins with `schema: runbook/v1` or `schema: environment/v1`
        ");
    assert_seen!(seen(&home, &["validate", "empty", "nowhere"]), @r"
        exit code: 64
        --- stderr
        error: there is no nowhere
        ");
}
