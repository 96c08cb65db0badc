//! The loops of a plan.

use std::collections::BTreeMap;

use runbook_core::plan::{Body, FailuresMax, Plan};
use serde::Serialize;

/// What a step is repeated for.
#[derive(Debug, Serialize)]
pub(super) struct ForEachView {
    /// The expression whose value is the list.
    pub(super) over: String,
    /// What an item is called in expressions.
    #[serde(rename = "as")]
    pub(super) name: String,
    /// How many items at once; none means as many as the runbook's steps.
    pub(super) max_parallel: Option<u32>,
    pub(super) max_failures: FailuresMax,
}

/// The loops, by their ids.
pub(super) fn of(plan: &Plan) -> BTreeMap<&str, ForEachView> {
    let mut found = BTreeMap::new();
    for step in plan.written() {
        if let Body::ForEach(each) = &step.body {
            let view = ForEachView {
                over: each.over.source.clone(),
                name: each.name.clone(),
                max_parallel: each.width,
                max_failures: each.failures_max,
            };
            found.insert(step.id.as_str(), view);
        }
    }
    found
}
