//! Loops: the list, and what its items come to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::evaluate::EvaluateError;
use crate::event::{Event, Failure, SkipReason};
use crate::plan::{Body, ForEach};
use crate::rendered::Rendered;
use crate::run::{LoopRun, StepState};
use crate::units::StepIx;

/// Most items of a loop: what more of them do is a matter of a program.
const ITEMS_MAX: usize = 10_000;

/// Most steps of a run, with those of all items of all loops.
const STEPS_MAX: usize = 200_000;

impl Deciding<'_> {
    /// The list of a loop.
    pub(super) fn items(&self, at: StepIx, each: &ForEach) -> Result<Vec<Value>, EvaluateError> {
        let named = |text: String| EvaluateError(format!("`for_each`: {text}"));
        let items = match self.value(at, &each.over, &Locals::new()).map_err(|error| named(error.to_string()))? {
            Value::Array(items) => items,
            other => return Err(named(format!("`{}` is {}, and not a list", each.over.source.trim(), kind(&other)))),
        };
        if items.len() > ITEMS_MAX {
            return Err(named(format!("the list has {} items; at most {ITEMS_MAX} can be looped over", items.len())));
        }
        let is_same = self.run.loops.get(&at).is_some_and(|run| run.items() == items);
        let new = if is_same { 0 } else { items.len().saturating_mul(each.body.len()) };
        let steps = self.run.steps.len().saturating_add(new);
        if steps > STEPS_MAX {
            return Err(named(format!("with its items the run would have {steps} steps; at most are {STEPS_MAX}")));
        }
        Ok(items)
    }

    /// Enters a loop, with the list that was approved where there was an approval.
    pub(super) fn enter_loop(&mut self, at: StepIx, each: &ForEach) -> Decided {
        let approved = match self.run.steps[at.at()].prepared.as_ref().map(|prepared| &prepared.action) {
            Some(Rendered::Items(items)) => Some(items.clone()),
            _ => None,
        };
        let items = match approved.map_or_else(|| self.items(at, each), Ok) {
            Ok(items) => items,
            Err(error) => return self.fail_unstarted(at, Failure::Evaluate(error.to_string())),
        };
        let step = self.plan().step(at).id.clone();
        let failures_max = each.failures_max.of(items.len());
        self.emit(Event::LoopEntered { step, items, failures_max })?;
        let from = self.run.loops.get(&at).map_or(0, LoopRun::from);
        let replaced: Vec<StepIx> = self.plan().step(at).children().take(from).collect();
        for root in replaced {
            if !self.run.steps[root.at()].state.is_settled() {
                self.skip(root, SkipReason::List)?;
            }
        }
        Ok(())
    }

    /// What a loop hands on: what each item handed on, and the numbers of those that failed.
    pub(super) fn loop_outputs(&self, at: StepIx) -> BTreeMap<String, Value> {
        let Body::ForEach(each) = &self.plan().step(at).body else { return BTreeMap::new() };
        let (mut results, mut failed) = (vec![], vec![]);
        let from = self.run.loops.get(&at).map_or(0, LoopRun::from);
        // One that was done by hand has no items of its own.
        let from = if self.run.was_entered(at) { from } else { each.roots.len() };
        for (number, root) in (1u32..).zip(each.roots.iter().skip(from)) {
            let run = &self.run.steps[root.at()];
            results.push(if run.state == StepState::Succeeded { json!(run.outputs) } else { Value::Null });
            if matches!(run.state, StepState::Failed(_)) {
                failed.push(number.into());
            }
        }
        BTreeMap::from([("results".to_owned(), results.into()), ("failed".to_owned(), Value::Array(failed))])
    }

    /// What exists within the items of loops that a step lies in: each item by its name, and the number of the innermost.
    pub(super) fn add_items(&self, at: StepIx, locals: &Locals) -> Locals {
        let mut all = Locals::new();
        let mut around = self.plan().step(at).item;
        while let Some(item) = around {
            if let (Body::ForEach(each), Some(run)) = (&self.plan().step(item.of).body, self.run.loops.get(&item.of)) {
                let value = run.items.get(item.number as usize - 1).cloned().unwrap_or_default();
                all.entry(each.name.clone()).or_insert(value);
                all.entry("index".to_owned()).or_insert_with(|| run.index(item.number).into());
            }
            around = self.plan().step(item.of).item;
        }
        all.extend(locals.clone());
        all
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "none",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
