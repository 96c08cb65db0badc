//! How encoders write a value in a URL. They differ in what they leave as it is.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What every encoder leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// What RFC 3986 leaves as it is in a URL: curl.
const UNRESERVED: &AsciiSet = &FORM.remove(b'~');
/// A path: `quote` of Python.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
/// `encodeURIComponent` of JavaScript.
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// `encodeURI` of JavaScript.
const WHOLE_URL: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b',')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b'#');
/// `PathEscape` of Go.
const SEGMENT: &AsciiSet = &UNRESERVED.remove(b'$').remove(b'&').remove(b'+').remove(b':').remove(b'=').remove(b'@');
/// What browsers escape in the query of a URL, at least.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
/// The same where the address begins with `http`.
const QUERY_OF_HTTP: &AsciiSet = &QUERY.add(b'\'');
/// The same in a path.
const PATH_AT_LEAST: &AsciiSet = &QUERY.add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');
/// The same in the name and password before the host.
const USER: &AsciiSet = &PATH_AT_LEAST
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'|')
    .add(b'\'');
/// All of them, and HTML forms, which leave `*`. Some escape no `%`, which then cannot be decoded.
const PERCENT: [&AsciiSet; 14] = [
    FORM,
    &FORM.remove(b'*'),
    UNRESERVED,
    PATH,
    COMPONENT,
    WHOLE_URL,
    SEGMENT,
    QUERY,
    QUERY_OF_HTTP,
    PATH_AT_LEAST,
    USER,
    &QUERY.add(b'%'),
    &PATH_AT_LEAST.add(b'%'),
    &USER.add(b'%'),
];

/// The forms of a value in a URL, with small and capital letters in the escapes, and `+` for spaces.
pub(super) fn in_urls(value: &str) -> Vec<String> {
    let one = |set: &&'static AsciiSet| {
        let upper = utf8_percent_encode(value, set).to_string();
        let lower: String = value.chars().map(|letter| lower_escapes(letter, set)).collect();
        [upper.replace("%20", "+"), lower.replace("%20", "+"), upper, lower]
    };
    // Each byte escaped, also those that need not be.
    let every: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    PERCENT.iter().flat_map(one).chain([every.to_ascii_lowercase(), every]).collect()
}

/// The form that most encoders agree on.
pub(super) fn usual_in_urls(value: &str) -> String {
    utf8_percent_encode(value, UNRESERVED).to_string()
}

/// A letter as it is, or in escapes of small letters.
fn lower_escapes(letter: char, set: &'static AsciiSet) -> String {
    let plain = letter.to_string();
    let escaped = utf8_percent_encode(&plain, set).to_string();
    if escaped == plain { plain } else { escaped.to_ascii_lowercase() }
}
