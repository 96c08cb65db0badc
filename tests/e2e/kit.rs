//! A home of its own for each test, and the real binary in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) mod chance;
mod documents;
pub(crate) mod processes;
pub(crate) mod pty;
pub(crate) mod users;

/// A test that waits longer than this for something to happen has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A home and a state folder of its own.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.path());
        command
            .env("RUNBOOK_LOCKS", self.path().join("locks"))
            .env("RUNBOOK_STATE", self.path().join("state"))
            .current_dir(self.path())
            .args(args);
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let pid = Pid::from_child(&child);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || tell.send(child.wait_with_output()));
        let Ok(output) = told.recv_timeout(LIMIT) else {
            let _ = kill_process(pid, Signal::KILL);
            panic!("`runbook {}` never ended", args.join(" "));
        };
        output.expect("its output")
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        if name.ends_with(".yaml") {
            documents::hold(text);
        }
        std::fs::write(self.path().join(name), text).expect("a file");
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn run_folder(&self) -> Option<PathBuf> {
        let entry = std::fs::read_dir(self.path().join("state/runs")).ok()?.flatten().next()?;
        Some(entry.path())
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.run(&["status", "last", "--output", "json"]);
        serde_json::from_slice(&output.stdout).expect("a status")
    }

    pub(crate) fn supervisor_pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.run_folder()?.join("supervisor.json")).ok()?;
        let identity: Value = serde_json::from_str(&text).ok()?;
        i32::try_from(identity["process"]["pid"].as_i64()?).ok()
    }
}

pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Waits until a program has ended by itself; its exit code.
pub(crate) fn end_of(program: &mut Child) -> Option<i32> {
    wait_for("the end of the program", || program.try_wait().expect("a child")).code()
}

/// Waits until there is something, and gives it.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    waited(look).unwrap_or_else(|| panic!("{what} never came"))
}

/// Looks again and again until there is something, or too much time has passed.
fn waited<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        let found = look();
        if found.is_some() || started.elapsed() > LIMIT {
            return found;
        }
        // Short at first, for those who wait for a moment to strike; then what is waited for gets the machine.
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
}
