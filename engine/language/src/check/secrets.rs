//! Where secrets come from, and where they must not go.

use crate::code::Code;
use crate::decode::Entries;
use crate::decode::scalars::check_name;
use crate::diagnostic::Collector;
use crate::document::SecretDoc;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// Where a secret can come from.
const PLACES: [&str; 3] = ["env", "file", "command"];

/// The ways out of a secret that stands where others could read it.
pub(crate) const WAY_OUT: &str =
    "secrets go to the `env` of a step or of the runbook, or to the `headers` of `http`: `TOKEN: {secret: name}`";

/// Checks that each secret comes from one place.
pub(crate) fn check(secrets: Option<&Entries<SecretDoc>>, found: &mut Collector) {
    for (name, secret) in secrets.iter().flat_map(|secrets| secrets.iter()) {
        check_name(&name.value, name.span, found);
        super::header::check_filled(secret.env.as_ref(), found);
        if let Some(file) = secret.file.as_ref().filter(|file| file.text().trim().is_empty()) {
            found.error(Code::WrongValue, file.0.span, "there is nothing in it");
        }
        check_command(secret, found);
        let places: Vec<Span> = PLACES.iter().filter_map(|key| secret.place.key(key)).collect();
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

/// Refuses `{secret: name}` within a value that is stored or seen by others, where it would silently be a map. It is taken for a
/// secret only when that name is declared: bodies of requests may have a key `secret` of their own.
pub(crate) fn refuse_references(node: &Node, is_declared: &dyn Fn(&str) -> bool, found: &mut Collector) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| refuse_references(item, is_declared, found)),
        Kind::Map(entries) if is_reference(entries, is_declared) => {
            found
                .error(Code::SecretPlace, node.span, "a secret cannot go here: it would be stored, or seen by others")
                .help(WAY_OUT);
        }
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| refuse_references(value, is_declared, found)),
        _ => {}
    }
}

fn is_reference(entries: &[(crate::yaml::Key, Node)], is_declared: &dyn Fn(&str) -> bool) -> bool {
    let names = |node: &Node| matches!(&node.kind, Kind::Text(text) if is_declared(text));
    entries.iter().any(|(key, value)| key.text == "secret" && names(value))
        && entries.iter().all(|(key, _)| matches!(key.text.as_str(), "secret" | "prefix"))
}
