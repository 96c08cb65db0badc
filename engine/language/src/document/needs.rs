//! What a step waits for.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Count, Decode, List, Required, Text, record, wrong_type};
use crate::diagnostic::Collector;
use crate::yaml::{Kind, Node};

/// `needs`: the steps that must be done, or so many of them as suffice.
#[derive(Clone, Debug)]
pub enum NeedsDoc {
    /// All of these.
    All(List<Text>),
    /// Some of these.
    Some(Box<SomeOfDoc>),
}

record! {
    /// So many of several steps suffice. The others go on.
    pub struct SomeOfDoc ("`needs`", later: &[]) {
        /// How many of them must be done.
        pub any: Required<Count>,
        /// Which.
        #[schemars(extend("minItems" = 1))]
        pub of: Required<List<Text>>,
    }
}

impl NeedsDoc {
    /// The names, in the order written.
    pub fn names(&self) -> &[Text] {
        match self {
            Self::All(list) => &list.items,
            Self::Some(some) => some.of.get().map_or(&[], |list| &list.items),
        }
    }
}

impl Decode for NeedsDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::List(_) => List::decode(node, found).map(Self::All),
            Kind::Map(_) => SomeOfDoc::decode(node, found).map(|some| Self::Some(Box::new(some))),
            _ => {
                wrong_type(node, "a list of steps, or `{any: 2, of: [a, b, c]}`", found);
                None
            }
        }
    }
}

impl JsonSchema for NeedsDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Needs".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let all = generator.subschema_for::<List<Text>>();
        let some = generator.subschema_for::<SomeOfDoc>();
        json_schema!({"anyOf": [all, some]})
    }
}
