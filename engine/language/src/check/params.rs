//! The declared params.

use std::collections::BTreeMap;

use runbook_core::plan::{Param, ParamKind};
use serde_json::Value;

use crate::code::Code;
use crate::decode::scalars::check_name;
use crate::decode::{Entries, Free};
use crate::diagnostic::Collector;
use crate::document::{ParamDoc, ParamType};
use crate::params::{check_value, of_kind};
use crate::yaml::Kind;

/// The params as the plan keeps them; reports values that do not fit.
pub(crate) fn lower(params: Option<&Entries<ParamDoc>>, found: &mut Collector) -> BTreeMap<String, Param> {
    let mut lowered = BTreeMap::new();
    for entry in params.iter().flat_map(|params| &params.items) {
        check_name(&entry.key.value, entry.key.span, found);
        if let Some(doc) = &entry.value
            && let Some(param) = of_doc(doc, found)
        {
            lowered.insert(entry.key.value.clone(), param);
        }
    }
    lowered
}

fn of_doc(doc: &ParamDoc, found: &mut Collector) -> Option<Param> {
    let kind = match doc.kind.get()? {
        ParamType::String => ParamKind::String,
        ParamType::Integer => ParamKind::Integer,
        ParamType::Number => ParamKind::Number,
        ParamType::Boolean => ParamKind::Boolean,
        ParamType::Duration => ParamKind::Duration,
        ParamType::List => ParamKind::List,
        ParamType::Object => ParamKind::Object,
    };
    let mut choices = Vec::new();
    if let Some(list) = &doc.choices {
        if list.empty {
            found
                .error(Code::ParamValue, list.span, "no value would be allowed")
                .help("write the allowed values, or remove `enum`");
        }
        for item in &list.items {
            if let Some(value) = value(item, found, |value| of_kind(kind, value)) {
                choices.push(value);
            }
        }
    }
    let mut param = Param {
        kind,
        choices,
        required: doc.required.as_ref().is_some_and(|flag| flag.value),
        default: None,
        description: doc.description.as_ref().map(|text| text.value.clone()),
    };
    if let Some(default) = &doc.default {
        if param.required {
            found
                .error(Code::ParamValue, doc.place.key_or_start("required"), "a param with a default is never missing")
                .help("remove `required` or `default`");
        }
        param.default = value(default, found, |value| check_value(&param, value));
    }
    Some(param)
}

/// A value that was written, when it fits.
fn value(written: &Free, found: &mut Collector, fit: impl Fn(&Value) -> Result<Value, String>) -> Option<Value> {
    let node = &written.0;
    if matches!(&node.kind, Kind::Text(text) if text.contains("{{")) {
        found.error(Code::ParamValue, node.span, "params hold no templates").help("write the value out");
        return None;
    }
    // A number is shown, and quoted, as it is written: `1.10` is not `1.1`.
    let raw = match &node.kind {
        Kind::Number(_) => Some(found.file().slice(node.span).to_owned()),
        _ => None,
    };
    match fit(&node.to_json()) {
        Ok(value) => Some(value),
        Err(mut reason) => {
            if let (Some(raw), Kind::Number(number)) = (raw, &node.kind) {
                reason = reason.replace(&number.to_string(), &raw);
            }
            let (message, help) = match reason.split_once("; ") {
                Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
                None => (reason, None),
            };
            let error = found.error(Code::ParamValue, node.span, message);
            if let Some(help) = help {
                error.help(help);
            }
            None
        }
    }
}
