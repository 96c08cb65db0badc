//! `run` and `argv`: from an action with its values to a command for the supervisor, and from its end to a result.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use runbook_core::event::{AttemptId, Survivor};
use runbook_core::input::{AttemptResult, Exit, Lost};
use runbook_core::rendered::{Rendered, RenderedSource};
use serde_json::Value;

use super::Driver;
use crate::folder::write_whole;
use crate::handback;
use crate::secrets::Values;
use crate::supervisor::{
    self, CommandKind, Ended, Key, ProcessId, Request, Secret, Span, StartRequest, resolve_program,
};

/// What an expression may read of an output, in bytes.
const STDOUT_MAX: u64 = 64 * 1024;

/// The most of a command line that is shown and kept, in characters.
const COMMAND_LINE_MAX: usize = 200;

/// The most that one environment variable may hold, in bytes.
pub(super) const VARIABLE_MAX: usize = 64 * 1024;

/// Variables that would change how bash runs a script before its first line.
pub(crate) const SHELL_STARTUP: [&str; 6] = ["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "CDPATH", "GLOBIGNORE"];

/// What a program is started with.
type Program = (PathBuf, Vec<String>);

/// The environment variables of a command, and those whose values are secret.
type Variables = (BTreeMap<String, String>, BTreeMap<String, Secret>);

impl Driver {
    pub(super) fn start_command(
        &mut self,
        attempt: &AttemptId,
        action: &Rendered,
        printed: &Values,
    ) -> Result<(), String> {
        let request = self.command(attempt, action, printed)?;
        self.running.insert(attempt.to_string(), attempt.clone());
        self.supervisor.send(&Request::Start(Box::new(request)));
        Ok(())
    }

    fn command(&self, attempt: &AttemptId, action: &Rendered, printed: &Values) -> Result<StartRequest, String> {
        let Some(created) = self.engine.run.created() else { return Err("the run is not created".to_owned()) };
        let (own, dir) = match action {
            Rendered::Run { env, dir, .. } | Rendered::Argv { env, dir, .. } => (env, dir),
            _ => return Err("this is no command".to_owned()),
        };
        let dir = dir.as_ref().map_or_else(|| PathBuf::from(&created.dir), |dir| Path::new(&created.dir).join(dir));
        let (mut env, mut env_secret) = self.variables(&created.env, own, printed)?;
        let path = self.search_path();
        let (program, args) = self.program(attempt, action, &path, &dir)?;
        env.insert("PATH".to_owned(), path);
        env.insert("RUNBOOK_OUTPUT".to_owned(), self.engine.folder.outputs(&attempt.to_string()).display().to_string());
        env.insert("RUNBOOK_RUN".to_owned(), created.run.to_string());
        env.insert("RUNBOOK_STEP".to_owned(), attempt.step.to_string());
        env.retain(|name, _| !env_secret.contains_key(name));
        let mask = self.secrets.known();
        // A variable that a secret comes from is in nobody's environment but by its step's own `env`.
        let mut env_remove: Vec<String> = SHELL_STARTUP.map(str::to_owned).to_vec();
        env_remove.extend(self.secrets.variables());
        env_remove.retain(|name| !env.contains_key(name) && !env_secret.contains_key(name));
        let log = log_name(attempt);
        Ok(StartRequest {
            key: Key::new(attempt.to_string()).map_err(|error| error.to_string())?,
            kind: CommandKind::Attempt,
            program,
            args,
            env,
            env_remove,
            env_secret: std::mem::take(&mut env_secret),
            mask,
            dir,
            stdout: self.engine.folder.log(&log, "out"),
            stderr: self.engine.folder.log(&log, "err"),
        })
    }

    /// The program's own folder comes first, then what the engine was started with.
    pub(super) fn search_path(&self) -> String {
        let own = self.engine.folder.bin();
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let mut path = own.as_os_str().as_bytes().to_vec();
        if !inherited.is_empty() {
            path.push(b':');
            path.extend_from_slice(inherited.as_bytes());
        }
        String::from_utf8_lossy(&path).into_owned()
    }

    fn program(&self, attempt: &AttemptId, action: &Rendered, path: &str, dir: &Path) -> Result<Program, String> {
        let resolve = |name: &str| resolve_program(name, path.as_ref(), dir).map_err(|error| error.to_string());
        match action {
            Rendered::Run { text, shell, .. } => {
                let script = self.engine.folder.script(&format!("{}{}", attempt.step, attempt.phase.suffix()));
                let is_there = std::fs::read(&script).is_ok_and(|there| there == text.as_bytes());
                if !is_there {
                    write_whole(&script, text.as_bytes())
                        .map_err(|error| format!("cannot write the script: {error}"))?;
                }
                let mut args: Vec<String> = shell_flags(shell).iter().map(|flag| (*flag).to_owned()).collect();
                args.push(script.display().to_string());
                Ok((resolve(shell)?, args))
            }
            Rendered::Argv { argv, .. } => match argv.split_first() {
                Some((program, args)) => Ok((resolve(program)?, args.to_vec())),
                None => Err("`argv` is empty".to_owned()),
            },
            _ => Err("this is no command".to_owned()),
        }
    }

    /// The environment variables of a command: params, the runbook's `env`, the step's own. A later one wins.
    fn variables(
        &self,
        of_runbook: &BTreeMap<String, RenderedSource>,
        own: &BTreeMap<String, RenderedSource>,
        printed: &Values,
    ) -> Result<Variables, String> {
        let Some(created) = self.engine.run.created() else { return Err("the run is not created".to_owned()) };
        let mut env = super::params::export(&created.plan.params, &created.params);
        let mut secret = BTreeMap::new();
        for (name, source) in of_runbook.iter().chain(own) {
            match source {
                RenderedSource::Value(value) => {
                    secret.remove(name);
                    env.insert(name.clone(), value.clone());
                }
                RenderedSource::Secret { name: of, prefix } => {
                    let value = self.secrets.resolve(of, printed).map_err(|error| error.to_string())?;
                    secret.insert(name.clone(), Secret::new(format!("{prefix}{}", value.expose())));
                }
            }
        }
        match env.iter().find(|(_, value)| value.len() > VARIABLE_MAX || value.contains('\0')) {
            Some((name, value)) if value.contains('\0') => Err(format!("`{name}` holds a NUL byte")),
            Some((name, _)) => Err(format!("the environment variable `{name}` would hold more than 64 KiB")),
            None => Ok((env, secret)),
        }
    }

    /// What expressions may read of a command that ended.
    pub(super) fn result_of(&self, attempt: &AttemptId, ended: &Ended) -> AttemptResult {
        if let Some(Rendered::Plugin { plugin, .. }) = self.engine.run.action_of(attempt) {
            return self.plugin_result(attempt, plugin, ended);
        }
        let mut result = AttemptResult { exit: exit_of(&ended.exit), ..AttemptResult::default() };
        match result.exit {
            Exit::Code(_) => {}
            // It may have said why before it was ended.
            Exit::Signal(_) => {
                self.read_logs(attempt, ended, &mut result);
                result.unusable = None;
                return result;
            }
            _ => return result,
        }
        let outputs = handback::read(&self.engine.folder.outputs(&attempt.to_string()));
        let succeeded = result.exit == Exit::Code(0);
        match outputs.and_then(|outputs| self.without_secrets(outputs)) {
            Ok(outputs) => result.outputs = outputs,
            Err(reason) if succeeded => result.unusable = Some(self.masked(&reason)),
            Err(_) => {}
        }
        self.read_logs(attempt, ended, &mut result);
        result
    }

    /// What the attempt printed, where an expression reads it.
    pub(super) fn read_logs(&self, attempt: &AttemptId, ended: &Ended, result: &mut AttemptResult) {
        let log = log_name(attempt);
        for (name, stream, span) in [("stdout", "out", ended.stdout), ("stderr", "err", ended.stderr)] {
            if !self.locals_of(attempt).contains(name) {
                continue;
            }
            match read_span(&self.engine.folder.log(&log, stream), span) {
                Ok(text) => drop(result.locals.insert(name.to_owned(), Value::String(text))),
                Err(reason) => drop(result.unusable.get_or_insert(format!("{name}: {reason}"))),
            }
        }
    }

    /// What is known of a command of which nobody saw the end: what it handed back, if it is whole, and what lives on.
    pub(super) fn what_is_left_of(&self, attempt: &AttemptId, survivors: &[ProcessId]) -> Lost {
        let outputs = match self.engine.run.action_of(attempt) {
            // Of a plugin there is an answer or nothing.
            Some(Rendered::Plugin { .. }) => Ok(BTreeMap::new()),
            _ => handback::read_whole(&self.engine.folder.outputs(&attempt.to_string()))
                .and_then(|outputs| self.without_secrets(outputs)),
        };
        let masker = supervisor::Masker::new(&self.secrets.known()).ok();
        let one = |id: &ProcessId| {
            let command = supervisor::command_line(*id)?;
            // A command line may hold a secret, and this is kept.
            let command = masker.as_ref().map_or_else(String::new, |masker| masker.mask(&command));
            Some(Survivor { pid: id.pid, command: command.chars().take(COMMAND_LINE_MAX).collect() })
        };
        Lost { attempt: attempt.clone(), survivors: survivors.iter().filter_map(one).collect(), outputs }
    }

    /// Removes what an attempt handed back, once the journal has its values: it may hold what must not be kept.
    pub(super) fn forget_outputs(&self, attempt: &AttemptId) {
        let file = self.engine.folder.outputs(&attempt.to_string());
        if let Err(error) = std::fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, file = %file.display(), "cannot remove what was handed back");
        }
    }

    /// The local names that expressions about an attempt read.
    pub(super) fn locals_of(&self, attempt: &AttemptId) -> BTreeSet<String> {
        let plan = self.engine.run.step_plan(&attempt.step);
        plan.map(|step| super::uses::locals(step, attempt.phase)).unwrap_or_default()
    }

    /// A text that is kept, without the secrets in it: nothing is left of it where they cannot be looked for.
    pub(super) fn masked(&self, text: &str) -> String {
        supervisor::Masker::new(&self.secrets.known())
            .map_or_else(|error| error.to_string(), |masker| masker.mask(text))
    }

    /// A secret that is handed back would be kept: the step fails instead.
    pub(super) fn without_secrets(&self, outputs: BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, String> {
        if outputs.is_empty() {
            return Ok(outputs);
        }
        let known = self.secrets.known();
        let masker = supervisor::Masker::new(&known).map_err(|error| error.to_string())?;
        for (name, value) in &outputs {
            if masker.mask(name) != *name {
                return Err("the name of an output holds a secret; secrets are never kept".to_owned());
            }
            if texts(value).iter().any(|text| masker.mask(text) != *text) {
                return Err(format!("output `{name}` holds a secret; secrets are never kept"));
            }
        }
        Ok(outputs)
    }
}

/// All texts in a value, the names of entries and what numbers are written as too.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null | Value::Bool(_) => vec![],
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(entries) => {
            entries.iter().flat_map(|(name, value)| std::iter::once(name.clone()).chain(texts(value))).collect()
        }
    }
}

/// The flags of a shell, so that a script ends where something fails in it.
pub(crate) fn shell_flags(shell: &str) -> &'static [&'static str] {
    match shell {
        "bash" => &["--noprofile", "--norc", "-euo", "pipefail"],
        "sh" => &["-eu"],
        _ => &[],
    }
}

/// All polls of an attempt share one log.
pub(super) fn log_name(attempt: &AttemptId) -> String {
    AttemptId { poll: 1, ..attempt.clone() }.to_string()
}

pub(super) fn exit_of(exit: &supervisor::Exit) -> Exit {
    match exit {
        supervisor::Exit::Code(code) => Exit::Code(*code),
        supervisor::Exit::Signal(signal) => Exit::Signal(*signal),
        supervisor::Exit::SpawnError { message, .. } => Exit::Error(message.clone()),
        supervisor::Exit::Unknown => Exit::Error("nobody saw how it ended".to_owned()),
    }
}

/// The text of a part of a log, without the newlines at its end.
fn read_span(path: &Path, span: Span) -> Result<String, String> {
    let length = span.to.saturating_sub(span.from);
    if length > STDOUT_MAX {
        return Err("it is longer than 64 KiB, and an expression reads it".to_owned());
    }
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = crate::regular::open(path)?;
        file.seek(SeekFrom::Start(span.from))?;
        let mut bytes = vec![];
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| format!("cannot read the log: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
