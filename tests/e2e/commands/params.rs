//! Params without a terminal to ask at: everything that is missing or wrong is said at once.

use super::{assert_seen, seen};
use crate::kit::Home;

const RUNBOOK: &str = "schema: runbook/v1
id: deploy
title: Deploy
params:
  version: {type: string, required: true}
  stage: {type: string, enum: [test, live], required: true}
  force: {type: boolean, required: true}
  count: {type: integer, required: true}
  pause: {type: duration, required: true}
  hosts: {type: list, required: true}
  labels: {type: object, required: true}
  note: {type: string, default: none}
steps:
  - id: show
    run: echo \"$VERSION $STAGE $FORCE $COUNT $PAUSE $HOSTS $LABELS $NOTE\" > shown
";

#[test]
fn all_that_is_missing_is_named_with_what_is_allowed_and_how_to_give_it() {
    let home = Home::new();
    home.write("deploy.yaml", RUNBOOK);
    assert_seen!(seen(&home, &["exec", "deploy.yaml"]), @r#"
        exit code: 4
        --- stderr
        error: the param `count` is missing: a whole number
        error: the param `force` is missing: `true` or `false`
        error: the param `hosts` is missing: a list such as `a,b` or `["a", "b"]`
        error: the param `labels` is missing: an object such as `{"a": 1}`
        error: the param `pause` is missing: a duration such as `30s` or `1h30m`
        error: the param `stage` is missing: `test` or `live`
        error: the param `version` is missing: a text
        hint: give it with `-p count=VALUE -p force=VALUE -p hosts=VALUE -p labels=VALUE -p pause=VALUE -p stage=VALUE -p version=VALUE`
        "#);
    assert!(home.run_folder().is_none(), "there is no run");
}

#[test]
fn all_that_is_wrong_is_named_together() {
    let home = Home::new();
    home.write("deploy.yaml", RUNBOOK);
    let args = ["exec", "deploy.yaml", "-p", "versoin=1", "-p", "stage=tset", "-p", "force=maybe", "-p", "count=1.5"];
    let more = ["-p", "pause=90", "-p", "labels={", "-p", "hosts=a"];
    assert_seen!(seen(&home, &[&args[..], &more[..]].concat()), @r"
        exit code: 4
        --- stderr
        error: there is no param `versoin`; did you mean `version`?
        error: the param `version` is missing: a text
        error: the param `count` cannot be used: `1.5` is not a whole number
        error: the param `force` cannot be used: `maybe` is not `true` or `false`
        error: the param `labels` cannot be used: `{` is not JSON: EOF while parsing an object at line 1 column 1
        error: the param `pause` cannot be used: `90` has no unit; write `90s`, `90m` or `90h`
        error: the param `stage` cannot be used: `tset` is none of `test`, `live`
        hint: give it with `-p version=VALUE -p count=VALUE -p force=VALUE -p labels=VALUE -p pause=VALUE -p stage=VALUE`
        ");
    home.write("none.yaml", &super::one_step("none", "run: ':'"));
    assert_seen!(seen(&home, &["exec", "none.yaml", "-p", "x=1"]), @r"
        exit code: 4
        --- stderr
        error: there is no param `x`
        hint: the runbook `none` has no params
        ");
    assert_seen!(seen(&home, &["exec", "none.yaml", "-p", "x"]), @r"
        exit code: 64
        --- stderr
        error: `-p x` is not `-p name=value`
        ");
    assert!(home.run_folder().is_none(), "there is no run");
}

#[test]
fn values_of_all_types_arrive() {
    let home = Home::new();
    home.write("deploy.yaml", RUNBOOK);
    let args = ["exec", "deploy.yaml", "-p", "version=1=2", "-p", "stage=live", "-p", "force=TRUE", "-p", "count=-3"];
    let more = ["-p", "pause=90m", "-p", "labels={\"a\": 1}", "-p", "hosts=a, b"];
    let output = home.run(&[&args[..], &more[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.lines("shown"), ["1=2 live true -3 5400 [\"a\",\"b\"] {\"a\":1} none"]);
}
