//! `git-rollback`: puts a work tree back to an earlier commit.

use std::process::Command;
use std::time::Duration;

use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Map, json};

use crate::program::{plain, run as started};
use crate::session::{Failed, Outcome, Session, object};

/// How long git may take: a large work tree is written in it.
const GIT_MAX: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Inputs {
    folder: String,
    #[serde(default = "the_one_before")]
    to: String,
}

/// What the call that is undone handed back.
#[derive(Deserialize)]
struct Outputs {
    commit_before: Option<String>,
    branch_before: Option<String>,
    commit: Option<String>,
}

fn the_one_before() -> String {
    "HEAD~1".to_owned()
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let git = Git { folder: &inputs.folder, session };
    if session.is_undo() {
        return undo(&git);
    }
    let to = plain("to", &inputs.to)?;
    let before = git.commit("HEAD")?;
    let target = git.commit(to)?;
    git.must_be_clean()?;
    let branch = git.branch()?;
    git.call("checkout", &["checkout", "--quiet", "--detach", &target])?;
    Ok(object(json!({"commit_before": before, "branch_before": branch, "commit": target})))
}

/// Back to the branch, if it is still where it was, else to the commit.
fn undo(git: &Git<'_, '_>) -> Outcome {
    let outputs: Outputs = git.session.outputs()?;
    let before = outputs.commit_before.ok_or_else(|| Failed::new("nobody knows which commit there was"))?;
    let (here, branch) = (git.commit("HEAD")?, git.branch()?);
    if here == before && branch == outputs.branch_before {
        git.session.log(Level::Info, "the work tree is back already");
        return Ok(Map::new());
    }
    if outputs.commit.is_some_and(|commit| commit != here) || branch.is_some() {
        return Err(Failed::new(format!("somebody moved {} to another commit meanwhile", git.folder)));
    }
    git.must_be_clean()?;
    let is_there = |branch: &String| git.commit(&format!("refs/heads/{branch}")).is_ok_and(|commit| commit == before);
    match outputs.branch_before.filter(is_there) {
        Some(branch) => git.call("checkout", &["checkout", "--quiet", &branch, "--"])?,
        None => git.call("checkout", &["checkout", "--quiet", "--detach", &before])?,
    };
    Ok(Map::new())
}

struct Git<'i, 's> {
    folder: &'i str,
    session: &'i Session<'s>,
}

impl Git<'_, '_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.folder).args(args);
        // What whoever started the run had set is about another work tree.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        command
    }

    fn call(&self, what: &str, args: &[&str]) -> Result<String, Failed> {
        let ended = started(&mut self.command(args), b"", GIT_MAX, self.session)?;
        Ok(ended.success(&format!("`git {what}`"))?.trim().to_owned())
    }

    fn commit(&self, name: &str) -> Result<String, Failed> {
        let name = format!("{name}^{{commit}}");
        self.call("rev-parse", &["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).map_err(|failed| {
            let message = format!("there is no commit `{}` in {}", name.trim_end_matches("^{commit}"), self.folder);
            if failed.message.ends_with("it said nothing") { Failed::new(message) } else { failed }
        })
    }

    /// The branch that is checked out; none where it is a mere commit.
    fn branch(&self) -> Result<Option<String>, Failed> {
        let mut command = self.command(&["symbolic-ref", "--quiet", "--short", "HEAD"]);
        let ended = started(&mut command, b"", GIT_MAX, self.session)?;
        Ok(Some(ended.stdout.trim().to_owned()).filter(|branch| ended.status.success() && !branch.is_empty()))
    }

    /// Nobody's work is lost, and what is checked out is the commit and nothing else.
    fn must_be_clean(&self) -> Result<(), Failed> {
        let changed = self.call("status", &["status", "--porcelain", "--untracked-files=no"])?;
        match changed.lines().next() {
            None => Ok(()),
            Some(first) => {
                Err(Failed::new(format!("{} has changes that are in no commit: {}", self.folder, first.trim())))
            }
        }
    }
}
