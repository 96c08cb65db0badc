//! What the names of an expression stand for, in the scope that core gives.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value;
use runbook_core::evaluate::{Scope, StepView};
use runbook_core::units::StepId;
use serde_json::Value as Json;

use super::bind::Names;
use super::parse::write_path;
use super::values::from_json;

/// A scope, and the steps of it that one expression may read.
pub(super) struct Scoped<'s, 'v> {
    pub(super) scope: &'s Scope<'v>,
    pub(super) reads: &'s BTreeSet<StepId>,
}

impl Names for Scoped<'_, '_> {
    fn resolve(&self, path: &[String]) -> Result<Value, String> {
        let scope = self.scope;
        match path[0].as_str() {
            "params" => walk(scope.params, path, 1),
            "environment" => walk(scope.environment, path, 1),
            "run" => walk(scope.run, path, 1),
            "steps" => self.step(path),
            local => walk(scope.locals.get(local).ok_or_else(|| missing(path, 0))?, path, 1),
        }
    }

    fn call(&self, function: &str) -> Value {
        Value::from(function == "always" || self.scope.failure)
    }
}

impl<'v> Scoped<'_, 'v> {
    fn view(&self, id: &str) -> Option<StepView<'v>> {
        self.reads.get(id).and_then(|id| (self.scope.steps)(id))
    }

    fn step(&self, path: &[String]) -> Result<Value, String> {
        let Some(id) = path.get(1) else {
            let all = self.reads.iter().filter_map(|id| Some((id.as_str(), whole(&(self.scope.steps)(id)?))));
            return Ok(Value::from_pairs(all));
        };
        let view = self.view(id).ok_or_else(|| missing(path, 1))?;
        let Some(what) = path.get(2) else { return Ok(whole(&view)) };
        if what == "outputs" {
            return match path.get(3) {
                None => Ok(outputs(view.outputs)),
                Some(name) => walk(view.outputs.get(name).ok_or_else(|| missing(path, 3) + why(&view))?, path, 4),
            };
        }
        let value = match what.as_str() {
            "succeeded" => Value::from(view.succeeded),
            "failed" => Value::from(view.failed),
            "skipped" => Value::from(view.skipped),
            "already_done" => Value::from(view.already_done),
            "exit_code" => Value::from(view.exit_code),
            _ => return Err(missing(path, 2)),
        };
        if path.len() > 3 { Err(missing(path, 3)) } else { Ok(value) }
    }
}

/// Why a step has no such output, where its state says it.
fn why(view: &StepView<'_>) -> &'static str {
    match view {
        StepView { skipped: true, .. } => ": the step was skipped",
        StepView { failed: true, .. } => ": the step failed",
        _ => "",
    }
}

fn whole(view: &StepView<'_>) -> Value {
    Value::from_pairs([
        ("succeeded", Value::from(view.succeeded)),
        ("failed", Value::from(view.failed)),
        ("skipped", Value::from(view.skipped)),
        ("already_done", Value::from(view.already_done)),
        ("exit_code", Value::from(view.exit_code)),
        ("outputs", outputs(view.outputs)),
    ])
}

fn outputs(outputs: &BTreeMap<String, Json>) -> Value {
    Value::from_pairs(outputs.iter().map(|(name, value)| (name.as_str(), from_json(value))))
}

/// Follows the attributes of a path from the one at `from`.
fn walk(start: &Json, path: &[String], from: usize) -> Result<Value, String> {
    let mut value = start;
    for (at, segment) in path.iter().enumerate().skip(from) {
        value = value.get(segment.as_str()).ok_or_else(|| missing(path, at))?;
    }
    Ok(from_json(value))
}

/// The sentence for a path whose segment at `at` is not there.
fn missing(path: &[String], at: usize) -> String {
    format!("`{}` is undefined", write_path(&path[..=at]))
}
