//! Lists, and maps whose keys are names.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Decode, Text, wrong_type};
use crate::diagnostic::Collector;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// A list with its place; items that are unusable are left out, and reported.
#[derive(Clone, Debug)]
pub struct List<T> {
    /// What is in it.
    pub items: Vec<T>,
    /// Where it stands.
    pub span: Span,
    /// Whether nothing was written in it.
    pub empty: bool,
}

impl<T: Decode> Decode for List<T> {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => Some(Self {
                empty: items.is_empty(),
                items: items.iter().filter_map(|item| T::decode(item, found)).collect(),
                span: node.span,
            }),
            Kind::Text(_) => {
                let written = found.file().slice(node.span).to_owned();
                let error = wrong_type(node, "a list", found);
                if written.len() <= 60 && !written.contains('\n') {
                    error.help(format!("write `[{written}]`"));
                }
                None
            }
            _ => {
                wrong_type(node, "a list", found);
                None
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": generator.subschema_for::<T>()})
    }
}

/// A map whose keys the author chooses, in the order written; values that are unusable are left out, and reported.
#[derive(Clone, Debug)]
pub struct Entries<T> {
    /// What is in it.
    pub items: Vec<Entry<T>>,
    /// Where it stands.
    pub span: Span,
}

/// A key that the author chose, and its value.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The key.
    pub key: Text,
    /// The value; none when it is unusable, which has been reported.
    pub value: Option<T>,
}

impl<T> Entries<T> {
    /// The keys and usable values.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &T)> {
        self.items.iter().filter_map(|entry| entry.value.as_ref().map(|value| (&entry.key, value)))
    }

    /// The entry of a key, usable or not.
    pub fn entry(&self, key: &str) -> Option<&Entry<T>> {
        self.items.iter().find(|entry| entry.key.value == key)
    }
}

impl<T: Decode> Decode for Entries<T> {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            wrong_type(node, "a map", found);
            return None;
        };
        let items = entries.iter().map(|(key, value)| Entry {
            key: Text { value: key.text.clone(), span: key.span },
            value: match &value.kind {
                Kind::Null if !T::TAKES_NULL => {
                    found
                        .error(crate::code::Code::WrongType, key.span, format!("`{}` has no value", key.text))
                        .help("write a value after it, or remove the key");
                    None
                }
                _ => T::decode(value, found),
            },
        });
        Some(Self { items: items.collect(), span: node.span })
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("EntriesOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": generator.subschema_for::<T>()})
    }
}
