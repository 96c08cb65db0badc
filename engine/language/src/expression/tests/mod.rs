//! Tests of expressions and templates, as tables: what goes in, what comes out.

mod analysis;
mod bounds;
mod errors;
mod guards;
mod values;

use std::collections::BTreeMap;

use runbook_core::evaluate::{Evaluate, EvaluateError, Scope, StepView};
use runbook_core::plan::{Expression, Template};
use runbook_core::units::StepId;
use serde_json::{Value as Json, json};

use super::{Evaluator, analyse_expression, analyse_template};

/// The state, exit code and outputs of a step.
type Ended = (&'static str, Option<i32>, BTreeMap<String, Json>);

/// A run in which `a` succeeded, `b` was skipped and `c` failed; only they exist.
struct World {
    params: Json,
    environment: Json,
    run: Json,
    locals: BTreeMap<String, Json>,
    steps: BTreeMap<StepId, Ended>,
    failure: bool,
}

impl World {
    fn new() -> Self {
        let outputs = BTreeMap::from([
            ("b".to_owned(), json!("text")),
            ("count".to_owned(), json!("7")),
            ("deep".to_owned(), json!({"x": {"y": [1, 2]}})),
        ]);
        Self {
            params: json!({
                "name": "gateway", "n": 3, "big": 18_446_744_073_709_551_615_u64, "ratio": 0.5, "yes": true, "no": false,
                "none": null, "list": ["x", "y"], "empty": [], "text_false": "false", "evil": "{{ 7*7 }}",
                "object": {"a": 1, "a-b": 2, "nested": {"k": "v"}}, "wait": "5m", "i": 1, "key": "a",
                "objects": [{"id": "p", "up": true}, {"id": "q", "up": false}],
            }),
            environment: json!({"api": "http://127.0.0.1:8080"}),
            run: json!({"id": "01J", "runbook": "p0", "started_by": "ada"}),
            locals: BTreeMap::from([
                ("stdout".to_owned(), json!("ok\n")),
                ("response".to_owned(), json!({"status": 200, "json": {"state": "up"}})),
            ]),
            steps: BTreeMap::from([
                ("a".into(), ("succeeded", Some(0), outputs)),
                ("b".into(), ("skipped", None, BTreeMap::new())),
                ("c".into(), ("failed", Some(2), BTreeMap::new())),
            ]),
            failure: false,
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&Evaluator, &Scope<'_>) -> T) -> T {
        let view = |id: &StepId| {
            self.steps.get(id).map(|(state, exit_code, outputs)| StepView {
                succeeded: *state == "succeeded",
                failed: *state == "failed",
                skipped: *state == "skipped",
                already_done: *state == "already_done",
                exit_code: *exit_code,
                outputs,
            })
        };
        let scope = Scope {
            params: &self.params,
            environment: &self.environment,
            run: &self.run,
            steps: &view,
            locals: &self.locals,
            failure: self.failure,
        };
        ask(&Evaluator::new(), &scope)
    }

    fn expression(&self, source: &str) -> Result<Json, String> {
        let expression = lower(source)?;
        self.with(|evaluator, scope| evaluator.expression(&expression, scope)).map_err(said)
    }

    fn condition(&self, source: &str) -> Result<bool, String> {
        let expression = lower(source)?;
        self.with(|evaluator, scope| evaluator.condition(&expression, scope)).map_err(said)
    }

    fn template(&self, text: &str) -> Result<Json, String> {
        let template = analyse_template(text).map_err(|error| format!("unread: {error}"))?.lower(text);
        self.render(&template)
    }

    fn render(&self, template: &Template) -> Result<Json, String> {
        self.with(|evaluator, scope| evaluator.template(template, scope)).map_err(said)
    }
}

fn lower(source: &str) -> Result<Expression, String> {
    Ok(analyse_expression(source).map_err(|error| format!("unread: {error}"))?.lower(source))
}

/// The sentence of an error, which must be one and short.
fn said(error: EvaluateError) -> String {
    assert!(!error.0.contains('\n'), "more than one line: {}", error.0);
    assert!(error.0.len() < 300, "too long: {}", error.0);
    error.0
}
