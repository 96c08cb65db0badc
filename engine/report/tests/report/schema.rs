//! The JSON Schema in `schemas/`, and that a report is what it says.

use std::collections::BTreeSet;
use std::path::Path;

use runbook_report::{SCHEMA, schema};
use serde_json::Value;

use crate::told::rolled_back;

/// Rewrites the schema with `UPDATE_DOCS=1`, else compares.
#[test]
fn the_schema_in_the_repository_is_this() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/report.schema.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, schema()).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == schema(), "out of date; regenerate: runbook schema report > schemas/report.schema.json");
}

#[test]
fn every_key_of_a_report_is_described_and_no_other_is_there() {
    let schema: Value = serde_json::from_str(&schema()).expect("it is JSON");
    let report = serde_json::to_value(rolled_back().report()).expect("it is JSON");
    assert_eq!(report["schema"], SCHEMA);
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&report), keys(&schema["properties"]));
    for (name, example) in [
        ("RunFacts", &report["run"]),
        ("Ending", &report["ending"]),
        ("Target", &report["targets"][0]),
        ("Entry", &report["timeline"][0]),
        ("Question", &report["questions"][0]),
        ("Answer", &report["questions"][0]["answers"][0]),
        ("Step", &report["steps"][0]),
        ("Attempt", &report["failed_attempts"][0]),
        ("LogEnd", &report["failed_attempts"][0]["log"]),
        ("Rollback", &report["rollback"]),
        ("Evidence", &report["evidence"]),
    ] {
        let properties = &schema["definitions"][name]["properties"];
        assert_eq!(keys(example), keys(properties), "{name}");
        for (key, value) in properties.as_object().expect("an object") {
            assert!(value.to_string().contains("description"), "{name}.{key} has no description");
        }
    }
}
