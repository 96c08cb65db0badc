//! From a tree of values to typed documents, with every mistake reported and none hiding another.
//!
//! serde stops at the first mistake and drops places, so the documents read themselves: [`record!`] writes, from one
//! list of keys, the type, its reader, and (through schemars) its JSON Schema.

mod collections;
mod record;
pub(crate) mod scalars;

pub use collections::{Entries, Entry, List};
pub use scalars::{Count, DurationText, ExpressionText, Failures, Flag, Free, Name, Scalar, Spanned, Text, Written};

pub(crate) use record::{Fields, record, words, wrong_word};
pub(crate) use scalars::wrong_type;

use crate::diagnostic::Collector;
use crate::source::Span;
use crate::yaml::Node;

/// Reads itself from a value.
pub trait Decode: Sized {
    /// Reads it; what is wrong goes to `found`. None when nothing usable is there, which is always reported.
    fn decode(node: &Node, found: &mut Collector) -> Option<Self>;

    /// Whether `null` is a value for it, rather than a value that was forgotten.
    const TAKES_NULL: bool = false;
}

/// A key that has to be there. Its value is none when it is missing or unusable, which has been reported.
#[derive(Clone, Debug)]
pub struct Required<T>(pub Option<T>);

impl<T> Default for Required<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Where a map stands, and its keys.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The whole map.
    pub span: Span,
    /// Its known keys, in the order written.
    pub keys: Vec<(&'static str, Span)>,
}

impl Place {
    /// Where a key is written; none when it is not.
    pub fn key(&self, name: &str) -> Option<Span> {
        self.keys.iter().find(|(key, _)| *key == name).map(|(_, span)| *span)
    }

    /// Where a key is written, or else where the map begins.
    pub fn key_or_start(&self, name: &str) -> Span {
        self.key(name).unwrap_or(self.span)
    }
}

impl<T> Required<T> {
    /// The value, when it is usable.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Required<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
