//! Random secrets, encoded in the ways of programs, within random texts, cut at random places.

use std::fmt::Write as _;
use std::sync::Arc;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

use super::super::mask::{MaskStream, Masker};
use super::super::protocol::Secret;

/// A generator with a fixed seed, for tests that draw.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn text(&mut self, letters: &str, length: usize) -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }
}

const NASTY: &str = "abcXYZ019 '\"\\/%+&<>=?#$`!*.(){}[]|;:@~^,_-\n\téß日😀";

fn secret(chance: &mut Chance) -> String {
    let length = 8 + chance.below(120);
    // No white space at the ends: it is not part of what is looked for.
    format!("S{}e", chance.text(NASTY, length))
}

/// What programs make of a value; each is told without the code under test.
fn encoded(value: &str) -> Vec<(&'static str, String)> {
    let percent = |keeps: &str, space: &str| -> String {
        let one = |byte: u8| match char::from(byte) {
            ' ' if !space.is_empty() => space.to_owned(),
            it if byte.is_ascii_alphanumeric() || keeps.contains(it) => it.to_string(),
            _ => format!("%{byte:02X}"),
        };
        value.bytes().map(one).collect()
    };
    let json = serde_json::Value::from(value).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let in_ascii = |text: &str| {
        text.chars().fold(String::new(), |mut out, one| {
            if one.is_ascii() {
                out.push(one);
            } else {
                one.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write!(out, "\\u{unit:04x}").expect("text"));
            }
            out
        })
    };
    let every = value.encode_utf16().fold(String::new(), |out, unit| out + &format!("\\u{unit:04x}"));
    vec![
        ("as it is", value.to_owned()),
        ("curl, jq @uri", percent("-._~", "")),
        ("quote_plus", percent("-._~", "+")),
        ("a form", percent("*-._", "+")),
        ("urllib quote", percent("-._~/", "")),
        ("encodeURIComponent", percent("-_.!~*'()", "")),
        ("encodeURI", percent("-_.!~*'();/?:@&=+$,#", "")),
        ("PathEscape", percent("-_.~$&+:=@", "")),
        ("all that need be", value.chars().map(must).collect()),
        ("every byte", value.bytes().map(|byte| format!("%{byte:02x}")).collect()),
        ("small escapes", small(&percent("-._~", ""))),
        ("JSON", json.clone()),
        ("JSON in ASCII", in_ascii(&json)),
        ("JSON with slashes", json.replace('/', "\\/")),
        ("JSON of JSON", serde_json::Value::from(json.as_str()).to_string().trim_matches('"').to_owned()),
        ("JSON all escaped", every),
        ("hex", HEXLOWER.encode(value.as_bytes())),
        ("HEX", HEXUPPER.encode(value.as_bytes())),
        ("single quotes", value.replace('\'', r"'\''")),
        ("Rust", value.escape_debug().to_string()),
    ]
}

fn must(one: char) -> String {
    if one.is_ascii_graphic() && !"\"#<>".contains(one) {
        return one.to_string();
    }
    one.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn small(percent: &str) -> String {
    let mut parts = percent.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    // All of its `%` are escaped, so that two digits follow each.
    parts.fold(first, |out, part| format!("{out}%{}{}", part[..2].to_lowercase(), &part[2..]))
}

/// Masks a text that comes in pieces.
fn streamed(masker: &Arc<Masker>, text: &str, chance: &mut Chance) -> String {
    let mut cuts: Vec<usize> = (0..1 + chance.below(4)).map(|_| chance.below(text.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut stream, mut out, mut from) = (MaskStream::new(Arc::clone(masker)), Vec::new(), 0);
    for cut in cuts.into_iter().chain([text.len()]) {
        stream.push(&text.as_bytes()[from..cut], &mut out);
        from = cut;
    }
    stream.flush(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn random_secrets_are_masked_in_every_form_wherever_the_stream_is_cut() {
    let mut chance = Chance(4711);
    for _ in 0..150 {
        let value = secret(&mut chance);
        let masker = Arc::new(Masker::new(&[Secret::new(value.as_str())]).expect("small"));
        for (kind, form) in encoded(&value) {
            let (before, after) = (chance.text("qQjJ ,.\n", 9), chance.text("qQjJ ,.\n", 9));
            let masked = streamed(&masker, &format!("{before}<{form}>{after}"), &mut chance);
            assert_eq!(masked, format!("{before}<***>{after}"), "{kind} of {value:?}: {form}");
        }
    }
}

#[test]
fn base64_hides_a_secret_within_any_text_and_lines_of_any_length() {
    let mut chance = Chance(42);
    for _ in 0..150 {
        let value = secret(&mut chance);
        let masker = Arc::new(Masker::new(&[Secret::new(value.as_str())]).expect("small"));
        let (length, behind) = (chance.below(60), chance.below(60));
        let around = format!("{}{value}{}", chance.text("jqJQ", length), chance.text("jqJQ", behind));
        for encoding in [&BASE64, &BASE64_NOPAD, &BASE64URL_NOPAD] {
            let whole = encoding.encode(around.as_bytes());
            // Characters that depend on the secret alone.
            let inside = whole[(8 * length).div_ceil(6)..(8 * (length + value.len())) / 6].to_owned();
            let masked = streamed(&masker, &whole, &mut chance);
            assert_eq!(masked, whole.replace(&inside, "***"), "{value:?} in {whole}");
            for width in [64, 76, 5 + chance.below(90)].into_iter().filter(|width| *width >= 24) {
                let lines: Vec<&str> =
                    whole.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
                let masked = streamed(&masker, &lines.join("\n"), &mut chance);
                let longest = masked.split(['\n', '*']).filter_map(|part| shared(part, &inside)).max().unwrap_or(0);
                assert!(longest < 16, "{longest} characters of {inside} are left in lines of {width}: {masked}");
            }
        }
    }
}

/// How many characters of `inside` stand in `part` in a row.
fn shared(part: &str, inside: &str) -> Option<usize> {
    let windows = (0..part.len()).flat_map(|from| (from + 1..=part.len()).map(move |to| (from, to)));
    windows.filter(|&(from, to)| inside.contains(&part[from..to])).map(|(from, to)| to - from).max()
}

#[test]
fn each_line_of_a_value_is_masked_in_its_forms_too() {
    let lines = ["-----BEGIN KEY-----", "MIIEvQ/+=abc %", "it's \"quoted\" é", "short", "-----END KEY-----"];
    let masker = Masker::new(&[Secret::new(lines.join("\r\n"))]).expect("small");
    for line in lines.iter().filter(|line| line.len() >= 8) {
        for (kind, form) in encoded(line) {
            assert_eq!(masker.mask(&format!("<{form}>")), "<***>", "{kind} of {line}");
        }
    }
    assert_eq!(masker.mask("short"), "short");
}

#[test]
fn what_coreutils_and_bash_say_about_a_value_is_masked() {
    let masker =
        Masker::new(&["two\nlines it's", "~home dir", "#no comment", "tab\there é"].map(Secret::new)).expect("small");
    for form in [
        // ls: cannot access …, and the same in the locale C
        r"'two'$'\n''lines it'\''s'",
        r"'tab'$'\t''here é'",
        r"'tab'$'\t''here '$'\303\251'",
        r"\~home\ dir",
        r"\#no\ comment",
        r"$'two\nlines it\'s'",
    ] {
        let masked = masker.mask(form);
        assert!(masked.contains("***") && masked.len() <= "$'***'".len() + 2, "{form}: {masked}");
    }
}

#[test]
fn large_secrets_can_still_be_looked_for() {
    let mut chance = Chance(7);
    let value = chance.text(NASTY, 10_000);
    let masker = Masker::new(&[Secret::new(value.as_str())]).expect("it fits");
    assert_eq!(masker.mask(&format!("<{}>", value.trim())), "<***>");
}
