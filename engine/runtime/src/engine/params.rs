//! Params as environment variables of scripts and services.

use std::collections::BTreeMap;

use runbook_core::plan::Param;
use runbook_language::{export_param, exported_name};
use serde_json::Value;

/// The environment variables of all params.
pub(crate) fn export(declared: &BTreeMap<String, Param>, values: &Value) -> BTreeMap<String, String> {
    let one = |(name, param): (&String, &Param)| {
        let value = values.get(name).unwrap_or(&Value::Null);
        (exported_name(name), export_param(param.kind, value))
    };
    declared.iter().map(one).collect()
}
