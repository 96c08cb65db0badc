//! Calls of plugins: a command like any other, whose program is the host that speaks with the plugin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook_core::event::{AttemptId, Phase};
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::plan::{Operation, Plugin};
use runbook_core::rendered::{Rendered, RenderedSource};
use runbook_core::units::Digest;
use runbook_plugin_protocol::{Call, PROTOCOL};
use serde_json::{Map, Value};

use super::Driver;
use super::command::{SHELL_STARTUP, exit_of, log_name};
use crate::folder::write_whole;
use crate::handback::BYTES_MAX;
use crate::plugin::{Left, PLUGIN_SUBCOMMAND, Task, files};
use crate::secrets::Values;
use crate::supervisor::{CommandKind, Ended, Key, Request, Secret, StartRequest, resolve_program};

/// What the variables are called that hold the secrets of a call until its host has read them.
const SECRET_PREFIX: &str = "RUNBOOK_SECRET_";

impl Driver {
    /// Starts the host of a call.
    pub(super) fn start_plugin(
        &mut self,
        attempt: &AttemptId,
        action: &Rendered,
        printed: &Values,
    ) -> Result<(), String> {
        let request = self.plugin_command(attempt, action, printed)?;
        self.running.insert(attempt.to_string(), attempt.clone());
        self.supervisor.send(&Request::Start(Box::new(request)));
        Ok(())
    }

    fn plugin_command(&self, attempt: &AttemptId, action: &Rendered, printed: &Values) -> Result<StartRequest, String> {
        let Rendered::Plugin { plugin: digest, operation, inputs, secrets, outputs, .. } = action else {
            return Err("this is no call of a plugin".to_owned());
        };
        let Some(created) = self.engine.run.created() else { return Err("the run is not created".to_owned()) };
        let dir = PathBuf::from(&created.dir);
        let path = self.search_path();
        let plugin = created.plan.plugins.get(digest).ok_or("the plan does not have the plugin")?;
        let (program, args) = self.plugin_program(plugin, digest, &path, &dir)?;
        let mut env_secret = BTreeMap::new();
        let mut variables = BTreeMap::new();
        for (input, source) in secrets {
            let RenderedSource::Secret { name, prefix } = source else { continue };
            let value = self.secrets.resolve(name, printed).map_err(|error| error.to_string())?;
            let variable = format!("{SECRET_PREFIX}{}", input.to_uppercase());
            env_secret.insert(variable.clone(), Secret::new(format!("{prefix}{}", value.expose())));
            variables.insert(input.clone(), variable);
        }
        let left = self.engine.folder.outputs(&attempt.to_string());
        let call = self.call(attempt, *operation, inputs, outputs);
        let task = Task { call, secrets: variables, program, args, left };
        let file = self.engine.folder.script(&format!("{attempt}.call"));
        let bytes = serde_json::to_vec(&task).map_err(|error| error.to_string())?;
        write_whole(&file, &bytes).map_err(|error| format!("cannot write the call: {error}"))?;
        let env = [
            ("PATH", path),
            ("RUNBOOK_RUN", created.run.to_string()),
            ("RUNBOOK_STEP", attempt.step.to_string()),
            ("RUNBOOK_PLUGIN_DIR", self.engine.folder.plugin(digest).display().to_string()),
        ];
        let env: BTreeMap<String, String> = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut env_remove: Vec<String> = SHELL_STARTUP.map(str::to_owned).to_vec();
        env_remove.extend(self.secrets.variables());
        env_remove.push("RUNBOOK_OUTPUT".to_owned());
        let log = log_name(attempt);
        Ok(StartRequest {
            key: Key::new(attempt.to_string()).map_err(|error| error.to_string())?,
            kind: CommandKind::Attempt,
            program: self.options.exe.clone(),
            args: vec![PLUGIN_SUBCOMMAND.to_owned(), file.display().to_string()],
            env,
            env_remove,
            env_secret,
            mask: self.secrets.known(),
            dir,
            stdout: self.engine.folder.log(&log, "out"),
            stderr: self.engine.folder.log(&log, "err"),
        })
    }

    fn call(
        &self,
        attempt: &AttemptId,
        operation: Operation,
        inputs: &BTreeMap<String, Value>,
        outputs: &BTreeMap<String, Value>,
    ) -> Call {
        let run = self.engine.folder.id().to_string();
        let object = |values: &BTreeMap<String, Value>| -> Map<String, Value> {
            values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let plan = self.engine.run.step_plan(&attempt.step);
        let timeout_ms = plan.and_then(|step| match operation {
            Operation::Run => step.timeout_ms,
            Operation::Undo => step.rollback.as_ref()?.timeout_ms,
        });
        Call {
            protocol: PROTOCOL,
            id: attempt.to_string(),
            operation: match operation {
                Operation::Run => runbook_plugin_protocol::Operation::Run,
                Operation::Undo => runbook_plugin_protocol::Operation::Undo,
            },
            inputs: object(inputs),
            outputs: object(outputs),
            idempotency_key: format!("{run}/{}", self.engine.run.call_of(attempt)),
            run,
            step: attempt.step.to_string(),
            timeout_ms,
        }
    }

    /// The program of a plugin, whose files are still those of the plan.
    fn plugin_program(
        &self,
        plugin: &Plugin,
        digest: &Digest,
        path: &str,
        dir: &Path,
    ) -> Result<(PathBuf, Vec<String>), String> {
        let folder = self.engine.folder.plugin(digest);
        match files::holds(&folder, digest) {
            Ok(true) => {}
            Ok(false) => {
                return Err(format!("the files of the plugin `{}` in {} were changed", plugin.id, folder.display()));
            }
            Err(error) => return Err(format!("cannot read the files of the plugin `{}`: {error}", plugin.id)),
        }
        let Some((program, args)) = plugin.argv.split_first() else { return Err("`argv` is empty".to_owned()) };
        let program = match program.strip_prefix("./") {
            Some(own) => folder.join(own),
            None => resolve_program(program, path.as_ref(), dir).map_err(|error| error.to_string())?,
        };
        // An interpreter gets a file of the plugin by its full path, since it runs in the folder of the run.
        let own = |arg: &String| match arg.strip_prefix("./") {
            Some(own) => folder.join(own).display().to_string(),
            None => arg.clone(),
        };
        Ok((program, args.iter().map(own).collect()))
    }

    /// What came of a call.
    pub(super) fn plugin_result(&self, attempt: &AttemptId, digest: &Digest, ended: &Ended) -> AttemptResult {
        let exit = exit_of(&ended.exit);
        let mut result = AttemptResult { exit, ..AttemptResult::default() };
        self.read_logs(attempt, ended, &mut result);
        match read_left(&self.engine.folder.outputs(&attempt.to_string())) {
            Ok(Some(left)) => self.note_left(&mut result, attempt, digest, left),
            Ok(None) if result.exit == Exit::Code(0) => {
                result.unusable = Some("nobody knows what the plugin answered".to_owned());
            }
            Err(reason) if result.exit == Exit::Code(0) => result.unusable = Some(reason),
            _ => {}
        }
        result
    }

    /// The result of a call whose host nobody saw end, where it had left the answer before.
    pub(super) fn left_result(&self, attempt: &AttemptId) -> Option<AttemptResult> {
        let Some(Rendered::Plugin { plugin, .. }) = self.engine.run.action_of(attempt) else { return None };
        let left = read_left(&self.engine.folder.outputs(&attempt.to_string())).ok().flatten()?;
        let code = match &left {
            Left::Outputs(_) => 0,
            Left::Failed { code, .. } => i32::from(*code),
        };
        let mut result = AttemptResult { exit: Exit::Code(code), ..AttemptResult::default() };
        self.note_left(&mut result, attempt, plugin, left);
        Some(result)
    }

    fn note_left(&self, result: &mut AttemptResult, attempt: &AttemptId, digest: &Digest, left: Left) {
        match left {
            Left::Failed { why, .. } => result.said = Some(self.masked(&why)),
            // Nobody reads what an undo hands back, and one that has nothing to undo has nothing to hand back.
            Left::Outputs(_) if attempt.phase == Phase::Undo => {}
            Left::Outputs(outputs) if result.exit == Exit::Code(0) => match self.usable(digest, outputs) {
                Ok(outputs) => result.outputs = outputs,
                Err(reason) => result.unusable = Some(self.masked(&reason)),
            },
            Left::Outputs(_) => {}
        }
    }

    /// What a plugin hands back, where it is what it says that it hands back.
    fn usable(&self, digest: &Digest, outputs: Map<String, Value>) -> Result<BTreeMap<String, Value>, String> {
        let plugin = self.engine.run.created().and_then(|created| created.plan.plugins.get(digest));
        let plugin = plugin.ok_or("the plan does not have the plugin")?;
        let value = Value::Object(outputs);
        let fits = self.engine.evaluate.schema(&plugin.outputs, &value);
        fits.map_err(|error| format!("what the plugin hands back does not fit its `outputs`: {error}"))?;
        let Value::Object(outputs) = value else { return Ok(BTreeMap::new()) };
        let mut outputs = self.without_secrets(outputs.into_iter().collect())?;
        // What it may leave out has no value, so that whoever reads it need not know.
        for name in plugin.outputs["properties"].as_object().into_iter().flat_map(Map::keys) {
            outputs.entry(name.clone()).or_insert(Value::Null);
        }
        Ok(outputs)
    }
}

/// What the host left; nothing when it left nothing.
fn read_left(file: &Path) -> Result<Option<Left>, String> {
    use std::io::Read as _;
    let file = match crate::regular::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| format!("cannot read the answer of the plugin: {error}"))?,
    };
    let mut bytes = vec![];
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err("the plugin hands back more than 1 MiB".to_owned());
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| format!("the answer of the plugin cannot be read: {error}"))
}
