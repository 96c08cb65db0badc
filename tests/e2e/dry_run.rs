//! `exec --dry-run`: all that is checked before a run, and nothing that is done in one.

use std::process::Output;

use crate::kit::pty::Terminal;
use crate::kit::{Home, end_of, wait_for};

const BOOK: &str = "schema: runbook/v1
id: deploy
title: Deploy
params:
  version: {type: string, required: true}
  site: {type: string, default: east}
secrets: {token: {env: TOKEN}}
locks: [\"deploy/{{ params.site }}\"]
steps:
  - {id: install, argv: [./install, \"{{ params.version }}\", \"{{ environment.host }}\", \"{{ environment.api }}\"], env: {T: {secret: token}}}
  - {id: west, if: environment.host == 'w1', run: touch west}
  - {id: check, http: {url: \"{{ environment.api }}/health\"}, outputs: {up: \"{{ response.status }}\"}}
  - {id: tell, set: {text: \"{{ steps.check.outputs.up }}\"}}
";

const SITE: &str = "schema: environment/v1
id: site
title: Site
values: {host: e1, api: \"{{ services.db.url }}\"}
services:
  db: {argv: [sleep, '1000'], ready: {http: \"{{ service.url }}/\"}}
";

fn home() -> Home {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("runbooks/environments")).expect("a folder");
    home.write("runbooks/environments/site.yaml", SITE);
    home.write("runbook.toml", "environment = \"site\"\n");
    home.write("r.yaml", BOOK);
    home
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn dry(home: &Home, more: &[&str]) -> Output {
    let args = [&["exec", "r.yaml", "--dry-run"], more].concat();
    home.command(&args).env("TOKEN", "secret-token").output().expect("it runs")
}

/// Nothing was made: no run, no lock, no state folder.
fn is_untouched(home: &Home) -> bool {
    !home.path().join("state").exists() && !home.path().join("west").exists()
}

#[test]
fn it_shows_what_would_run_with_its_values_and_nothing_that_is_chosen_at_the_start() {
    let home = home();
    let output = dry(&home, &["-p", "version=1.4"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "./install 1.4 e1",
        "{{ environment.api }}",
        "deploy/east",
        "west  (skipped)",
        "chosen when a run starts: environment.api",
        "nothing was run",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret-token") && !text.contains("127.0.0.1:"), "{text}");
    assert!(is_untouched(&home));
    let json = dry(&home, &["-p", "version=1.4", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON alone on standard output");
    assert_eq!(json["params"][0]["state"], "given");
    let plan = home.run(&["plan", "r.yaml", "--output", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("JSON");
    assert_eq!(json["digest"], plan["digest"], "it is the same plan");
}

#[test]
fn it_refuses_what_exec_refuses_with_the_same_exit_code() {
    let home = home();
    let refused = |output: Output, code: i32, part: &str| {
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(part), "{part}: {}", said(&output));
        assert!(is_untouched(&home));
    };
    refused(dry(&home, &[]), 4, "version");
    refused(home.run(&["exec", "r.yaml", "--dry-run", "-p", "version=1"]), 4, "TOKEN");
    refused(dry(&home, &["-p", "version=1", "-p", "x=1"]), 4, "`x`");
    refused(dry(&home, &["-p", "version=1", "--env", "none"]), 64, "none");
    refused(dry(&home, &["--key", "k"]), 64, "--key");
    home.write("r.yaml", &BOOK.replace("{id: west,", "{id: west, approval: {from: [nobody_here]},"));
    refused(dry(&home, &["-p", "version=1"]), 4, "nobody_here");
    home.write("r.yaml", &BOOK.replace("run: touch west", "runn: x"));
    refused(dry(&home, &["-p", "version=1"]), 3, "runn");
    home.write("r.yaml", BOOK);
    home.write("h.yaml", "schema: runbook/v1\nid: h\ntitle: H\nlocks: [deploy/east]\nsteps:\n  - {id: a, run: 'until test -e go; do sleep 0.01; done'}\n");
    home.write("none.yaml", "schema: environment/v1\nid: none\ntitle: None\n");
    std::fs::rename(home.path().join("none.yaml"), home.path().join("runbooks/environments/none.yaml"))
        .expect("a move");
    let mut holder = home.command(&["exec", "h.yaml", "--env", "none", "--state", "other"]).spawn().expect("it starts");
    wait_for("its lock", || (!home.run(&["locks"]).stdout.is_empty()).then_some(()));
    refused(dry(&home, &["-p", "version=1"]), 8, "deploy/east");
    home.write("go", "");
    assert_eq!(end_of(&mut holder), Some(0));
}

#[test]
fn it_asks_for_what_is_missing_and_leaving_the_question_is_no_start() {
    let home = home();
    let mut command = home.command(&["exec", "r.yaml", "--dry-run"]);
    command.env("TOKEN", "secret-token");
    let mut terminal = Terminal::open(command);
    terminal.until("version");
    terminal.type_line("2.0");
    terminal.until("./install 2.0");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert!(is_untouched(&home));
}
