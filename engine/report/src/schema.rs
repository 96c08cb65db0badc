//! The JSON Schema of a report.

use schemars::generate::SchemaSettings;

use crate::model::Report;

/// The version of the format.
pub const SCHEMA: &str = "report/v1";

/// The JSON Schema of a report, ending in a newline. `runbook schema report` prints it, and `schemas/` keeps it.
pub fn schema() -> String {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), SCHEMA.into());
    // A schema is made of texts and maps with text keys: it always has a JSON form.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
