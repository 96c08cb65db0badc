//! Calls of plugins when processes are killed: none is made twice, unless the plugin says that it may be.

use super::{NOTE, NOTE_SH, add, home, text};
use crate::kit::{Home, kill, wait_for};

/// So many calls in a run.
const CALLS: usize = 10;

fn calls(uses: &str) -> String {
    let mut runbook = "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n".to_owned();
    for number in 0..CALLS {
        runbook.push_str(&format!("  - {{id: s{number}, uses: {uses}, with: {{text: t{number}}}}}\n"));
    }
    runbook
}

/// Kills the engine of a run again and again, each time after a few more calls.
fn kill_engines(home: &Home, first: usize) {
    home.kill_engines(first, |kills| Some(1 + (first + kills) % 3));
}

#[test]
fn engines_killed_at_any_moment_call_nothing_twice() {
    for first in 0..4 {
        let home = home("note", NOTE, NOTE_SH);
        home.write("r.yaml", &calls("note"));
        kill_engines(&home, first);
        let expected: Vec<String> = (0..CALLS).map(|number| format!("run t{number} s{number}.1 0")).collect();
        assert_eq!(home.lines("lines"), expected);
    }
}

#[test]
fn a_plugin_of_steps_calls_nothing_twice_either() {
    for first in 0..2 {
        let home = home("note", NOTE, NOTE_SH);
        let steps = "schema: plugin/v1\nid: both\ntitle: B\ninputs: {type: object, required: [text], properties: {text: {type: string}}}\n\
             steps:\n  - {id: one, uses: note, with: {text: '{{ params.text }}'}}\n  \
             - {id: two, uses: note, with: {text: '{{ params.text }}'}}\n";
        add(&home, "both", steps, "");
        home.write("r.yaml", &calls("both"));
        kill_engines(&home, first);
        let both = |number| [format!("run t{number} one.1 0"), format!("run t{number} two.1 0")];
        let expected: Vec<String> = (0..CALLS).flat_map(both).collect();
        assert_eq!(home.lines("lines"), expected);
    }
}

/// Kills engine, supervisor and the call, which is known to have begun.
fn kill_all(home: &Home) {
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the call", || (home.lines("lines").len() == 1).then_some(()));
    let supervisor = wait_for("the supervisor", || home.supervisor_pid());
    kill(supervisor);
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    home.strike();
}

/// The same plugin, which stays after its effect where a file says so.
fn slow() -> String {
    NOTE_SH.replace("if [ \"$operation\"", "if [ ! -e quick ]; then exec sleep 300; fi\nif [ \"$operation\"")
}

#[test]
fn a_call_that_was_cut_is_asked_about() {
    let home = home("note", NOTE, &slow());
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, uses: note, with: {text: x}}]\n");
    kill_all(&home);
    let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
    assert_eq!(outcome.status.code(), Some(6), "{}", text(&outcome.stderr));
    assert_eq!(home.status()["questions"][0]["kind"], "interrupted");
    assert_eq!(home.lines("lines"), ["run x a.1 0"]);
}

#[test]
fn an_answer_counts_although_nobody_saw_the_end() {
    let home = home("note", NOTE, &format!("{NOTE_SH}touch answered\nexec sleep 300\n"));
    home.write(
        "r.yaml",
        "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, uses: note, with: {text: x}}, {id: b, assert: [\"steps.a.outputs.line == 'x!'\"]}]\n",
    );
    let mut engine = home.start(&["exec", "r.yaml"]);
    // The host has heard it when it is left; it waits some seconds for the plugin to end.
    wait_for("the answer", || {
        let outputs = home.run_folder()?.join("outputs/a.1");
        outputs.exists().then_some(())
    });
    let supervisor = wait_for("the supervisor", || home.supervisor_pid());
    kill(supervisor);
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    home.strike();
    let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
    assert_eq!(outcome.status.code(), Some(0), "{}", text(&outcome.stderr));
    assert_eq!(home.lines("lines"), ["run x a.1 0"]);
}

#[test]
fn an_idempotent_one_is_called_again_with_the_same_key() {
    let home = home("note", &format!("{NOTE}idempotent: true\n"), &slow());
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, uses: note, with: {text: x}}]\n");
    kill_all(&home);
    home.write("quick", "");
    let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
    assert_eq!(outcome.status.code(), Some(0), "{}", text(&outcome.stderr));
    assert_eq!(home.lines("lines"), ["run x a.1 0", "run x a.1 0"], "the second attempt, and the same key");
}

#[test]
fn a_retry_is_another_call_with_a_key_of_its_own() {
    let fails_once =
        NOTE_SH.replace("if [ \"$operation\"", "if [ ! -e quick ]; then touch quick; exit 1; fi\nif [ \"$operation\"");
    let home = home("note", NOTE, &fails_once);
    home.write(
        "r.yaml",
        "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, uses: note, with: {text: x}, retry: {max_attempts: 2, delay: 0s}}]\n",
    );
    assert_eq!(home.run(&["exec", "r.yaml"]).status.code(), Some(0));
    assert_eq!(home.lines("lines"), ["run x a.1 0", "run x a.2 0"]);
}
