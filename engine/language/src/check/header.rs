//! What a document says about itself.

use crate::code::Code;
use crate::decode::scalars::check_length;
use crate::decode::{Required, Text};
use crate::diagnostic::Collector;

/// Checks the `schema` key against what this kind of document writes there.
pub(crate) fn check_schema(schema: &Required<Text>, wanted: &str, found: &mut Collector) {
    let Some(text) = schema.get() else { return };
    if text.value != wanted {
        found
            .error(Code::WrongValue, text.span, format!("`{}` is not `{wanted}`", text.value))
            .help(format!("write `schema: {wanted}`"));
    }
}

/// Checks the id of a document, which may have dashes.
pub(crate) fn check_id(id: &Required<Text>, found: &mut Collector) {
    let Some(id) = id.get() else { return };
    let name = &id.value;
    if check_length(name, id.span, found) {
        return;
    }
    let good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if !good {
        found
            .error(Code::InvalidId, id.span, format!("`{name}` is not an id"))
            .help("lower-case letters, digits, `-` and `_`, beginning with a letter");
    }
}

/// Checks that a text holds something.
pub(crate) fn check_filled(text: Option<&Text>, found: &mut Collector) {
    if let Some(text) = text
        && text.value.trim().is_empty()
    {
        found.error(Code::WrongValue, text.span, "there is nothing in it");
    }
}
