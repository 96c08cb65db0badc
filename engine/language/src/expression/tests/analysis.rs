//! What the text shows of the names that it uses.

use runbook_core::plan::Template;
use serde_json::json;

use super::super::{TemplateKind, analyse_expression, analyse_template};

/// Each use as the text that it covers, its path, and `[]` where a subscript follows.
fn uses(text: &str) -> Vec<String> {
    let analysis = analyse_expression(text).unwrap();
    analysis
        .uses
        .iter()
        .map(|name| {
            let covered = &text[name.offset..name.offset + name.len];
            format!("{covered} = {}{}", name.path.join("/"), if name.dynamic { "[]" } else { "" })
        })
        .collect()
}

#[test]
fn names_are_found_with_their_place() {
    for (text, expected) in [
        ("1 + 2", &[][..]),
        ("params.x", &["params.x = params/x"]),
        ("  params . x  ", &["params . x = params/x"]),
        ("steps.a.outputs.b == params.x", &["steps.a.outputs.b = steps/a/outputs/b", "params.x = params/x"]),
        ("steps['a'].outputs[\"b-c\"]", &["steps['a'].outputs[\"b-c\"] = steps/a/outputs/b-c"]),
        ("steps[params.x].succeeded", &["steps[params.x] = steps[]", "params.x = params/x"]),
        ("params.list[0].id", &["params.list[0] = params/list[]"]),
        ("params.list[:item]", &["params.list = params/list", "item = item"]),
        ("stdout | trim", &["stdout = stdout"]),
        ("x | join(y) | replace(z, 'a')", &["x = x", "y = y", "z = z"]),
        ("x | sort(attribute=y)", &["x = x", "y = y"]),
        ("x is divisibleby(y)", &["x = x", "y = y"]),
        ("[a, {'k': b, c: 1}, (d, 1)]", &["a = a", "b = b", "c = c", "d = d"]),
        ("a < b <= c", &["a = a", "b = b", "c = c"]),
        ("a not in b", &["a = a", "b = b"]),
        ("-a ** not_b", &["a = a", "not_b = not_b"]),
        ("'params.x {{ y }}'", &[]),
        ("'é' ~ params.ü_no | default(1)", &[]),
    ] {
        if text.contains('ü') {
            assert!(analyse_expression(text).is_err());
            continue;
        }
        let mut found = uses(text);
        let mut expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn status_functions_are_noticed() {
    for (text, asks) in
        [("failure()", true), ("params.x or always()", true), ("params.x", false), ("'failure()' == params.x", false)]
    {
        assert_eq!(analyse_expression(text).unwrap().asks_status, asks, "{text}");
    }
    assert!(analyse_template("{{ failure() }}").unwrap().asks_status);
}

#[test]
fn templates_are_told_apart() {
    let value = |expression: &str| TemplateKind::Value { expression: expression.to_owned() };
    for (text, kind) in [
        ("plain {x} ${y} {# z #} }}", TemplateKind::Literal),
        ("", TemplateKind::Literal),
        ("{{ params.x }}", value("params.x")),
        ("{{params.x|default('}}')}}", value("params.x|default('}}')")),
        ("{{- params.x -}}", value("params.x")),
        ("{{ params.x }} ", TemplateKind::Text),
        ("a{{ params.x }}", TemplateKind::Text),
        ("{{ params.x }}{{ params.y }}", TemplateKind::Text),
    ] {
        assert_eq!(analyse_template(text).unwrap().kind, kind, "{text}");
    }
}

#[test]
fn offsets_count_from_the_start_of_the_template() {
    let text = "é {{ params.x }} and {{ steps.a.outputs.b | default('') }}";
    let analysis = analyse_template(text).unwrap();
    let covered: Vec<&str> = analysis.uses.iter().map(|name| &text[name.offset..name.offset + name.len]).collect();
    assert_eq!(covered, ["params.x", "steps.a.outputs.b"]);
}

#[test]
fn a_plan_keeps_what_is_read() {
    let text = "steps.a.succeeded and stdout in steps['b'].outputs.x and params.y and response.status == 200";
    let lowered = analyse_expression(text).unwrap().lower(text);
    assert_eq!(lowered.source, text);
    assert_eq!(lowered.reads.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(lowered.locals.iter().collect::<Vec<_>>(), ["response", "stdout"]);

    let lower = |text: &str| analyse_template(text).unwrap().lower(text);
    assert_eq!(lower("plain"), Template::Literal(json!("plain")));
    let Template::Value(inner) = lower("{{ steps.a.outputs.x }}") else { panic!("not a value") };
    assert_eq!((inner.source.as_str(), inner.reads.len()), ("steps.a.outputs.x", 1));
    let Template::Text(whole) = lower("x {{ steps.a.outputs.x }}") else { panic!("not a text") };
    assert_eq!(whole.source, "x {{ steps.a.outputs.x }}");
}
