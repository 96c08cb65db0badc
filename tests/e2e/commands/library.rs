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
    assert_seen!(seen(&home, &["list"]), @r"
        exit code: 0
        --- stdout
        ID       TITLE       SEVERITY  TAGS             PARAMS      FILE
        restart  Restart it  P1        incident, quick  what [how]  runbooks/incident/restart.yaml
        tidy     One step    -         quick            -           runbooks/tidy.yml
        ");
    assert_seen!(seen(&home, &["list", "--runbooks", "extra", "--tag", "quick"]), @r"
        exit code: 0
        --- stdout
        ID       TITLE       SEVERITY  TAGS             PARAMS      FILE
        restart  Restart it  P1        incident, quick  what [how]  runbooks/incident/restart.yaml
        tidy     One step    -         quick            -           runbooks/tidy.yml
        ");
    assert_seen!(seen(&home, &["list", "--severity", "P1", "--tag", "quick", "--tag", "incident", "--runbooks", "extra"]), @r"
        exit code: 0
        --- stdout
        ID       TITLE       SEVERITY  TAGS             PARAMS      FILE
        restart  Restart it  P1        incident, quick  what [how]  runbooks/incident/restart.yaml
        ");
    assert_seen!(seen(&home, &["list", "--tag", "nothing"]), @r"
        exit code: 0
        --- stderr
        no such runbook in runbooks
        ");
}

#[test]
fn outside_of_a_project_it_says_so() {
    let home = Home::new();
    for (args, code) in [(&["list"][..], 0), (&["exec", "restart"], 64)] {
        let output = home.run(args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains("hint: there is no `runbook.toml` here or above"), "{told}");
    }
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
    assert_seen!(seen(&home, &["list"]), @r"
        exit code: 0
        --- stdout
        ID       TITLE       SEVERITY  TAGS             PARAMS      FILE
        tidy     One step    -         -                -           runbooks/again.yaml
        broken   broken      -         -                -           runbooks/broken.yaml
        restart  Restart it  P1        incident, quick  what [how]  runbooks/incident/restart.yaml
        tidy     One step    -         quick            -           runbooks/tidy.yml
        -        broken      -         -                -           runbooks/torn.yaml
        --- stderr
        warning: several files are the runbook `tidy`: runbooks/again.yaml, runbooks/tidy.yml
        warning: runbooks/broken.yaml is broken: a step needs an action (line 5), and 1 error more
        warning: runbooks/torn.yaml is broken: this is not YAML: while parsing a node, did not find expected node content (line 4)
        hint: `runbook validate FILE` says more
        ");
    let output = home.run(&["list", "--output", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let broken = list.as_array().expect("a list").iter().find(|row| row["id"] == "broken").expect("it is listed");
    assert_eq!((&broken["valid"], &broken["diagnostics"][0]["line"]), (&false.into(), &5.into()));
    assert_seen!(seen(&home, &["exec", "tidy"]), @r"
        exit code: 3
        --- stderr
        error: several files are the runbook `tidy`: runbooks/again.yaml, runbooks/tidy.yml
        hint: name the file, or give each its own id
        ");
    assert_seen!(seen(&home, &["exec", "torn"]), @r"
        exit code: 3
        --- stderr
        RB0001

          × this is not YAML: while parsing a node, did not find expected node content
           ╭─[runbooks/torn.yaml:4:1]
         3 │ title: [
           ╰────
        error: 1 error found; nothing was run
        hint: `runbook explain CODE` says more about each
        ");
    assert_seen!(seen(&home, &["exec", "restart", "-p", "what=x"]), @r"
        exit code: 0
        --- stderr
        [CLOCK] run [RUN] of `restart` started by [ME]
        [CLOCK] only started
        [CLOCK] only succeeded after [TIME SPENT]

        ✓ succeeded  restart after [TIME SPENT]: 1 succeeded
        hint: runbook show [RUN-PREFIX]
        hint: runbook report [RUN-PREFIX]
        ");
}

#[test]
fn a_name_that_is_nearly_right_gets_a_suggestion() {
    let home = project();
    assert_seen!(seen(&home, &["exec", "restrat"]), @r"
        exit code: 64
        --- stderr
        error: no runbook `restrat` in runbooks
        hint: did you mean `restart`?
        ");
    assert_seen!(seen(&home, &["plan", "something"]), @r"
        exit code: 64
        --- stderr
        error: no runbook `something` in runbooks
        hint: `runbook list` shows those there are; or name a file, or its folder with `--runbooks DIR`
        ");
    assert_seen!(seen(&home, &["plan", "tidy", "--env", "lvie"]), @r"
        exit code: 64
        --- stderr
        error: no environment `lvie` in runbooks/environments
        hint: did you mean `live`?
        ");
    assert_seen!(seen(&home, &["plan", "tidy", "--env", "production"]), @r"
        exit code: 64
        --- stderr
        error: no environment `production` in runbooks/environments
        hint: there are `live`
        ");
    assert_seen!(seen(&home, &["plan", "restart", "-p", "waht=x"]), @r"
        exit code: 4
        --- stderr
        error: there is no param `waht`; did you mean `what`?
        hint: its params are `how`, `what`
        ");
    assert_seen!(seen(&home, &["plan", "nowhere/x.yaml"]), @r"
        exit code: 64
        --- stderr
        error: the file nowhere/x.yaml is not there
        hint: name a file, or the id of a runbook that `runbook list` shows
        ");
    assert_seen!(seen(&home, &["list", "--runbooks", "nowhere"]), @r"
        exit code: 64
        --- stderr
        error: there is no folder nowhere
        ");
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
