//! Terminals: what is asked at one, what happens when it is closed, and what others show.

use std::process::Child;

use rustix::process::{Pid, Signal};

use crate::kit::processes::Role;
use crate::kit::pty::Terminal;
use crate::kit::{Home, end_of, kill, wait_for};

const APPROVAL: &str = "schema: runbook/v1\nid: gate\ntitle: Gate\nsteps:\n  \
    - {id: before, run: echo before >> lines}\n  \
    - {id: open, run: echo open >> lines, approval: {from: [anyone]}}\n";

#[test]
fn a_question_is_answered_where_it_is_asked() {
    let home = Home::new();
    home.write("r.yaml", APPROVAL);
    let mut terminal = Terminal::open(home.command(&["exec", "r.yaml"]));
    terminal.until("approve / reject [reason] / later: ");
    assert_eq!(home.lines("lines"), ["before"]);
    terminal.type_line("yes");
    terminal.until("please type one of the words");
    terminal.until("approve / reject [reason] / later: ");
    terminal.type_line("approve");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_eq!(home.lines("lines"), ["before", "open"]);
}

/// A run whose first step goes on when there is a file `go`, and whose second one asks.
const LONG: &str = "schema: runbook/v1\nid: long\ntitle: Long\nsteps:\n  \
    - {id: before, run: 'echo before >> lines; until [ -e go ]; do sleep 0.02; done; echo gone >> lines'}\n  \
    - {id: open, run: echo open >> lines, approval: {from: [anyone]}}\n";

/// Starts that run on a terminal, and closes the terminal in its first step.
fn started_and_hung_up(home: &Home) -> Child {
    home.write("r.yaml", LONG);
    let mut terminal = home.drawing(&["exec", "r.yaml"]);
    wait_for("the first step", || (home.lines("lines") == ["before"]).then_some(()));
    terminal.until("before");
    assert!(has_terminal(terminal.pid()));
    let engine = terminal.hang_up();
    let pid = Pid::from_child(&engine);
    // The kernel takes the terminal away from the session when it has told it so.
    wait_for("the hang-up", || (!has_terminal(pid)).then_some(()));
    engine
}

/// Whether a process has a controlling terminal: the seventh field of its `stat`.
fn has_terminal(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let after_name = stat.rsplit_once(") ").expect("a name").1;
    after_name.split(' ').nth(4).expect("a terminal") != "0"
}

#[test]
fn a_closed_terminal_leaves_the_run_to_those_who_attach_and_approve() {
    let home = Home::new();
    let mut engine = started_and_hung_up(&home);
    let mut second = home.drawing(&["attach", "last"]);
    second.until("Ctrl-C leaves this view; the run goes on");
    home.write("go", "");
    second.until("may step `open` run?");
    assert_eq!(home.lines("lines"), ["before", "gone"]);

    let mut third = Terminal::open(home.command(&["approve", "last"]));
    third.until("echo open >> lines");
    third.until("taken");
    assert_eq!(third.end(), 0, "{}", third.text());
    second.until("closed");
    assert_eq!(second.end(), 0, "{}", second.text());
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["before", "gone", "open"]);
    assert_eq!(home.status()["state"], "succeeded");
    home.wait_until_nothing_is_left();
}

#[test]
fn who_attaches_may_answer_there() {
    let home = Home::new();
    let mut engine = started_and_hung_up(&home);
    home.write("go", "");
    let mut second = Terminal::open(home.command(&["attach", "last"]));
    second.until("approve / reject [reason] / later: ");
    second.type_line("approve seen in the graphs");
    assert_eq!(second.end(), 0, "{}", second.text());
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["before", "gone", "open"]);
}

#[test]
fn ctrl_c_and_a_hang_up_leave_only_the_view_of_who_attaches() {
    let home = Home::new();
    let mut engine = started_and_hung_up(&home);
    for closes in [false, true] {
        let mut second = home.drawing(&["attach", "last"]);
        second.until("Ctrl-C leaves this view; the run goes on");
        if closes {
            end_of(&mut second.hang_up());
        } else {
            second.ctrl_c();
            assert_eq!(second.end(), 6, "{}", second.text());
        }
        assert!(engine.try_wait().expect("a child").is_none());
    }
    home.write("go", "");
    wait_for("the question", || (home.status()["questions"][0]["step"] == "open").then_some(()));
    assert_eq!(home.run(&["approve", "last"]).status.code(), Some(0));
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["before", "gone", "open"]);
}

#[test]
fn hang_ups_by_hand_change_nothing() {
    let home = Home::new();
    home.write("r.yaml", LONG);
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the first step", || (home.lines("lines") == ["before"]).then_some(()));
    for process in home.processes().iter().filter(|process| !matches!(process.role, Role::Command(_))) {
        process.send(Signal::HUP);
    }
    home.write("go", "");
    wait_for("the question", || (home.status()["questions"][0]["step"] == "open").then_some(()));
    assert_eq!(home.run(&["approve", "last"]).status.code(), Some(0));
    assert_eq!(end_of(&mut engine), Some(0));
}

#[test]
fn without_a_terminal_the_engine_may_still_complain() {
    let home = Home::new();
    let mut engine = started_and_hung_up(&home);
    // It says that its supervisor is gone, to a standard error that takes nothing any more.
    kill(home.supervisor_pid().expect("a supervisor"));
    home.write("go", "");
    wait_for("the question", || (home.status()["questions"][0]["kind"] == "interrupted").then_some(()));
    assert_eq!(home.run(&["answer", "last", "--took-effect"]).status.code(), Some(0));
    wait_for("the question", || (home.status()["questions"][0]["kind"] == "approval").then_some(()));
    assert_eq!(home.run(&["reject", "last", "--reason", "drill"]).status.code(), Some(0));
    assert_eq!(end_of(&mut engine), Some(7));
    home.wait_until_nothing_is_left();
}
