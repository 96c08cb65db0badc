//! `done_when` without a run: what is done already, as far as that can be known before anything is started.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use runbook_core::as_text;
use runbook_core::evaluate::{Evaluate, EvaluateError, Scope};
use runbook_core::event::Identity;
use runbook_core::plan::{DoneWhen, EnvSource, Expression, Plan, Probe, Script, Step, Template};
use runbook_core::units::{SecretName, StepId, format_duration};
use runbook_language::{Environment, RunFacts, resolve_environment};
use serde::Serialize;
use serde_json::{Value, json};

use crate::secrets::{Secrets, Values, last_words};
use crate::supervisor::{Masker, resolve_program};

/// What is looked at.
pub struct Looking<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The values of its params: an object.
    pub params: &'a Value,
    /// Where it would run.
    pub environment: Option<&'a Environment>,
    /// The folder that steps would run in.
    pub dir: &'a Path,
    /// This very program.
    pub exe: &'a Path,
    /// Who looks.
    pub by: &'a Identity,
}

/// What is known of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Probed {
    /// It is done.
    Done,
    /// It is not.
    NotDone,
    /// Nobody knows, and why.
    Unknown(String),
}

/// Asks the `done_when` of these steps, one after the other. Nothing else is started, and nothing is kept.
///
/// # Errors
/// Why none can be asked, as a sentence.
pub async fn probe(
    looking: &Looking<'_>,
    steps: &[&Step],
    evaluate: &dyn Evaluate,
) -> Result<BTreeMap<StepId, Probed>, String> {
    let asker = Asker::new(looking, evaluate)?;
    let mut found = BTreeMap::new();
    for step in steps {
        let Some(done_when) = &step.done_when else { continue };
        let probed = match done_when {
            DoneWhen::Holds(expression) => asker.holds(expression),
            DoneWhen::Probe(probe) => asker.runs(step, probe).await,
        };
        found.insert(step.id.clone(), probed.unwrap_or_else(Probed::Unknown));
    }
    Ok(found)
}

struct Asker<'a> {
    looking: &'a Looking<'a>,
    environment: Value,
    secrets: Secrets,
    run: Value,
    evaluate: &'a dyn Evaluate,
}

impl<'a> Asker<'a> {
    fn new(looking: &'a Looking<'a>, evaluate: &'a dyn Evaluate) -> Result<Self, String> {
        let about = &looking.plan.about.id;
        // There is no run; what is named after one has to be called something.
        let run = json!({"id": "plan", "runbook": about, "started_by": looking.by.name});
        let mut sources = looking.plan.secrets.clone();
        let mut values = json!({});
        if let Some(environment) = looking.environment {
            let facts = RunFacts {
                id: "plan".to_owned(),
                runbook: about.clone(),
                binary: looking.exe.display().to_string(),
                params: looking.params.clone(),
            };
            let resolved = resolve_environment(environment, &BTreeMap::new(), &facts);
            let resolved = resolved.map_err(|error| format!("environment `{}`: {error}", environment.id()))?;
            sources.extend(resolved.secrets);
            values = resolved.values;
        }
        let secrets = Secrets::new(sources, looking.dir);
        Ok(Self { looking, environment: values, secrets, run, evaluate })
    }

    fn with_scope<T>(&self, ask: impl FnOnce(&Scope<'_>) -> Result<T, EvaluateError>) -> Result<T, String> {
        let locals = BTreeMap::new();
        let scope = Scope {
            params: self.looking.params,
            environment: &self.environment,
            run: &self.run,
            steps: &|_| None,
            locals: &locals,
            failure: false,
        };
        ask(&scope).map_err(|error| error.to_string())
    }

    fn holds(&self, expression: &Expression) -> Result<Probed, String> {
        if !expression.reads.is_empty() {
            return Err(reads_steps());
        }
        let holds = self.with_scope(|scope| self.evaluate.condition(expression, scope))?;
        Ok(if holds { Probed::Done } else { Probed::NotDone })
    }

    fn text(&self, template: &Template) -> Result<String, String> {
        if template.expressions().iter().any(|expression| !expression.reads.is_empty()) {
            return Err(reads_steps());
        }
        self.with_scope(|scope| self.evaluate.template(template, scope)).map(as_text)
    }

    async fn runs(&self, step: &Step, probe: &Probe) -> Result<Probed, String> {
        let runbook_core::plan::Action::Run(script) = &probe.action else {
            return Err("this is no script".to_owned());
        };
        let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder for the script: {error}"))?;
        let command = self.command(step, script, folder.path()).await?;
        let (exit, said) = last_words(command, Duration::from_millis(probe.timeout_ms))
            .await?
            .ok_or_else(|| format!("it did not end within {}", format_duration(probe.timeout_ms)))?;
        match exit.code() {
            Some(0) => Ok(Probed::Done),
            Some(1..=125) => Ok(Probed::NotDone),
            code => {
                let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
                let said = Masker::new(&self.secrets.known()).map(|masker| masker.mask(&said)).unwrap_or_default();
                let said = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
                Err(if said.is_empty() {
                    format!("it ended with {code}")
                } else {
                    format!("it ended with {code}: {said}")
                })
            }
        }
    }

    /// The script as a run would start it.
    async fn command(&self, step: &Step, script: &Script, folder: &Path) -> Result<tokio::process::Command, String> {
        let looking = self.looking;
        let dir = script.dir.as_ref().map(|dir| self.text(dir)).transpose()?;
        let dir = dir.map_or_else(|| looking.dir.to_owned(), |dir| looking.dir.join(dir));
        let env = self.variables(script).await?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let shell = resolve_program(&script.shell, &path, &dir).map_err(|error| error.to_string())?;
        let file = folder.join("script");
        std::fs::write(&file, &script.text).map_err(|error| format!("cannot write the script: {error}"))?;
        let mut command = tokio::process::Command::new(shell);
        for name in self.secrets.variables().iter().map(String::as_str).chain(crate::engine::command::SHELL_STARTUP) {
            command.env_remove(name);
        }
        command.args(crate::engine::command::shell_flags(&script.shell)).arg(file).current_dir(dir).envs(env);
        command.env("RUNBOOK_OUTPUT", folder.join("outputs")).env("RUNBOOK_RUN", "plan");
        command.env("RUNBOOK_STEP", step.id.as_str());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Params, the runbook's `env`, and that of the script. A later one wins.
    async fn variables(&self, script: &Script) -> Result<BTreeMap<String, String>, String> {
        let plan = self.looking.plan;
        let mut env = crate::engine::params::export(&plan.params, self.looking.params);
        let sources = || plan.env.iter().chain(&script.env);
        let secret = |source: &EnvSource| match source {
            EnvSource::Secret { name, .. } => Some(name.clone()),
            EnvSource::Template(_) => None,
        };
        let named: Vec<SecretName> = sources().filter_map(|(_, source)| secret(source)).collect();
        let printed = self.secrets.print(self.secrets.printed_by_programs(&named)).await;
        let printed: Values = printed.map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        })?;
        for (name, source) in sources() {
            let value = match source {
                EnvSource::Template(template) => self.text(template)?,
                EnvSource::Secret { name, prefix } => {
                    let value = self.secrets.resolve(name, &printed).map_err(|error| error.to_string())?;
                    format!("{prefix}{}", value.expose())
                }
            };
            env.insert(name.clone(), value);
        }
        Ok(env)
    }
}

fn reads_steps() -> String {
    "it reads what other steps come to".to_owned()
}
