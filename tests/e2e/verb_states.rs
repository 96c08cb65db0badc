//! Every verb in every state of a run, said to the real binary: how the command ends, what it says, and how the run stands
//! after it and after `resume`. The tables are `verb_states/*.txt`; `UPDATE_DOCS=1` writes them anew.

mod said;
mod states;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kit::{Home, wait_for};

use said::answered;
use states::{DOWN, State, UP};

/// What an operator types after `runbook`; `RUN` stands for the run, and what asks for a reason gets one.
const VERBS: [&str; 18] = [
    "retry RUN",
    "retry RUN b",
    "retry RUN a --downstream",
    "skip RUN b",
    "skip RUN c",
    "mark-done RUN b",
    "mark-done RUN a",
    "pause RUN",
    "continue RUN",
    "rollback RUN",
    "rollback RUN --to a",
    "take RUN",
    "cancel RUN",
    "approve RUN",
    "reject RUN",
    "answer RUN b x=1",
    "answer RUN --done",
    "answer RUN --took-effect",
];

fn args(verb: &str) -> Vec<String> {
    let words = verb.split(' ').map(|word| if word == "RUN" { "last" } else { word });
    words.map(str::to_owned).chain(["--reason".to_owned(), "it has to be".to_owned()]).collect()
}

/// The same state folder in a home of its own. Without what the runbook calls bad: all goes well from here.
fn copy(home: &Home) -> Home {
    let copy = Home::new();
    let state = home.path().join("state");
    let done = Command::new("cp").arg("-a").arg(state).arg(copy.path()).status().expect("cp");
    assert!(done.success(), "a copy");
    copy
}

/// The snapshot, as the engine left it or a command that read the journal.
fn snapshot(home: &Home) -> Value {
    let file = home.run_folder().expect("a run").join("status.json");
    serde_json::from_slice(&std::fs::read(file).expect("a snapshot")).expect("JSON")
}

/// How the run stands, in a line: `failed: a succeeded, b failed, c blocked`.
fn stand(home: &Home) -> String {
    stand_of(&snapshot(home))
}

fn stand_of(status: &Value) -> String {
    let steps = status["steps"].as_array().expect("steps").iter().map(|step| {
        let word = |key: &str| step[key].as_str();
        let undo = word("undo").filter(|undo| *undo != "none").map(|undo| match undo {
            "undone" => " and undone".to_owned(),
            other => format!(" (undo {other})"),
        });
        let attempts = step["attempts"].as_u64().filter(|count| *count > 1).map(|count| format!(" ({count} attempts)"));
        let (id, state) = (word("id").expect("an id"), word("state").expect("a state"));
        format!("{id} {state}{}{}", attempts.unwrap_or_default(), undo.unwrap_or_default())
    });
    let steps: Vec<String> = steps.collect();
    format!("{}: {}", status["state"].as_str().expect("a state"), steps.join(", "))
}

/// How a command ends and what it says. One that goes on with the run until somebody answers, or for an hour, is killed there.
fn watched(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let said = home.path().join("said");
    let file = std::fs::File::create(&said).expect("a file");
    let mut child = home.command(args).stdout(Stdio::null()).stderr(file).spawn().expect("the program starts");
    let leaves = args.contains(&"--exit-when-waiting");
    let code = wait_for("the end of a command", || match child.try_wait().expect("a child") {
        Some(status) => Some(Some(status.code().expect("a code"))),
        None => goes_nowhere(home, child.id(), leaves).then_some(None),
    });
    if code.is_none() {
        child.kill().expect("a kill");
        child.wait().expect("an end");
    }
    (code, std::fs::read_to_string(said).expect("what it said"))
}

/// Whether a process is the engine, has read all that was said, and then waits for a person or for long. `leaves`: it leaves by
/// itself where it waits for a person.
fn goes_nowhere(home: &Home, pid: u32, leaves: bool) -> bool {
    let Some(run) = home.run_folder().filter(|run| messages(run) == 0) else { return false };
    let text = std::fs::read(run.join("status.json")).unwrap_or_default();
    let status: Value = serde_json::from_slice(&text).unwrap_or_default();
    let is =
        |word: &str| status["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["state"] == word));
    let is_asked = status["questions"].as_array().is_some_and(|questions| !questions.is_empty());
    let is_paused = !status["paused_by"].is_null();
    if status["engine_pid"] != pid || !status["ended_at"].is_null() || is("running") {
        return false;
    }
    if leaves { is("retrying") && !is_paused } else { is_asked || is("retrying") || is_paused }
}

/// The answers and requests that nobody has read.
fn messages(run: &Path) -> usize {
    std::fs::read_dir(run.join("inbox")).map_or(0, |files| files.flatten().count())
}

/// One row: what was said to the command, and what came of it. Whether the state is as before.
fn row(home: &Home, state: &State, verb: &str) -> (String, bool) {
    let before = stand(home);
    let args = args(verb);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (code, said) = watched(home, &args);
    let code_text = |code: Option<i32>| code.map_or_else(|| "..".to_owned(), |code| code.to_string());
    let mut text = format!("  {verb:25} {:>2}  {}\n", code_text(code), answered(home, code, &said).join(" | "));
    let waits = home.run_folder().map_or(0, |run| messages(&run));
    let after = stand(home);
    if waits == 0 && after == before && code.is_some_and(|code| code != 0) {
        return (text, true);
    }
    if state.is_up {
        states::kill_the_engine(home);
    }
    // What ends the run ends the command that waits; everything else goes on when that does.
    let ends = ["rollback", "cancel"].iter().any(|word| verb.starts_with(word));
    states::release(home, !ends);
    if waits > 0 || state.is_up {
        let (resumed, _) = watched(home, &["resume", "last", "--exit-when-waiting"]);
        // An engine that is killed may have decided more than it has published, so the journal is asked.
        text += &format!("  {:25} {:>2}  then {}\n", "", code_text(resumed), stand_of(&home.status()));
    } else {
        text += &format!("  {:25}     then {after}\n", "");
    }
    (text, false)
}

/// The table of one state. What is refused changes nothing, so the next verb is said to the same run.
fn table(state: &State) -> String {
    let prepared = (state.prepare)();
    if !state.is_live {
        // A supervisor that has nothing to do any more ends by itself, and takes its socket with it: also while it is copied.
        wait_for("the end of all processes", || prepared.processes().is_empty().then_some(()));
    }
    let mut text = format!("{}\n  ({})\n", state.name, stand(&prepared));
    let mut fresh: Option<Home> = None;
    for verb in VERBS {
        let home = fresh.take().unwrap_or_else(|| if state.is_live { (state.prepare)() } else { copy(&prepared) });
        let (row, is_unchanged) = row(&home, state, verb);
        text += &row;
        fresh = is_unchanged.then_some(home);
    }
    text
}

/// All states at once: most of the time of each is spent waiting.
fn tables(states: &'static [State]) -> String {
    let threads: Vec<_> = states.iter().map(|state| std::thread::spawn(|| table(state))).collect();
    // All end before the first failure is told, so that nothing is left running.
    let tables: Vec<_> = threads.into_iter().map(std::thread::JoinHandle::join).collect();
    tables.into_iter().map(|table| table.expect("a table")).collect::<Vec<_>>().join("\n")
}

fn compare(name: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/verb_states").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(file, made).expect("written");
    }
    let kept = std::fs::read_to_string(file).expect("the table");
    let difference: Vec<String> = made
        .lines()
        .zip(kept.lines())
        .filter(|(made, kept)| made != kept)
        .map(|(made, kept)| format!("is   {made}\nwas  {kept}"))
        .collect();
    assert!(kept == made, "UPDATE_DOCS=1 writes {name} anew\n{}", difference.join("\n"));
}

#[test]
fn every_verb_in_every_state_without_an_engine() {
    compare("without_an_engine.txt", &tables(&DOWN));
}

#[test]
fn every_verb_in_every_state_with_an_engine() {
    compare("with_an_engine.txt", &tables(&UP));
}
