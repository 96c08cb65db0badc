//! A copy of the shipped runbooks in a home of its own, and what can be seen of a rehearsal from outside.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::kit::{Home, wait_for};

/// The repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One rehearsal.
pub(super) struct Room {
    pub(super) home: Home,
}

impl Room {
    /// As shipped, but for a pause of the sandbox that a test need not sit through.
    pub(super) fn new() -> Self {
        let room = Self::as_shipped();
        room.edit("environments/sandbox.yaml", "settle: 2s", "settle: 400ms");
        room
    }

    /// A home with nothing in it but a copy of `runbook.toml` and of the runbooks.
    pub(super) fn as_shipped() -> Self {
        let home = Home::new();
        fs::copy(root().join("runbook.toml"), home.path().join("runbook.toml")).expect("a copy");
        copy(&root().join("runbooks"), &home.path().join("runbooks"));
        Self { home }
    }

    /// Changes the copy of a file; what is changed has to be there, so that a test notices when it is not any more.
    pub(super) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.home.path().join("runbooks").join(file);
        let text = fs::read_to_string(&path).expect("a runbook");
        let (before, after) = text.split_once(from).unwrap_or_else(|| panic!("{file} has no `{from}`"));
        fs::write(path, format!("{before}{to}{after}")).expect("a file");
    }

    /// Changes the timeout that follows a step's id.
    pub(super) fn limit(&self, file: &str, step: &str, from: &str, to: &str) {
        let path = self.home.path().join("runbooks").join(file);
        let text = fs::read_to_string(&path).expect("a runbook");
        let (before, rest) = text.split_once(&format!("- id: {step}\n")).unwrap_or_else(|| panic!("no step {step}"));
        let wanted = format!("timeout: {from}\n");
        let (within, after) = rest.split_once(&wanted).unwrap_or_else(|| panic!("{step} has no {wanted}"));
        assert!(!within.contains("- id: "), "the timeout of `{step}` itself is {from}");
        fs::write(path, format!("{before}- id: {step}\n{within}timeout: {to}\n{after}")).expect("a file");
    }

    /// Runs the program, which has to end with `code`.
    pub(super) fn run(&self, args: &[&str], code: i32) -> Output {
        let output = self.home.run(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        output
    }

    /// Runs the program against a platform that is broken in these ways from its start.
    pub(super) fn run_broken(&self, faults: &str, args: &[&str], code: i32) -> Output {
        let output = self.home.command(args).env("RUNBOOK_SANDBOX_FAULTS", faults).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{}", shown(&output));
        output
    }

    /// Starts a runbook and leaves at its first question.
    pub(super) fn exec_until_asked(&self, args: &[&str]) -> Output {
        let exec: Vec<&str> = ["exec"].iter().chain(args).copied().chain(["--exit-when-waiting"]).collect();
        self.run(&exec, 6)
    }

    /// Answers the question, which nobody waits for, and goes on to an end with `code`.
    pub(super) fn answer(&self, answer: &str, code: i32) -> Output {
        self.run(&[answer, "last"], 0);
        self.run(&["resume", "last"], code)
    }

    /// How the platform stands, by its own databases.
    pub(super) fn platform(&self) -> Value {
        let output = self.run(&["sandbox", "show", "--run", "last", "--output", "json"], 0);
        serde_json::from_slice(&output.stdout).expect("an overview")
    }

    /// The backups, newest first.
    pub(super) fn backups(&self) -> Value {
        let output = self.run(&["sandbox", "db", "backups", "--run", "last", "--output", "json"], 0);
        serde_json::from_slice(&output.stdout).expect("backups")
    }

    /// How a step of the run stands.
    pub(super) fn step(&self, id: &str) -> Value {
        let status = self.home.status();
        let found = list(&status["steps"]).iter().find(|step| step["id"] == id);
        found.unwrap_or_else(|| panic!("no step {id}")).clone()
    }

    /// Waits for an attempt of a step, in the snapshot that the engine publishes.
    pub(super) fn wait_for_attempt(&self, id: &str) {
        let begun = |step: &Value| step["id"] == id && step["attempts"].as_i64() > Some(0);
        self.wait_for_status(id, |status| list(&status["steps"]).iter().any(begun));
    }

    /// Waits until a step asks for its approval.
    pub(super) fn wait_for_question(&self, id: &str) {
        self.wait_for_status(id, |status| list(&status["questions"]).iter().any(|question| question["step"] == id));
    }

    fn wait_for_status(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        wait_for(what, || {
            let text = fs::read(self.home.run_folder()?.join("status.json")).ok()?;
            let status: Value = serde_json::from_slice(&text).expect("a file that appears whole");
            holds(&status).then_some(())
        });
    }

    /// The data folder of the platform.
    pub(super) fn data(&self) -> PathBuf {
        self.home.run_folder().expect("a run").join("services/platform")
    }

    /// The text of the one file in the data folder whose name begins so.
    pub(super) fn record(&self, beginning: &str) -> String {
        let found: Vec<PathBuf> =
            files(&self.data()).into_iter().filter(|path| name(path).starts_with(beginning)).collect();
        assert_eq!(found.len(), 1, "{beginning}: {found:?}");
        fs::read_to_string(&found[0]).expect("a record")
    }

    /// What must hold at the end of every rehearsal: no process is left, and a secret stands in no file but its own, which
    /// only its owner can read.
    pub(super) fn leaves_nothing(&self, shown: &[&Output]) {
        self.home.wait_until_nothing_is_left();
        let mut own = files(&self.data().join("hooks"));
        assert_eq!(own.len(), 4);
        own.push(self.data().join("admin.token"));
        let secrets: Vec<String> = own.iter().map(|file| secret(file)).collect();
        let has = |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        for file in files(self.home.path()).into_iter().filter(|file| !own.contains(file)) {
            let bytes = fs::read(&file).expect("a file");
            assert!(!secrets.iter().any(|secret| has(&bytes, secret)), "a secret stands in {}", file.display());
        }
        let told = shown.iter().flat_map(|output| [&output.stdout, &output.stderr]);
        assert!(!told.into_iter().any(|bytes| secrets.iter().any(|secret| has(bytes, secret))), "a secret was shown");
    }
}

/// What a file keeps that only its owner can read: a token or a key, or the last part of a URL.
fn secret(file: &Path) -> String {
    let mode = fs::metadata(file).expect("a secret").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    let text = fs::read_to_string(file).expect("a secret");
    let secret = text.trim().rsplit('/').next().unwrap_or_default().to_owned();
    assert!(secret.len() > 20, "{}", file.display());
    secret
}

/// The elements of a list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// One field of all elements of a list.
pub(super) fn all<'v>(value: &'v Value, field: &str) -> Vec<&'v str> {
    list(value).iter().map(|one| one[field].as_str().unwrap_or_default()).collect()
}

/// A service of an overview.
pub(super) fn service<'v>(platform: &'v Value, name: &str) -> &'v Value {
    list(&platform["services"]).iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no service {name}"))
}

/// The parts of an overview that a response which never began must not have changed.
pub(super) fn untouched(platform: &Value) -> Value {
    ["services", "trading", "keys", "sessions", "lockdowns", "faults", "containment"]
        .map(|part| platform[part].clone())
        .into_iter()
        .collect()
}

/// What stands on standard output and standard error.
pub(super) fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// All files of a folder and those below.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
