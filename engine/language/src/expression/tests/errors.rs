//! What is said when something has no value, or is no expression.

use super::super::{analyse_expression, analyse_template};
use super::World;

#[test]
fn what_is_undefined_is_named() {
    let world = World::new();
    for (source, message) in [
        ("params.nope", "`params.nope` is undefined"),
        ("nobody", "`nobody` is undefined"),
        ("params.object.x.y.z", "`params.object.x` is undefined"),
        ("params.object['a b']", "`params.object[\"a b\"]` is undefined"),
        ("params.name.x", "`params.name.x` is undefined"),
        ("params.none.x", "`params.none.x` is undefined"),
        ("steps.a.outputs.nope", "`steps.a.outputs.nope` is undefined"),
        ("steps.b.outputs.x", "`steps.b.outputs.x` is undefined: the step was skipped"),
        ("steps.c.outputs.x", "`steps.c.outputs.x` is undefined: the step failed"),
        ("steps.zzz.succeeded", "`steps.zzz` is undefined"),
        ("steps.a.colour", "`steps.a.colour` is undefined"),
        ("steps.a.succeeded.x", "`steps.a.succeeded.x` is undefined"),
        ("params.list[9]", "`params.list[9]` is undefined"),
        ("params.list[params.i + 5]", "`params.list[params.i + 5]` is undefined"),
        ("params.objects[0].nope", "`params.objects[0].nope` is undefined"),
        ("params.empty | first", "`params.empty | first` is undefined"),
        ("(params.empty | last) is none", "`params.empty | last` is undefined"),
        ("'x' if params.nope else 'y'", "`params.nope` is undefined"),
        ("[params.nope]", "`params.nope` is undefined"),
        ("{'a': params.nope}", "`params.nope` is undefined"),
        ("params.nope ~ 'x'", "`params.nope` is undefined"),
        ("params.nope == 1", "`params.nope` is undefined"),
        ("params.nope | upper", "`params.nope` is undefined"),
        ("(params.nope | trim) | default('x')", "`params.nope` is undefined"),
        ("params.yes and params.nope", "`params.nope` is undefined"),
    ] {
        assert_eq!(world.expression(source), Err(message.to_owned()), "{source}");
    }
    assert_eq!(world.template("x {{ params.nope }}"), Err("`params.nope` is undefined".to_owned()));
}

#[test]
fn a_wrong_type_is_named_with_the_way_out() {
    let world = World::new();
    for (source, part) in [
        ("params.name", "`params.name` is text, not true or false; compare it, as in `params.name == 'yes'`"),
        ("params.text_false", "`params.text_false` is text"),
        ("params.none", "`params.none` is none, not true or false; write `params.none | default(false)`"),
        ("params.list", "`params.list` is a list, not true or false; write `params.list | length > 0`"),
        ("params.n", "`params.n` is a number, not true or false"),
        ("params.name and params.yes", "`params.name` is text"),
        ("params.yes and params.name", "`params.name` is text"),
        ("not params.none", "`params.none` is none"),
        ("params.yes if params.n else params.no", "`params.n` is a number"),
        (
            "steps.a.outputs.count > 5",
            "`steps.a.outputs.count > 5` compares text with a number; convert the text with `| int`",
        ),
        ("steps.a.outputs.count == 7", "compares text with a number"),
        ("params.text_false == false", "compares text with a boolean; convert the text with `| bool`"),
        ("1 < params.none", "compares a number with none; use `| default(…)`"),
        ("1 < 2 < 'x'", "`1 < 2 < 'x'` compares a number with text"),
        ("params.n in params.name", "looks for a number in text"),
        ("1 in params.n", "looks for a value in a number"),
    ] {
        let message = world.condition(source).unwrap_err();
        assert!(message.contains(part), "{source}: {message}");
    }
    for (source, part) in [
        ("steps.a.outputs.count * 2", "`steps.a.outputs.count` is text, not a number; convert it with `| int`"),
        ("params.yes - 1", "`params.yes` is a boolean, not a number"),
        ("params.name + 1", "`params.name + 1`: "),
        ("2.0 ** 5000", "a number that is not finite"),
        ("1 // 0", "`1 // 0`: the result is no number, or too large"),
        ("10 ** 30", "more than 64 bits"),
        ("params.yes | upper", "a filter for text was given a boolean"),
        ("params.name | join(',')", "a filter for lists was given text"),
        ("params.name | int", "text could not be converted to a whole number"),
        ("params.none | int", "none could not be converted"),
        ("params.list | int", "a list could not be converted"),
        ("params.name | seconds", "not a duration"),
        ("'{' | fromjson", "the text is not JSON (line 1, column 1)"),
        ("params.list ~ params.none", "a part of `params.list ~ params.none` is none"),
        ("[none] | join", "an item to join is none"),
        ("params.list | select('gt', 1)", "a test compares text with a number"),
        ("{1: 2}", "key that is not text"),
        ("params.objects | map(attribute='nope')", "is or holds undefined"),
    ] {
        let message = world.expression(source).unwrap_err();
        assert!(message.contains(part), "{source}: {message}");
    }
    assert_eq!(world.expression("'abc' | int(default=0)"), Ok(0.into()));
    let message = world.template("rm -rf /data/{{ params.none }}").unwrap_err();
    assert_eq!(message, "`params.none` is none; give it a text with `| default('…')`");
}

#[test]
fn messages_never_hold_values() {
    let mut world = World::new();
    world.params = serde_json::json!({"token": "hunter2", "o": {"k": "hunter2"}, "l": ["hunter2"]});
    for source in [
        "params.token",
        "params.token > 5",
        "params.token | int",
        "params.token * 2",
        "params.o > 1",
        "params.l and true",
        "params.token | fromjson",
        "params.token | seconds",
        "params.l + 1",
        "params.token + 1",
        "params.l | sum",
        "params.token | round",
        "params.token | abs",
        "params.token | items",
        "-params.token",
        "params.l | map('abs')",
        "params.token in 5",
        "params.token | replace(1, 2)",
        "params.l[params.token]",
    ] {
        let message = world.condition(source).unwrap_err();
        assert!(!message.contains("hunter2"), "{source}: {message}");
    }
}

/// The part of the text that an error underlines, its message and its hint.
fn found(text: &str, template: bool) -> (String, String, String) {
    let error = if template {
        analyse_template(text).map(|_| ()).unwrap_err()
    } else {
        analyse_expression(text).map(|_| ()).unwrap_err()
    };
    let marked = text[error.offset..error.offset + error.len].to_owned();
    (marked, error.message, error.hint.unwrap_or_default())
}

#[test]
fn unreadable_expressions_are_underlined() {
    for (text, marked, message, hint) in [
        ("", "", "an expression is missing", ""),
        ("params.x ==", "==", "unexpected end of input", ""),
        ("params.x = 1", "=", "unexpected input after expression", ""),
        ("params.x === 1", "=", "unexpected `=`", ""),
        ("params.a-", "-", "unexpected end of input", ""),
        ("'abc", "", "unexpected end of string", ""),
        ("params.x == 'a' ? 1 : 2", "?", "unexpected character", ""),
        ("params.x == 'a' && true", "&", "unexpected character", ""),
        ("(1", "1", "unexpected end of input", ""),
        ("{{ params.x }}", "{{ params.x }}", "without braces", "write `params.x`"),
        ("  ", "  ", "an expression is missing", ""),
        ("params.x | uper", "uper", "unknown filter `uper`", "did you mean `upper`"),
        ("params.x | frobnicate", "frobnicate", "unknown filter", "the filters are `abs`, "),
        ("params.x is deffined", "deffined", "unknown test `deffined`", "did you mean `defined`"),
        ("failed()", "failed", "unknown function `failed`", "`failure`"),
        ("length(params.x)", "length", "unknown function", "`value | length`"),
        ("params.x.upper()", "params.x.upper()", "values have no methods", "`value | upper`"),
        ("range(10)", "range", "unknown function", ""),
        ("failure(1)", "failure(1)", "takes no arguments", ""),
        ("'a' if params.x", "'a' if params.x", "an `if` needs an `else`", "else ''"),
        ("params.l[::2]", "2", "a slice has no step", ""),
        ("params.l | map('uper')", "uper", "unknown filter `uper`", ""),
        ("params.l | select(params.x)", "params.l | select(params.x)", "needs the name of a test", ""),
        ("params.l | map('!bounded')", "!bounded", "unknown filter", ""),
        ("params.l | join(*params.m)", "params.l | join(*params.m)", "not supported", ""),
    ] {
        let (at, says, way_out) = found(text, false);
        assert!(says.contains(message) && way_out.contains(hint), "{text}: {says} / {way_out}");
        assert_eq!(at, marked, "{text}: {says}");
    }
}

#[test]
fn unreadable_templates_are_underlined() {
    for (text, marked, message, hint) in [
        ("a {{ params.x", "{{", "`{{` is never closed", "close it"),
        ("a {{ }} b", " ", "an expression is missing", ""),
        ("{% if x %}a{% endif %}", "{% if x %}", "statements are not supported", "a if condition else b"),
        ("{{ a }} {% set x = 1 %}", "{% set x = 1 %}", "statements are not supported", ""),
        ("é {{ params.x | uper }} {{ y }}", "uper", "unknown filter", "upper"),
        ("docker ps --format '{{.Names}}'", ".", "unexpected `.`", "`{{ '{{' }}`"),
        ("{{ a b }}", "b", "unexpected input after expression", ""),
        ("{{ a $ }}", "$", "unexpected character", ""),
    ] {
        let (at, says, way_out) = found(text, true);
        assert!(says.contains(message) && way_out.contains(hint), "{text}: {says} / {way_out}");
        assert_eq!(at, marked, "{text}: {says}");
    }
}
