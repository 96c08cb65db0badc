//! Computes what exactly will run: an action with its values.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Deciding;
use super::scope::Locals;
use crate::digest::digest_of;
use crate::evaluate::EvaluateError;
use crate::plan::{Action, Body, EnvSource, Http, HttpBody, Template, Wait};
use crate::rendered::{Rendered, RenderedBody, RenderedSource};
use crate::units::{Digest, StepIx, parse_duration};

type Sources = BTreeMap<String, RenderedSource>;

impl Deciding<'_> {
    /// What a step will do. A block does nothing itself; its approval covers the steps within.
    pub(super) fn prepare_step(&self, at: StepIx) -> Result<Rendered, EvaluateError> {
        match &self.plan().step(at).body {
            Body::Action(action) => self.prepare(at, action, &Locals::new()),
            Body::ForEach(each) => self.items(at, each).map(Rendered::Items),
            Body::Block { .. } | Body::Switch { .. } => {
                let within = self.subtree(at).into_iter().map(|at| self.plan().step(at).id.clone());
                Ok(Rendered::Steps(within.collect()))
            }
        }
    }

    /// What looks whether a step is done.
    pub(super) fn prepare_probe(&self, at: StepIx) -> Result<Option<Rendered>, EvaluateError> {
        let probe = self.plan().step(at).probe();
        probe.map(|probe| self.prepare(at, &probe.action, &Locals::new())).transpose()
    }

    /// What an action will do, for a step or for its undo.
    pub(super) fn prepare(&self, at: StepIx, action: &Action, locals: &Locals) -> Result<Rendered, EvaluateError> {
        Ok(match action {
            Action::Run(script) => Rendered::Run {
                text: script.text.clone(),
                shell: script.shell.clone(),
                env: self.sources(at, &script.env, locals)?,
                dir: self.dir(at, script.dir.as_ref(), locals)?,
            },
            Action::Argv(argv) => Rendered::Argv {
                argv: argv.argv.iter().map(|word| self.text(at, word, locals)).collect::<Result<_, _>>()?,
                env: self.sources(at, &argv.env, locals)?,
                dir: self.dir(at, argv.dir.as_ref(), locals)?,
            },
            Action::Http(http) => self.prepare_http(at, http, locals)?,
            Action::Assert(_) => Rendered::Assert,
            Action::Set(values) => {
                let value = |(name, template): (&String, &Template)| {
                    self.render(at, template, locals).map(|value| (name.clone(), value))
                };
                Rendered::Set(values.iter().map(value).collect::<Result<_, _>>()?)
            }
            Action::Wait(Wait::For(template)) => {
                let text = self.text(at, template, locals)?;
                Rendered::WaitFor(parse_duration(&text).map_err(|error| EvaluateError(error.to_string()))?)
            }
            Action::Wait(Wait::Until(template)) => {
                Rendered::WaitUntil(self.evaluate.moment(&self.text(at, template, locals)?)?)
            }
            Action::Manual(text) => Rendered::Manual(self.text(at, text, locals)?),
            Action::Ask(ask) => {
                Rendered::Ask { prompt: self.text(at, &ask.prompt, locals)?, fields: ask.fields.clone() }
            }
            Action::Runbook(call) => self.prepare_child(at, call, locals)?,
            Action::Plugin(call) => self.prepare_plugin(at, call, locals)?,
            Action::UndoRunbook => self.prepare_way_back(at)?,
        })
    }

    fn prepare_http(&self, at: StepIx, http: &Http, locals: &Locals) -> Result<Rendered, EvaluateError> {
        let body = match &http.body {
            None => None,
            Some(HttpBody::Json(template)) => Some(RenderedBody::Json(self.render(at, template, locals)?)),
            Some(HttpBody::Text(template)) => Some(RenderedBody::Text(self.text(at, template, locals)?)),
        };
        Ok(Rendered::Http {
            method: http.method.clone(),
            url: self.text(at, &http.url, locals)?,
            headers: self.sources(at, &http.headers, locals)?,
            body,
            expect: http.expect.clone(),
        })
    }

    fn dir(&self, at: StepIx, dir: Option<&Template>, locals: &Locals) -> Result<Option<String>, EvaluateError> {
        dir.map(|dir| self.text(at, dir, locals)).transpose()
    }

    pub(super) fn sources(
        &self,
        at: StepIx,
        sources: &BTreeMap<String, EnvSource>,
        locals: &Locals,
    ) -> Result<Sources, EvaluateError> {
        let one = |(name, source): (&String, &EnvSource)| {
            let source = match source {
                EnvSource::Template(template) => RenderedSource::Value(self.text(at, template, locals)?),
                EnvSource::Secret { name, prefix } => {
                    RenderedSource::Secret { name: name.clone(), prefix: prefix.clone() }
                }
            };
            Ok((name.clone(), source))
        };
        sources.iter().map(one).collect()
    }

    /// What an approval is bound to: the action with its values, the undo, what may say that it is done already, folder,
    /// params and secret references. For a block, the whole of the steps within.
    pub(super) fn approval_digest(&self, at: StepIx, action: &Rendered, probe: Option<&Rendered>) -> Digest {
        let created = &self.made.created;
        let step = self.plan().step(at);
        let mut within: Vec<_> = self.subtree(at).into_iter().map(|at| self.plan().step(at)).collect();
        if let Body::ForEach(each) = &step.body {
            within.extend(&each.body);
        }
        digest_of(&json!({
            "action": action,
            "undo": step.rollback,
            "done_when": step.done_when,
            "probe": probe,
            "given": self.made.given,
            "steps": within,
            "environment": if within.is_empty() { &Value::Null } else { &created.environment },
        }))
    }

    /// All steps below a block, in order.
    pub(super) fn subtree(&self, at: StepIx) -> Vec<StepIx> {
        let mut found: Vec<StepIx> = self.plan().step(at).children().collect();
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            found.extend(self.plan().step(at).children());
            next += 1;
        }
        found.sort_unstable();
        found
    }
}
