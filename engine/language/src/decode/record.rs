//! Maps with known keys.

use super::{Decode, Place, Required};
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::source::Span;
use crate::suggest::did_you_mean;
use crate::yaml::{Key, Kind, Node};

/// Defines a map with known keys: the type with its JSON Schema, and how it is read.
///
/// `later` names keys that belong to the language but not to this version of it.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $type:ident ($what:literal, later: $later:expr) {
            $( $(#[$doc:meta])* pub $field:ident: $kind:ty $(= $key:literal)?, )*
        }
    ) => {
        #[derive(Clone, Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        pub struct $type {
            /// Where it stands.
            #[schemars(skip)]
            pub place: $crate::decode::Place,
            $( $(#[$doc])* $(#[schemars(rename = $key)])? pub $field: $kind, )*
        }

        impl $crate::decode::Decode for $type {
            fn decode(node: &$crate::yaml::Node, found: &mut $crate::diagnostic::Collector) -> Option<Self> {
                const KEYS: &[&str] = &[$( $crate::decode::record!(@key $field $($key)?) ),*];
                let mut fields = $crate::decode::Fields::of(node, $what, KEYS, $later, found)?;
                Some(Self {
                    $( $field: fields.take($crate::decode::record!(@key $field $($key)?), found), )*
                    place: fields.place(),
                })
            }
        }
    };
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };
}

/// Defines a choice between words.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $type:ident ($what:literal, later: $later:expr) {
            $( $(#[$doc:meta])* $variant:ident = $word:literal, )*
        }
    ) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        $(#[$meta])*
        pub enum $type {
            $( $(#[$doc])* #[schemars(rename = $word)] $variant, )*
        }

        impl $crate::decode::Decode for $type {
            fn decode(node: &$crate::yaml::Node, found: &mut $crate::diagnostic::Collector) -> Option<Self> {
                let word = $crate::decode::Text::decode(node, found)?;
                match word.value.as_str() {
                    $( $word => Some(Self::$variant), )*
                    _ => {
                        $crate::decode::wrong_word(&word, $what, &[$($word),*], $later, found);
                        None
                    }
                }
            }
        }
    };
}

pub(crate) use {record, words};

/// Reports a word that is none of those that there are.
pub(crate) fn wrong_word(word: &super::Text, what: &str, words: &[&str], later: &[&str], found: &mut Collector) {
    if later.contains(&word.value.as_str()) {
        found
            .error(Code::NotYet, word.span, format!("`{}` is not supported by this version", word.value))
            .help(format!("{what} is {} here", crate::suggest::one_of(words)));
        return;
    }
    let help = crate::suggest::did_you_mean_word(&word.value, words)
        .unwrap_or_else(|| format!("{what} is {}", crate::suggest::one_of(words)));
    found.error(Code::WrongValue, word.span, format!("unknown value `{}`", word.value)).help(help);
}

/// The entries of a map while they are read.
pub(crate) struct Fields<'a> {
    span: Span,
    what: &'static str,
    entries: Vec<(&'static str, &'a Key, &'a Node)>,
}

impl<'a> Fields<'a> {
    /// Takes a map apart and reports the keys that do not belong.
    pub(crate) fn of(
        node: &'a Node,
        what: &'static str,
        keys: &'static [&'static str],
        later: &[&str],
        found: &mut Collector,
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            super::wrong_type(node, "a map", found).help(format!("{what} has the keys {}", list_keys(keys)));
            return None;
        };
        let mut known = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match keys.iter().find(|name| **name == key.text) {
                Some(name) => known.push((*name, key, value)),
                None => unknown_key(key, what, keys, later, found),
            }
        }
        Some(Self { span: node.span, what, entries: known })
    }

    /// Where the map stands.
    pub(crate) fn place(&self) -> Place {
        let keys = self.entries.iter().map(|(name, key, _)| (*name, key.span)).collect();
        Place { span: self.span, keys }
    }

    /// Reads the value of a key.
    pub(crate) fn take<F: Field>(&mut self, name: &'static str, found: &mut Collector) -> F {
        let entry = self.entries.iter().find(|(known, _, _)| *known == name).map(|(_, key, value)| (*key, *value));
        F::read(entry, name, self, found)
    }
}

/// What a key of a record may be: there or not, or required.
pub(crate) trait Field {
    /// Reads it from its entry, if there is one.
    fn read(entry: Option<(&Key, &Node)>, name: &str, of: &Fields<'_>, found: &mut Collector) -> Self;
}

impl<T: Decode> Field for Option<T> {
    fn read(entry: Option<(&Key, &Node)>, name: &str, _: &Fields<'_>, found: &mut Collector) -> Self {
        let (key, value) = entry?;
        value_of(key, value, name, found)
    }
}

impl<T: Decode> Field for Required<T> {
    fn read(entry: Option<(&Key, &Node)>, name: &str, of: &Fields<'_>, found: &mut Collector) -> Self {
        let Some((key, value)) = entry else {
            found
                .error(Code::MissingKey, of.span, format!("{} needs `{name}`", of.what))
                .label(format!("add `{name}:`"));
            return Self(None);
        };
        Self(value_of(key, value, name, found))
    }
}

/// Reads a value, unless nothing is written after its key.
fn value_of<T: Decode>(key: &Key, value: &Node, name: &str, found: &mut Collector) -> Option<T> {
    if value.kind == Kind::Null && !T::TAKES_NULL {
        found
            .error(Code::WrongType, key.span, format!("`{name}` has no value"))
            .help("write a value after it, or remove the key");
        return None;
    }
    T::decode(value, found)
}

fn unknown_key(key: &Key, what: &str, keys: &[&str], later: &[&str], found: &mut Collector) {
    if later.contains(&key.text.as_str()) {
        found
            .error(Code::NotYet, key.span, format!("`{}` is not supported by this version", key.text))
            .help("remove it: to leave it out silently would run something else than what is written");
        return;
    }
    let help = did_you_mean(&key.text, keys).unwrap_or_else(|| format!("{what} has the keys {}", list_keys(keys)));
    found.error(Code::UnknownKey, key.span, format!("unknown key `{}`", key.text)).help(help);
}

fn list_keys(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
