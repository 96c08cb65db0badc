//! Child runs: a run like any other, whose engine is a command of the step that started it.
//!
//! ```text
//! supervisor of the parent ─► engine of the child ─► supervisor of the child ─► its commands
//! ```
//!
//! So the child survives the engine of the parent, and its own record says what became of it, whatever is lost. It is told to
//! end through its inbox, as by a person: a signal that kills its engine would leave its commands running.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use runbook_core::event::{AttemptId, ChildEnd, Parent};
use runbook_core::input::{AttemptResult, Exit, Input};
use runbook_core::plan::{CHILD_DEPTH_MAX, SecretSource};
use runbook_core::run::Run;
use runbook_core::units::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::command::{exit_of, log_name};
use super::{Driver, EngineError};
use crate::folder::{LAUNCH, PARTS, RunFolder, private_folder, sync, write_durable};
use crate::inbox::{self, Message};
use crate::launch;
use crate::plugin::{PluginFiles, files};
use crate::status::Status;
use crate::supervisor::{self, CommandKind, Ended, Key, Request, Secret, StartRequest};

/// The hidden command that is the engine of a child run.
pub const CHILD_SUBCOMMAND: &str = "__child";

/// How a child run ended, as its engine leaves it for the parent.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    end: ChildEnd,
    outputs: BTreeMap<String, Value>,
}

/// Leaves how a child run ended, where its parent looks for it.
///
/// # Errors
/// When the file cannot be written.
pub fn leave_end(folder: &RunFolder, run: &Run) -> io::Result<()> {
    let Some(end) = run.end() else { return Ok(()) };
    let irreversible = !end.irreversible.is_empty();
    let child = ChildEnd { run: folder.id().clone(), state: end.state, cause: end.cause.clone(), irreversible };
    write_durable(&folder.end(), &serde_json::to_vec(&Left { end: child, outputs: end.outputs.clone() })?)
}

fn left(folder: &RunFolder) -> Option<Left> {
    serde_json::from_slice(&std::fs::read(folder.end()).ok()?).ok()
}

impl Driver {
    fn child_folder(&self, attempt: &AttemptId) -> Option<RunFolder> {
        let child = self.engine.run.child_of(attempt)?;
        Some(self.engine.folder.state().run(&child.run))
    }

    /// Starts the engine of a child run: the first, or the one that goes on after the last was lost.
    pub(super) fn start_child(&mut self, attempt: &AttemptId, plan: &Digest, params: &Value) -> Result<(), String> {
        let request = self.child_command(attempt, plan, params)?;
        self.running.insert(attempt.to_string(), attempt.clone());
        self.supervisor.send(&Request::Start(Box::new(request)));
        Ok(())
    }

    fn child_command(&self, attempt: &AttemptId, plan: &Digest, params: &Value) -> Result<StartRequest, String> {
        let (Some(created), Some(child)) = (self.engine.run.created(), self.engine.run.child_of(attempt)) else {
            return Err("this is no child run".to_owned());
        };
        let depth = created.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
        if depth > CHILD_DEPTH_MAX {
            return Err(format!("child runs lie at most {CHILD_DEPTH_MAX} deep within each other"));
        }
        let plan = created.plan.child(plan).ok_or("the plan of the child run is missing")?;
        let sources: Vec<&SecretSource> =
            plan.secrets.values().chain(plan.runbooks.values().flat_map(|plan| plan.secrets.values())).collect();
        let env_secret = secrets_by_variable(&sources);
        let state = self.engine.folder.state();
        let folder = state.run(&child.run);
        if !folder.path().is_dir() {
            let parent = Parent { run: created.run.clone(), attempt: attempt.clone(), depth };
            let above = self.engine.run.locks_over(attempt);
            let launched = launch::child(created, plan, params, parent, above, &child.run, &*self.engine.evaluate)?;
            let bytes = serde_json::to_vec(&launched).map_err(|error| error.to_string())?;
            let plugins: Vec<PathBuf> =
                launched.plan.plugin_digests().map(|it| self.engine.folder.plugin(it)).collect();
            create(&folder, &bytes, &plugins).map_err(|error| format!("cannot launch the child run: {error}"))?;
        }
        let mut env_remove = self.secrets.variables();
        env_remove.extend(["RUNBOOK_OUTPUT", "RUNBOOK_RUN", "RUNBOOK_STEP"].map(str::to_owned));
        env_remove.retain(|name| !env_secret.contains_key(name));
        let args = ["--state", &state.path().display().to_string(), CHILD_SUBCOMMAND, child.run.as_str()];
        let log = log_name(attempt);
        Ok(StartRequest {
            key: Key::new(attempt.to_string()).map_err(|error| error.to_string())?,
            kind: CommandKind::Attempt,
            program: self.options.exe.clone(),
            args: args.map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            env_remove,
            env_secret,
            mask: self.secrets.known(),
            dir: created.dir.clone().into(),
            stdout: self.engine.folder.log(&log, "out"),
            stderr: self.engine.folder.log(&log, "err"),
        })
    }

    /// The engine of a child run ended: with the run, or it was lost, and then another one goes on.
    pub(super) fn child_ended(&mut self, attempt: AttemptId, ended: &Ended) -> Result<(), EngineError> {
        let left = self.child_folder(&attempt).and_then(|folder| left(&folder));
        let is_lost = matches!(ended.exit, supervisor::Exit::Unknown | supervisor::Exit::Signal(_));
        let result = match left {
            None if is_lost => return self.child_lost(attempt),
            None => AttemptResult { exit: exit_of(&ended.exit), ..AttemptResult::default() },
            Some(Left { end, outputs }) => {
                let exit = Exit::Code(i32::from(crate::exit_code::ExitCode::of(end.state, &end.cause) as u8));
                let (outputs, unusable) = match self.without_secrets(outputs) {
                    Ok(outputs) => (outputs, None),
                    Err(reason) => (BTreeMap::new(), Some(reason)),
                };
                AttemptResult { exit, outputs, unusable, child: Some(end), ..AttemptResult::default() }
            }
        };
        self.take(Input::Ended { attempt, result: Box::new(result) })
    }

    /// What lives on of it is not ended: it is the child run itself, which the next engine finds.
    pub(super) fn child_lost(&mut self, attempt: AttemptId) -> Result<(), EngineError> {
        self.take(Input::Lost(Box::new(attempt.into())))
    }

    /// Tells a child run to end, once for each level.
    pub(super) fn end_child(&mut self, attempt: &AttemptId, level: u8, overdue: bool) -> Result<(), EngineError> {
        let Some(folder) = self.child_folder(attempt) else { return Ok(()) };
        let name = if overdue { "parent-overdue".to_owned() } else { format!("parent-{level}") };
        let told = folder.told(&name);
        // Before its engine is to start there is no folder, and no engine that could be told.
        if told.exists() || !folder.inbox().is_dir() {
            return Ok(());
        }
        let what = if overdue { "is overdue" } else { "is cancelled" };
        let reason = Some(format!("step `{}` of run {} {what}", attempt.step, self.engine.folder.id()));
        inbox::put_as(&folder, &Message::Cancel { level, reason }, &name)?;
        write_durable(&told, b"")?;
        Ok(())
    }

    /// Whether an attempt is a child run that waits for somebody, as one does that waits for its own child runs alone.
    pub(super) fn child_waits(&self, attempt: &AttemptId) -> bool {
        let status = self.child_folder(attempt).and_then(|folder| Status::read(&folder).ok());
        let state = self.engine.folder.state();
        status.is_some_and(|status| status.with_children(&state).state == "waiting")
    }
}

/// Makes the folder of a child run, which is there at once with what it is launched with: never a run that is no child.
fn create(folder: &RunFolder, launch: &[u8], plugins: &[PathBuf]) -> io::Result<()> {
    // A name that is no id is passed over by those who look for runs.
    let new = folder.path().with_file_name(format!(".new-{}", folder.id()));
    PARTS.iter().try_for_each(|part| private_folder(&new.join(part)))?;
    write_durable(&new.join(LAUNCH), launch)?;
    let all = plugins.iter().map(|from| PluginFiles::read(from)).collect::<io::Result<Vec<_>>>()?;
    let all: BTreeMap<Digest, PluginFiles> = all.into_iter().map(|files| (files.digest(), files)).collect();
    files::keep_all(&all, all.keys(), |digest| new.join("plugins").join(digest.as_str()))?;
    std::fs::rename(&new, folder.path())?;
    folder.path().parent().map_or(Ok(()), sync)
}

/// The child resolves its secrets itself; variables that they come from reach it beside the supervisor, which has none.
fn secrets_by_variable(sources: &[&SecretSource]) -> BTreeMap<String, Secret> {
    let variable = |source: &&SecretSource| match source {
        SecretSource::Env(name) => Some((name.clone(), Secret::new(std::env::var(name).ok()?))),
        SecretSource::File(_) | SecretSource::Command(_) => None,
    };
    sources.iter().filter_map(variable).collect()
}
