//! Expressions for tests: `and`, `or`, `not`, `==`, `!=`, `<`, literals, `failure()`, `always()`, and paths into
//! `params`, `environment`, `run`, `steps` and locals. Strict: what is not there is an error.

use runbook_core::evaluate::{Evaluate, EvaluateError, Scope};
use runbook_core::plan::{Expression, Param, Plan, Template};
use runbook_core::units::{StepId, Timestamp};
use serde_json::{Map, Value, json};

/// Evaluates them.
pub(crate) struct Mini;

type Outcome = Result<Value, EvaluateError>;

fn error<T>(message: impl Into<String>) -> Result<T, EvaluateError> {
    Err(EvaluateError(message.into()))
}

impl Evaluate for Mini {
    fn params(&self, plan: &Plan, given: Map<String, Value>) -> Outcome {
        match given.keys().find(|name| !plan.params.contains_key(*name)) {
            Some(name) => error(format!("there is no param `{name}`")),
            None => Ok(Value::Object(given)),
        }
    }

    fn condition(&self, expression: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        match self.expression(expression, scope)? {
            Value::Bool(holds) => Ok(holds),
            other => error(format!("{other} is neither true nor false")),
        }
    }

    fn expression(&self, expression: &Expression, scope: &Scope<'_>) -> Outcome {
        evaluate(&expression.source, scope)
    }

    fn template(&self, template: &Template, scope: &Scope<'_>) -> Outcome {
        Ok(match template {
            Template::Literal(value) => value.clone(),
            Template::Value(expression) => self.expression(expression, scope)?,
            Template::Text(expression) => fill(&expression.source, scope)?,
            Template::List(list) => {
                Value::Array(list.iter().map(|it| self.template(it, scope)).collect::<Result<_, _>>()?)
            }
            Template::Object(map) => {
                let one = |(name, it): (&String, &Template)| Ok((name.clone(), self.template(it, scope)?));
                Value::Object(map.iter().map(one).collect::<Result<_, EvaluateError>>()?)
            }
        })
    }

    /// One of the choices.
    fn fit(&self, param: &Param, value: &Value) -> Outcome {
        match param.choices.is_empty() || param.choices.contains(value) {
            true => Ok(value.clone()),
            false => error(format!("{value} is no choice")),
        }
    }

    /// An object with all that is required.
    fn schema(&self, schema: &Value, value: &Value) -> Result<(), EvaluateError> {
        let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        match required.find(|name| value.get(name).is_none()) {
            Some(name) => error(format!("`{name}` is missing")),
            None => Ok(()),
        }
    }

    /// `@` and milliseconds.
    fn moment(&self, text: &str) -> Result<Timestamp, EvaluateError> {
        let ms = text.strip_prefix('@').and_then(|ms| ms.parse().ok());
        ms.map(Timestamp).ok_or_else(|| EvaluateError(format!("`{text}` is no moment")))
    }
}

fn fill(text: &str, scope: &Scope<'_>) -> Outcome {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, after)) = after.split_once("}}") else { return error("open braces") };
        out.push_str(before);
        match evaluate(inner, scope)? {
            Value::String(text) => out.push_str(&text),
            other => out.push_str(&other.to_string()),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(Value::String(out))
}

fn evaluate(source: &str, scope: &Scope<'_>) -> Outcome {
    let source = source.trim();
    if let Some((left, right)) = source.split_once(" or ") {
        return Ok((truth(left, scope)? || truth(right, scope)?).into());
    }
    if let Some((left, right)) = source.split_once(" and ") {
        return Ok((truth(left, scope)? && truth(right, scope)?).into());
    }
    if let Some(inner) = source.strip_prefix("not ") {
        return Ok((!truth(inner, scope)?).into());
    }
    for (operator, equal) in [("==", true), ("!=", false)] {
        if let Some((left, right)) = source.split_once(operator) {
            return Ok(((evaluate(left, scope)? == evaluate(right, scope)?) == equal).into());
        }
    }
    if let Some((left, right)) = source.split_once('<') {
        let (left, right) = (evaluate(left, scope)?.as_f64(), evaluate(right, scope)?.as_f64());
        return left.zip(right).map(|(left, right)| (left < right).into()).ok_or(EvaluateError("no numbers".into()));
    }
    match source {
        "true" | "always()" => Ok(true.into()),
        "false" => Ok(false.into()),
        "none" => Ok(Value::Null),
        "failure()" => Ok(scope.failure.into()),
        _ => match source.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(text) => Ok(text.into()),
            None => source.parse::<i64>().map(Value::from).or_else(|_| path(source, scope)),
        },
    }
}

fn truth(source: &str, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    evaluate(source, scope)?.as_bool().ok_or_else(|| EvaluateError(format!("`{source}` is neither true nor false")))
}

fn path(source: &str, scope: &Scope<'_>) -> Outcome {
    let mut names = source.split('.');
    let first = names.next().unwrap_or_default();
    let start = match first {
        "params" => scope.params.clone(),
        "environment" => scope.environment.clone(),
        "run" => scope.run.clone(),
        "steps" => step(names.next().unwrap_or_default(), scope)?,
        local => match scope.locals.get(local) {
            Some(value) => value.clone(),
            None => return error(format!("`{local}` is not defined")),
        },
    };
    names.try_fold(start, |value, name| match value.get(name) {
        Some(inner) => Ok(inner.clone()),
        None => error(format!("`{source}` is not defined")),
    })
}

fn step(id: &str, scope: &Scope<'_>) -> Outcome {
    let Some(view) = (scope.steps)(&StepId::new(id)) else { return error(format!("no step `{id}`")) };
    let mut value = json!({
        "succeeded": view.succeeded,
        "failed": view.failed,
        "skipped": view.skipped,
        "already_done": view.already_done,
        "outputs": view.outputs,
    });
    if let Some(code) = view.exit_code {
        value["exit_code"] = code.into();
    }
    Ok(value)
}
