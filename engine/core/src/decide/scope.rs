//! What expressions see, and their evaluation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Deciding;
use crate::depth::{DEPTH_MAX, is_too_deep};
use crate::digest::as_text;
use crate::evaluate::{EvaluateError, Scope};
use crate::plan::{Expression, Template};
use crate::units::StepIx;

/// Names that exist in one place only.
pub(super) type Locals = BTreeMap<String, Value>;

impl Deciding<'_> {
    fn with_scope<T>(&self, at: StepIx, locals: &Locals, then: impl FnOnce(&Scope<'_>) -> T) -> T {
        let run = &self.run;
        let created = &self.made.created;
        then(&Scope {
            params: &created.params,
            environment: &created.environment,
            run: &self.made.run,
            steps: &|id| run.view(id),
            locals,
            failure: run.sees_failure(at),
        })
    }

    pub(super) fn holds(&self, at: StepIx, expression: &Expression, locals: &Locals) -> Result<bool, EvaluateError> {
        self.with_scope(at, locals, |scope| self.evaluate.condition(expression, scope))
    }

    pub(super) fn value(&self, at: StepIx, expression: &Expression, locals: &Locals) -> Result<Value, EvaluateError> {
        let value = self.with_scope(at, locals, |scope| self.evaluate.expression(expression, scope));
        value.and_then(|value| keepable(value, &format!("`{}`", expression.source.trim())))
    }

    pub(super) fn render(&self, at: StepIx, template: &Template, locals: &Locals) -> Result<Value, EvaluateError> {
        let value = self.with_scope(at, locals, |scope| self.evaluate.template(template, scope));
        value.and_then(|value| match template {
            Template::Value(expression) => keepable(value, &format!("`{}`", expression.source.trim())),
            _ => keepable(value, "it"),
        })
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
