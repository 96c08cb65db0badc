//! Which conditions hold and which branches are taken, as far as that is known before a run.

use std::collections::BTreeMap;

use runbook_core::evaluate::{Evaluate as _, EvaluateError, Scope};
use runbook_core::plan::{Body, Expression, Plan, Step};
use runbook_language::expression::Evaluator;
use serde_json::{Value, json};

/// What expressions come to where the params alone say it.
pub(super) struct Known {
    params: Value,
    environment: Value,
    missing: Vec<String>,
    evaluator: Evaluator,
}

impl Known {
    /// With the values of all params but those that are missing.
    pub(super) fn of(plan: &Plan, values: &BTreeMap<String, Value>, environment: Value) -> Self {
        Self {
            params: json!(values),
            environment,
            missing: plan.params.keys().filter(|name| !values.contains_key(*name)).cloned().collect(),
            evaluator: Evaluator::new(),
        }
    }

    /// Whether the condition of a step holds; none where it has none, or that cannot be known yet.
    pub(super) fn holds(&self, step: &Step) -> Option<bool> {
        let condition = step.condition.as_ref().filter(|condition| !condition.asks_status)?;
        self.look(&condition.expression, |it, scope| self.evaluator.condition(it, scope))
    }

    /// Whether the case that a step belongs to is taken; none where it belongs to none, or that cannot be known yet.
    pub(super) fn taken(&self, plan: &Plan, step: &Step) -> Option<bool> {
        let Body::Switch { on, cases, .. } = &plan.step(step.parent?).body else { return None };
        let value = runbook_core::as_text(self.look(on, |it, scope| self.evaluator.expression(it, scope))?);
        let taken = cases.iter().position(|case| case.value == value).unwrap_or(cases.len());
        Some(taken == step.case? as usize)
    }

    /// Careful rather than clever: an expression that might read anything else has no value here.
    fn look<T>(
        &self,
        expression: &Expression,
        evaluate: impl Fn(&Expression, &Scope<'_>) -> Result<T, EvaluateError>,
    ) -> Option<T> {
        let mentions = |name: &str| expression.source.contains(name);
        // A name that is not known may be defined all the same.
        let is_empty = self.environment.as_object().is_none_or(serde_json::Map::is_empty);
        if mentions("environment") && (is_empty || mentions("default") || mentions("defined")) {
            return None;
        }
        if ["run", "steps", "failure", "always"].into_iter().any(mentions)
            || self.missing.iter().any(|name| mentions(name))
            || !expression.reads.is_empty()
            || !expression.locals.is_empty()
        {
            return None;
        }
        let (nothing, locals) = (json!({}), BTreeMap::new());
        let scope = Scope {
            params: &self.params,
            environment: &self.environment,
            run: &nothing,
            steps: &|_| None,
            locals: &locals,
            failure: false,
        };
        evaluate(expression, &scope).ok()
    }
}
