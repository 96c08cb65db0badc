//! What the reader accepts, the JSON Schemas accept: an editor must not call a right file wrong.
//!
//! Every document that a test of this crate loads is held against its schema, too, and so is all that is shipped and
//! shown.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use runbook_language::diagnostic::Collector;
use runbook_language::{SchemaKind, SourceFile, schema, yaml};

/// The schemas by what a document calls itself.
static SCHEMAS: LazyLock<[(&str, Validator); 3]> = LazyLock::new(|| {
    let validator = |kind: SchemaKind| {
        let schema = serde_json::from_str(&schema(kind)).expect("it is JSON");
        jsonschema::draft7::new(&schema).expect("it is a schema")
    };
    [
        ("runbook/v1", validator(SchemaKind::Runbook)),
        ("environment/v1", validator(SchemaKind::Environment)),
        ("plugin/v1", validator(SchemaKind::Plugin)),
    ]
});

/// What its schema has against a document, each with its place.
fn against(text: &str) -> Vec<String> {
    let file = SourceFile::new("document.yaml", text);
    let Some(node) = yaml::parse(&file, &mut Collector::new(&file)) else { return vec!["it is no YAML".to_owned()] };
    let document = node.to_json();
    let name = document["schema"].as_str().unwrap_or_default();
    let Some((_, validator)) = SCHEMAS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("there is no schema `{name}`")];
    };
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Fails where a document that the reader accepted is wrong for an editor.
pub(crate) fn accepted(text: &str) {
    let wrong = against(text);
    assert!(wrong.is_empty(), "it is accepted, and its schema says\n{}\nof\n{text}", wrong.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files below a folder with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let below = entries.flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] });
    below.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a text")
}

/// The end-to-end tests run `validate` over these: they are accepted.
#[test]
fn what_is_shipped_and_shown_is_right_for_an_editor_too() {
    let folders = ["runbooks", "plugins", "engine/language/tests/language/data"];
    let shipped: Vec<PathBuf> = folders.iter().flat_map(|folder| files(&root().join(folder), "yaml")).collect();
    assert!(shipped.len() > 20, "{shipped:?}");
    let pages = files(&root().join("docs"), "md").into_iter().chain([root().join("README.md")]);
    let shown: Vec<String> = pages.flat_map(|page| documents(&read(&page))).collect();
    assert!(shown.len() > 20, "{}", shown.len());
    shipped.iter().map(|path| read(path)).chain(shown).for_each(|text| accepted(&text));
}

/// The whole documents in a page. The pages of diagnostics show what is wrong first, under `Wrong`.
fn documents(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml\n").collect::<Vec<_>>();
    let is_right = |pair: &&[&str]| !pair[0].trim_end().ends_with("## Wrong");
    let texts = blocks.windows(2).filter(is_right).map(|pair| pair[1].split("```").next().unwrap_or_default());
    texts.filter(|text| text.starts_with("schema: ")).map(str::to_owned).collect()
}

/// An action of each kind. A plugin and another runbook would have to be there to be loaded.
const ACTIONS: [&str; 12] = [
    "run: x",
    "argv: [x]",
    "http: {url: 'https://example.org'}",
    "manual: look",
    "uses: note",
    "assert: 1 == 1",
    "set: {a: b}",
    "wait: 1s",
    "ask: {prompt: how many, fields: {n: {type: integer}}}",
    "runbook: other",
    "steps: [{id: b, run: x}]",
    "switch: params.p, cases: {a: [{id: b, run: x}]}",
];

#[test]
fn the_schema_knows_each_action_of_a_step_of_a_rollback_and_of_a_guard() {
    let text = |rest: &str| {
        let params = "params: {p: {type: string, default: a}}";
        format!("schema: runbook/v1\nid: r\ntitle: T\n{params}\n{rest}\n")
    };
    let is_right = |rest: &str| against(&text(rest)).is_empty();
    for (at, action) in ACTIONS.iter().enumerate() {
        let places = [
            (format!("steps: [{{id: a, {action}}}]"), true),
            (format!("steps: [{{id: a, run: x, rollback: {{{action}}}}}]"), at < 5),
            (
                format!("steps: [{{id: a, run: x}}]\nguards: [{{id: g, {action}, trip_if: 'true', on_trip: stop}}]"),
                at < 3,
            ),
        ];
        for (rest, expected) in places {
            assert_eq!(is_right(&rest), expected, "{rest}");
            if !action.starts_with("uses") && !action.starts_with("runbook") {
                assert_eq!(crate::load(&text(&rest)).is_ok(), expected, "{rest}");
            }
        }
    }
    assert!(!is_right("steps: [{id: a, run: x, argv: [x]}]") && !is_right("steps: [{id: a, rn: x}]"));
}
