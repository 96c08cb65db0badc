//! Several real users on one state folder. The system's lists of users and groups are replaced for the programs under test
//! alone, in a mount namespace each, so nothing of the machine changes; that takes root.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::wait_for;

/// Set where the tests must run: then to skip them is a failure.
const MUST: &str = "RUNBOOK_TEST_USERS";

/// Who there is: all but `out` are in the group.
const USERS: [(&str, u32); 5] = [("ann", 7001), ("bob", 7002), ("cid", 7003), ("mal", 7004), ("out", 7005)];
const GID: u32 = 7000;

/// Replaces the lists of users and groups, and becomes somebody else.
const ENTER: &str = "mount --bind \"$1/passwd\" /etc/passwd && mount --bind \"$1/group\" /etc/group || exit 99
user=$2 groups=$3; shift 3
exec setpriv --reuid \"$user\" --regid \"$user\" --groups \"$groups\" -- \"$@\"";

/// A state folder that the group `ops` shares, in a place where all can use it.
pub(crate) struct Office {
    folder: tempfile::TempDir,
}

impl Office {
    /// None, with a line that says so, where this machine cannot do it.
    pub(crate) fn open() -> Option<Self> {
        let office = Self { folder: tempfile::tempdir().expect("a folder") };
        let path = office.path();
        let open = |folder: &Path, mode| {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).expect("its mode");
        };
        open(path, 0o755);
        office.write("passwd", &users());
        office.write("group", &group(&["ann", "bob", "cid", "mal"]));
        std::fs::create_dir(path.join("locks")).expect("a folder");
        open(&path.join("locks"), 0o1777);
        // Where the program was built may be closed to others.
        let program = path.join("runbook");
        std::fs::hard_link(env!("CARGO_BIN_EXE_runbook"), &program)
            .or_else(|_| std::fs::copy(env!("CARGO_BIN_EXE_runbook"), &program).map(drop))
            .expect("the program");
        let can = rustix::process::geteuid().is_root()
            && office.shell("ann", "true").output().is_ok_and(|output| output.status.success());
        if !can {
            assert!(std::env::var_os(MUST).is_none(), "{MUST} is set: root and mount namespaces are needed");
            // Not by a macro, whose output tests swallow.
            let _ = std::io::stderr().write_all(b"SKIPPED: tests with several users need root and mount namespaces\n");
            return None;
        }
        for (name, uid) in USERS {
            let home = path.join(name);
            std::fs::create_dir(&home).expect("a home");
            std::os::unix::fs::chown(&home, Some(uid), Some(uid)).expect("its owner");
        }
        let made = office.run("root", &["state", "init", "--group", "ops"]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
        Some(office)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a file");
    }

    /// Who is in the group from now on.
    pub(crate) fn members(&self, names: &[&str]) {
        self.write("group", &group(names));
    }

    fn becoming(&self, user: &str) -> Command {
        let uid = USERS.iter().find(|(name, _)| *name == user).map_or_else(|| user.parse().unwrap_or(0), |it| it.1);
        let groups = if user == "out" { uid } else { GID };
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "enter"]);
        command.arg(self.path()).arg(uid.to_string()).arg(groups.to_string());
        let home = self.path().join(user);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &home);
        command.env("RUNBOOK_STATE", self.state()).env("RUNBOOK_LOCKS", self.path().join("locks"));
        command.current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// The program as somebody: one of the users, `root`, or a number.
    pub(crate) fn command(&self, user: &str, args: &[&str]) -> Command {
        let mut command = self.becoming(user);
        command.arg(self.path().join("runbook")).args(args);
        command
    }

    pub(crate) fn run(&self, user: &str, args: &[&str]) -> Output {
        self.command(user, args).output().expect("it runs")
    }

    pub(crate) fn start(&self, user: &str, args: &[&str]) -> Child {
        self.command(user, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    /// A script as somebody.
    pub(crate) fn shell(&self, user: &str, script: &str) -> Command {
        let mut command = self.becoming(user);
        command.args(["sh", "-c", script]);
        command
    }

    /// Whether a script of somebody ends well.
    pub(crate) fn can(&self, user: &str, script: &str) -> bool {
        self.shell(user, script).output().expect("it runs").status.success()
    }

    /// The only run, once there is one.
    pub(crate) fn id(&self) -> String {
        wait_for("a run", || {
            let mut names = std::fs::read_dir(self.state().join("runs")).ok()?.flatten();
            names.next().map(|entry| entry.file_name().to_string_lossy().into_owned())
        })
    }

    pub(crate) fn status(&self, user: &str, run: &str) -> Option<Value> {
        serde_json::from_slice(&self.run(user, &["status", run, "--output", "json"]).stdout).ok()
    }

    /// Waits until a run asks, as that is published.
    pub(crate) fn asks(&self, user: &str, run: &str) -> Value {
        wait_for("a question", || self.status(user, run).filter(|status| status["questions"][0].is_object()))
    }
}

fn users() -> String {
    let one = |(name, uid): (&str, u32)| format!("{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n");
    std::iter::once("root:x:0:0:root:/root:/bin/sh\n".to_owned()).chain(USERS.map(one)).collect()
}

fn group(members: &[&str]) -> String {
    let own: String = USERS.iter().map(|(name, uid)| format!("{name}:x:{uid}:\n")).collect();
    format!("root:x:0:\nops:x:{GID}:{}\n{own}", members.join(","))
}

/// What a program said.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
