//! What a document says about itself.

use crate::code::Code;
use crate::decode::scalars::{check_length, check_name};
use crate::decode::{Entries, Required, Text};
use crate::diagnostic::Collector;
use crate::document::SecretDoc;

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

/// Checks that each secret comes from one place.
pub(crate) fn check_secrets(secrets: Option<&Entries<SecretDoc>>, found: &mut Collector) {
    for (name, secret) in secrets.iter().flat_map(|secrets| secrets.iter()) {
        check_name(&name.value, name.span, found);
        check_filled(secret.env.as_ref(), found);
        if let Some(file) = secret.file.as_ref().filter(|file| file.text().trim().is_empty()) {
            found.error(Code::WrongValue, file.0.span, "there is nothing in it");
        }
        match (secret.place.key("env"), secret.place.key("file")) {
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(second)) => {
                found.error(Code::WrongValue, second, "a secret comes from one place").help("remove `env` or `file`");
            }
            (None, None) => {
                found
                    .error(Code::MissingKey, name.span, "a secret needs `env` or `file`")
                    .help("write `{env: NAME}` or `{file: path}`; the value itself never stands in a runbook");
            }
        }
    }
}
