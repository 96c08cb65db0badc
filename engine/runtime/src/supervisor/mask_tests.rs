use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use super::*;

fn masker(secrets: &[&str]) -> Arc<Masker> {
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
    Arc::new(Masker::new(&secrets).expect("small"))
}

/// Masks `text` cut into pieces at these places.
fn streamed(masker: &Arc<Masker>, text: &[u8], cuts: &[usize]) -> String {
    let (mut stream, mut out, mut from) = (MaskStream::new(Arc::clone(masker)), Vec::new(), 0);
    for &cut in cuts.iter().chain([&text.len()]) {
        stream.push(&text[from..cut], &mut out);
        from = cut;
    }
    stream.flush(&mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn a_secret_is_masked_wherever_the_stream_is_cut() {
    let masker = masker(&["hunter2secret", "secretive", "zzzz"]);
    let cases = [
        ("a hunter2secret b", "a *** b"),
        ("hunter2secretive!", "***!"),
        ("hunter2hunter2secret", "hunter2***"),
        ("xzzzzzzzy", "x***y"),
        ("hunter2secre", "***"),
        ("hunter2secrex", "hunter2secrex"),
        ("the end: hu", "the end: hu"),
        ("zzzz zzzz", "*** ***"),
        ("", ""),
    ];
    for (text, masked) in cases {
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert_eq!(streamed(&masker, text.as_bytes(), &[first, second]), masked, "{text} at {first}, {second}");
            }
        }
        let everywhere: Vec<usize> = (0..text.len()).collect();
        assert_eq!(streamed(&masker, text.as_bytes(), &everywhere), masked);
    }
}

#[test]
fn what_is_masked_whole_is_masked_in_pieces() {
    // An oracle without a stream: every byte of every occurrence is covered, everything else is left.
    let secrets = ["abab", "babc", "ccaab", "bcca"];
    let masker = masker(&secrets);
    let mut seed = 7_u32;
    for _ in 0..2_000 {
        let mut draw = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        let text: Vec<u8> = (0..24).map(|_| b"abc"[draw(3) as usize]).chain(*b"..").collect();
        let mut covered = vec![false; text.len()];
        for at in 0..text.len() {
            for pattern in masker.patterns.iter().filter(|pattern| text[at..].starts_with(pattern)) {
                covered[at..at + pattern.len()].fill(true);
            }
        }
        let shown: String = (0..text.len()).filter(|&at| !covered[at]).map(|at| char::from(text[at])).collect();
        let mut cuts: Vec<usize> = (0..3).map(|_| draw(27) as usize).collect();
        cuts.sort_unstable();
        let masked = streamed(&masker, &text, &cuts);
        assert_eq!(masked.replace('*', ""), shown, "{} cut at {cuts:?}: {masked}", String::from_utf8_lossy(&text));
        assert_eq!(masked.contains('*'), covered.contains(&true));
        assert_eq!(masked, masker.mask(&String::from_utf8(text).expect("text")));
    }
}

#[test]
fn common_forms_are_masked_too() {
    let secret = r#"p@ss "word" / it's ü"#;
    let masker = masker(&[secret]);
    let forms = [
        secret.to_owned(),
        BASE64.encode(secret.as_bytes()),
        BASE64URL.encode(secret.as_bytes()),
        HEXLOWER.encode(secret.as_bytes()),
        HEXUPPER.encode(secret.as_bytes()),
        serde_json::to_string(secret).expect("JSON").trim_matches('"').to_owned(),
        "p%40ss%20%22word%22%20%2F%20it%27s%20%C3%BC".to_owned(),
        "p%40ss+%22word%22+%2F+it%27s+%C3%BC".to_owned(),
        "p%40ss%20%22word%22%20%2f%20it%27s%20%c3%bc".to_owned(),
        r#"p@ss "word" / it'\''s ü"#.to_owned(),
    ];
    for form in forms {
        let masked = masker.mask(&format!("<{}>", form));
        assert!(matches!(masked.as_str(), "<***>" | "<***=>" | "<***==>"), "{form}: {masked}");
    }
    for before in ["", "u", "us", "user:"] {
        let encoded = BASE64.encode(format!("{before}{secret}").as_bytes());
        let masked = masker.mask(&encoded);
        assert!(masked.len() < 3 + 8 + 3 && masked.contains("***"), "{encoded}: {masked}");
    }
}

#[test]
fn what_other_programs_make_of_a_value_is_masked_too() {
    let secret = "pa/ss \"w\"&it's$é😀<x>\\~!";
    let masker = masker(&[secret, "ke/y=+ab", "plain's", "x\ny\u{7f}$z"]);
    for form in [
        // urllib.parse.quote, encodeURIComponent, encodeURI, quote_plus, URLSearchParams
        r"pa/ss%20%22w%22%26it%27s%24%C3%A9%F0%9F%98%80%3Cx%3E%5C~%21",
        r"pa%2Fss%20%22w%22%26it's%24%C3%A9%F0%9F%98%80%3Cx%3E%5C~!",
        r"pa/ss%20%22w%22&it's$%C3%A9%F0%9F%98%80%3Cx%3E%5C~!",
        r"pa%2Fss+%22w%22%26it%27s%24%C3%A9%F0%9F%98%80%3Cx%3E%5C~%21",
        r"pa%2Fss+%22w%22%26it%27s%24%C3%A9%F0%9F%98%80%3Cx%3E%5C%7E%21",
        "ke/y%3d%2bab",
        // json.dumps, PHP's json_encode, Go's json.Marshal, .NET
        r#"pa/ss \"w\"&it's$\u00e9\ud83d\ude00<x>\\~!"#,
        r#"pa\/ss \"w\"&it's$\u00e9\ud83d\ude00<x>\\~!"#,
        r#"pa\/ss \"w\"&it's$é😀<x>\\~!"#,
        r#"pa/ss \"w\"\u0026it's$é😀\u003cx\u003e\\~!"#,
        r#"pa/ss \"w\"&it's$\u00E9\uD83D\uDE00<x>\\~!"#,
        // bash: printf %q, set -x, declare -p, and the first for control characters and in the locale C
        r#"pa/ss\ \"w\"\&it\'s\$é😀\<x\>\\~\!"#,
        r#"pa/ss "w"&it'\''s$é😀<x>\~!"#,
        r#"pa/ss \"w\"&it's\$é😀<x>\\~!"#,
        r#"pa/ss "w"&it\'s$\303\251\360\237\230\200<x>\\~!"#,
        r"x\ny\177$z",
        // shlex.quote, repr, repr of bytes
        r#"pa/ss "w"&it'"'"'s$é😀<x>\~!"#,
        r#"pa/ss "w"&it\'s$é😀<x>\\~!"#,
        r#"pa/ss "w"&it\'s$\xc3\xa9\xf0\x9f\x98\x80<x>\\~!"#,
        r"x\ny\x7f$z",
        // XML and HTML
        "pa/ss &quot;w&quot;&amp;it's$é😀&lt;x&gt;\\~!",
        "pa/ss &quot;w&quot;&amp;it&#x27;s$é😀&lt;x&gt;\\~!",
        "plain&#39;s",
    ] {
        assert_eq!(masker.mask(&format!("<{form}>")), "<***>", "{form}");
    }
}

#[test]
fn no_form_of_a_short_value_is_so_short_that_it_is_found_everywhere() {
    for secret in ["a b", "''''", "é", "1234", "a/ b", "'\"'\"", "日本", "\\\\\\\\"] {
        let masker = masker(&[secret]);
        let shortest = masker.patterns.iter().map(Vec::len).min();
        assert!(shortest.is_none_or(|shortest| shortest >= MASK_MIN_BYTES), "{secret:?}: {:?}", masker.patterns);
        assert_eq!(masker.is_empty(), secret.len() < MASK_MIN_BYTES, "{secret:?}");
    }
}

#[test]
fn a_value_of_several_lines_is_masked_line_by_line_and_when_wrapped() {
    let value = "first line of the key\nsecond line of the key\nend\n".repeat(3);
    let masker = masker(&[&value]);
    assert_eq!(masker.mask("> second line of the key\n> end\n"), "> ***\n> end\n");
    let wrapped: Vec<String> = BASE64
        .encode(value.trim().as_bytes())
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert!(masker.mask(&wrapped.join("\n")).split('\n').all(|line| line.trim_end_matches('=') == "***"));
}

#[test]
fn white_space_round_a_value_does_not_hide_it_and_short_values_are_left() {
    let masker = masker(&["  token-1234\n", "abc", "", " \n"]);
    assert_eq!(masker.mask("x token-1234\ny abc 616263"), "x ***\ny abc 616263");
}

#[test]
fn after_a_flush_the_rest_of_a_secret_is_still_masked() {
    let masker = masker(&["hunter2secret"]);
    for cut in 1..13 {
        let (mut stream, mut out) = (MaskStream::new(Arc::clone(&masker)), Vec::new());
        stream.push(&b"hunter2secret"[..cut], &mut out);
        stream.flush(&mut out);
        stream.flush(&mut out);
        stream.push(&b"hunter2secret"[cut..], &mut out);
        stream.push(b" end", &mut out);
        stream.flush(&mut out);
        let (shown, hidden) = out.split_at(if cut < MASK_MIN_BYTES { cut } else { 0 });
        assert_eq!(shown, &b"hunter2secret"[..shown.len()]);
        assert_eq!(String::from_utf8_lossy(hidden), "*** end", "cut at {cut}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?} {:?}", masker(&["hunter2secret"]), Secret::new("hunter2secret"));
    assert_eq!(shown.matches("hunter2").count(), 0, "{shown}");
}
