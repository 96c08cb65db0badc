//! The second reading: what each value is, by serde_yaml, in step with the places.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::events::{Shape, Tree};
use crate::source::Span;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// How it is written.
    pub style: Style,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written, each key once.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As text, exactly as written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In quotes of either kind.
    Quoted,
    /// A block after `|`.
    Literal,
    /// A block after `>`.
    Folded,
    /// A list or a map.
    Collection,
}

impl Kind {
    /// What it is, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// The value without its places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => entries.iter().map(|(key, value)| (key.text.clone(), value.to_json())).collect(),
        }
    }
}

/// Reads one value in step with its place.
pub(super) struct Seed<'a> {
    pub(super) tree: &'a Tree,
    pub(super) text: &'a str,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        from.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn scalar<E: Error>(self, kind: Kind) -> Result<Node, E> {
        match self.tree.shape {
            Shape::Scalar { style } => Ok(Node { span: self.tree.span, kind, style }),
            _ => Err(E::custom("it can be read in two ways; put quotes round it")),
        }
    }

    fn number<E: Error>(self, number: Option<Number>) -> Result<Node, E> {
        // `.inf`, `.nan` and whole numbers beyond 64 bits have no JSON form: they stay the text that they are.
        match number {
            Some(number) => self.scalar(Kind::Number(number)),
            None => {
                let text = self.text.get(self.tree.span.start..self.tree.span.end).unwrap_or_default().to_owned();
                self.scalar(Kind::Text(text))
            }
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.scalar(Kind::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.scalar(Kind::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.scalar(Kind::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.number(Some(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.number(Some(value.into()))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Node, E> {
        self.number(None)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Node, E> {
        self.number(None)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.number(Number::from_f64(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.scalar(Kind::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        self.scalar(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let Shape::List(places) = &self.tree.shape else { return Err(disagreement()) };
        let mut items = Vec::with_capacity(places.len());
        for place in places {
            let seed = Seed { tree: place, text: self.text };
            items.push(list.next_element_seed(seed)?.ok_or_else(disagreement)?);
        }
        if list.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(disagreement());
        }
        Ok(Node { span: self.tree.span, kind: Kind::List(items), style: Style::Collection })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let Shape::Map(places) = &self.tree.shape else { return Err(disagreement()) };
        let mut entries = Vec::with_capacity(places.len());
        for (key, place) in places {
            map.next_key::<serde::de::IgnoredAny>()?.ok_or_else(disagreement)?;
            let value = map.next_value_seed(Seed { tree: place, text: self.text })?;
            if !key.dropped {
                entries.push((Key { text: key.text.clone(), span: key.span }, value));
            }
        }
        if map.next_key::<serde::de::IgnoredAny>()?.is_some() {
            return Err(disagreement());
        }
        Ok(Node { span: self.tree.span, kind: Kind::Map(entries), style: Style::Collection })
    }
}

fn disagreement<E: Error>() -> E {
    E::custom("it can be read in two ways; write it more plainly")
}
