//! What says that nothing is left to do.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::EnvDoc;
use crate::decode::{Decode, DurationText, Entries, ExpressionText, Required, Text, Written, record};
use crate::diagnostic::Collector;
use crate::yaml::{Kind, Node};

/// `done_when`: an expression, or a script.
#[derive(Clone, Debug)]
pub enum DoneWhenDoc {
    /// It is done when this holds.
    Holds(ExpressionText),
    /// It is done when this ends with exit code 0.
    Probe(Box<ProbeDoc>),
}

record! {
    /// A script that only looks. It is done when the script ends with exit code 0, and not done with 1 to 125; anything else
    /// says nothing.
    pub struct ProbeDoc ("`done_when`", later: &[]) {
        /// The script. It must change nothing. What it writes to `$RUNBOOK_OUTPUT` counts for the `outputs` of the step.
        pub run: Required<Written>,
        /// The shell: `bash`, `sh` or a path; `bash` where nothing is written.
        pub shell: Option<Text>,
        /// Environment variables, by name.
        #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
        pub env: Option<Entries<EnvDoc>>,
        /// The folder that it runs in.
        pub dir: Option<Written>,
        /// How long it may take; `1m` where nothing is written.
        pub timeout: Option<DurationText>,
        /// From TERM to KILL when it takes longer; `10s` where nothing is written.
        pub kill_grace: Option<DurationText>,
    }
}

impl Decode for DoneWhenDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => ProbeDoc::decode(node, found).map(|probe| Self::Probe(Box::new(probe))),
            _ => ExpressionText::decode(node, found).map(Self::Holds),
        }
    }
}

impl JsonSchema for DoneWhenDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DoneWhen".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let expression = generator.subschema_for::<ExpressionText>();
        let probe = generator.subschema_for::<ProbeDoc>();
        json_schema!({"anyOf": [expression, probe]})
    }
}
