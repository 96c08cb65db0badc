//! Runs in each state, with an engine and without.

use std::process::Child;

use serde_json::Value;

use crate::kit::processes::Role;
use crate::kit::{Home, wait_for};

/// A state that a run can be in.
pub(super) struct State {
    pub(super) name: &'static str,
    /// A home with a run in it.
    pub(super) prepare: fn() -> Home,
    /// Whether processes belong to it, so that its folder cannot be copied.
    pub(super) is_live: bool,
    /// Whether an engine has the run.
    pub(super) is_up: bool,
}

/// What stands for `b`, and what for the whole runbook.
struct Book {
    head: &'static str,
    b: &'static str,
}

/// Waits while there is a file `hold`, and fails while there is a file `bad`, in the home of whoever runs the engine.
const WORK: &str =
    "run: 'while [ -e \"$HOME/hold\" ]; do sleep 0.02; done; test ! -e \"$HOME/bad\"', rollback: {run: 'true'}";

const PLAIN: Book = Book { head: "", b: WORK };
const APPROVAL: Book = Book { head: "", b: "run: 'true', approval: {from: [anyone]}, rollback: {run: 'true'}" };
const MANUAL: Book = Book { head: "", b: "manual: turn the key" };
const ASK: Book = Book { head: "", b: "ask: {prompt: how many, fields: {x: {type: integer, required: true}}}" };
const RETRY: Book = Book { head: "", b: "run: 'test ! -e \"$HOME/bad\"', retry: {max_attempts: 2, delay: 1h}" };
const ASKING: Book = Book { head: "on_failure: ask\n", b: WORK };
const BACK: Book = Book { head: "on_failure: rollback\n", b: WORK };
const LOCKED: Book = Book { head: "locks: [{name: platform, wait: 1h}]\n", b: WORK };

impl Book {
    /// Its undo waits while there is a file `hold_undo`, and fails while there is `bad_undo`; its last step waits for `hold_last`.
    fn text(&self, on_interrupt: &str) -> String {
        let Self { head, b } = self;
        let undo = "while [ -e \"$HOME/hold_undo\" ]; do sleep 0.02; done; test ! -e \"$HOME/bad_undo\"";
        let last = "while [ -e \"$HOME/hold_last\" ]; do sleep 0.02; done";
        format!(
            "schema: runbook/v1\nid: chain\ntitle: Chain\ncancel_grace: 0s\n{head}steps:\n  \
             - {{id: a, run: 'true', rollback: {{run: '{undo}', on_interrupt: {on_interrupt}}}}}\n  \
             - {{id: b, {b}}}\n  - {{id: c, run: 'true'}}\n\
             always:\n  - {{id: z, run: '{last}', on_interrupt: rerun}}\n"
        )
    }

    /// A home with these files in it.
    fn home(&self, files: &[&str]) -> Home {
        let home = Home::new();
        home.write("r.yaml", &self.text("rerun"));
        files.iter().for_each(|file| home.write(file, ""));
        home
    }

    /// A run that has ended, or waits for a person and has no engine any more.
    fn left(&self, files: &[&str], code: i32) -> Home {
        let home = self.home(files);
        run(&home, &["exec", "r.yaml", "--exit-when-waiting"], code);
        home
    }

    /// A run with an engine, in which a step is in a state; its undo, where it is `undo a`.
    fn going_on(&self, files: &[&str], step: &str, state: &str) -> (Home, Child) {
        let home = self.home(files);
        let engine = home.start(&["exec", "r.yaml"]);
        wait_for_step(&home, step, state);
        (home, engine)
    }

    /// The same, with the engine, the supervisor and all commands killed.
    fn struck(&self, files: &[&str], step: &str, state: &str) -> Home {
        let (home, mut engine) = self.going_on(files, step, state);
        home.strike();
        engine.wait().expect("an end");
        home
    }
}

fn run(home: &Home, args: &[&str], code: i32) {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn say(home: &Home, verb: &str, code: i32) {
    run(home, &[verb, "last", "--reason", "so that it is so"], code);
}

/// The snapshot of the newest run, once there is one.
fn snapshot(home: &Home) -> Option<Value> {
    let runs = std::fs::read_dir(home.path().join("state/runs")).ok()?.flatten();
    let newest = runs.map(|run| run.path()).filter(|run| run.join("status.json").exists()).max()?;
    serde_json::from_slice(&std::fs::read(newest.join("status.json")).ok()?).ok()
}

fn wait_for_step(home: &Home, step: &str, state: &str) {
    let (step, key) = step.strip_prefix("undo ").map_or((step, "state"), |step| (step, "undo"));
    wait_for(&format!("`{step}` {state}"), || {
        let status = snapshot(home)?;
        status["steps"].as_array()?.iter().any(|it| it["id"] == step && it[key] == state).then_some(())
    });
}

/// Kills the engine, and nothing else.
pub(super) fn kill_the_engine(home: &Home) {
    let is_engine =
        |home: &Home| home.processes().into_iter().filter(|process| process.role == Role::Engine).collect::<Vec<_>>();
    is_engine(home).iter().for_each(|engine| engine.send(rustix::process::Signal::KILL));
    wait_for("the end of the engine", || is_engine(home).is_empty().then_some(()));
}

fn remove(home: &Home, file: &str) {
    // Where nothing was held there is none.
    let _ = std::fs::remove_file(home.path().join(file));
}

/// All goes well from here on; what is held in `b` only with `work`.
pub(super) fn release(home: &Home, work: bool) {
    ["hold_undo", "hold_last", "bad", "bad_undo"].iter().for_each(|file| remove(home, file));
    if work {
        remove(home, "hold");
    }
}

fn waiting_for_a_lock() -> Home {
    let home = LOCKED.home(&["hold"]);
    let mut first = home.start(&["exec", "r.yaml"]);
    wait_for_step(&home, "b", "running");
    let holder = home.run_folder().expect("a run");
    let mut second = home.start(&["exec", "r.yaml"]);
    wait_for("a run that waits", || snapshot(&home)?["locks"][0]["awaited"].is_string().then_some(()));
    home.strike();
    first.wait().expect("an end");
    second.wait().expect("an end");
    std::fs::remove_dir_all(holder).expect("removed");
    home
}

fn paused() -> Home {
    let home = PLAIN.home(&["hold"]);
    let mut engine = home.start(&["exec", "r.yaml", "--exit-when-waiting"]);
    wait_for_step(&home, "b", "running");
    say(&home, "pause", 0);
    release(&home, true);
    assert_eq!(crate::kit::end_of(&mut engine), Some(6));
    home
}

fn asked_about_a_lost_command() -> Home {
    let home = PLAIN.struck(&["hold"], "b", "running");
    run(&home, &["resume", "last", "--exit-when-waiting"], 6);
    home
}

fn asked_about_a_lost_undo() -> Home {
    let home = BACK.home(&["bad", "hold_undo"]);
    home.write("r.yaml", &BACK.text("ask"));
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for_step(&home, "undo a", "running");
    home.strike();
    engine.wait().expect("an end");
    run(&home, &["resume", "last", "--exit-when-waiting"], 6);
    home
}

fn ended_by(book: &Book, verb: &str, code: i32) -> Home {
    let home = book.left(&[], 6);
    match verb {
        "reject" => {
            say(&home, verb, 0);
            run(&home, &["resume", "last"], code);
        }
        _ => say(&home, verb, code),
    }
    home
}

fn engine_killed(book: &Book, files: &[&str], step: &str) -> Home {
    let (home, mut engine) = book.going_on(files, step, "running");
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    home
}

/// What failed before is mended.
fn with_engine(book: &Book, files: &[&str], step: &str, state: &str) -> Home {
    let home = book.going_on(files, step, state).0;
    remove(&home, "bad");
    home
}

fn paused_with_engine() -> Home {
    let home = with_engine(&PLAIN, &["hold"], "b", "running");
    say(&home, "pause", 0);
    remove(&home, "hold");
    wait_for_step(&home, "b", "succeeded");
    home
}

const fn down(name: &'static str, prepare: fn() -> Home) -> State {
    State { name, prepare, is_live: false, is_up: false }
}

const fn up(name: &'static str, prepare: fn() -> Home) -> State {
    State { name, prepare, is_live: true, is_up: true }
}

/// Without an engine.
pub(super) static DOWN: [State; 19] = [
    down("waiting for a lock", waiting_for_a_lock),
    State { is_live: true, ..down("running, and the engine was killed", || engine_killed(&PLAIN, &["hold"], "b")) },
    down("running, and all was killed", || PLAIN.struck(&["hold"], "b", "running")),
    down("asked about a command that was lost", asked_about_a_lost_command),
    down("waiting for an approval", || APPROVAL.left(&[], 6)),
    down("waiting for a manual step", || MANUAL.left(&[], 6)),
    down("waiting for values", || ASK.left(&[], 6)),
    down("waiting to repeat", || RETRY.struck(&["bad"], "b", "retrying")),
    down("paused", paused),
    down("asking what follows on a failure", || ASKING.left(&["bad"], 6)),
    down("rolling back", || BACK.struck(&["bad", "hold_undo"], "undo a", "running")),
    down("asked about an undo that was lost", asked_about_a_lost_undo),
    down("at its last steps", || PLAIN.struck(&["hold_last"], "z", "running")),
    down("succeeded", || PLAIN.left(&[], 0)),
    down("failed", || PLAIN.left(&["bad"], 1)),
    down("rejected", || ended_by(&APPROVAL, "reject", 7)),
    down("cancelled", || ended_by(&APPROVAL, "cancel", 10)),
    down("rolled back", || BACK.left(&["bad"], 2)),
    down("stuck", || BACK.left(&["bad", "bad_undo"], 5)),
];

/// With an engine. After a verb that is taken the engine is killed, and `resume` goes on: what was taken is not lost.
pub(super) static UP: [State; 7] = [
    up("running", || with_engine(&PLAIN, &["hold"], "b", "running")),
    up("waiting for an approval", || with_engine(&APPROVAL, &[], "b", "waiting")),
    up("waiting for values", || with_engine(&ASK, &[], "b", "waiting")),
    up("waiting to repeat", || with_engine(&RETRY, &["bad"], "b", "retrying")),
    up("paused", paused_with_engine),
    up("asking what follows on a failure", || with_engine(&ASKING, &["bad"], "b", "failed")),
    up("rolling back", || with_engine(&BACK, &["bad", "hold_undo"], "undo a", "running")),
];
