//! Steps that run beside the others once so much time has passed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::decode::{Decode, ExpressionText, Free, List, Name, Required, Text, record};
use crate::diagnostic::Collector;
use crate::document::StepDoc;
use crate::yaml::Node;

/// A deadline: when it comes, and the block of its steps.
#[derive(Clone, Debug)]
pub struct DeadlineDoc {
    /// How long after the start of the run.
    pub after: Required<Free>,
    /// What keeps it from passing.
    pub unless: Option<ExpressionText>,
    /// Its steps, as a block that is called as it is.
    pub block: StepDoc,
}

record! {
    /// A deadline: steps that run beside the others when so much time has passed since the start of the run and the others
    /// have not all settled. Their failure does not fail the run.
    pub struct DeadlineMap ("a deadline", later: &[]) {
        /// The id, unique in the runbook like that of a step.
        pub id: Required<Name>,
        /// One line for people; the id where nothing is written.
        pub title: Option<Text>,
        /// More for people, in Markdown.
        pub description: Option<Text>,
        /// How long after the start of the run: a duration. May hold `{{ … }}` over params and environment.
        pub after: Required<Free>,
        /// An expression that is asked once, when the time has come: if it holds, the steps do not run. It may read steps
        /// that have not ended, which have not `succeeded` until then.
        pub unless: Option<ExpressionText>,
        /// What is done then, one step after the other, while the others go on.
        #[schemars(extend("minItems" = 1))]
        pub steps: Required<List<StepDoc>>,
    }
}

impl Decode for DeadlineDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let map = DeadlineMap::decode(node, found)?;
        let DeadlineMap { id, title, description, after, unless, steps, place } = map;
        let block = StepDoc { id, title, description, steps: steps.0, place, ..StepDoc::default() };
        Some(Self { after, unless, block })
    }
}

impl JsonSchema for DeadlineDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Deadline".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<DeadlineMap>()
    }
}
