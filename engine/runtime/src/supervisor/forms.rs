//! The forms that a program is likely to print a secret in.
//!
//! Values under [`MASK_MIN_BYTES`] have none: what is short is found everywhere, and all the more when it is encoded.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::mask::MASK_MIN_BYTES;

/// Shortest line of a value of several lines that is masked by itself.
const LINE_MIN_BYTES: usize = 8;
/// Lengths into which base64 is commonly wrapped: coreutils and MIME, PEM.
const WRAPS: [usize; 2] = [76, 64];

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
/// All of them, and HTML forms, which leave `*`.
const PERCENT: [&AsciiSet; 6] = [FORM, &FORM.remove(b'*'), UNRESERVED, PATH, COMPONENT, WHOLE_URL];

/// What `printf %q` of bash puts a backslash before.
const SHELL_SPECIAL: &str = " !\"$&'()*,;<>?[\\]^`{|}";
/// What has a backslash before it in double quotes of a shell.
const QUOTED_SPECIAL: &str = "\"$`\\";

/// Adds the value in all its forms, and its longer lines.
pub(super) fn add_forms(value: &str, forms: &mut BTreeSet<Vec<u8>>) {
    // The length of the value decides, not that of a form: `a` as `61` is still found everywhere.
    if value.len() >= MASK_MIN_BYTES {
        let texts = std::iter::once(value.to_owned()).chain(in_urls(value)).chain(in_json(value));
        let texts = texts.chain(in_shells(value)).chain(in_escapes(value)).chain(in_markup(value));
        forms.extend(texts.map(String::into_bytes));
        add_bytes(value.as_bytes(), forms);
    }
    for line in value.lines().map(str::trim).filter(|line| line.len() >= LINE_MIN_BYTES) {
        forms.insert(line.as_bytes().to_vec());
    }
}

fn in_urls(value: &str) -> Vec<String> {
    let one = |set: &&'static AsciiSet| {
        let upper = utf8_percent_encode(value, set).to_string();
        let lower = lower_escapes(&upper);
        [upper.replace("%20", "+"), lower.replace("%20", "+"), upper, lower]
    };
    PERCENT.iter().flat_map(one).collect()
}

fn in_json(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let json = json[1..json.len() - 1].to_owned();
    // Go escapes these, so that JSON can stand in HTML.
    let in_html = json.replace('<', r"\u003c").replace('>', r"\u003e").replace('&', r"\u0026");
    let with_slashes = |json: String| [json.replace('/', r"\/"), json];
    let in_ascii = |json: String| [ascii_json(&json, false), ascii_json(&json, true), json];
    [json, in_html].into_iter().flat_map(with_slashes).flat_map(in_ascii).collect()
}

fn in_shells(value: &str) -> Vec<String> {
    vec![
        value.replace('\'', r"'\''"),
        value.replace('\'', r#"'"'"'"#),
        backslashed(value, SHELL_SPECIAL),
        backslashed(value, QUOTED_SPECIAL),
    ]
}

/// `$'…'` of bash, and `repr` of Python, of texts and of bytes.
fn in_escapes(value: &str) -> Vec<String> {
    let kinds: [fn(char) -> Option<String>; 4] = [ansi_c, ansi_c_ascii, python, python_bytes];
    let one = |escape: fn(char) -> Option<String>| {
        let text: String = value.chars().map(|it| escape(it).unwrap_or_else(|| it.to_string())).collect();
        // Python chooses the quotes round it so that those within need no backslash, where it can.
        [text.replace('\'', r"\'"), text]
    };
    kinds.into_iter().flat_map(one).collect()
}

fn in_markup(value: &str) -> Vec<String> {
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quotes = [xml.replace('"', "&quot;"), xml.replace('"', "&#34;"), xml];
    let apostrophes = |xml: String| ["&#x27;", "&#39;", "&#039;", "&apos;", "'"].map(|it| xml.replace('\'', it));
    quotes.into_iter().flat_map(apostrophes).collect()
}

fn add_bytes(bytes: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    forms.extend([HEXLOWER, HEXUPPER].map(|hex| hex.encode(bytes).into_bytes()));
    for encoding in [&BASE64, &BASE64URL] {
        for before in 0..3 {
            forms.insert(base64_inside(encoding, bytes, before));
        }
        let whole = encoding.encode(bytes);
        for wrap in WRAPS.into_iter().filter(|wrap| whole.len() > *wrap) {
            let lines = whole.as_bytes().chunks(wrap).filter(|line| line.len() >= LINE_MIN_BYTES);
            forms.extend(lines.map(<[u8]>::to_vec));
        }
        forms.insert(whole.trim_end_matches('=').as_bytes().to_vec());
    }
}

/// The characters of base64 that depend on nothing but `bytes` when these stand `before` bytes (modulo 3) into what is encoded.
fn base64_inside(encoding: &Encoding, bytes: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    padded.extend_from_slice(&[0, 0]);
    let bits = 8 * before..8 * (before + bytes.len());
    encoding.encode(&padded).as_bytes()[bits.start.div_ceil(6)..bits.end / 6].to_vec()
}

fn lower_escapes(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at(2);
        out.push('%');
        out.push_str(&escape.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

/// JSON in which all that is not ASCII is escaped, by small or capital letters.
fn ascii_json(json: &str, is_capital: bool) -> String {
    let mut out = String::with_capacity(json.len());
    for one in json.chars() {
        if one.is_ascii() {
            out.push(one);
            continue;
        }
        for unit in one.encode_utf16(&mut [0; 2]) {
            // Writing to a text cannot fail.
            let _ = if is_capital { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        }
    }
    out
}

fn backslashed(value: &str, special: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for one in value.chars() {
        if special.contains(one) {
            out.push('\\');
        }
        out.push(one);
    }
    out
}

/// What all that write escapes agree on.
fn common_escape(one: char) -> Option<&'static str> {
    match one {
        '\\' => Some(r"\\"),
        '\n' => Some(r"\n"),
        '\r' => Some(r"\r"),
        '\t' => Some(r"\t"),
        _ => None,
    }
}

/// `$'…'` of bash, which it uses for values with control characters.
fn ansi_c(one: char) -> Option<String> {
    let short = match one {
        '\x07' => Some(r"\a"),
        '\x08' => Some(r"\b"),
        '\x0b' => Some(r"\v"),
        '\x0c' => Some(r"\f"),
        '\x1b' => Some(r"\E"),
        _ => common_escape(one),
    };
    short.map(str::to_owned).or_else(|| one.is_ascii_control().then(|| format!("\\{:03o}", u32::from(one))))
}

/// The same where the locale has no letters but those of ASCII.
fn ansi_c_ascii(one: char) -> Option<String> {
    if one.is_ascii() { ansi_c(one) } else { Some(each_byte(one, |byte| format!("\\{byte:03o}"))) }
}

fn python(one: char) -> Option<String> {
    let short = common_escape(one).map(str::to_owned);
    short.or_else(|| one.is_control().then(|| format!("\\x{:02x}", u32::from(one))))
}

fn python_bytes(one: char) -> Option<String> {
    if one.is_ascii() { python(one) } else { Some(each_byte(one, |byte| format!("\\x{byte:02x}"))) }
}

fn each_byte(one: char, escape: fn(u8) -> String) -> String {
    one.encode_utf8(&mut [0; 4]).bytes().map(escape).collect()
}
