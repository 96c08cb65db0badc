//! Values of params: from the command line, for expressions, for scripts.

use runbook_core::plan::{Param, ParamKind, Plan};
use runbook_core::units::{format_duration, parse_duration};
use runbook_core::{DEPTH_MAX, is_too_deep};
use serde_json::{Map, Value};

/// Reads the text of `-p name=value` as a value of a param.
///
/// Text is taken as it is. A list is JSON (`["a", "b"]`) or items with commas between (`a,b`); an object is JSON.
///
/// # Errors
/// Says what is wrong with it, as a lower-case fragment.
pub fn parse_param(param: &Param, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let value = match param.kind {
        ParamKind::String | ParamKind::Duration => Value::String(text.to_owned()),
        ParamKind::Integer => {
            let number = trimmed.parse::<i64>().map_err(|_| format!("`{text}` is not a whole number"))?;
            Value::from(number)
        }
        ParamKind::Number => {
            let number = trimmed.parse::<f64>().ok().filter(|number| number.is_finite());
            match trimmed.parse::<i64>() {
                Ok(whole) => Value::from(whole),
                Err(_) => Value::from(number.ok_or_else(|| format!("`{text}` is not a number"))?),
            }
        }
        ParamKind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(format!("`{text}` is not `true` or `false`")),
        },
        ParamKind::List if trimmed.starts_with('[') => json(trimmed)?,
        ParamKind::List if trimmed.is_empty() => Value::Array(vec![]),
        ParamKind::List => trimmed.split(',').map(|item| Value::String(item.trim().to_owned())).collect(),
        ParamKind::Object => json(trimmed)?,
    };
    check_value(param, &value)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| match error.to_string() {
        // What the parser of JSON says about more levels than it reads itself.
        reason if reason.starts_with("recursion limit") => format!("it is nested deeper than {DEPTH_MAX} levels"),
        reason => format!("`{text}` is not JSON: {reason}"),
    })
}

/// Checks a value against the type and the choices of a param, and gives it in its one form: durations as `1h30m`.
///
/// # Errors
/// Says what is wrong with it, as a lower-case fragment.
pub fn check_value(param: &Param, value: &Value) -> Result<Value, String> {
    if is_too_deep(value) {
        return Err(format!("it is nested deeper than {DEPTH_MAX} levels"));
    }
    let value = of_kind(param.kind, value)?;
    if param.choices.is_empty() || param.choices.iter().any(|choice| same(choice, &value)) {
        return Ok(value);
    }
    let choices: Vec<String> = param.choices.iter().map(|choice| format!("`{}`", plain(choice))).collect();
    Err(format!("`{}` is none of {}", plain(&value), choices.join(", ")))
}

/// A value as a value of a type.
///
/// # Errors
/// Says what is wrong with it, as a lower-case fragment.
pub(crate) fn of_kind(kind: ParamKind, value: &Value) -> Result<Value, String> {
    let wrong = |wanted: &str| Err(format!("`{}` is not {wanted}", plain(value)));
    match (kind, value) {
        (ParamKind::String, Value::String(_))
        | (ParamKind::Number, Value::Number(_))
        | (ParamKind::Boolean, Value::Bool(_))
        | (ParamKind::List, Value::Array(_))
        | (ParamKind::Object, Value::Object(_)) => Ok(value.clone()),
        (ParamKind::Integer, Value::Number(number)) if number.is_i64() => Ok(value.clone()),
        (ParamKind::Duration, Value::String(text)) => {
            parse_duration(text).map(|ms| Value::String(format_duration(ms))).map_err(|error| error.to_string())
        }
        (ParamKind::Duration, Value::Number(number)) => {
            Err(format!("`{number}` has no unit; write `{number}s` or `{number}m`"))
        }
        (ParamKind::String, Value::Number(_) | Value::Bool(_)) => {
            Err(format!("`{0}` is not text; put quotes round it: \"{0}\"", plain(value)))
        }
        (ParamKind::String, _) => wrong("text"),
        (ParamKind::Integer, _) => wrong("a whole number"),
        (ParamKind::Number, _) => wrong("a number"),
        (ParamKind::Boolean, _) => wrong("`true` or `false`"),
        (ParamKind::Duration, _) => wrong("a duration"),
        (ParamKind::List, _) => wrong("a list"),
        (ParamKind::Object, _) => wrong("an object"),
    }
}

/// Whether two values are the same: `1` and `1.0` are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is wrong with a param that was given, or not given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParamError {
    /// A run needs it, and it was not given. On a terminal it can be asked for.
    #[error("the param `{0}` is missing")]
    Missing(String),
    /// The runbook has no such param.
    #[error("there is no param `{name}`{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Unknown {
        /// What was given.
        name: String,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// Its value cannot be used.
    #[error("the param `{name}` cannot be used: {reason}")]
    Invalid {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
}

/// The values of all params of a run, `null` where an optional one has none: an object.
///
/// `given` are values as [`parse_param`] gives them, or from a program as JSON.
///
/// # Errors
/// All that is wrong, in the order of the names.
pub fn resolve_params(plan: &Plan, given: &Map<String, Value>) -> Result<Value, Vec<ParamError>> {
    let mut errors = Vec::new();
    for name in given.keys().filter(|name| !plan.params.contains_key(*name)) {
        let hint = crate::suggest::did_you_mean(name, plan.params.keys());
        errors.push(ParamError::Unknown { name: name.clone(), hint });
    }
    let mut values = Map::new();
    for (name, param) in &plan.params {
        let value = match given.get(name).filter(|value| !value.is_null()).or(param.default.as_ref()) {
            Some(value) => check_value(param, value),
            None if param.required => {
                errors.push(ParamError::Missing(name.clone()));
                continue;
            }
            None => Ok(Value::Null),
        };
        match value {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(reason) => errors.push(ParamError::Invalid { name: name.clone(), reason }),
        }
    }
    if errors.is_empty() { Ok(Value::Object(values)) } else { Err(errors) }
}

/// The name under which scripts get a param.
pub fn exported_name(param: &str) -> String {
    param.to_ascii_uppercase()
}

/// A value as scripts get it: durations in seconds, lists and objects as JSON, nothing as an empty text.
pub fn export_param(kind: ParamKind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (ParamKind::Duration, Value::String(text)) => match parse_duration(text) {
            Ok(ms) if ms % 1000 == 0 => (ms / 1000).to_string(),
            Ok(ms) => format!("{}.{:03}", ms / 1000, ms % 1000).trim_end_matches('0').to_owned(),
            Err(_) => text.clone(),
        },
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}
