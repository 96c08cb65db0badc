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

use runbook_core::event::{AttemptId, EndState, FROM_PARENT, Parent, Phase, Verb};
use runbook_core::input::{AttemptResult, Exit, Input};
use runbook_core::plan::{CHILD_DEPTH_MAX, SecretSource};
use runbook_core::rendered::Rendered;
use runbook_core::run::Told;
use runbook_core::units::Digest;

use super::asked::{Asked, Left};
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

fn left(folder: &RunFolder) -> Option<Left> {
    serde_json::from_slice(&std::fs::read(folder.end()).ok()?).ok()
}

impl Driver {
    fn child_folder(&self, attempt: &AttemptId) -> Option<RunFolder> {
        let child = self.engine.run.child_of(attempt)?;
        Some(self.engine.folder.state().run(&child.run))
    }

    /// Starts the engine of a child run: the first, the one that goes on after the last was lost, or the one that goes on
    /// after its end, because the step starts over or is undone.
    pub(super) fn start_child(&mut self, attempt: &AttemptId) -> Result<(), String> {
        self.ask_child(attempt)?;
        let request = self.child_command(attempt)?;
        self.running.insert(attempt.to_string(), attempt.clone());
        self.supervisor.send(&Request::Start(Box::new(request)));
        Ok(())
    }

    /// Says what is wanted of a child run that has ended. For one attempt always the same.
    fn ask_child(&self, attempt: &AttemptId) -> Result<(), String> {
        let Some(child) = self.engine.run.child_of(attempt).filter(|child| child.went_on) else { return Ok(()) };
        let folder = self.engine.folder.state().run(&child.run);
        if !folder.path().is_dir() {
            return Err(format!("the child run {} is not there any more", child.run));
        }
        let is_way_back = attempt.phase == Phase::Undo;
        let what = if is_way_back { "is undone" } else { "starts over" };
        let asked = Asked { ask: child.asked.to_string(), is_way_back, reason: self.because(attempt, what) };
        asked.write(&folder).map_err(|error| format!("cannot tell the child run {}: {error}", child.run))
    }

    /// Why a child run is told something, with the words of whoever told this run something last.
    fn because(&self, attempt: &AttemptId, what: &str) -> String {
        let run = &self.engine.run;
        let mut reason = format!("step `{}` of run {} {what}", attempt.step, self.engine.folder.id());
        let acts = |told: &&Told| told.refused.is_none() && !matches!(told.verb, Verb::Take);
        if let Some(told) = run.told().iter().rev().find(acts) {
            reason += &format!(": {} said `{}`: {}", told.by.name, told.verb.word(), told.reason);
        }
        reason
    }

    fn child_command(&self, attempt: &AttemptId) -> Result<StartRequest, String> {
        let (Some(created), Some(child)) = (self.engine.run.created(), self.engine.run.child_of(attempt)) else {
            return Err("this is no child run".to_owned());
        };
        let Some(Rendered::Runbook { plan, params, .. }) = child.started_with() else {
            return Err(format!("nobody knows with what the child run {} was started", child.run));
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
        let ask = self.engine.run.child_of(&attempt).filter(|child| child.went_on).map(|child| child.asked.to_string());
        // How it had ended before is no answer.
        let left = self.child_folder(&attempt).and_then(|folder| left(&folder)).filter(|left| left.ask == ask);
        let is_lost = matches!(ended.exit, supervisor::Exit::Unknown | supervisor::Exit::Signal(_));
        let result = match left {
            None if is_lost => return self.child_lost(attempt),
            None => AttemptResult { exit: exit_of(&ended.exit), ..AttemptResult::default() },
            Some(Left { end, is_left: true, .. }) if end.state != EndState::Stuck => {
                let why = format!("the child run {0} is not rolled back: `runbook rollback {0}`", end.run);
                AttemptResult { exit: Exit::Error(why), ..AttemptResult::default() }
            }
            Some(Left { end, .. }) if attempt.phase == Phase::Undo => {
                AttemptResult { exit: Exit::Done, child: Some(end), ..AttemptResult::default() }
            }
            Some(Left { end, outputs, .. }) => {
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
        let what = if overdue { "is overdue" } else { "is cancelled" };
        let reason = Some(format!("step `{}` of run {} {what}", attempt.step, self.engine.folder.id()));
        let name = if overdue { "overdue".to_owned() } else { level.to_string() };
        self.tell_child(&folder, attempt, &name, &Message::Cancel { level, reason })
    }

    /// Holds a child run with this run, or lets it go on.
    pub(super) fn hold_child(&mut self, attempt: &AttemptId, number: usize, paused: bool) -> Result<(), EngineError> {
        let Some(folder) = self.child_folder(attempt) else { return Ok(()) };
        let name = |number: usize| format!("holds-{number}");
        let was_held = || (0..number).any(|it| folder.told(&self.name_for(attempt, &name(it))).exists());
        // What was never held need not be let go.
        if !paused && !was_held() {
            return Ok(());
        }
        let (verb, what) = if paused { (Verb::Pause, "is paused") } else { (Verb::Continue, "goes on") };
        let reason = self.because(attempt, what);
        self.tell_child(&folder, attempt, &name(number), &Message::Verb { verb, reason })
    }

    /// The name of what a child run is told: another one each time that it is asked to go on after its end.
    fn name_for(&self, attempt: &AttemptId, what: &str) -> String {
        let child = self.engine.run.child_of(attempt).filter(|child| child.went_on);
        let ask = child.map(|child| format!("-{}", child.asked)).unwrap_or_default();
        format!("{FROM_PARENT}{what}{ask}")
    }

    /// Tells a child run something, once.
    fn tell_child(
        &self,
        folder: &RunFolder,
        attempt: &AttemptId,
        what: &str,
        message: &Message,
    ) -> Result<(), EngineError> {
        let name = self.name_for(attempt, what);
        let told = folder.told(&name);
        // Before its engine is to start there is no folder, and no engine that could be told.
        if !told.exists() && folder.inbox().is_dir() {
            inbox::put_as(folder, message, &name)?;
            write_durable(&told, b"")?;
        }
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
