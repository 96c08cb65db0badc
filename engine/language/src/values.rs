//! Values held against JSON Schemas.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// Most of what does not fit that is told at once.
const TOLD_MAX: usize = 5;

/// A schema that can be used.
///
/// # Errors
/// Why it is none: a sentence, and where in it, as a JSON pointer.
pub(crate) fn compile(schema: &Value) -> Result<Validator, (String, String)> {
    jsonschema::draft202012::options()
        .build(schema)
        .map_err(|error| (error.to_string(), error.instance_path().as_str().to_owned()))
}

/// Something of a value that does not fit its schema.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Where, as a JSON pointer.
    pub(crate) path: String,
    /// What is wrong, in one sentence without the place.
    pub(crate) message: String,
    /// Whether the kind of the value is wrong, whatever else it holds.
    pub(crate) is_type: bool,
}

/// All that does not fit.
pub(crate) fn misfits(validator: &Validator, value: &Value) -> Vec<Misfit> {
    let one = |error: ValidationError<'_>| Misfit {
        path: error.instance_path().as_str().to_owned(),
        is_type: matches!(error.kind(), ValidationErrorKind::Type { .. }),
        message: message(&error),
    };
    validator.iter_errors(value).map(one).collect()
}

/// Whether a value fits a schema.
///
/// # Errors
/// What does not fit, in one sentence.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = compile(schema).map_err(|(message, _)| format!("the schema cannot be used: {message}"))?;
    let found = misfits(&validator, value);
    if found.is_empty() {
        return Ok(());
    }
    let told = |misfit: &Misfit| match misfit.path.trim_start_matches('/') {
        "" => misfit.message.clone(),
        path => format!("`{}` {}", path.replace('/', "."), misfit.message),
    };
    let mut all: Vec<String> = found.iter().take(TOLD_MAX).map(told).collect();
    if found.len() > TOLD_MAX {
        all.push(format!("and {} more", found.len() - TOLD_MAX));
    }
    Err(all.join("; "))
}

/// What is wrong, without the value, which may be long.
fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Type { .. } => {
            format!("is {}, which is not {}", kind_of(error.instance()), wanted(error))
        }
        ValidationErrorKind::Required { property } => {
            format!("lacks `{}`", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| format!("`{name}`")).collect();
            format!("has {}, which does not belong there", names.join(", "))
        }
        _ => {
            // The library's own words, with a short word in place of the value: `value is less than the minimum of 1`.
            let text = error.masked_with("it").to_string();
            text.strip_prefix("it ").map_or(text.clone(), str::to_owned)
        }
    }
}

/// What the schema wants, as it is written.
fn wanted(error: &ValidationError<'_>) -> String {
    let text = error.masked_with("it").to_string();
    let kinds = text.split("of type").nth(1).or_else(|| text.split("of types").nth(1)).unwrap_or_default();
    kinds.trim().trim_start_matches('s').trim().replace('"', "`")
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check;

    #[test]
    fn all_that_does_not_fit_is_told_without_the_values() {
        let schema = json!({"type": "object", "required": ["channel"], "additionalProperties": false, "properties": {
            "channel": {"type": "string"}, "tries": {"type": "integer", "minimum": 1}, "level": {"enum": ["low", "high"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        }});
        let told = |value| check(&schema, &value).err().unwrap_or_default();
        assert_eq!(told(json!({"channel": "a"})), "");
        assert_eq!(told(json!({})), "lacks `channel`");
        assert_eq!(told(json!({"channel": 5})), "`channel` is an integer, which is not `string`");
        assert_eq!(told(json!({"channel": "a", "tags": [1]})), "`tags.0` is an integer, which is not `string`");
        assert_eq!(told(json!({"channel": "a", "x": 1})), "has `x`, which does not belong there");
        let low = told(json!({"channel": "a", "tries": 0, "level": "secret-value"}));
        assert!(low.contains("`tries` is less than the minimum of 1"), "{low}");
        assert!(!low.contains("secret-value"), "{low}");
    }
}
