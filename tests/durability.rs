//! Durability, proved by killing the real binary: nothing is lost, nothing is repeated, nobody is asked without need.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A test that waits longer than this for something to happen has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// A home and a state folder of its own.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.path());
        command.env("RUNBOOK_STATE", self.path().join("state")).current_dir(self.path()).args(args);
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a file");
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn run_folder(&self) -> Option<PathBuf> {
        let entry = std::fs::read_dir(self.path().join("state/runs")).ok()?.flatten().next()?;
        Some(entry.path())
    }

    fn status(&self) -> Value {
        let output = self.run(&["status", "last", "--output", "json"]);
        serde_json::from_slice(&output.stdout).expect("a status")
    }

    fn supervisor_pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.run_folder()?.join("supervisor.json")).ok()?;
        let identity: Value = serde_json::from_str(&text).ok()?;
        i32::try_from(identity["process"]["pid"].as_i64()?).ok()
    }
}

fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "{what} never came");
        std::thread::yield_now();
    }
}

/// Steps that are not idempotent: each adds its own line.
fn appending(steps: usize) -> String {
    let mut text = "schema: runbook/v1\nid: append\ntitle: Append\nsteps:\n".to_owned();
    for number in 0..steps {
        text.push_str(&format!("  - {{id: s{number}, run: echo {number} >> lines}}\n"));
    }
    text
}

#[test]
fn an_engine_killed_at_any_moment_repeats_nothing_and_asks_nothing() {
    const STEPS: usize = 30;
    const KILLS: usize = 200;
    let expected: Vec<String> = (0..STEPS).map(|number| number.to_string()).collect();
    let mut kills = 0;
    let mut round = 0;
    while kills < KILLS {
        let home = Home::new();
        home.write("r.yaml", &appending(STEPS));
        let mut engine = home.start(&["exec", "r.yaml"]);
        // Another moment in each round, and again in each resumption: after so many lines, or in the very start.
        wait_for("the run", || home.run_folder().filter(|run| run.join("status.json").exists()));
        let mut at = round % 7;
        while at < STEPS && kills < KILLS {
            let mut ended = false;
            wait_for("progress", || {
                ended = engine.try_wait().expect("a child").is_some();
                (ended || home.lines("lines").len() >= at).then_some(())
            });
            if ended {
                break;
            }
            engine.kill().expect("a kill");
            engine.wait().expect("an end");
            kills += 1;
            engine = home.start(&["resume", "last"]);
            at += 1 + (round + kills) % 5;
        }
        let last = engine.wait().expect("an end");
        // The last resumption may have found an engine that had ended meanwhile; one more tells the outcome.
        let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
        assert_eq!(outcome.status.code(), Some(0), "{last} {}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(home.lines("lines"), expected, "round {round}");
        assert_eq!(home.status()["state"], "succeeded");
        round += 1;
    }
}

#[test]
fn a_rollback_that_is_killed_undoes_each_step_once_dependents_first() {
    const STEPS: usize = 12;
    let mut text = "schema: runbook/v1\nid: undo\ntitle: Undo\non_failure: rollback\nsteps:\n".to_owned();
    for number in 0..STEPS {
        text.push_str(&format!("  - {{id: s{number}, run: 'true', rollback: {{run: echo {number} >> undone}}}}\n"));
    }
    text.push_str("  - {id: broken, run: 'false'}\n");
    let expected: Vec<String> = (0..STEPS).rev().map(|number| number.to_string()).collect();
    for stop_after in 0..STEPS {
        let home = Home::new();
        home.write("r.yaml", &text);
        let mut engine = home.start(&["exec", "r.yaml"]);
        wait_for("the rollback", || {
            let ended = engine.try_wait().expect("a child").is_some();
            (ended || home.lines("undone").len() > stop_after).then_some(())
        });
        let _ = engine.kill();
        engine.wait().expect("an end");
        let outcome = home.run(&["resume", "last"]);
        assert_eq!(outcome.status.code(), Some(2), "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(home.lines("undone"), expected);
    }
}

#[test]
fn when_all_is_killed_only_what_ran_is_asked_about() {
    for round in 0..50 {
        let home = Home::new();
        // `fast` has ended when the blow comes, `slow` runs, `next` was never started.
        home.write(
            "r.yaml",
            "schema: runbook/v1\nid: blow\ntitle: Blow\nsteps:\n  - {id: fast, run: echo fast >> lines}\n  \
             - {id: slow, run: 'echo $$ > pid; echo slow >> lines; exec sleep 300'}\n  \
             - {id: next, run: echo next >> lines}\n",
        );
        let mut engine = home.start(&["exec", "r.yaml"]);
        wait_for("the slow step", || (home.lines("lines").len() == 2).then_some(()));
        let supervisor = wait_for("the supervisor", || home.supervisor_pid());
        let slow: i32 = home.lines("pid")[0].parse().expect("a pid");
        kill(supervisor);
        engine.kill().expect("a kill");
        kill(slow);
        engine.wait().expect("an end");

        let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
        assert_eq!(outcome.status.code(), Some(6), "{}", String::from_utf8_lossy(&outcome.stderr));
        let status = home.status();
        let questions = status["questions"].as_array().expect("questions");
        assert_eq!(questions.len(), 1, "round {round}: {questions:?}");
        assert_eq!((&questions[0]["step"], &questions[0]["kind"]), (&"slow".into(), &"interrupted".into()));
        assert_eq!(home.lines("lines"), ["fast", "slow"]);

        assert_eq!(home.run(&["answer", "last", "--took-effect"]).status.code(), Some(0));
        let outcome = home.run(&["resume", "last"]);
        assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(home.lines("lines"), ["fast", "slow", "next"]);
    }
}
