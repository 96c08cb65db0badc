//! The keys of a kind of document as a page for people, made of its schema.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;

use serde_json::Value;

use crate::schema::{SchemaKind, schema};

/// Where the schema of a key stands for a type of its own.
const REFERENCE: &str = "#/definitions/";

/// The keys of a kind of document in Markdown, ending in a newline: what each means, what it may hold, which are required.
/// `runbook schema KIND --format md` prints it, and `docs/reference/` keeps it.
pub fn reference(kind: SchemaKind) -> String {
    let root: Value = serde_json::from_str(&schema(kind)).unwrap_or_default();
    let (word, title) = match kind {
        SchemaKind::Runbook => ("runbook", "runbook/v1"),
        SchemaKind::Environment => ("environment", "environment/v1"),
        SchemaKind::Plugin => ("plugin", "plugin/v1"),
    };
    let mut page = Page { root: &root, text: String::new(), named: BTreeSet::new(), waiting: VecDeque::new() };
    let _ = writeln!(page.text, "# The keys of `{title}`\n\n{}\n", sentence(&root));
    let _ = writeln!(
        page.text,
        "Required keys are **bold**. A text that may hold `{{{{ … }}}}` says so. For an editor: `runbook schema {word}`.\n\n\
         <!-- Made by: runbook schema {word} --format md -->\n\n## The document\n"
    );
    page.table(&root);
    while let Some(name) = page.waiting.pop_front() {
        let definition = &root["definitions"][&name];
        let _ = writeln!(page.text, "\n## {}\n\n{}\n", heading(&name), sentence(definition));
        page.table(definition);
    }
    page.text
}

struct Page<'s> {
    root: &'s Value,
    text: String,
    /// The types that have, or will have, a table.
    named: BTreeSet<String>,
    waiting: VecDeque<String>,
}

impl Page<'_> {
    fn table(&mut self, schema: &Value) {
        self.text.push_str("| key | value | meaning |\n|---|---|---|\n");
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let name = if required.contains(&key.as_str()) { format!("**`{key}`**") } else { format!("`{key}`") };
            let words = self.words_of(value).unwrap_or_default();
            let meaning = format!("{} {words}", sentence(value));
            let holds = self.holds(value);
            let _ = writeln!(self.text, "| {name} | {} | {} |", cell(&holds), cell(meaning.trim_end()));
        }
    }

    /// What a key may hold.
    fn holds(&mut self, schema: &Value) -> String {
        if let Some(name) = named(schema) {
            return match constants(&self.root["definitions"][&name]) {
                words if words.is_empty() => self.link(name),
                words => words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
            };
        }
        if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array()) {
            let mut held: Vec<String> = vec![];
            for choice in choices {
                let one = self.holds(choice);
                if !held.contains(&one) {
                    held.push(one);
                }
            }
            return held.join(" or ");
        }
        if let Some(words) = schema["enum"].as_array() {
            return words.iter().map(|word| format!("`{}`", text_of(word))).collect::<Vec<_>>().join(" or ");
        }
        if let Some(word) = schema.get("const") {
            return format!("`{}`", text_of(word));
        }
        match &schema["type"] {
            Value::Array(types) => {
                let words: Vec<&str> = types.iter().filter_map(Value::as_str).map(plain).collect();
                words.join(" or ")
            }
            Value::String(one) => self.typed(one, schema),
            _ => "anything".to_owned(),
        }
    }

    fn typed(&mut self, name: &str, schema: &Value) -> String {
        match name {
            "array" => match self.holds(&schema["items"]) {
                anything if anything == "anything" => "list".to_owned(),
                items => format!("list of: {items}"),
            },
            "object" if schema["additionalProperties"].is_object() => {
                format!("map from names to: {}", self.holds(&schema["additionalProperties"]))
            }
            "string" if schema["examples"][0] == "30s" => "duration such as `30s`, `5m`, `1h30m`".to_owned(),
            "integer" => match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
                (Some(least), Some(most)) if most < u64::from(u32::MAX) => {
                    format!("whole number from {least} to {most}")
                }
                (Some(least), _) => format!("whole number, {least} or more"),
                _ => plain("integer").to_owned(),
            },
            other => plain(other).to_owned(),
        }
    }

    fn link(&mut self, name: String) -> String {
        let heading = heading(&name);
        let link = format!("[{heading}](#{})", heading.replace(' ', "-"));
        if self.named.insert(name.clone()) {
            self.waiting.push_back(name);
        }
        link
    }

    /// What each of a few words means, where a key holds one of them.
    fn words_of(&self, schema: &Value) -> Option<String> {
        let words = constants(&self.root["definitions"][named(schema)?]);
        Some(words.iter().map(|(word, meaning)| format!("`{word}`: {meaning}")).collect::<Vec<_>>().join(" "))
    }
}

/// The type that a schema names.
fn named(schema: &Value) -> Option<String> {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str())?;
    reference.strip_prefix(REFERENCE).map(str::to_owned)
}

/// The words of a type that is one of a few, with what each means.
fn constants(definition: &Value) -> Vec<(&str, String)> {
    let choices = definition["oneOf"].as_array().into_iter().flatten();
    choices.filter_map(|choice| Some((choice["const"].as_str()?, sentence(choice)))).collect()
}

/// `StepDoc` as `step`, `RetryOnDoc` as `retry on`.
fn heading(name: &str) -> String {
    let name = ["Doc", "Map", "Word"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let mut heading = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !heading.is_empty() {
            heading.push(' ');
        }
        heading.extend(letter.to_lowercase());
    }
    heading
}

fn sentence(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}

fn text_of(word: &Value) -> String {
    word.as_str().map_or_else(|| word.to_string(), str::to_owned)
}

fn plain(name: &str) -> &str {
    match name {
        "string" => "text",
        "integer" => "whole number",
        "boolean" => "`true` or `false`",
        "object" => "map",
        "array" => "list",
        other => other,
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
