//! Plugins: what is checked where a step uses one, and what a plugin says of itself.

use std::collections::BTreeMap;

use runbook_core::plan::{Action, Body, EnvSource, OnInterrupt, Operation, Plan, Step};
use runbook_language::{
    Diagnostics, FoundPlugin, Library, Missing, NoLibrary, SourceFile, load_plugin, load_runbook_with,
};

use crate::pages::found_plugin;

/// Plugins by their ids.
struct Shelf(Vec<(&'static str, String)>);

impl Library for Shelf {
    fn find(&self, name: &str, from: &SourceFile) -> Result<SourceFile, Missing> {
        NoLibrary.find(name, from)
    }

    fn plugin(&self, name: &str, from: &SourceFile) -> Result<FoundPlugin, Missing> {
        match self.0.iter().find(|(id, _)| *id == name) {
            Some((id, text)) => Ok(found_plugin(id, text)),
            None => NoLibrary.plugin(name, from),
        }
    }
}

fn head(id: &str, rest: &str) -> String {
    format!("schema: plugin/v1\nid: {id}\ntitle: T\n{rest}\n")
}

const NOTE: &str = "inputs:
  type: object
  required: [text]
  properties:
    text: {type: string, minLength: 2}
    tries: {type: integer, minimum: 1}
    tags: {type: array, items: {type: string}}
    level: {enum: [low, high]}
    token: {type: string, writeOnly: true}
outputs: {required: [ts], properties: {ts: {type: string}, hint: {type: string}}}
argv: [note]
undo: true";

const STEPS: &str = "inputs:
  type: object
  required: [text]
  properties: {text: {type: string}, times: {type: integer, default: 2}, token: {type: string, writeOnly: true}}
outputs: {properties: {ts: {type: string}}}
steps:
  - {id: inner, uses: note, with: {text: '{{ params.text }}', tries: '{{ params.times }}', token: {secret: token}}}
returns: {ts: '{{ steps.inner.outputs.ts }}'}";

fn shelf() -> Shelf {
    let more = |id: &'static str, rest: &str| (id, head(id, rest));
    Shelf(vec![
        more("note", NOTE),
        more("steps", STEPS),
        more("safe", "argv: [safe]\nidempotent: true"),
        more("broken", "argv: []"),
        more("itself", "steps: [{id: a, uses: itself}]"),
    ])
}

fn load(steps: &str) -> Result<Plan, Diagnostics> {
    let text = format!("schema: runbook/v1\nid: r\ntitle: T\nsecrets: {{key: {{env: KEY}}}}\nsteps:\n{steps}\n");
    load_runbook_with(&SourceFile::new("r.yaml", text.as_str()), None, &shelf()).map(|loaded| {
        crate::agree::accepted(&text);
        loaded.plan.check().expect("the engine takes it");
        loaded.plan
    })
}

/// `text code: message` of all that is wrong with a step of this `with`.
fn found(steps: &str) -> Vec<String> {
    let Err(found) = load(steps) else { return vec![] };
    found.to_json().iter().map(|one| format!("{} {}: {}", one.text, one.code, one.message)).collect()
}

fn with(with: &str) -> Vec<String> {
    found(&format!("  - {{id: k, run: x, env: {{K: {{secret: key}}}}}}\n  - {{id: a, uses: note, with: {{{with}}}}}"))
}

fn step<'p>(plan: &'p Plan, id: &str) -> &'p Step {
    plan.steps.iter().find(|step| step.id.as_str() == id).expect("a step")
}

#[test]
fn inputs_are_held_against_the_schema_at_the_place_of_the_mistake() {
    let none: [&str; 0] = [];
    assert_eq!(with("text: hello, tries: 2, tags: [a, b], level: low, token: {secret: key}"), none);
    assert_eq!(with("text: 5"), ["5 RB0163: `text` is an integer, which is not `string`"]);
    assert_eq!(with("text: hello, tries: many"), ["many RB0163: `tries` is text, which is not `integer`"]);
    assert_eq!(with("text: hello, tries: 0"), ["0 RB0163: `tries` is less than the minimum of 1"]);
    assert_eq!(with("text: hello, tags: [a, 7]"), ["7 RB0163: `tags.1` is an integer, which is not `string`"]);
    let level = with("text: hello, level: middle");
    assert!(level.len() == 1 && level[0].starts_with("middle RB0163: `level` is not one of"), "{level:?}");
    assert_eq!(with("tries: 2"), ["note RB0163: the plugin `note` needs the input `text`"]);
    assert_eq!(with("text: hello, txt: x"), ["txt RB0163: the plugin `note` has no input `txt`"]);
    assert_eq!(with("text: a, tries: 0").len(), 2, "all at once");
}

#[test]
fn what_is_known_only_in_the_run_is_checked_as_far_as_it_is_known() {
    let none: [&str; 0] = [];
    assert_eq!(with("text: '{{ run.id }}', tries: '{{ run.id }}', level: '{{ run.id }}'"), none);
    assert_eq!(with("text: hello, tags: ['{{ run.id }}', 'x{{ run.id }}']"), none);
    let text = with("text: 'at {{ run.id }}', tries: '{{ run.id }} times'");
    assert_eq!(
        text,
        ["\"{{ run.id }} times\" RB0163: `tries` is text, which is not `integer`"].map(|it| it.replace('"', "'"))
    );
    assert_eq!(with("text: ['{{ run.id }}']"), ["['{{ run.id }}'] RB0163: `text` is a list, which is not `string`"]);
}

#[test]
fn secrets_go_where_the_plugin_takes_one_and_nowhere_else() {
    assert_eq!(with("text: hello, token: plain"), ["plain RB0163: `token` is a secret to `note`"]);
    let wrong = with("text: {secret: key}");
    assert!(wrong[0].contains("RB0123"), "{wrong:?}");
    let unknown = with("text: hello, token: {secret: kye}");
    assert!(unknown.len() == 1 && unknown[0].starts_with("kye RB0121"), "{unknown:?}");
    let plan = load("  - {id: a, uses: note, with: {text: hello, token: {secret: key}}}").expect("valid");
    let Body::Action(Action::Plugin(call)) = &step(&plan, "a").body else { panic!("a plugin") };
    assert!(matches!(&call.with["token"], EnvSource::Secret { name, .. } if name.as_str() == "key"));
    let plugin = &plan.plugins[&call.plugin];
    assert!(plugin.inputs["properties"].get("token").is_none(), "no secret is in what is checked, and recorded");
}

#[test]
fn a_plugin_that_cannot_be_used_is_named_once() {
    let wrong = found(
        "  - {id: k, run: x, env: {K: {secret: key}}}\n  - {id: a, uses: nope}\n  - {id: b, uses: broken}\n  - {id: c, uses: itself}",
    );
    let codes: Vec<&str> = wrong.iter().filter_map(|one| one.split_whitespace().nth(1)).collect();
    assert!(codes.contains(&"RB0161:") && codes.contains(&"RB0162:") && codes.contains(&"RB0153:"), "{wrong:?}");
}

#[test]
fn what_a_plugin_hands_back_can_be_read_and_nothing_else() {
    let none: [&str; 0] = [];
    let read = |name: &str| {
        found(&format!(
            "  - {{id: k, run: x, env: {{K: {{secret: key}}}}}}\n  - {{id: a, uses: note, with: {{text: hello}}}}\n  - {{id: b, set: {{x: '{{{{ steps.a.outputs.{name} }}}}'}}}}"
        ))
    };
    assert_eq!(read("ts"), none);
    assert_eq!(read("hint"), none, "it may be none");
    assert!(read("tss")[0].contains("RB0119"));
    let until = "  - {id: k, run: x, env: {K: {secret: key}}}\n  - {id: a, uses: safe, until: exit_code == 0, every: 1s, timeout: 5s}";
    assert_eq!(found(until), none);
}

#[test]
fn a_plugin_that_can_undo_is_the_rollback_of_a_step_without_one() {
    let plan = load("  - {id: k, run: x, env: {K: {secret: key}}}\n  - {id: a, uses: note, with: {text: hello}, timeout: 5s}\n  - {id: b, uses: note, with: {text: hello}, irreversible: true}\n  - {id: c, uses: note, with: {text: hello}, rollback: {run: x}}\n  - {id: d, uses: safe, rollback: {uses: safe}}").expect("valid");
    let undo = step(&plan, "a").rollback.as_ref().expect("an undo");
    let Action::Plugin(call) = &undo.action else { panic!("a plugin") };
    assert_eq!((call.operation, undo.timeout_ms, undo.on_interrupt), (Operation::Undo, Some(5_000), OnInterrupt::Ask));
    assert_eq!(call.outputs.keys().collect::<Vec<_>>(), ["hint", "ts"]);
    assert!(step(&plan, "b").rollback.is_none());
    assert!(matches!(step(&plan, "c").rollback.as_ref().expect("an undo").action, Action::Run(_)));
    let own = step(&plan, "d").rollback.as_ref().expect("an undo");
    assert!(matches!(&own.action, Action::Plugin(call) if call.operation == Operation::Run));
    assert_eq!((step(&plan, "d").on_interrupt, own.on_interrupt), (OnInterrupt::Rerun, OnInterrupt::Rerun));
}

#[test]
fn a_plugin_of_steps_is_a_child_run_with_the_secrets_of_the_step_that_uses_it() {
    let plan = load("  - {id: a, uses: steps, with: {text: hello, token: {secret: key}}}").expect("valid");
    let Body::Action(Action::Runbook(call)) = &step(&plan, "a").body else { panic!("a child run") };
    let child = &plan.runbooks[&call.plan];
    assert_eq!(child.secrets.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["key"]);
    assert_eq!(child.params.keys().collect::<Vec<_>>(), ["text", "times"]);
    let Body::Action(Action::Plugin(inner)) = &child.steps[0].body else { panic!("a plugin") };
    assert!(matches!(&inner.with["token"], EnvSource::Secret { name, .. } if name.as_str() == "key"));
    assert!(plan.plugins.is_empty() && child.plugins.contains_key(&inner.plugin));
    assert_eq!(
        found("  - {id: k, run: x, env: {K: {secret: key}}}\n  - {id: a, uses: steps, with: {text: hello}}"),
        ["steps RB0163: the plugin `steps` needs the input `token`"]
    );
    let keys =
        found("  - {id: a, uses: steps, with: {text: hello, token: {secret: key}}, until: 'true', outputs: {x: '1'}}");
    assert!(keys.iter().all(|one| one.contains("RB0110")) && keys.len() == 2, "{keys:?}");
}

#[test]
fn the_mistakes_of_a_plugin_are_told_at_their_places() {
    let about = |rest: &str, files: &[(&str, bool)]| {
        let mut plugin = found_plugin("p", &head("p", rest));
        plugin.files = files.iter().map(|(name, runs)| ((*name).to_owned(), *runs)).collect::<BTreeMap<_, _>>();
        let found = load_plugin(&plugin, &shelf()).map_or_else(|wrong| wrong, |(_, warnings)| warnings);
        found.to_json().iter().map(|one| format!("{} {}", one.text, one.message)).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(about("argv: [./run.sh]", &[("run.sh", true)]), none);
    assert_eq!(about("argv: [bash, ./run.sh]", &[("run.sh", false)]), none);
    assert_eq!(about("argv: [./run.sh]", &[("run.sh", false)]), ["./run.sh `run.sh` cannot be run"]);
    assert_eq!(about("argv: [./rum.sh]", &[("run.sh", true)]), ["./rum.sh the plugin has no file `rum.sh`"]);
    assert_eq!(about("argv: [x]\nreturns: {a: b}", &[]), ["returns `returns` makes no sense with `argv`"]);
    let both = about("argv: [x]\nsteps: [{id: a, run: x}]", &[]);
    assert_eq!(both, ["steps a plugin is a program, or steps, and this has both"]);
    let schema = about("argv: [x]\ninputs: {properties: {a: {type: strin}}}", &[]);
    assert!(schema.len() == 1 && schema[0].starts_with("strin this is no JSON Schema"), "{schema:?}");
    let other = load_plugin(&found_plugin("q", &head("p", "argv: [x]")), &shelf()).expect_err("another name");
    assert!(other.to_string().contains("the folder of the plugin `p` is called `q`"), "{other}");
}

#[test]
fn a_plugin_of_steps_is_no_rollback() {
    let wrong = found(
        "  - {id: a, run: x, env: {K: {secret: key}}, rollback: {uses: steps, with: {text: hello, token: {secret: key}}}}",
    );
    assert!(wrong.len() == 1 && wrong[0].starts_with("steps RB0110: a plugin of steps is no rollback"), "{wrong:?}");
}
