//! What the tests write and the reader accepts is right for an editor, too.

use std::sync::LazyLock;

use jsonschema::Validator;
use runbook_language::diagnostic::Collector;
use runbook_language::{SchemaKind, SourceFile, load_environment, load_runbook, schema, yaml};

fn validator(kind: SchemaKind) -> Validator {
    jsonschema::draft7::new(&serde_json::from_str(&schema(kind)).expect("it is JSON")).expect("it is a schema")
}

static RUNBOOK: LazyLock<Validator> = LazyLock::new(|| validator(SchemaKind::Runbook));
static ENVIRONMENT: LazyLock<Validator> = LazyLock::new(|| validator(SchemaKind::Environment));

/// Fails where the reader accepts a document and its JSON Schema does not. One that needs others is not looked at.
pub(crate) fn hold(text: &str) {
    let file = SourceFile::new("document.yaml", text);
    let schema = if load_runbook(&file, None).is_ok() {
        &RUNBOOK
    } else if load_environment(&file).is_ok() {
        &ENVIRONMENT
    } else {
        return;
    };
    let document = yaml::parse(&file, &mut Collector::new(&file)).expect("it was read before").to_json();
    let wrong: Vec<String> =
        schema.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "it is accepted, and its schema says\n{}\nof\n{text}", wrong.join("\n"));
}
