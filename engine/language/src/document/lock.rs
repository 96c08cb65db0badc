//! Names that one run or step at a time holds.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Decode, DurationText, Required, Written, record, wrong_type};
use crate::diagnostic::Collector;
use crate::yaml::{Kind, Node};

/// A lock: its name, or its name and how long to wait for it.
#[derive(Clone, Debug)]
pub enum LockDoc {
    /// The name; somebody else who holds it is a reason to fail at once.
    Name(Node),
    /// With how long to wait.
    Map(Box<LockMap>),
}

record! {
    /// A lock that is waited for.
    pub struct LockMap ("a lock", later: &[]) {
        /// The name. May hold `{{ … }}`.
        pub name: Required<Written>,
        /// How long to wait when another run holds it; without it, that fails at once.
        pub wait: Option<DurationText>,
    }
}

impl Decode for LockDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => LockMap::decode(node, found).map(|map| Self::Map(Box::new(map))),
            Kind::Text(_) => Some(Self::Name(node.clone())),
            _ => {
                wrong_type(node, "a name or `{name: …, wait: …}`", found);
                None
            }
        }
    }
}

impl JsonSchema for LockDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Lock".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<LockMap>();
        json_schema!({"anyOf": [{"type": "string"}, map]})
    }
}
