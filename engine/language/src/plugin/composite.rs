//! A plugin of steps is a runbook whose params are its inputs: it runs as a child run, with a record of its own.

use crate::code::Code;
use crate::decode::{Decode as _, Entries, Entry, Place, Required, Text};
use crate::diagnostic::Collector;
use crate::document::{OnFailureWord, ParamDoc, PluginDoc, RunbookDoc, SecretDoc};
use crate::source::Span;
use crate::yaml::{Key, Kind, Node, Style};

use super::Inputs;

/// The keys of a property that a param has too.
const SHARED: [&str; 3] = ["enum", "default", "description"];

/// The runbook that such a plugin is.
pub(super) fn runbook(
    doc: &PluginDoc,
    inputs: &Inputs,
    outputs: &[String],
    found: &mut Collector,
) -> Option<RunbookDoc> {
    for key in ["idempotent", "undo"] {
        if let Some(span) = doc.place.key(key) {
            found
                .error(Code::PluginFile, span, format!("`{key}` makes no sense with `steps`"))
                .help("each step says by itself what an interruption does, and how it is undone");
        }
    }
    check_returns(doc, outputs, found);
    let (mut params, mut secrets) = (vec![], vec![]);
    for (name, (node, span)) in &inputs.properties {
        let key = Text { value: name.clone(), span: *span };
        if inputs.secrets.contains(name) {
            // Where it comes from is said by the step that uses the plugin.
            let env = Some(Text { value: name.to_uppercase(), span: *span });
            let place = Place { span: *span, keys: vec![("env", *span)] };
            secrets.push(Entry { key, value: Some(SecretDoc { place, env, ..SecretDoc::default() }) });
        } else {
            params.push(Entry { key, value: param(name, node, inputs, found) });
        }
    }
    let span = doc.inputs.as_ref().map_or(doc.place.span, |inputs| inputs.0.span);
    Some(RunbookDoc {
        place: doc.place.clone(),
        schema: Required(Some(Text { value: "runbook/v1".to_owned(), span: doc.place.span })),
        id: doc.id.clone(),
        title: doc.title.clone(),
        description: doc.description.clone(),
        params: Some(Entries { items: params, span }),
        secrets: Some(Entries { items: secrets, span }),
        on_failure: Some(doc.on_failure.unwrap_or(OnFailureWord::Rollback)),
        steps: Required(doc.steps.clone()),
        always: doc.always.clone(),
        outputs: doc.returns.clone(),
        ..RunbookDoc::default()
    })
}

/// What it promises to hand back and what it hands back are the same.
fn check_returns(doc: &PluginDoc, outputs: &[String], found: &mut Collector) {
    let returned = doc.returns.iter().flat_map(|returns| &returns.items);
    for entry in returned.clone().filter(|entry| !outputs.contains(&entry.key.value)) {
        let name = &entry.key.value;
        let help = crate::suggest::did_you_mean(name, outputs)
            .unwrap_or_else(|| format!("describe it: `outputs: {{properties: {{{name}: {{type: string}}}}}}`"));
        found.error(Code::PluginFile, entry.key.span, format!("`{name}` is none of the `outputs`")).help(help);
    }
    let names: Vec<&str> = returned.map(|entry| entry.key.value.as_str()).collect();
    for name in outputs.iter().filter(|name| !names.contains(&name.as_str())) {
        let span = doc.outputs.as_ref().map_or(doc.place.span, |outputs| outputs.0.span);
        found
            .error(Code::PluginFile, span, format!("nothing says what the output `{name}` is"))
            .help(format!("add `returns: {{{name}: \"{{{{ steps.….outputs.… }}}}\"}}`"));
    }
}

/// The param of an input.
fn param(name: &str, schema: &Node, inputs: &Inputs, found: &mut Collector) -> Option<ParamDoc> {
    let Kind::Map(entries) = &schema.kind else { return None };
    let kind = entries.iter().find(|(key, _)| key.text == "type").map(|(_, node)| node);
    let word = match kind.map(|kind| &kind.kind) {
        Some(Kind::Text(text)) => match text.as_str() {
            "array" => Some("list"),
            "string" | "integer" | "number" | "boolean" | "object" => Some(text.as_str()),
            _ => None,
        },
        _ => None,
    };
    let Some(word) = word else {
        let span = kind.map_or(schema.span, |kind| kind.span);
        found
            .error(Code::PluginFile, span, format!("the input `{name}` of a plugin of steps needs one `type`"))
            .help("it becomes a param: write `string`, `integer`, `number`, `boolean`, `array` or `object`");
        return None;
    };
    let plain = |text: &str, span: Span| Node { span, kind: Kind::Text(text.to_owned()), style: Style::Plain };
    let key = |text: &str| Key { text: text.to_owned(), span: schema.span };
    let mut described = vec![(key("type"), plain(word, schema.span))];
    described.extend(entries.iter().filter(|(key, _)| SHARED.contains(&key.text.as_str())).cloned());
    if inputs.required.contains(name) {
        let required = Node { span: schema.span, kind: Kind::Bool(true), style: Style::Plain };
        described.push((key("required"), required));
    }
    ParamDoc::decode(&Node { span: schema.span, kind: Kind::Map(described), style: Style::Collection }, found)
}
