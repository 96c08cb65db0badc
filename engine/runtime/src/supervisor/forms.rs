//! The forms that a program is likely to print a secret in.
//!
//! Values under [`MASK_MIN_BYTES`] have none: what is short is found everywhere, and all the more when it is encoded.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};

use super::forms_in_urls::{in_urls, usual_in_urls};
use super::mask::MASK_MIN_BYTES;

/// Shortest line of a value of several lines that is masked by itself.
const LINE_MIN_BYTES: usize = 8;
/// Most lines of a value that are looked for encoded, each by itself: a private key has thirty, a list of certificates hundreds.
const ENCODED_LINES_MAX: usize = 100;
/// Longest value, in bytes, that is looked for in all the ways to write it in a URL, JSON or a shell; of a longer one only in the usual
/// ones, since all of them would take hundreds of megabytes of memory.
const MANY_FORMS_MAX: usize = 4096;
/// Lengths into which base64 is commonly wrapped: coreutils and MIME, PEM.
const WRAPS: [usize; 2] = [76, 64];
/// A piece of base64 that is masked by itself: six bytes, which no other text has by chance.
const BASE64_PIECE: usize = 8;
/// The same of hexadecimal: eight bytes.
const HEX_PIECE: usize = 16;

/// What `printf %q` of bash puts a backslash before.
const SHELL_SPECIAL: &str = " !\"$&'()*,;<>?[\\]^`{|}";
/// What has a backslash before it in double quotes of a shell.
const QUOTED_SPECIAL: &str = "\"$`\\";

/// Adds the value in all its forms, and its longer lines in theirs.
pub(super) fn add_forms(value: &str, forms: &mut BTreeSet<Vec<u8>>) {
    // The length of the value decides, not that of a form: `a` as `61` is still found everywhere.
    if value.len() >= MASK_MIN_BYTES {
        add_whole(value, true, forms);
    }
    let lines: Vec<&str> = value.lines().map(str::trim).filter(|line| line.len() >= LINE_MIN_BYTES).collect();
    for line in lines.iter().filter(|line| **line != value) {
        // A program may take a value apart before it encodes it; of very many lines the plain ones must do.
        if lines.len() <= ENCODED_LINES_MAX {
            add_whole(line, false, forms);
        } else {
            forms.insert(line.as_bytes().to_vec());
        }
    }
}

fn add_whole(value: &str, has_pieces: bool, forms: &mut BTreeSet<Vec<u8>>) {
    add_bytes(value.as_bytes(), has_pieces, forms);
    let own = std::iter::once(value.to_owned());
    if value.len() > MANY_FORMS_MAX {
        let quoted = value.replace('\'', r"'\''");
        forms.extend(own.chain([inside_json(value), usual_in_urls(value), quoted]).map(String::into_bytes));
        return;
    }
    let texts = own.chain(in_urls(value)).chain(in_json(value)).chain(in_shells(value));
    forms.extend(texts.chain(in_escapes(value)).chain(in_markup(value)).map(String::into_bytes));
}

fn in_json(value: &str) -> Vec<String> {
    let json = inside_json(value);
    // Go escapes these, so that JSON can stand in HTML; .NET and PHP can be told to escape more.
    let in_html = escaped_json(&json, "<>&");
    let in_markup = escaped_json(&json, "<>&'+`\u{7f}").replace("\\\"", r"\u0022");
    let with_slashes = |json: String| [json.replace('/', r"\/"), json];
    let in_ascii = |json: String| [ascii_json(&json, false), ascii_json(&json, true), json];
    let mut all: Vec<String> =
        [json.clone(), in_html, in_markup].into_iter().flat_map(with_slashes).flat_map(in_ascii).collect();
    // JSON within a string of JSON, as in logs; and every character escaped.
    all.push(inside_json(&json));
    all.push(inside_json(&ascii_json(&json, false)));
    all.extend([false, true].map(|is_capital| value.chars().map(|one| unicode_escape(one, is_capital)).collect()));
    all
}

fn inside_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// JSON in which these characters are escaped too.
fn escaped_json(json: &str, special: &str) -> String {
    let one = |it: char| if special.contains(it) { unicode_escape(it, false) } else { it.to_string() };
    json.chars().map(one).collect()
}

/// `\u00e9`, or `\u00E9`.
fn unicode_escape(one: char, is_capital: bool) -> String {
    let mut out = String::new();
    for unit in one.encode_utf16(&mut [0; 2]) {
        // Writing to a text cannot fail.
        let _ = if is_capital { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
    }
    out
}

fn in_shells(value: &str) -> Vec<String> {
    vec![
        value.replace('\'', r"'\''"),
        value.replace('\'', r#"'"'"'"#),
        format!("{}{}", if value.starts_with(['~', '#']) { "\\" } else { "" }, backslashed(value, SHELL_SPECIAL)),
        backslashed(value, QUOTED_SPECIAL),
        in_messages(value, false),
        in_messages(value, true),
    ]
}

/// As `ls` and the error messages of coreutils quote it: `'one'$'\n''two'`. In the locale C, letters beyond ASCII are escaped too.
fn in_messages(value: &str, is_ascii: bool) -> String {
    let (mut out, mut within) = (String::new(), false);
    for one in value.chars() {
        let escape = if is_ascii && !one.is_ascii() { ansi_c_ascii(one) } else { ansi_c(one).filter(|_| one != '\\') };
        if escape.is_some() != within {
            out.push_str(if within { "''" } else { "'$'" });
            within = escape.is_some();
        }
        match escape {
            Some(escape) => out.push_str(&escape.replace(r"\E", r"\033")),
            None if one == '\'' => out.push_str(r"'\''"),
            None => out.push(one),
        }
    }
    out
}

/// `$'…'` of bash, and `repr` of Python, of texts and of bytes.
fn in_escapes(value: &str) -> Vec<String> {
    let kinds: [fn(char) -> Option<String>; 4] = [ansi_c, ansi_c_ascii, python, python_bytes];
    let one = |escape: fn(char) -> Option<String>| {
        let text: String = value.chars().map(|it| escape(it).unwrap_or_else(|| it.to_string())).collect();
        // Python chooses the quotes round it so that those within need no backslash, where it can.
        [text.replace('\'', r"\'"), text]
    };
    // As Rust shows a text.
    let debug = value.escape_debug().to_string();
    kinds.into_iter().flat_map(one).chain([debug.replace(r"\'", "'"), debug]).collect()
}

fn in_markup(value: &str) -> Vec<String> {
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quotes = [xml.replace('"', "&quot;"), xml.replace('"', "&#34;"), xml];
    let apostrophes = |xml: String| ["&#x27;", "&#39;", "&#039;", "&apos;", "'"].map(|it| xml.replace('\'', it));
    quotes.into_iter().flat_map(apostrophes).collect()
}

/// The forms that are made of bytes, whole; with pieces also where their lines end at places that nobody knows.
fn add_bytes(bytes: &[u8], has_pieces: bool, forms: &mut BTreeSet<Vec<u8>>) {
    for hex in [HEXLOWER, HEXUPPER].map(|hex| hex.encode(bytes).into_bytes()) {
        if has_pieces {
            add_pieces(&hex, HEX_PIECE, forms);
        }
        forms.insert(hex);
    }
    for encoding in [&BASE64, &BASE64URL] {
        for before in 0..3 {
            let form = base64_inside(encoding, bytes, before);
            if has_pieces && form.len() < 3 * BASE64_PIECE {
                // So short a text has one end of a line at most.
                forms.extend((1..form.len()).map(|end| [&form[..end], b"\n", &form[end..]].concat()));
            } else if has_pieces {
                add_pieces(&form, BASE64_PIECE, forms);
            }
            forms.insert(form);
        }
        let whole = encoding.encode(bytes);
        for wrap in WRAPS.into_iter().filter(|wrap| has_pieces && whole.len() > *wrap) {
            let lines = whole.as_bytes().chunks(wrap).filter(|line| line.len() >= LINE_MIN_BYTES);
            forms.extend(lines.map(<[u8]>::to_vec));
        }
        forms.insert(whole.trim_end_matches('=').as_bytes().to_vec());
    }
}

/// What is left of an encoded text that is cut into lines at a column that depends on what stands before it.
fn add_pieces(encoded: &[u8], piece: usize, forms: &mut BTreeSet<Vec<u8>>) {
    forms.extend(encoded.chunks_exact(piece).map(<[u8]>::to_vec));
    // Of the last piece not even a part is left over.
    forms.extend(encoded.len().checked_sub(piece).map(|from| encoded[from..].to_vec()));
}

/// The characters of base64 that depend on nothing but `bytes` when these stand `before` bytes (modulo 3) into what is encoded.
fn base64_inside(encoding: &Encoding, bytes: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    padded.extend_from_slice(&[0, 0]);
    let bits = 8 * before..8 * (before + bytes.len());
    encoding.encode(&padded).as_bytes()[bits.start.div_ceil(6)..bits.end / 6].to_vec()
}

/// JSON in which all that is not ASCII is escaped, by small or capital letters.
fn ascii_json(json: &str, is_capital: bool) -> String {
    let mut out = String::with_capacity(json.len());
    for one in json.chars() {
        if one.is_ascii() {
            out.push(one);
            continue;
        }
        out.push_str(&unicode_escape(one, is_capital));
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

#[cfg(test)]
#[path = "forms_tests.rs"]
mod tests;
