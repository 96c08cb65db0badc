//! YAML text to a tree of values that know their places.
//!
//! ```text
//! text ──saphyr-parser──► Tree (places, styles, doubled keys, limits) ──┐
//!   └────serde_yaml─────► values ──────────────────────────────────────┴──► Node
//! ```
//!
//! saphyr-parser comes first: it bounds depth and size before serde_yaml recurses over the text. The two must agree on
//! the shape; a text that two parsers read differently is refused rather than guessed at.

mod events;
mod node;
mod place;

pub use node::{Key, Kind, Node, Style};

use crate::code::Code;
use crate::diagnostic::Collector;
use crate::source::{SourceFile, Span};

/// The largest text that is read, in bytes: a runbook of 10,000 steps has about one million.
const TEXT_MAX: usize = 8 << 20;

/// Reads one YAML document; what is wrong with it goes to `found`. None when there is no document to speak of.
pub fn parse(file: &SourceFile, found: &mut Collector) -> Option<Node> {
    if file.text().len() > TEXT_MAX {
        found.error(Code::TooLarge, Span::default(), format!("the file is larger than {} MiB", TEXT_MAX >> 20));
        return None;
    }
    let tree = events::read(file.text(), found)?;
    let seed = node::Seed { tree: &tree, text: file.text() };
    let mut values = serde_yaml::Deserializer::from_str(file.text());
    let document = values.next()?;
    match serde::de::DeserializeSeed::deserialize(seed, document) {
        Ok(node) => Some(node),
        Err(error) => {
            let at = error.location().map_or(0, |place| place.index());
            let message = error.to_string();
            // The place is shown anyway.
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            found.error(Code::Syntax, Span::new(at, at), format!("this is not YAML: {message}"));
            None
        }
    }
}
