//! How deep values may be nested: what is kept must be read again, and readers of JSON stop at 127 levels.

use serde_json::Value;

/// Most lists and objects within each other in a value of a run. The files of runbooks have the same bound, and an event
/// puts fewer than twenty levels around a value.
pub const DEPTH_MAX: usize = 100;

/// Whether a value is nested deeper than [`DEPTH_MAX`].
pub fn is_too_deep(value: &Value) -> bool {
    !fits(value, DEPTH_MAX)
}

fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Value::Object(entries) => levels > 0 && entries.values().all(|value| fits(value, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_count_the_same() {
        let nested = |levels: usize| (0..levels).fold(Value::from(1), |inner, _| Value::Array(vec![inner]));
        assert!(!is_too_deep(&nested(DEPTH_MAX)));
        assert!(is_too_deep(&nested(DEPTH_MAX + 1)));
        assert!(!is_too_deep(&serde_json::json!({"a": nested(DEPTH_MAX - 1)})));
        assert!(is_too_deep(&serde_json::json!({"a": 1, "b": nested(DEPTH_MAX)})));
    }
}
