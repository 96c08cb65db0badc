//! Finding runbooks and environments by name.

use serde_json::Value;

use super::{assert_seen, one_step, seen};
use crate::kit::Home;

/// A project with runbooks in folders, an environment, and files that are none of them.
fn project() -> Home {
    let home = Home::new();
    for folder in ["runbooks/incident", "runbooks/environments", "runbooks/.hidden", "extra"] {
        std::fs::create_dir_all(home.path().join(folder)).expect("a folder");
    }
    let params = "params:\n  what: {type: string, required: true}\n  how: {type: string, default: well}\nsteps:";
    let restart = one_step("restart", "run: ':'")
        .replace("title: One step", "title: Restart it\nseverity: P1\ntags: [incident, quick]");
    home.write("runbooks/incident/restart.yaml", &restart.replace("steps:", params));
    home.write("runbooks/tidy.yml", &one_step("tidy", "run: ':'").replace("title:", "tags: [quick]\ntitle:"));
    home.write("runbooks/environments/live.yaml", "schema: environment/v1\nid: live\nvalues: {api: x}\n");
    home.write("runbooks/.hidden/secret.yaml", &one_step("secret", "run: ':'"));
    home.write("runbooks/values.yaml", "replicas: 3\n");
    home.write("runbooks/template.yaml", "name: {{ name }}\n");
    home.write("extra/more.yaml", &one_step("more", "run: ':'"));
    home
}

#[test]
fn runbooks_are_listed_with_what_they_need() {
    let home = project();
    assert_seen!(seen(&home, &["list"]), @"");
    assert_seen!(seen(&home, &["list", "--runbooks", "extra", "--tag", "quick"]), @"");
    assert_seen!(seen(&home, &["list", "--severity", "P1", "--tag", "quick", "--tag", "incident", "--runbooks", "extra"]), @"");
    assert_seen!(seen(&home, &["list", "--tag", "nothing"]), @"");
}

#[test]
fn programs_get_the_list_as_json() {
    let home = project();
    let output = home.run(&["list", "--output", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let ids: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["restart", "tidy"]);
    assert_eq!(list[0]["params"][0]["name"], "what", "in the order written");
    assert_eq!(list[0]["params"][0]["required"], true);
    assert_eq!((&list[0]["params"][1]["default"], &list[0]["valid"]), (&"well".into(), &true.into()));
    assert_eq!(home.run(&["list", "--tag", "x", "--output", "json"]).stdout, b"[]\n");
}

#[test]
fn broken_files_are_listed_and_hide_no_others() {
    let home = project();
    home.write("runbooks/broken.yaml", &one_step("broken", "rnu: ':'"));
    home.write("runbooks/torn.yaml", "schema: runbook/v1\nid: torn\ntitle: [\n");
    home.write("runbooks/again.yaml", &one_step("tidy", "run: ':'"));
    assert_seen!(seen(&home, &["list"]), @"");
    let output = home.run(&["list", "--output", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let broken = list.as_array().expect("a list").iter().find(|row| row["id"] == "broken").expect("it is listed");
    assert_eq!((&broken["valid"], &broken["diagnostics"][0]["line"]), (&false.into(), &5.into()));
    assert_seen!(seen(&home, &["exec", "tidy"]), @"");
    assert_seen!(seen(&home, &["exec", "torn"]), @"");
    assert_seen!(seen(&home, &["exec", "restart", "-p", "what=x"]), @"");
}

#[test]
fn a_name_that_is_nearly_right_gets_a_suggestion() {
    let home = project();
    assert_seen!(seen(&home, &["exec", "restrat"]), @"");
    assert_seen!(seen(&home, &["plan", "something"]), @"");
    assert_seen!(seen(&home, &["plan", "tidy", "--env", "lvie"]), @"");
    assert_seen!(seen(&home, &["plan", "tidy", "--env", "production"]), @"");
    assert_seen!(seen(&home, &["plan", "restart", "-p", "waht=x"]), @"");
    assert_seen!(seen(&home, &["plan", "nowhere/x.yaml"]), @"");
    assert_seen!(seen(&home, &["list", "--runbooks", "nowhere"]), @"");
}

#[test]
fn the_folder_of_runs_can_be_named_before_and_after_every_command() {
    let home = project();
    let more = home.path().join("elsewhere");
    let state = more.to_str().expect("a path");
    for args in [["--state", state, "runs"], ["runs", "--state", state]] {
        assert_eq!(home.run(&args).status.code(), Some(0), "{args:?}");
    }
    assert_eq!(home.run(&["exec", "tidy", "--state", state]).status.code(), Some(0));
    assert!(more.join("runs").is_dir() && home.run_folder().is_none());
    assert_eq!(home.run(&["--runbooks", "extra", "exec", "more", "--state", state]).status.code(), Some(0));
}
