//! `git-rollback` with real repositories.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::counterparts::program;
use crate::kit::{refused, run, undo};

struct Tree {
    folder: tempfile::TempDir,
    git: PathBuf,
}

impl Tree {
    /// Three commits on `main`, whose file says which it is.
    fn new() -> Option<Self> {
        let tree = Self { git: program("git", &[])?, folder: tempfile::tempdir().expect("a folder") };
        tree.git(&["init", "--quiet", "--initial-branch=main"]);
        for text in ["one", "two", "three"] {
            tree.commit(text);
        }
        Some(tree)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new(&self.git);
        command.arg("-C").arg(self.path()).args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(args);
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn commit(&self, text: &str) {
        std::fs::write(self.path().join("file"), text).expect("a file");
        self.git(&["add", "file"]);
        self.git(&["commit", "--quiet", "--message", text]);
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path().join("file")).expect("a file")
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    fn inputs(&self) -> Value {
        json!({"folder": self.path().display().to_string()})
    }

    fn to(&self, to: &str) -> Value {
        json!({"folder": self.path().display().to_string(), "to": to})
    }
}

#[test]
fn a_work_tree_goes_back_and_an_undo_brings_its_branch_again() {
    let Some(tree) = Tree::new() else { return };
    let third = tree.head();
    let outputs = run("git-rollback", tree.inputs()).expect("it goes back");
    assert_eq!((tree.text().as_str(), &outputs["branch_before"]), ("two", &json!("main")));
    assert_eq!((&outputs["commit_before"], &outputs["commit"]), (&json!(third), &json!(tree.head())));
    assert_eq!(tree.git(&["rev-parse", "main"]), third, "no branch is moved");
    undo("git-rollback", tree.inputs(), &outputs).expect("it comes again");
    assert_eq!((tree.text().as_str(), tree.git(&["branch", "--show-current"]).as_str()), ("three", "main"));
    undo("git-rollback", tree.inputs(), &outputs).expect("a second time there is nothing to do");

    tree.git(&["tag", "good", "HEAD~2"]);
    let outputs = run("git-rollback", tree.to("good")).expect("it goes back");
    assert_eq!(tree.text(), "one");
    tree.git(&["branch", "--force", "main", "HEAD"]);
    undo("git-rollback", tree.to("good"), &outputs).expect("it comes again");
    assert_eq!((tree.text().as_str(), tree.head()), ("three", third), "the commit, where the branch is elsewhere now");
    assert_eq!(tree.git(&["branch", "--show-current"]), "");
}

#[test]
fn what_would_be_lost_or_is_not_there_is_refused() {
    let Some(tree) = Tree::new() else { return };
    for (to, part) in [
        ("nowhere", "there is no commit `nowhere` in"),
        ("HEAD~3", "there is no commit `HEAD~3` in"),
        ("--orphan", "`to` cannot be `--orphan`: it would be read as an option"),
    ] {
        let message = refused("git-rollback", tree.to(to));
        assert!(message.contains(part), "{message}");
    }
    std::fs::write(tree.path().join("file"), "of somebody").expect("a file");
    let message = refused("git-rollback", tree.inputs());
    assert!(message.contains("has changes that are in no commit") && message.contains("file"), "{message}");
    assert_eq!(tree.text(), "of somebody");
    let message = refused("git-rollback", json!({"folder": "/nowhere"}));
    assert!(message.contains("/nowhere"), "{message}");
}

#[test]
fn what_somebody_checked_out_meanwhile_is_not_undone() {
    let Some(tree) = Tree::new() else { return };
    let outputs = run("git-rollback", tree.inputs()).expect("it goes back");
    tree.git(&["checkout", "--quiet", "--detach", "HEAD~1"]);
    let error = undo("git-rollback", tree.inputs(), &outputs).expect_err("somebody moved it");
    assert!(error.message.contains("somebody moved"), "{error:?}");
    assert_eq!(tree.text(), "one");
}
