//! What a document says about itself.

use crate::code::Code;
use crate::decode::scalars::{check_length, check_name};
use crate::decode::{Entries, Required, Text};
use crate::diagnostic::Collector;
use crate::document::SecretDoc;
use crate::source::Span;

/// Where a secret can come from.
const SECRET_PLACES: [&str; 3] = ["env", "file", "command"];

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
        check_command(secret, found);
        let places: Vec<Span> = SECRET_PLACES.iter().filter_map(|key| secret.place.key(key)).collect();
        match places.as_slice() {
            [_] => {}
            [] => {
                found
                    .error(Code::MissingKey, name.span, "a secret needs `env`, `file` or `command`")
                    .help("write `{env: NAME}`, `{file: path}` or `{command: [program, …]}`; the value itself never stands in a runbook");
            }
            [.., last] => {
                found
                    .error(Code::WrongValue, *last, "a secret comes from one place")
                    .help("keep one of `env`, `file` and `command`");
            }
        }
    }
}

fn check_command(secret: &SecretDoc, found: &mut Collector) {
    if let Some(command) = secret.command.as_ref().filter(|command| command.empty) {
        found.error(Code::Empty, command.span, "there is no program to start");
    }
    let Some(timeout) = &secret.timeout else { return };
    if timeout.0.value == 0 {
        found.error(Code::WrongValue, timeout.0.span, "it must be longer than nothing");
    }
    if secret.place.key("command").is_none() {
        found
            .error(Code::WrongValue, secret.place.key_or_start("timeout"), "only a `command` takes time")
            .help("remove `timeout`");
    }
}
