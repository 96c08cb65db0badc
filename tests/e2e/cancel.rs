//! A person ends a run: whichever way it is asked for, nothing of what ran is left.

use rustix::process::Signal;

use crate::kit::processes::Role;
use crate::kit::pty::Terminal;
use crate::kit::{Home, end_of, kill, wait_for};

/// Longer than any test: what is to happen by itself after so long never happens.
const NEVER: &str = "10m";

/// The runs of these tests have a secret, so that their output goes through pipes, which processes left behind would hold open.
///
/// The step has a child in its process group, one in a session of its own, and one that has thrown its environment away as well.
/// Two more ignore TERM if asked for, one of them in a session of its own.
fn home_with_tree(cancel_grace: &str, kill_grace: &str, is_stubborn: bool) -> Home {
    let stubborn = if is_stubborn {
        "sh -c 'trap \"\" TERM; exec sleep 301' &\n      setsid sh -c 'trap \"\" TERM; exec sleep 301' &"
    } else {
        ":"
    };
    let home = Home::new();
    home.write("token", "swordfish-swordfish");
    home.write(
        "r.yaml",
        &format!(
            r#"schema: runbook/v1
id: tree
title: Tree
cancel_grace: {cancel_grace}
secrets:
  token: {{file: "{token}"}}
steps:
  - id: tree
    kill_grace: {kill_grace}
    env: {{TOKEN: {{secret: token}}}}
    run: |
      sh -c 'sleep 300 & setsid sleep 300' &
      env -i "PATH=$PATH" setsid bash -c 'exec -a "$0" sleep 300' "$PWD/daemon" &
      {stubborn}
      wait
      sleep 300
  - {{id: next, run: echo next >> lines}}
"#,
            token = home.path().join("token").display(),
        ),
    );
    home
}

fn wait_for_tree(home: &Home, is_stubborn: bool) {
    home.wait_for_processes("sleep 300", 2 + 1);
    home.wait_for_processes("daemon", 1);
    home.wait_for_processes("sleep 301", if is_stubborn { 2 } else { 0 });
}

fn wait_for_level(home: &Home, level: u64) {
    wait_for("the request to cancel", || (home.status()["cancel"]["level"] == level).then_some(()));
}

/// The run is over, and so is everything that it had started, at once.
fn assert_over(home: &Home) {
    let commands: Vec<_> = home.processes().into_iter().filter(|one| matches!(one.role, Role::Command(_))).collect();
    assert!(commands.is_empty(), "the run is over and these run on: {commands:#?}");
    assert!(!home.processes().iter().any(|one| one.command.contains("daemon")));
    home.wait_until_nothing_is_left();
    assert_eq!(home.status()["state"], "cancelled");
    assert_eq!(home.lines("lines"), [""; 0], "nothing more starts");
}

#[test]
fn an_interrupt_ends_the_whole_tree_after_the_grace() {
    let home = home_with_tree("1s", NEVER, false);
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for_tree(&home, false);
    rustix::process::kill_process(rustix::process::Pid::from_child(&engine), Signal::INT).expect("a signal");
    assert_eq!(end_of(&mut engine), Some(10));
    assert_over(&home);
}

#[test]
fn ctrl_c_once_kills_what_ignores_term_after_its_grace() {
    let home = home_with_tree("1s", "1s", true);
    let mut terminal = Terminal::open(home.command(&["exec", "r.yaml"]));
    wait_for_tree(&home, true);
    terminal.ctrl_c();
    assert_eq!(terminal.end(), 10, "{}", terminal.text());
    assert_over(&home);
}

#[test]
fn ctrl_c_twice_ends_the_tree_without_the_grace_and_says_so_before() {
    let home = home_with_tree(NEVER, "1s", true);
    let mut terminal = home.drawing(&["exec", "r.yaml"]);
    wait_for_tree(&home, true);
    terminal.ctrl_c();
    terminal.until("Ctrl-C again: now");
    wait_for_tree(&home, true);
    terminal.ctrl_c();
    assert_eq!(terminal.end(), 10, "{}", terminal.text());
    assert_over(&home);
}

#[test]
fn ctrl_c_three_times_kills_at_once() {
    let home = home_with_tree(NEVER, NEVER, true);
    let mut terminal = home.drawing(&["exec", "r.yaml"]);
    wait_for_tree(&home, true);
    terminal.ctrl_c();
    terminal.until("Ctrl-C again: now");
    terminal.ctrl_c();
    terminal.until("Ctrl-C again: kill it now");
    home.wait_for_processes("sleep 300", 0);
    home.wait_for_processes("sleep 301", 2);
    terminal.ctrl_c();
    assert_eq!(terminal.end(), 10, "{}", terminal.text());
    assert_over(&home);
}

#[test]
fn cancel_from_elsewhere_is_like_ctrl_c() {
    for (flags, cancel_grace, kill_grace) in
        [(&[][..], "1s", "1s"), (&["--now"][..], NEVER, "1s"), (&["--kill"][..], NEVER, NEVER)]
    {
        let home = home_with_tree(cancel_grace, kill_grace, true);
        let mut engine = home.start(&["exec", "r.yaml"]);
        wait_for_tree(&home, true);
        let cancel = home.run(&[&["cancel", "last", "--reason", "drill"], flags].concat());
        assert_eq!(cancel.status.code(), Some(0), "{}", String::from_utf8_lossy(&cancel.stderr));
        assert_eq!(end_of(&mut engine), Some(10), "{flags:?}");
        assert_over(&home);
    }
}

#[test]
fn cancel_ends_a_run_that_lost_its_engine() {
    let home = home_with_tree(NEVER, "1s", true);
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for_tree(&home, true);
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    let cancel = home.run(&["cancel", "last", "--now"]);
    assert_eq!(cancel.status.code(), Some(10), "{}", String::from_utf8_lossy(&cancel.stderr));
    assert_over(&home);
}

#[test]
fn cancel_ends_a_run_that_lost_engine_and_supervisor() {
    let home = home_with_tree("1s", "1s", true);
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for_tree(&home, true);
    kill(home.supervisor_pid().expect("a supervisor"));
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    let cancel = home.run(&["cancel", "last"]);
    assert_eq!(cancel.status.code(), Some(10), "{}", String::from_utf8_lossy(&cancel.stderr));
    assert_over(&home);
}

#[test]
fn signals_in_a_row_each_ask_harder() {
    let home = home_with_tree(NEVER, NEVER, true);
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for_tree(&home, true);
    let pid = rustix::process::Pid::from_child(&engine);
    for (level, signal) in [(1, Signal::INT), (2, Signal::TERM)] {
        rustix::process::kill_process(pid, signal).expect("a signal");
        wait_for_level(&home, level);
    }
    rustix::process::kill_process(pid, Signal::INT).expect("a signal");
    assert_eq!(end_of(&mut engine), Some(10));
    assert_over(&home);
}
