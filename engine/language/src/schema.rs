//! JSON Schemas for editors, from the same types that read the documents.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::document::{EnvironmentDoc, PluginDoc, RunbookDoc};

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// `runbook/v1`.
    Runbook,
    /// `environment/v1`.
    Environment,
    /// `plugin/v1`.
    Plugin,
}

/// The JSON Schema of a kind of document, ending in a newline. `runbook schema KIND` prints it, and `schemas/` keeps it.
pub fn schema(kind: SchemaKind) -> String {
    let schema = match kind {
        SchemaKind::Runbook => generate::<RunbookDoc>("runbook/v1"),
        SchemaKind::Environment => generate::<EnvironmentDoc>("environment/v1"),
        SchemaKind::Plugin => generate::<PluginDoc>("plugin/v1"),
    };
    // A schema is made of texts and maps with text keys: it always has a JSON form.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn generate<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}

/// A key that may be left out may not be `null`: nothing after a key is a value that was forgotten.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|one| one != &serde_json::json!({"type": "null"}));
    if let [Value::Object(one)] = choices.as_slice() {
        let one = one.clone();
        schema.remove("anyOf");
        for (key, value) in one {
            schema.insert(key, value);
        }
    }
}
