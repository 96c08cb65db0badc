//! Every code: its example is wrong in just this way, its counterpart is right, and its page is in `docs/`.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_language::code::{Code, explain};
use runbook_language::{
    Diagnostics, FoundPlugin, Library, Look, Missing, SourceFile, load_environment, load_plugin, load_runbook_with,
    parse_project,
};

use crate::environment;

/// The runbooks that examples run, and the example itself.
struct Shelf<'t>(&'t str);

impl Library for Shelf<'_> {
    fn find(&self, name: &str, _: &SourceFile) -> Result<SourceFile, Missing> {
        let text = |steps: &str| format!("schema: runbook/v1\nid: {name}\ntitle: T\n{steps}\n");
        let text = match name.strip_prefix("deep").unwrap_or(name) {
            "example" => return Ok(SourceFile::new("runbook.yaml", self.0)),
            "restart" => text("params: {service: {type: string, required: true}}\nsteps: [{id: a, run: x}]"),
            "broken" => text("steps: []"),
            "rrrrrrrrrr" => text("steps: [{id: a, run: x}]"),
            more if name.starts_with("deep") => text(&format!("steps: [{{id: a, runbook: deep{more}r}}]")),
            _ => {
                let message = format!("there is no runbook `{name}`");
                return Err(Missing { message, help: Some("did you mean `restart`?".to_owned()) });
            }
        };
        Ok(SourceFile::new(format!("{name}.yaml"), text))
    }

    fn plugin(&self, name: &str, _: &SourceFile) -> Result<FoundPlugin, Missing> {
        let rest = match name {
            "note" => {
                "inputs: {type: object, required: [text], properties: {text: {type: string}, tries: {type: integer}, \
                 token: {type: string, writeOnly: true}}}\nargv: [note]"
            }
            "broken" => "argv: [x]\noutputs: []",
            _ => {
                let message = format!("there is no plugin `{name}`");
                return Err(Missing { message, help: Some("did you mean `note`?".to_owned()) });
            }
        };
        Ok(found_plugin(name, &format!("schema: plugin/v1\nid: {name}\ntitle: T\n{rest}\n")))
    }
}

/// A plugin without any file but its own.
pub(crate) fn found_plugin(name: &str, text: &str) -> FoundPlugin {
    let file = SourceFile::new(format!("{name}/plugin.yaml"), text);
    let digest = runbook_core::digest_of(&text);
    FoundPlugin { file, folder: name.to_owned(), digest, files: BTreeMap::new() }
}

/// All that is wrong with an example, warnings included.
fn wrong(code: Code, text: &str) -> Diagnostics {
    if text.starts_with("schema: environment/v1") {
        return load_environment(&SourceFile::new("environment.yaml", text))
            .map_or_else(|wrong| wrong, |it| it.warnings);
    }
    if text.starts_with("schema: plugin/v1") {
        let found = load_plugin(&found_plugin("example", text), &Shelf(text));
        return found.map_or_else(|wrong| wrong, |(_, warnings)| warnings);
    }
    if text.starts_with("runbooks =") {
        return parse_project(&SourceFile::new("runbook.toml", text))
            .map_or_else(|wrong| wrong, |_| Diagnostics::default());
    }
    let environment = (code == Code::UnknownEnvironmentName).then(environment);
    let loaded = load_runbook_with(&SourceFile::new("runbook.yaml", text), environment.as_ref(), &Shelf(text));
    loaded.map_or_else(|wrong| wrong, |loaded| loaded.warnings)
}

#[test]
fn each_example_is_wrong_in_its_way() {
    for code in Code::ALL {
        let found = wrong(*code, code.page().wrong);
        assert!(!found.is_empty(), "{code}: nothing was found");
        // What is wrong with another file is its own affair.
        let is_about_another = matches!(code, Code::BrokenRunbook | Code::BrokenPlugin);
        let own = found.iter().filter(|one| one.file.name() == "runbook.yaml" || !is_about_another);
        let others: Vec<_> = own.filter(|one| one.code != *code).map(ToString::to_string).collect();
        assert!(others.is_empty(), "{code}: also {others:?}");
        // Look at the text, its underlined part, and the way out.
        insta::assert_snapshot!(code.to_string(), found.to_text(Look::default()));
    }
}

#[test]
fn each_counterpart_is_right() {
    for code in Code::ALL {
        let found = wrong(*code, code.page().right);
        assert!(found.is_empty(), "{code}: {found}");
        if code.page().right.starts_with("schema:") {
            crate::agree::accepted(code.page().right);
        }
    }
}

#[test]
fn codes_are_unique_and_in_order() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    assert_eq!("rb0101".parse(), Ok(Code::UnknownKey));
    assert!("RB9999".parse::<Code>().is_err());
}

/// Rewrites the pages with `UPDATE_DOCS=1`, else compares.
#[test]
fn the_pages_in_docs_are_these() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/diagnostics");
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::create_dir_all(&folder).unwrap();
    }
    let mut expected: Vec<(String, String)> =
        Code::ALL.iter().map(|code| (format!("{code}.md"), explain(*code))).collect();
    let index = Code::ALL.iter().map(|code| format!("| [{code}]({code}.md) | {} |\n", code.page().title));
    let head = "# Diagnostics\n\nGenerated; `runbook explain CODE` shows the same pages.\n\n| code | what is wrong |\n| --- | --- |\n";
    expected.push(("README.md".to_owned(), format!("{head}{}", index.collect::<String>())));
    for (name, page) in &expected {
        let path = folder.join(name);
        if update {
            std::fs::write(&path, page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == *page,
            "docs/diagnostics/{name} is out of date; regenerate: UPDATE_DOCS=1 cargo test -p runbook-language"
        );
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let strangers: Vec<String> = files.filter(|file| !expected.iter().any(|(name, _)| name == file)).collect();
    assert!(strangers.is_empty(), "docs/diagnostics has pages without a code: {strangers:?}");
}
