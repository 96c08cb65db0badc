//! What expressions and templates are worth.

use std::collections::BTreeMap;

use runbook_core::evaluate::Evaluate;
use runbook_core::plan::Template;
use serde_json::{Value as Json, json};

use super::super::{Evaluator, FILTERS, FUNCTIONS, TESTS};
use super::World;

#[test]
fn expressions_have_values_of_their_type() {
    let world = World::new();
    let table = [
        ("params.name", json!("gateway")),
        ("params.n", json!(3)),
        ("params.big", json!(u64::MAX)),
        ("params.none", Json::Null),
        ("steps.a.outputs.nope | default(none)", Json::Null),
        ("params.none | default", json!("")),
        ("'' | default('x', true)", json!("x")),
        ("'' | default(none, true)", Json::Null),
        ("0 | default(1, false)", json!(0)),
        ("params.list", json!(["x", "y"])),
        ("params.empty", json!([])),
        ("params.object", json!({"a": 1, "a-b": 2, "nested": {"k": "v"}})),
        ("params.object['a-b']", json!(2)),
        ("params['object'].nested['k']", json!("v")),
        ("params.list[0]", json!("x")),
        ("params.list.1", json!("y")),
        ("params.list[-1]", json!("y")),
        ("params.list[params.i]", json!("y")),
        ("params.object[params.key]", json!(1)),
        ("params.objects[0].id", json!("p")),
        ("params.list[:1]", json!(["x"])),
        ("environment.api ~ '/health'", json!("http://127.0.0.1:8080/health")),
        ("run.started_by", json!("ada")),
        ("steps.a.outputs.deep.x.y[1]", json!(2)),
        ("steps.a.outputs", json!({"b": "text", "count": "7", "deep": {"x": {"y": [1, 2]}}})),
        ("steps.b.outputs", json!({})),
        ("steps.a.exit_code", json!(0)),
        ("steps.b.exit_code", Json::Null),
        (
            "steps.c",
            json!({"succeeded": false, "failed": true, "skipped": false, "already_done": false, "exit_code": 2, "outputs": {}}),
        ),
        ("response.json.state", json!("up")),
        ("[1, 'a', none, {'k': [true]}]", json!([1, "a", null, {"k": [true]}])),
        ("1 + 2 * 3 - 4 // 3", json!(6)),
        ("7 / 2", json!(3.5)),
        ("2 ** 10 % 1000", json!(24)),
        ("-params.n", json!(-3)),
        ("'a' + 'b'", json!("ab")),
        ("params.list + ['z']", json!(["x", "y", "z"])),
        ("'n=' ~ params.n ~ params.yes", json!("n=3true")),
        ("'a' if params.yes else 'b'", json!("a")),
        ("'a' if params.no else 'b'", json!("b")),
        ("params.list | map('upper') | join('+')", json!("X+Y")),
        ("params.objects | selectattr('up', 'true') | map(attribute='id') | first", json!("p")),
    ];
    for (source, value) in table {
        assert_eq!(world.expression(source), Ok(value), "{source}");
    }
}

#[test]
fn default_stands_in_for_what_is_missing_and_for_none() {
    let world = World::new();
    for (source, value) in [
        ("steps.a.outputs.nope | default('x')", json!("x")),
        ("steps.b.outputs.nope.deeper.still | default('x')", json!("x")),
        ("steps.a.outputs.b | default('x')", json!("text")),
        ("params.nope | default(params.name)", json!("gateway")),
        ("params.none | default('eu')", json!("eu")),
        ("params.none.deeper | default('eu')", json!("eu")),
        ("params.no | default(true)", json!(false)),
        ("'' | default('x')", json!("")),
        ("'' | default('x', true)", json!("x")),
        ("params.list[9] | default('x')", json!("x")),
        ("params.list[9].id[params.i] | default('x')", json!("x")),
        ("params.empty | first | default('x')", json!("x")),
        ("params.none | default", json!("")),
        ("nobody | default(1)", json!(1)),
        ("params.nope is defined", json!(false)),
        ("params.none is defined", json!(true)),
        ("steps.b.outputs.x.y is undefined", json!(true)),
        ("params.list[9] is defined", json!(false)),
    ] {
        assert_eq!(world.expression(source), Ok(value), "{source}");
    }
}

#[test]
fn conditions_are_boolean_and_stop_early() {
    let mut world = World::new();
    for (source, holds) in [
        ("params.yes", true),
        ("not params.yes", false),
        ("params.n == 3 and params.name in ['gateway', 'engine']", true),
        ("params.name not in ['engine']", true),
        ("3 not in [1, 2] == [1, 2]", true),
        ("2 not in [1, 2] == [1, 2]", false),
        ("1 < params.n <= 3", true),
        ("1 < params.n < 3", false),
        ("params.n == 3.0", true),
        ("params.name != none", true),
        ("params.none == none", true),
        ("steps.b.succeeded and steps.b.outputs.nope == 'x'", false),
        ("steps.a.succeeded or steps.a.outputs.nope", true),
        ("steps.a.outputs.count | int > 5", true),
        ("'way' in params.name", true),
        ("'a' in params.object", true),
        ("params.name is startingwith('gate')", true),
        ("always()", true),
        ("failure()", false),
        ("params.objects | rejectattr('up', 'true') | length == 1", true),
    ] {
        assert_eq!(world.condition(source), Ok(holds), "{source}");
    }
    world.failure = true;
    assert_eq!(world.condition("failure()"), Ok(true));
    assert_eq!(world.condition("not failure() and params.yes"), Ok(false));
}

#[test]
fn templates_keep_a_type_or_become_text() {
    let world = World::new();
    for (text, value) in [
        ("plain", json!("plain")),
        ("", json!("")),
        ("{{ params.list }}", json!(["x", "y"])),
        ("{{params.n}}", json!(3)),
        (" {{ params.n }}", json!(" 3")),
        ("{{ params.n }}\n", json!("3\n")),
        ("{{ params.n }}{{ params.n }}", json!("33")),
        ("on={{ params.yes }} r={{ params.ratio }}", json!("on=true r=0.5")),
        ("list {{ params.list }} object {{ params.object.nested }}", json!(r#"list ["x","y"] object {"k":"v"}"#)),
        ("a {{- params.n -}} b", json!("a3b")),
        ("{{ '}}' }} and {{ '{{' }}", json!("}} and {{")),
        ("echo ${#list} {# kept #} {x}", json!("echo ${#list} {# kept #} {x}")),
        ("{{ {'a': {'b': 1}} }}", json!({"a": {"b": 1}})),
        ("é{{ 'ü' }}é", json!("éüé")),
    ] {
        assert_eq!(world.template(text), Ok(value), "{text}");
    }
}

#[test]
fn values_never_become_code() {
    let world = World::new();
    assert_eq!(world.template("{{ params.evil }}"), Ok(json!("{{ 7*7 }}")));
    assert_eq!(world.template("say {{ params.evil }}!"), Ok(json!("say {{ 7*7 }}!")));
    assert_eq!(world.expression("params.evil ~ params.evil"), Ok(json!("{{ 7*7 }}{{ 7*7 }}")));
    let literal = Template::Literal(json!({"x": "{{ params.name }}"}));
    assert_eq!(world.render(&literal), Ok(json!({"x": "{{ params.name }}"})));
}

#[test]
fn lists_and_objects_are_rendered_within() {
    let part = |text: &str| super::analyse_template(text).unwrap().lower(text);
    let template = Template::Object(BTreeMap::from([
        ("keep".to_owned(), part("{{ params.n }}")),
        ("list".to_owned(), Template::List(vec![part("n={{ params.n }}"), Template::Literal(json!(null))])),
    ]));
    assert_eq!(World::new().render(&template), Ok(json!({"keep": 3, "list": ["n=3", null]})));
}

#[test]
fn only_steps_that_are_declared_as_read_are_seen() {
    let world = World::new();
    let mut expression = super::lower("steps.a.succeeded").unwrap();
    expression.reads.clear();
    let asked = world.with(|evaluator, scope| evaluator.expression(&expression, scope));
    assert_eq!(asked.map_err(super::said), Err("`steps.a` is undefined".to_owned()));
}

#[test]
fn an_evaluator_serves_other_scopes_and_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Evaluator::new());
    let (one, mut two) = (World::new(), World::new());
    two.params = json!({"name": "other"});
    assert_eq!(one.expression("params.name"), Ok(json!("gateway")));
    assert_eq!(two.expression("params.name"), Ok(json!("other")));
    assert_eq!(two.expression("params.n"), Err("`params.n` is undefined".to_owned()));
}

#[test]
fn every_documented_example_gives_what_is_written() {
    let world = World::new();
    for entry in FILTERS.iter().chain(TESTS).chain(FUNCTIONS) {
        let expected: Json = serde_json::from_str(entry.gives).unwrap();
        assert_eq!(world.expression(entry.example), Ok(expected), "{}", entry.example);
        assert!(entry.example.contains(entry.name), "{} does not use {}", entry.example, entry.name);
        assert!(entry.about.ends_with('.'), "{}", entry.name);
    }
    for table in [FILTERS, TESTS, FUNCTIONS] {
        assert!(table.is_sorted_by(|one, next| one.name < next.name), "a table is out of order");
    }
}

#[test]
fn moments_are_read_without_a_zone_database() {
    let evaluator = Evaluator::new();
    for (text, ms) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-31T17:00:00+01:00", 1_769_875_200_000),
        ("2026-01-31T16:00:00.250Z", 1_769_875_200_250),
    ] {
        assert_eq!(evaluator.moment(text).map(|at| at.0), Ok(ms), "{text}");
    }
    for text in [
        "",
        "tomorrow",
        "2026-01-31T17:00:00",
        "2026-01-31",
        "2026-01-31T17:00:00+01:00[Europe/Berlin]",
        "1969-12-31T23:59:59Z",
    ] {
        assert!(evaluator.moment(text).is_err(), "{text}");
    }
}
