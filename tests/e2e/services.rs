//! Services of an environment through crashes: found again where they live on, started again where they do not, stopped at the end.

use std::process::Child;

use rustix::process::Signal;

use crate::kit::processes::{Process, Role};
use crate::kit::{Home, end_of, kill, wait_for};

const ENVIRONMENT: &str = r#"schema: environment/v1
id: small
title: One service
services:
  platform:
    argv: ["{{ run.binary }}", sandbox, serve, --port, "{{ service.port }}", --data, "{{ service.data }}"]
    ready: {http: "{{ service.url }}/ready", timeout: 2m}
    kill_grace: 10m
values:
  api: "{{ services.platform.url }}"
"#;

/// Waits for an approval, and asks the service before and after it.
const RUNBOOK: &str = r#"schema: runbook/v1
id: served
title: Served
steps:
  - {id: first, http: {url: "{{ environment.api }}/ready"}}
  - {id: open, run: echo open >> lines, approval: {from: [anyone]}}
  - {id: last, http: {url: "{{ environment.api }}/ready"}}
"#;

fn home() -> Home {
    let home = Home::new();
    std::fs::create_dir(home.path().join("environments")).expect("a folder");
    home.write("environments/small.yaml", ENVIRONMENT);
    home.write("r.yaml", RUNBOOK);
    home
}

fn start(home: &Home) -> Child {
    let engine = home.start(&["--runbooks", ".", "exec", "r.yaml", "--env", "small"]);
    wait_for("the run", || home.run_folder().filter(|run| run.join("status.json").exists()));
    wait_for_question(home);
    engine
}

fn wait_for_question(home: &Home) {
    wait_for("the question", || (home.status()["questions"][0]["step"] == "open").then_some(()));
}

/// The one process of the service.
fn service(home: &Home) -> Process {
    let is_service = |process: &Process| matches!(&process.role, Role::Command(key) if key.starts_with("service-"));
    let mut found: Vec<Process> = home.processes().into_iter().filter(is_service).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// Approves, and sees the run through to its end: the service served the last step, and is gone with the run.
fn assert_ends_well(home: &Home, engine: &mut Child) {
    let approved = home.run(&["approve", "last"]);
    assert_eq!(approved.status.code(), Some(0), "{}", String::from_utf8_lossy(&approved.stderr));
    assert_eq!(end_of(engine), Some(0));
    let left = home.processes().into_iter().filter(|process| matches!(process.role, Role::Command(_)));
    assert_eq!(left.collect::<Vec<_>>(), [], "the service ends before the engine says that all is over");
    home.wait_until_nothing_is_left();
    assert_eq!(home.status()["services"]["platform"], "stopped");
    assert_eq!(home.lines("lines"), ["open"]);
}

#[test]
fn a_resumed_run_finds_its_service_again() {
    let home = home();
    let mut engine = start(&home);
    let before = service(&home);
    // Twice: what was found again is found once more.
    for _ in 0..2 {
        engine.kill().expect("a kill");
        engine.wait().expect("an end");
        assert_eq!(service(&home), before, "it lives on without an engine");
        engine = home.start(&["resume", "last"]);
        wait_for("an engine", || home.run_folder().filter(|_| home.status()["engine_pid"] == engine.id()));
    }
    assert_eq!(service(&home), before);
    assert_ends_well(&home, &mut engine);
}

#[test]
fn a_service_that_lost_its_supervisor_too_is_found_again() {
    let home = home();
    let mut engine = start(&home);
    let before = service(&home);
    kill(home.supervisor_pid().expect("a supervisor"));
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    let mut engine = home.start(&["resume", "last"]);
    wait_for("an engine", || home.run_folder().filter(|_| home.status()["engine_pid"] == engine.id()));
    assert_eq!(service(&home), before);
    assert_ends_well(&home, &mut engine);
}

#[test]
fn a_service_that_was_killed_with_all_else_is_started_again_where_it_was() {
    let home = home();
    let mut engine = start(&home);
    let before = service(&home);
    home.strike();
    engine.wait().expect("an end");
    let mut engine = home.start(&["resume", "last"]);
    home.wait_for_processes("sandbox serve", 1);
    let after = service(&home);
    assert_ne!(after.pid, before.pid);
    assert_eq!(after.command, before.command, "the same port, the same data");
    wait_for_question(&home);
    assert_ends_well(&home, &mut engine);
}

#[test]
fn cancel_after_a_crash_stops_the_service() {
    let home = home();
    let mut engine = start(&home);
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    let outcome = home.run(&["cancel", "last"]);
    assert_eq!(outcome.status.code(), Some(10), "{}", String::from_utf8_lossy(&outcome.stderr));
    home.wait_until_nothing_is_left();
    assert_eq!(home.lines("lines"), [""; 0]);
}

#[test]
fn what_a_lost_service_left_running_makes_way_for_it() {
    let home = home();
    // The main process only waits; its child holds the port and the data.
    let wrapped = ENVIRONMENT.replace(r#"argv: ["#, r#"argv: [sh, -c, '"$@" & wait', sh, "#);
    home.write("environments/small.yaml", &wrapped);
    let mut engine = start(&home);
    let is_service = |process: &Process| matches!(&process.role, Role::Command(key) if key.starts_with("service-"));
    let found: Vec<Process> = home.processes().into_iter().filter(is_service).collect();
    let (serves, waits): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| !it.command.contains("sh -c"));
    let ([child], [main]) = (&serves[..], &waits[..]) else { panic!("{serves:#?} {waits:#?}") };
    kill(home.supervisor_pid().expect("a supervisor"));
    engine.kill().expect("a kill");
    main.send(Signal::KILL);
    engine.wait().expect("an end");
    wait_for("the end of its main process", || (!home.processes().contains(main)).then_some(()));
    assert!(home.processes().contains(child), "it lives on");

    let mut engine = home.start(&["resume", "last"]);
    wait_for("the service", || {
        let now = home.processes().into_iter().find(|it| is_service(it) && it.command == child.command)?;
        (now.pid != child.pid).then_some(())
    });
    wait_for_question(&home);
    assert!(!home.processes().contains(child), "two never hold the same data");
    assert_ends_well(&home, &mut engine);
}

/// Makes a token, prints it before it can be known, and once more when it is told to end.
const TALKATIVE: &str = r#"schema: environment/v1
id: small
title: One service
services:
  platform:
    argv:
      - bash
      - -c
      - 'echo swordfish-12 > "$1/token"; echo "my token is swordfish-12"; echo "to stderr: swordfish-12" >&2;
        "$2" sandbox serve --port "$3" --data "$1" & trap "kill $!; wait $!; echo bye swordfish-12; exit 0" TERM; wait'
      - talkative
      - "{{ service.data }}"
      - "{{ run.binary }}"
      - "{{ service.port }}"
    ready: {http: "{{ service.url }}/ready", timeout: 2m}
secrets:
  token: {file: "{{ services.platform.data }}/token"}
values:
  api: "{{ services.platform.url }}"
"#;

#[test]
fn what_a_service_prints_of_the_secrets_that_it_makes_is_overwritten() {
    let home = home();
    home.write("environments/small.yaml", TALKATIVE);
    home.write("r.yaml", &format!("{RUNBOOK}  - {{id: used, run: 'echo \"$T\"', env: {{T: {{secret: token}}}}}}\n"));
    let mut engine = start(&home);
    let log = |stream| {
        let path = home.run_folder().expect("a run").join(format!("logs/service-platform.{stream}"));
        std::fs::read_to_string(path).expect("a log")
    };
    assert!(log("out").contains("my token is ************\n"), "{}", log("out"));
    assert_eq!(log("err").lines().next(), Some("to stderr: ************"));
    assert_ends_well(&home, &mut engine);
    assert!(log("out").ends_with("bye ************\n"), "{}", log("out"));
}
