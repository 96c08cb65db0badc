//! Params, environments and projects: values in, values out.

use std::collections::BTreeMap;

use runbook_core::plan::{Param, ParamKind, SecretCommand, SecretSource};
use runbook_core::units::{Role, SecretName};
use runbook_language::{
    ParamError, Project, RunFacts, ServiceFacts, SourceFile, export_param, load_environment, load_runbook, parse_param,
    parse_project, peek, resolve_environment, resolve_params,
};
use serde_json::{Value, json};

use crate::{EVERY_KEY, environment, load};

fn param(kind: ParamKind) -> Param {
    Param { kind, choices: vec![], required: false, default: None, description: None }
}

#[test]
fn texts_of_the_command_line_become_values() {
    for (kind, text, value) in [
        (ParamKind::String, " a b ", json!(" a b ")),
        (ParamKind::Integer, "-5", json!(-5)),
        (ParamKind::Number, "0.5", json!(0.5)),
        (ParamKind::Number, "5", json!(5)),
        (ParamKind::Boolean, "true", json!(true)),
        (ParamKind::Duration, "90s", json!("1m30s")),
        (ParamKind::List, "a, b", json!(["a", "b"])),
        (ParamKind::List, "[1, \"b,c\"]", json!([1, "b,c"])),
        (ParamKind::List, "", json!([])),
        (ParamKind::Object, "{\"a\": 1}", json!({"a": 1})),
    ] {
        assert_eq!(parse_param(&param(kind), text), Ok(value), "{kind:?} {text}");
    }
    for (kind, text) in [
        (ParamKind::Integer, "5.0"),
        (ParamKind::Integer, "99999999999999999999"),
        (ParamKind::Number, "NaN"),
        (ParamKind::Number, "inf"),
        (ParamKind::Boolean, "yes"),
        (ParamKind::Duration, "5"),
        (ParamKind::List, "[1"),
        (ParamKind::Object, "[1]"),
        (ParamKind::Object, "a=1"),
    ] {
        assert!(parse_param(&param(kind), text).is_err(), "{kind:?} {text}");
    }
    let chosen = Param { choices: vec![json!("a"), json!("b")], ..param(ParamKind::String) };
    assert_eq!(parse_param(&chosen, "b"), Ok(json!("b")));
    assert_eq!(parse_param(&chosen, "c"), Err("`c` is none of `a`, `b`".to_owned()));
}

#[test]
fn a_value_that_could_not_be_read_again_is_refused() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    parse_param(&param(ParamKind::List), &nested(100)).expect("100 levels are fine");
    for levels in [101, 122, 127, 128, 5_000] {
        let refused = parse_param(&param(ParamKind::List), &nested(levels));
        assert_eq!(refused, Err("it is nested deeper than 100 levels".to_owned()), "{levels}");
    }
    let object = format!("{{\"a\": {}}}", nested(100));
    assert!(parse_param(&param(ParamKind::Object), &object).is_err());
}

#[test]
fn scripts_get_values_as_text() {
    for (kind, value, text) in [
        (ParamKind::String, json!("a b"), "a b"),
        (ParamKind::Integer, json!(5), "5"),
        (ParamKind::Boolean, json!(false), "false"),
        (ParamKind::Duration, json!("1m30s"), "90"),
        (ParamKind::Duration, json!("1s500ms"), "1.5"),
        (ParamKind::List, json!(["a", 1]), "[\"a\",1]"),
        (ParamKind::Object, json!({"a": null}), "{\"a\":null}"),
        (ParamKind::String, Value::Null, ""),
    ] {
        assert_eq!(export_param(kind, &value), text);
    }
}

#[test]
fn all_params_have_a_value_or_a_reason() {
    let plan = load(EVERY_KEY).expect("valid").plan;
    let given = |value: Value| resolve_params(&plan, value.as_object().expect("an object"));
    let values = given(json!({"incident_type": "system_down", "tries": 5})).expect("all is there");
    assert_eq!(values["tries"], 5);
    assert_eq!(values["pause"], "1m30s");
    assert_eq!(values["labels"], Value::Null);
    let wrong = given(json!({"incident_typ": "a", "ratio": "b"})).expect_err("two mistakes and one missing");
    assert!(wrong.contains(&ParamError::Missing("incident_type".to_owned())), "{wrong:?}");
    assert!(
        wrong.iter().any(|one| one.to_string() == "there is no param `incident_typ`; did you mean `incident_type`?"),
        "{wrong:?}"
    );
    assert!(wrong.iter().any(|one| matches!(one, ParamError::Invalid { name, .. } if name == "ratio")), "{wrong:?}");
    assert!(given(json!({"incident_type": "other"})).is_err());
}

fn facts() -> (BTreeMap<String, ServiceFacts>, RunFacts) {
    let service = ServiceFacts { port: 4711, data: "/state/platform".to_owned() };
    let run = RunFacts {
        id: "01R".to_owned(),
        runbook: "p0-response".to_owned(),
        binary: "/bin/runbook".to_owned(),
        params: json!({"a": 1}),
    };
    (BTreeMap::from([("platform".to_owned(), service)]), run)
}

#[test]
fn an_environment_gets_its_values() {
    let (services, run) = facts();
    let resolved = resolve_environment(&environment(), &services, &run).expect("all is there");
    assert_eq!(resolved.values["api"], "http://127.0.0.1:4711");
    assert_eq!(resolved.values["log_dir"], "/state/platform/logs");
    let token = SecretName::from("admin_token");
    assert_eq!(resolved.secrets[&token], SecretSource::File("/state/platform/token".to_owned()));
    let argv = ["vault", "read", "http://127.0.0.1:4711", "1.10"].map(str::to_owned).to_vec();
    let vault = SecretSource::Command(SecretCommand { argv, timeout_ms: 10_000 });
    assert_eq!(resolved.secrets[&SecretName::from("vault")], vault);
    assert_eq!(resolved.roles[&Role::from("incident-commander")], ["anyone"]);
    let service = &resolved.services[0];
    let argv =
        ["/bin/runbook", "sandbox", "serve", "--port", "4711", "--data", "/state/platform", "--params", "{\"a\":1}"];
    assert_eq!(service.argv, argv);
    assert_eq!(service.env["LEVEL"], "1");
    assert_eq!(service.env["RUNBOOK"], "p0-response");
    assert_eq!(service.ready_url, "http://127.0.0.1:4711/health");
    assert_eq!((service.ready_timeout_ms, service.kill_grace_ms), (20_000, 2_000));
    assert!(resolve_environment(&environment(), &BTreeMap::new(), &run).is_err());
}

#[test]
fn the_command_of_a_secret_is_taken_as_it_is_written() {
    let loaded = load_runbook(&SourceFile::new("r.yaml", EVERY_KEY), Some(&environment())).expect("it is valid");
    let argv = ["pass", "show", "ops/1", "1.10", "{{ as it is }}"].map(str::to_owned).to_vec();
    let password = SecretSource::Command(SecretCommand { argv, timeout_ms: 20_000 });
    assert_eq!(loaded.plan.secrets[&SecretName::from("password")], password);
}

#[test]
fn an_environment_is_checked() {
    let text = "schema: environment/v1
id: Test
values: {a: '{{ params.x }}', b: '{{ services.nope.url }}', c: '{{ service.port }}', d-e: 1}
secrets: {t: {}, u: {env: A, file: b}}
roles: {commander: []}
services:
  s: {argv: [], ready: {htp: x}}
";
    let wrong = load_environment(&SourceFile::new("e.yaml", text)).expect_err("much is wrong");
    insta::assert_snapshot!(wrong.to_string());
}

#[test]
fn ids_are_short_enough_to_name_files_after_them() {
    let runbook = |id: &str| {
        format!(
            "schema: runbook/v1\nid: {id}\ntitle: T\nparams: {{{id}: {{type: string, default: x}}}}\nsecrets: {{{id}: {{env: TOKEN}}}}\nsteps:\n\
             - {{id: {id}, run: echo, env: {{A: {{secret: {id}}}}}, outputs: [{id}]}}\n\
             - {{id: b, run: echo, outputs: {{{id}: x}}}}\n- {{id: c, set: {{{id}: x}}}}\n"
        )
    };
    let load = |text: String| load_runbook(&SourceFile::new("r.yaml", text), None);
    load(runbook(&"x".repeat(64))).expect("64 characters are fine");
    let wrong = load(runbook(&"x".repeat(65))).expect_err("65 are too many").to_string();
    let places: Vec<&str> = wrong.lines().filter_map(|line| line.split(": RB0107: this id has 65").next()).collect();
    assert_eq!(wrong.matches("RB0107: this id has 65 characters, more than the 64 it may have").count(), 7, "{wrong}");
    assert_eq!(places.len(), wrong.lines().count(), "nothing else is said: {wrong}");

    let environment = |name: &str| {
        let text = format!(
            "schema: environment/v1\nid: {name}\nvalues: {{{name}: 1}}\nsecrets: {{{name}: {{env: A}}}}\nservices:\n  {name}: {{argv: [x], ready: \
             {{http: 'http://localhost'}}}}\n"
        );
        load_environment(&SourceFile::new("e.yaml", text))
    };
    environment(&"x".repeat(64)).expect("64 characters are fine");
    let wrong = environment(&"x".repeat(65)).expect_err("65 are too many").to_string();
    assert_eq!(wrong.matches("RB0107: this id has 65").count(), 4, "{wrong}");
}

#[test]
fn a_project_has_defaults_and_places() {
    let parse = |text: &str| parse_project(&SourceFile::new("runbook.toml", text));
    assert_eq!(parse("").expect("an empty file is fine"), Project::default());
    let project =
        parse("runbooks = [\"ops\"]\nenvironment = \"sandbox\"\n[roles]\ncommander = [\"anyone\"]\n").expect("valid");
    assert_eq!(project.runbooks, ["ops"]);
    assert_eq!(project.environments, ["ops/environments"]);
    assert_eq!(project.environment.as_deref(), Some("sandbox"));
    assert_eq!(project.roles[&Role::from("commander")], ["anyone"]);
    assert_eq!(project.sign, None);
    assert_eq!(parse("[record]\nsign = \"key.pem\"\n").expect("valid").sign.as_deref(), Some("key.pem"));
    for (text, place) in [
        ("[record]\nsign = \"\"\n", "2:8"),
        ("[record]\nsing = \"key.pem\"\n", "2:1"),
        ("runbooks = [\n", "1:13"),
        ("runbooks = []\n", "1:12"),
        ("a = 1\nrunbooks = 5\n", "1:1"),
        ("runbooks = [\"a\"]\n[roles]\nx = []\n", "3:5"),
        ("runbooks = [5]\n", "1:13"),
    ] {
        let wrong = parse(text).expect_err(text);
        let at = wrong.iter().next().expect("one").position();
        assert_eq!(format!("{}:{}", at.line, at.column), place, "{text}: {wrong}");
    }
}

#[test]
fn a_folder_can_be_listed_without_checks() {
    let seen = peek(EVERY_KEY).expect("it is YAML");
    assert_eq!(seen.schema.as_deref(), Some("runbook/v1"));
    assert_eq!(seen.id.as_deref(), Some("every-key"));
    assert_eq!(seen.tags, ["incident", "test"]);
    assert_eq!(peek("[unclosed"), None);
    assert_eq!(peek("schema: runbook/v1\nid: [1]\n").map(|seen| seen.id), None);
}
