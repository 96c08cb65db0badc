//! The processes of a test, found in `/proc` by the home that they were started with, wherever they went.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal};

use super::{Home, wait_for};

/// A process that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// Its arguments, with spaces between them.
    pub(crate) command: String,
    pub(crate) role: Role,
}

/// So often the environment of a process is looked for again.
const EXEC_LOOKS: usize = 100;
/// From one look to the next.
const EXEC_PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

/// What a process is to the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The program itself, at what was asked on its command line.
    Engine,
    /// What starts the commands.
    Supervisor,
    /// A process of a command, by the key of its attempt: `step.1`.
    Command(String),
}

impl Process {
    fn read(folder: &Path, home: &str) -> Option<Self> {
        let pid = Pid::from_raw(folder.file_name()?.to_str()?.parse().ok()?)?;
        let (command, environment) = Self::words(folder)?;
        let started_here = format!("HOME={home}");
        // What has thrown its environment away may still carry the home in its arguments.
        if !environment.lines().any(|line| line == started_here) && !command.contains(home) {
            return None;
        }
        let attempt = environment.lines().find_map(|line| line.strip_prefix("RUNBOOK_ATTEMPT="));
        let role = match attempt.and_then(|attempt| attempt.split_once('/')) {
            Some((_, key)) => Role::Command(key.to_owned()),
            None if command.lines().nth(1) == Some("__supervise") => Role::Supervisor,
            None => Role::Engine,
        };
        Some(Self { pid, command: command.trim_end().replace('\n', " "), role })
    }

    /// Its command line and its environment, a line for each word.
    fn words(folder: &Path) -> Option<(String, String)> {
        let words = |name| Some(String::from_utf8_lossy(&fs::read(folder.join(name)).ok()?).replace('\0', "\n"));
        let mut read: (String, String) = (words("cmdline")?, words("environ")?);
        // While another program takes its place a process has no environment for a moment, and at first no arguments either: it
        // would be taken for another. A process of the kernel, or one that has ended, has no program.
        for _ in 0..EXEC_LOOKS {
            if !read.1.is_empty() || fs::read_link(folder.join("exe")).is_err() {
                break;
            }
            std::thread::sleep(EXEC_PAUSE);
            read = (words("cmdline")?, words("environ")?);
        }
        Some(read)
    }

    pub(crate) fn send(&self, signal: Signal) {
        // It may be over already.
        let _ = rustix::process::kill_process(self.pid, signal);
    }

    /// The attempt that it belongs to.
    fn attempt(self) -> Option<String> {
        match self.role {
            Role::Command(key) => Some(key),
            Role::Engine | Role::Supervisor => None,
        }
    }

    /// The most memory that it ever had at once, in bytes, without the pages of the program's own file: those are as many as the
    /// program is large, whatever it does, and a debug build is large.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        Some(kib("VmHWM:")?.saturating_sub(kib("RssFile:")?) * 1024)
    }
}

impl Home {
    /// All processes that were started with this home, in no order.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let home = self.path().to_str().expect("a readable path");
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        entries.filter_map(|entry| Process::read(&entry.path(), home)).collect()
    }

    /// Executes `r.yaml` and kills its engine again and again: when the file `lines` has as many as `first`, and each time after
    /// as many more as `further` makes of the kills so far, until that is none or the run has ended. Its end must be a
    /// success, which nobody was asked for. Gives the number of kills.
    pub(crate) fn kill_engines(&self, first: usize, mut further: impl FnMut(usize) -> Option<usize>) -> usize {
        let mut engine = self.start(&["exec", "r.yaml"]);
        wait_for("the run", || self.run_folder().filter(|run| run.join("status.json").exists()));
        let (mut at, mut kills) = (Some(first), 0);
        while let Some(lines) = at {
            let mut ended = false;
            wait_for("progress", || {
                ended = engine.try_wait().expect("a child").is_some();
                (ended || self.lines("lines").len() >= lines).then_some(())
            });
            if ended {
                break;
            }
            engine.kill().expect("a kill");
            engine.wait().expect("an end");
            kills += 1;
            engine = self.start(&["resume", "last"]);
            at = further(kills).map(|more| lines + more);
        }
        engine.wait().expect("an end");
        // The last resumption may have found an engine that had ended meanwhile; one more tells the outcome.
        let outcome = self.run(&["resume", "last", "--exit-when-waiting"]);
        assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
        kills
    }

    /// Kills all processes of this home as if at one moment: each is stopped before the first is killed. The attempts that ran then.
    pub(crate) fn strike(&self) -> BTreeSet<String> {
        let mut stopped = vec![];
        // Those who start others first; then all who were started meanwhile, until there is nobody new.
        loop {
            let mut found = self.processes();
            found.retain(|process| !stopped.contains(process));
            if found.is_empty() {
                break;
            }
            found.sort_by_key(|process| matches!(process.role, Role::Command(_)));
            found.iter().for_each(|process| process.send(Signal::STOP));
            stopped.extend(found);
        }
        let running = self.processes().into_iter().filter_map(Process::attempt).collect();
        stopped.iter().for_each(|process| process.send(Signal::KILL));
        wait_for("the end of those killed", || self.processes().is_empty().then_some(()));
        running
    }

    /// Waits until no process of this home is left.
    pub(crate) fn wait_until_nothing_is_left(&self) {
        let mut left = vec![];
        let found = super::waited(|| {
            left = self.processes();
            left.is_empty().then_some(())
        });
        assert!(found.is_some(), "these are left: {left:#?}");
    }

    /// Waits until so many processes of this home have a text in their arguments.
    pub(crate) fn wait_for_processes(&self, text: &str, count: usize) {
        wait_for(&format!("{count} times `{text}`"), || {
            let found = self.processes().into_iter().filter(|process| process.command.contains(text));
            (found.count() == count).then_some(())
        });
    }
}

/// A test that fails leaves nothing running.
impl Drop for Home {
    fn drop(&mut self) {
        for process in self.processes() {
            process.send(Signal::KILL);
        }
    }
}
