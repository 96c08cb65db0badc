//! Expressions that would take all memory or time end with an error, soon.

use serde_json::json;

use super::super::{TEXT_MAX, TOKENS_MAX, analyse_expression, analyse_template};
use super::World;

#[test]
fn bombs_end_with_an_error() {
    let mut world = World::new();
    world.params = json!({
        "kib": "x".repeat(1024), "quotes": "\"\\".repeat(512), "many": vec!["x"; 20_000], "page": "x".repeat(8192), "n": 1_000_000_000,
    });
    let tower = |part: &str, times: usize| part.repeat(times);
    let bombs = [
        "'x' * 10**9".to_owned(),
        "params.kib * params.n".to_owned(),
        "[1] * 10**9".to_owned(),
        "params.many * params.n".to_owned(),
        format!("params.kib{}", tower(" | replace('x', params.kib)", 5)),
        format!("params.quotes{}", tower(" | tojson", 40)),
        format!("params.kib{}", tower(" | replace('x', '%%%%') | urlencode | replace('2', 'xxxx')", 12)),
        format!("params.many | join(params.kib){}", tower(" ~ params.kib", 3)),
        format!("params.many | map('replace', 'x', params.kib) | join{}", tower(" | upper", 3)),
        format!("{}params.kib", tower("params.many | join(params.kib) ~ ", 20)),
        format!("[{}1]", tower("params.page | split('') | length, ", 45)),
        format!("[{}1] | map('split', '') | map('length') | sum", tower("params.page, ", 90)),
        format!("[{}1] | map('length') | sum", tower("(params.many | map('upper')), ", 40)),
        format!("params.many{}", tower(" + params.many", 60)),
        "10 ** 10 ** 10".to_owned(),
        "99999999999999999999 + 99999999999999999999".to_owned(),
        "params.kib | round(2000000000)".to_owned(),
    ];
    for bomb in bombs {
        let message = world.expression(&bomb).map(|value| value.to_string().len()).expect_err(&bomb);
        assert!(!message.contains("unread"), "{bomb}: {message}");
    }
    for text in [
        "range(10**9)",
        "'%1000000000d' | format(1)",
        "'x' | indent(10**9)",
        "'x' | center(10**9)",
        "9999999999999999999999999999999999999999",
    ] {
        assert!(analyse_expression(text).is_err(), "{text}");
    }
    assert!(analyse_template("{% for x in a %}{% for y in a %}{{ x }}{% endfor %}{% endfor %}").is_err());
}

#[test]
fn a_result_has_at_most_so_many_bytes() {
    let mut world = World::new();
    world.params =
        json!({"fits": "x".repeat(TEXT_MAX - 8), "large": "x".repeat(TEXT_MAX), "half": "x".repeat(TEXT_MAX / 2 - 8)});
    assert!(world.expression("params.fits").is_ok());
    assert!(world.template("{{ params.half }}{{ params.half }}").is_ok());
    let message = world.expression("(params.half + params.half + params.half) | length").unwrap_err();
    assert!(message.contains("a text is larger than 1024 KiB"), "{message}");
    let too_large = "is larger than 1024 KiB";
    for text in
        ["{{ params.large }}", "{{ params.fits }} {{ params.fits }}", "{{ [params.half, params.half, params.half] }}"]
    {
        let message = world.template(text).unwrap_err();
        assert!(message.contains(too_large), "{text}: {message}");
    }
}

#[test]
fn deep_and_long_expressions_are_refused_or_work() {
    let world = World::new();
    // Just within the bound, in every direction in which the tree can grow deep.
    let times = TOKENS_MAX / 2 - 2;
    assert_eq!(world.expression(&format!("1{}", " + 1".repeat(times))), Ok(json!(times + 1)));
    assert_eq!(world.expression(&format!("{}1", "- ".repeat(100))), Ok(json!(1)));
    assert_eq!(world.condition(&format!("{}true", "not ".repeat(times * 2))), Ok(true));
    assert_eq!(world.expression(&format!("'a'{}", " | trim".repeat(times))), Ok(json!("a")));
    assert_eq!(world.expression(&format!("{}1", "1 if false else ".repeat(100))), Ok(json!(1)));
    for text in [
        format!("1{}", " + 1".repeat(100_000)),
        "not ".repeat(100_000),
        "-".repeat(100_000),
        "(".repeat(100_000),
        "[".repeat(100_000),
        format!("params{}", ".x".repeat(100_000)),
        "{'a':".repeat(TOKENS_MAX / 3 - 1),
        format!("a{}", " if b else a".repeat(100_000)),
    ] {
        assert!(analyse_expression(&text).is_err());
        assert!(analyse_template(&format!("{{{{ {text} }}}}")).is_err());
    }
}

/// Texts made of the pieces that the parsers know never make anything panic, and errors lie within the text.
#[test]
fn any_text_is_read_or_refused() {
    const PARTS: [&str; 40] = [
        "params", ".", "x", "steps", "a", "outputs", "[", "]", "(", ")", "{", "}", "{{", "}}", "{%", "%}", "'", "\"",
        "é", "\\", " ", "\n", "|", "default", "map", "is", "defined", "not", "and", "or", "if", "else", "==", "<", "-",
        "*", "1", "9e9", ":", ",",
    ];
    let world = World::new();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..20_000 {
        let text: String = (0..next(14)).map(|_| PARTS[next(PARTS.len())]).collect();
        let in_template = analyse_template(&text).map(|analysis| analysis.uses);
        for result in [analyse_expression(&text).map(|analysis| analysis.uses), in_template] {
            match result {
                Ok(uses) => uses
                    .iter()
                    .for_each(|name| assert!(text.get(name.offset..name.offset + name.len).is_some(), "{text:?}")),
                Err(error) => {
                    assert!(text.get(error.offset..error.offset + error.len).is_some(), "{text:?}: {error:?}")
                }
            }
        }
        let _ = world.expression(&text);
        let _ = world.template(&text);
    }
}
