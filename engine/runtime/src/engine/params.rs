//! Params as environment variables of scripts and services.

use std::collections::BTreeMap;

use runbook_core::plan::{Param, ParamKind};
use runbook_core::units::parse_duration;
use serde_json::Value;

/// The environment variables for params: upper case; durations in seconds; lists and objects as JSON; nothing for none.
pub(super) fn export(declared: &BTreeMap<String, Param>, values: &Value) -> BTreeMap<String, String> {
    let one = |(name, param): (&String, &Param)| {
        let value = values.get(name).unwrap_or(&Value::Null);
        (name.to_uppercase(), text_of(param.kind, value))
    };
    declared.iter().map(one).collect()
}

fn text_of(kind: ParamKind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (ParamKind::Duration, Value::String(text)) => match parse_duration(text) {
            Ok(ms) if ms % 1000 == 0 => (ms / 1000).to_string(),
            Ok(ms) => format!("{}.{:03}", ms / 1000, ms % 1000),
            Err(_) => text.clone(),
        },
        (_, Value::String(text)) => text.clone(),
        (_, other) => runbook_core::canonical(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_type_has_its_form() {
        for (kind, value, text) in [
            (ParamKind::String, json!("a b"), "a b"),
            (ParamKind::Integer, json!(7), "7"),
            (ParamKind::Boolean, json!(true), "true"),
            (ParamKind::Duration, json!("1m30s"), "90"),
            (ParamKind::Duration, json!("1500ms"), "1.500"),
            (ParamKind::List, json!(["a", 1]), r#"["a",1]"#),
            (ParamKind::Object, json!({"b": 1, "a": null}), r#"{"a":null,"b":1}"#),
            (ParamKind::Integer, json!(null), ""),
        ] {
            assert_eq!(text_of(kind, &value), text);
        }
    }
}
