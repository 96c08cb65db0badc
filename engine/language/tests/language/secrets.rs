//! Where secrets come from, and where they are refused.

use runbook_language::{SourceFile, load_environment};

use crate::invalid::found;

#[test]
fn a_secret_comes_from_one_place_and_only_a_command_takes_time() {
    let secret = |written: &str| {
        found(&format!("secrets: {{s: {written}}}\nsteps: [{{id: a, run: x, env: {{S: {{secret: s}}}}}}]\n"))
    };
    for fine in ["{env: S}", "{file: /s}", "{command: [s]}", "{command: [s, 1, true], timeout: 1m}"] {
        assert!(secret(fine).is_empty(), "{fine}: {:?}", secret(fine));
    }
    for (wrong, code) in [
        ("{}", "RB0102"),
        ("{timeout: 1s, env: S}", "RB0104"),
        ("{env: S, command: [s]}", "RB0104"),
        ("{file: /s, command: [s]}", "RB0104"),
        ("{command: []}", "RB0111"),
        ("{command: s}", "RB0103"),
        ("{command: [s], timeout: 0s}", "RB0104"),
        ("{command: [s], timeout: 5}", "RB0106"),
        ("{command: [s, {secret: s}]}", "RB0123"),
    ] {
        let found = secret(wrong);
        assert!(found.len() == 1 && found[0].ends_with(code), "{wrong}: {found:?}");
    }
}

#[test]
fn a_secret_is_refused_wherever_it_would_be_stored_or_seen() {
    let step = |step: &str| {
        found(&format!(
            "secrets: {{s: {{env: S}}}}\nsteps:\n  - {{id: own, run: x, env: {{S: {{secret: s}}}}}}\n  - {{id: a, {step}}}\n"
        ))
    };
    for fine in [
        "http: {url: 'https://x.org', headers: {A: {secret: s, prefix: 'Bearer '}}}",
        "http: {method: POST, url: 'https://x.org', json: {secret: other, a: {secret: 5}}}",
        "http: {method: POST, url: 'https://x.org', json: {secret: s, kind: a key of the body}}",
        "run: x, rollback: {run: x, env: {S: {secret: s}}}",
    ] {
        assert!(step(fine).is_empty(), "{fine}: {:?}", step(fine));
    }
    for (wrong, code) in [
        ("argv: [call, {secret: s}]", "RB0123"),
        ("argv: [call, '{{ secrets.s }}']", "RB0122"),
        ("http: {url: {secret: s}}", "RB0123"),
        ("http: {url: 'https://x.org/{{ secrets.s }}'}", "RB0122"),
        ("http: {method: POST, url: 'https://x.org', body: {secret: s}}", "RB0123"),
        ("http: {method: POST, url: 'https://x.org', json: {secret: s}}", "RB0123"),
        ("http: {method: POST, url: 'https://x.org', json: {a: [1, {secret: s, prefix: x}]}}", "RB0123"),
        ("http: {method: POST, url: 'https://x.org', json: ['{{ secrets.s }}']}", "RB0122"),
        ("run: x, env: {A: 'a {{ secrets.s }}'}", "RB0122"),
        ("run: x, dir: {secret: s}", "RB0123"),
        ("run: x, dir: '{{ secrets.s }}'", "RB0122"),
        ("run: {secret: s}", "RB0123"),
        ("set: {a: {secret: s}}", "RB0123"),
        ("set: {a: '{{ secrets.s }}'}", "RB0122"),
        ("manual: {secret: s}", "RB0123"),
        ("run: x, if: secrets.s == 'a'", "RB0122"),
        ("run: x, outputs: {a: '{{ secrets.s }}'}", "RB0122"),
        ("run: x, approval: {from: [anyone], message: '{{ secrets.s }}'}", "RB0122"),
        ("run: x, rollback: {argv: [x, {secret: s}]}", "RB0123"),
    ] {
        let found = step(wrong);
        assert!(found.len() == 1 && found[0].ends_with(code), "{wrong}: {found:?}");
    }
    let environment = |body: &str| {
        let text = format!("schema: environment/v1\nid: e\nsecrets: {{s: {{env: S}}}}\n{body}\n");
        let wrong = load_environment(&SourceFile::new("e.yaml", text)).expect_err(body);
        wrong.iter().map(|one| one.code.as_str()).collect::<Vec<_>>()
    };
    let service = |keys: &str| format!("services: {{x: {{ready: {{http: 'http://x'}}, {keys}}}}}");
    assert_eq!(environment("values: {a: {secret: s}}"), ["RB0123"]);
    assert_eq!(environment("values: {a: 'http://x?{{ secrets.s }}'}"), ["RB0122"]);
    assert_eq!(environment(&service("argv: [x, {secret: s}]")), ["RB0123"]);
    assert_eq!(environment(&service("argv: [x], env: {A: {secret: s}}")), ["RB0123"]);
    assert_eq!(environment(&service("argv: [x], env: {A: '{{ secrets.s }}'}")), ["RB0122"]);
}
