//! What expressions see, and their evaluation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Deciding;
use crate::depth::{DEPTH_MAX, is_too_deep};
use crate::digest::as_text;
use crate::evaluate::{EvaluateError, Scope};
use crate::plan::{Expression, Template};
use crate::run::StepState;
use crate::units::{StepId, StepIx};

/// Names that exist in one place only.
pub(super) type Locals = BTreeMap<String, Value>;

impl Deciding<'_> {
    fn with_scope<T>(&self, at: StepIx, locals: &Locals, then: impl FnOnce(&Scope<'_>) -> T) -> T {
        let run = &self.run;
        let created = &self.made.created;
        let with_items = self.plan().step(at).item.map(|_| self.add_items(at, locals));
        let in_item = |id: &StepId| self.plan().in_same_item(at, id.as_str()).map(|it| &self.plan().step(it).id);
        then(&Scope {
            params: &created.params,
            environment: &created.environment,
            run: &self.made.run,
            steps: &|id| run.view(in_item(id).unwrap_or(id)),
            locals: with_items.as_ref().unwrap_or(locals),
            failure: run.sees_failure(at),
        })
    }

    pub(super) fn holds(&self, at: StepIx, expression: &Expression, locals: &Locals) -> Result<bool, EvaluateError> {
        let holds = self.with_scope(at, locals, |scope| self.evaluate.condition(expression, scope));
        holds.map_err(|error| self.explained(at, error, &[expression]))
    }

    pub(super) fn value(&self, at: StepIx, expression: &Expression, locals: &Locals) -> Result<Value, EvaluateError> {
        let value = self.with_scope(at, locals, |scope| self.evaluate.expression(expression, scope));
        let value = value.map_err(|error| self.explained(at, error, &[expression]))?;
        keepable(value, &format!("`{}`", expression.source.trim()))
    }

    pub(super) fn render(&self, at: StepIx, template: &Template, locals: &Locals) -> Result<Value, EvaluateError> {
        let value = self.with_scope(at, locals, |scope| self.evaluate.template(template, scope));
        let value = value.map_err(|error| self.explained(at, error, &template.expressions()))?;
        match template {
            Template::Value(expression) => keepable(value, &format!("`{}`", expression.source.trim())),
            _ => keepable(value, "it"),
        }
    }

    /// What the run hands on, once all has been done; else why it has no value.
    pub(super) fn run_outputs(&self) -> Result<BTreeMap<String, Value>, String> {
        let (run, created, locals) = (&self.run, &self.made.created, Locals::new());
        let scope = Scope {
            params: &created.params,
            environment: &created.environment,
            run: &self.made.run,
            steps: &|id| run.view(id),
            locals: &locals,
            failure: false,
        };
        let one = |(name, template): (&String, &Template)| {
            let value = self.evaluate.template(template, &scope).and_then(|value| keepable(value, "it"));
            Ok((name.clone(), value.map_err(|error| format!("the output `{name}` has no value: {error}"))?))
        };
        self.plan().outputs.iter().map(one).collect()
    }

    /// Says so when what has no value was never handed on, because a person spoke for a step that nobody saw end.
    fn explained(&self, at: StepIx, error: EvaluateError, read: &[&Expression]) -> EvaluateError {
        let own = read.iter().any(|expression| expression.locals.contains("outputs"));
        let own = own.then(|| &self.plan().step(at).id);
        let unknown = |id: &&StepId| {
            self.run.step(id).is_some_and(|step| step.outputs_unknown && step.state == StepState::Succeeded)
        };
        let done = |id: &&StepId| self.run.step(id).is_some_and(|step| step.already_done);
        let mut read = read.iter().flat_map(|expression| &expression.reads).chain(own);
        if let Some(step) = read.clone().find(done) {
            return EvaluateError(format!(
                "{error}: `{step}` was already done, and `done_when` did not hand that back"
            ));
        }
        match read.find(unknown) {
            None => error,
            Some(step) => {
                EvaluateError(format!("{error}: `{step}` was declared to have taken effect; its outputs are not known"))
            }
        }
    }

    /// A template's value as text: a string as it is, anything else as JSON, nothing as the empty text.
    pub(super) fn text(&self, at: StepIx, template: &Template, locals: &Locals) -> Result<String, EvaluateError> {
        Ok(as_text(self.render(at, template, locals)?))
    }
}

/// Every value comes through here before it is kept: one that could not be read again fails the step, not the engine.
fn keepable(value: Value, what: &str) -> Result<Value, EvaluateError> {
    if is_too_deep(&value) {
        return Err(EvaluateError(format!("{what} is nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(value)
}
