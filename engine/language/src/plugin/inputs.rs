//! What a plugin takes and hands back: the JSON Schemas, taken apart as far as the language has to know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::code::Code;
use crate::decode::Free;
use crate::decode::scalars::check_name;
use crate::diagnostic::Collector;
use crate::source::Span;
use crate::yaml::{Key, Kind, Node};

/// What a plugin takes.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    /// The schema as it is written, but that nothing else may be given.
    pub(crate) whole: Value,
    /// The same without the secrets, which are in no record.
    pub(crate) schema: Value,
    /// The schema of each input, with its place.
    pub(crate) properties: BTreeMap<String, (Node, Span)>,
    pub(crate) required: BTreeSet<String>,
    pub(crate) secrets: BTreeSet<String>,
}

impl Inputs {
    /// Reads them, and checks that they are a schema.
    pub(crate) fn of(inputs: Option<&Free>, found: &mut Collector) -> Self {
        let (mut whole, properties) = read(inputs, "inputs", found);
        let required: BTreeSet<String> =
            whole["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if let Some(inputs) = inputs {
            for name in required.iter().filter(|name| !properties.contains_key(*name)) {
                found
                    .error(Code::PluginFile, inputs.0.span, format!("`{name}` is required, and is no property"))
                    .help("describe it under `properties`");
            }
        }
        let is_secret = |(_, (node, _)): &(&String, &(Node, Span))| node.to_json()["writeOnly"] == json!(true);
        let secrets: BTreeSet<String> = properties.iter().filter(is_secret).map(|(name, _)| name.clone()).collect();
        if let Value::Object(whole) = &mut whole {
            whole.entry("type").or_insert_with(|| json!("object"));
            whole.entry("additionalProperties").or_insert_with(|| json!(false));
        }
        let schema = without(&whole, &secrets);
        Self { whole, schema, properties, required, secrets }
    }
}

/// The names of what a plugin hands back.
pub(crate) fn outputs(outputs: Option<&Free>, found: &mut Collector) -> Vec<String> {
    read(outputs, "outputs", found).1.into_keys().collect()
}

fn read(schema: Option<&Free>, key: &str, found: &mut Collector) -> (Value, BTreeMap<String, (Node, Span)>) {
    let Some(Free(node)) = schema else { return (json!({}), BTreeMap::new()) };
    let Kind::Map(entries) = &node.kind else {
        found
            .error(Code::PluginFile, node.span, format!("`{key}` is the JSON Schema of an object"))
            .help(format!("write `{key}: {{type: object, properties: {{…}}}}`"));
        return (json!({}), BTreeMap::new());
    };
    let value = node.to_json();
    if !matches!(value.get("type").and_then(Value::as_str), None | Some("object")) {
        found
            .error(Code::PluginFile, node.span, format!("`{key}` is an object: each value has a name"))
            .help("write `type: object`");
    }
    if let Err((message, path)) = crate::values::compile(&value) {
        let span = at(node, &path);
        found.error(Code::PluginFile, span, format!("this is no JSON Schema: {message}"));
    }
    let properties = entries.iter().find(|(key, _)| key.text == "properties").map(|(_, node)| &node.kind);
    let Some(Kind::Map(properties)) = properties else { return (value, BTreeMap::new()) };
    let one = |(key, node): &(Key, Node)| {
        check_name(&key.text, key.span, found);
        (key.text.clone(), (node.clone(), key.span))
    };
    (value, properties.iter().map(one).collect())
}

/// The same object schema without some of its properties.
fn without(schema: &Value, names: &BTreeSet<String>) -> Value {
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        *properties =
            std::mem::take(properties).into_iter().filter(|(name, _)| !names.contains(name)).collect::<Map<_, _>>();
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_none_or(|name| !names.contains(name)));
    }
    schema
}

/// Where a JSON pointer leads within a value; as far as it can be followed.
pub(crate) fn at(node: &Node, pointer: &str) -> Span {
    let mut here = node;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match &here.kind {
            Kind::Map(entries) => entries.iter().find(|(key, _)| key.text == part).map(|(_, node)| node),
            Kind::List(items) => part.parse().ok().and_then(|at: usize| items.get(at)),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => break,
        }
    }
    here.span
}
