//! The JSON Schemas in `schemas/`, and that they say the same as the reader.

use std::path::Path;

use runbook_language::{SchemaKind, schema};
use serde_json::Value;

/// Rewrites the schemas with `UPDATE_DOCS=1`, else compares.
#[test]
fn the_schemas_in_the_repository_are_these() {
    for (kind, name) in
        [(SchemaKind::Runbook, "runbook"), (SchemaKind::Environment, "environment"), (SchemaKind::Plugin, "plugin")]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemas/{name}.schema.json"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, schema(kind)).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let how = format!("runbook schema {name} > schemas/{name}.schema.json");
        assert!(kept == schema(kind), "schemas/{name}.schema.json is out of date; regenerate: {how}");
    }
}

#[test]
fn every_key_is_described_and_no_other_allowed() {
    for kind in [SchemaKind::Runbook, SchemaKind::Environment, SchemaKind::Plugin] {
        let schema: Value = serde_json::from_str(&schema(kind)).expect("it is JSON");
        let mut maps = 0;
        visit(&schema, &mut |map| {
            let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
            maps += 1;
            assert_eq!(map.get("additionalProperties"), Some(&Value::Bool(false)), "{properties:?}");
            for (key, value) in properties {
                assert!(value.get("description").is_some(), "`{key}` has no description: {value}");
                assert!(!value.to_string().contains("null"), "`{key}` may be null: {value}");
            }
        });
        assert!(maps >= 4, "the schema is not empty");
    }
}

fn visit(value: &Value, seen: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            seen(map);
            map.values().for_each(|value| visit(value, seen));
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, seen)),
        _ => {}
    }
}

/// Rewrites the pages with `UPDATE_DOCS=1`, else compares.
#[test]
fn the_pages_of_keys_are_made_of_the_schemas() {
    for (name, kind) in
        [("runbook", SchemaKind::Runbook), ("environment", SchemaKind::Environment), ("plugin", SchemaKind::Plugin)]
    {
        let made = runbook_language::reference(kind);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/reference/{name}.md"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).expect("a file");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let how = format!("runbook schema {name} --format md > docs/reference/{name}.md");
        assert!(kept == made, "docs/reference/{name}.md is out of date; regenerate: {how}");

        let headings: Vec<String> =
            made.lines().filter_map(|line| line.strip_prefix("## ")).map(|heading| heading.replace(' ', "-")).collect();
        let links = made.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
        let unknown: Vec<&str> = links.filter(|link| !headings.iter().any(|heading| heading == link)).collect();
        assert!(unknown.is_empty() && headings.len() > 3, "{unknown:?} of {headings:?}");
        let schema: serde_json::Value = serde_json::from_str(&schema(kind)).expect("JSON");
        let definitions = schema["definitions"].as_object().expect("definitions").values();
        for key in definitions.chain([&schema]).filter_map(|one| one["properties"].as_object()).flat_map(|it| it.keys())
        {
            assert!(made.contains(&format!("`{key}`")), "{name}: {key}");
        }
    }
}
