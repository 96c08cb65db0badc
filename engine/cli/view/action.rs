//! What exactly a step runs, and how it would be undone, as lines to read before one says yes.

use std::collections::BTreeMap;

use runbook_core::canonical;
use runbook_core::plan::{Action, EnvSource, Field, HttpBody, Operation, Template, Wait};
use runbook_core::rendered::{Rendered, RenderedBody, RenderedSource};
use runbook_core::units::{Digest, format_duration};
use runbook_runtime::given::Given;
use serde_json::Value;

use super::text::{moment, visible, visible_line};

/// So many items of a loop are shown in a question.
const ITEMS_SHOWN: usize = 40;

/// The most that is shown of the value of a variable, in bytes.
const VALUE_MAX: usize = 1_000;

/// What runs, with its values.
pub(crate) fn rendered(action: &Rendered) -> Vec<String> {
    match action {
        Rendered::Run { text, shell, env, dir } => {
            let mut lines = script(shell, text);
            lines.extend(with(env.iter().map(|(name, source)| (name, source_text(source)))));
            lines.extend(folder(dir.as_deref()));
            lines
        }
        Rendered::Argv { argv, env, dir } => {
            let mut lines = vec![format!("runs: {}", command_line(argv.iter().map(String::as_str)))];
            lines.extend(with(env.iter().map(|(name, source)| (name, source_text(source)))));
            lines.extend(folder(dir.as_deref()));
            lines
        }
        Rendered::Http { method, url, headers, body, expect } => {
            let mut lines = vec![format!("sends: {} {}", visible_line(method), visible_line(url))];
            lines.extend(headers.iter().map(|(name, source)| header(name, &source_text(source))));
            lines.extend(body.iter().flat_map(|body| match body {
                RenderedBody::Json(value) => block("body", &pretty(value)),
                RenderedBody::Text(text) => block("body", text),
            }));
            lines.push(format!("expects status {}", statuses(expect)));
            lines
        }
        Rendered::Assert => vec!["checks conditions; changes nothing".to_owned()],
        Rendered::Set(values) => {
            values.iter().map(|(name, value)| format!("sets {name} = {}", visible_line(&canonical(value)))).collect()
        }
        Rendered::WaitFor(ms) => vec![format!("waits {}", format_duration(*ms))],
        Rendered::WaitUntil(until) => vec![format!("waits until {}", moment(until.0))],
        Rendered::Manual(text) => block("a person does", text),
        Rendered::Ask { prompt, fields } => asks(prompt, fields),
        Rendered::Runbook { name, params, .. } => {
            let mut lines = vec![format!("runs the runbook `{}` as a child run", visible_line(name))];
            let params = params.as_object().into_iter().flatten();
            lines.extend(params.map(|(name, value)| format!("  with {name} = {}", visible_line(&canonical(value)))));
            lines
        }
        Rendered::Plugin { name, plugin, operation, inputs, secrets, outputs } => {
            let mut lines = vec![format!("{} ({})", calls(*operation, name), short_digest(plugin))];
            let given = inputs.iter().map(|(name, value)| (name, shortened(&canonical(value))));
            let secret = secrets.iter().map(|(name, source)| (name, source_text(source)));
            lines.extend(given.chain(secret).map(|(name, value)| format!("  with {name} = {}", visible_line(&value))));
            let back = outputs.iter().map(|(name, value)| (name, shortened(&canonical(value))));
            lines.extend(back.map(|(name, value)| format!("  which handed back {name} = {}", visible_line(&value))));
            lines
        }
        Rendered::UndoRunbook { run } => vec![format!("rolls back the child run {run}")],
        Rendered::Items(items) => repeats(items),
        Rendered::Steps(steps) => {
            let names: Vec<String> = steps.iter().map(|step| format!("`{step}`")).collect();
            vec![format!("runs the steps {}", names.join(", "))]
        }
    }
}

/// How a step is undone, as the plan says: values that are not known yet stand in braces.
pub(crate) fn undo(action: &Value) -> Vec<String> {
    match serde_json::from_value::<Action>(action.clone()) {
        Ok(action) => planned(&action),
        Err(_) => vec![visible_line(&canonical(action))],
    }
}

pub(crate) fn planned(action: &Action) -> Vec<String> {
    match action {
        Action::Run(run) => {
            let mut lines = script(&run.shell, &run.text);
            lines.extend(planned_env(&run.env));
            lines.extend(folder(run.dir.as_ref().map(template).as_deref()));
            lines
        }
        Action::Argv(argv) => {
            let words: Vec<String> = argv.argv.iter().map(template).collect();
            let mut lines = vec![format!("runs: {}", command_line(words.iter().map(String::as_str)))];
            lines.extend(planned_env(&argv.env));
            lines.extend(folder(argv.dir.as_ref().map(template).as_deref()));
            lines
        }
        Action::Http(http) => {
            let mut lines = vec![format!("sends: {} {}", http.method, visible_line(&template(&http.url)))];
            lines.extend(http.headers.iter().map(|(name, source)| header(name, &planned_source(source))));
            lines.extend(http.body.iter().flat_map(|body| {
                let (HttpBody::Json(text) | HttpBody::Text(text)) = body;
                block("body", &template(text))
            }));
            lines
        }
        Action::Assert(checks) => {
            checks.iter().map(|check| format!("checks {}", visible_line(&check.that.source))).collect()
        }
        Action::Set(values) => {
            values.iter().map(|(name, value)| format!("sets {name} = {}", visible_line(&template(value)))).collect()
        }
        Action::Wait(Wait::For(time)) => vec![format!("waits {}", visible_line(&template(time)))],
        Action::Wait(Wait::Until(time)) => vec![format!("waits until {}", visible_line(&template(time)))],
        Action::Manual(text) => block("a person does", &template(text)),
        Action::Ask(ask) => asks(&template(&ask.prompt), &ask.fields),
        Action::Runbook(call) => {
            let mut lines = vec![format!("runs the runbook `{}` as a child run", visible_line(&call.name))];
            let with = call.with.iter();
            lines.extend(with.map(|(name, value)| format!("  with {name} = {}", visible_line(&template(value)))));
            lines
        }
        Action::Plugin(call) => {
            let mut lines = vec![format!("{} ({})", calls(call.operation, &call.name), short_digest(&call.plugin))];
            let with = call.with.iter().map(|(name, source)| (name, planned_source(source)));
            lines.extend(with.map(|(name, value)| format!("  with {name} = {}", visible_line(&value))));
            lines
        }
        Action::UndoRunbook => vec!["rolls back its child run: what succeeded in it is undone".to_owned()],
    }
}

fn calls(operation: Operation, name: &str) -> String {
    match operation {
        Operation::Run => format!("calls the plugin `{}`", visible_line(name)),
        Operation::Undo => format!("has the plugin `{}` undo its call", visible_line(name)),
    }
}

/// As much of the digest of a plugin as tells two states of it apart.
pub(crate) fn short_digest(digest: &Digest) -> String {
    format!("digest {}", digest.as_str().get(..12).unwrap_or_default())
}

/// The items of a loop: all of a short list, else the first of them, each as one line.
fn repeats(items: &[Value]) -> Vec<String> {
    let mut lines = vec![format!("repeats for {}:", super::text::count(items.len(), "item"))];
    let one = |(number, item): (usize, &Value)| format!("  {number}. {}", shortened(&super::text::value(item)));
    lines.extend((1..).zip(items).take(ITEMS_SHOWN).map(one));
    if items.len() > ITEMS_SHOWN {
        lines.push(format!("  … and {} more: `status --output json` has all", items.len() - ITEMS_SHOWN));
    }
    lines
}

fn asks(prompt: &str, fields: &[Field]) -> Vec<String> {
    let mut lines = block("a person gives values", prompt);
    lines.extend(asked_for(fields).into_iter().map(|line| format!("  {line}")));
    lines
}

/// The values that are asked for, each with what it may be.
pub(crate) fn asked_for(fields: &[Field]) -> Vec<String> {
    let line = |Field { name, param }: &Field| {
        let missing = match &param.default {
            Some(default) => format!("; {} where nothing is given", super::text::value(default)),
            None if param.required => String::new(),
            None => "; may be left out".to_owned(),
        };
        let about = param.description.as_deref().map(|text| format!(" ({})", visible_line(text))).unwrap_or_default();
        format!("{name}: {}{missing}{about}", crate::menu::allowed(param))
    };
    fields.iter().map(line).collect()
}

fn script(shell: &str, text: &str) -> Vec<String> {
    block(&format!("runs, by {}", visible_line(shell)), text)
}

/// A text under its heading, each line marked, so that no line of it can pass for one of ours.
fn block(heading: &str, text: &str) -> Vec<String> {
    let lines = visible(text.trim_end_matches('\n'));
    std::iter::once(format!("{heading}:")).chain(lines.lines().map(|line| format!("  │ {line}"))).collect()
}

fn with<'n>(env: impl Iterator<Item = (&'n String, String)>) -> Vec<String> {
    env.map(|(name, value)| format!("with {name}={}", shortened(&value))).collect()
}

/// What a command gets besides its own variables.
pub(crate) fn given(given: &Given) -> Vec<String> {
    let mut lines = with(given.shown.iter().map(|(name, source)| (name, source_text(source))));
    if !given.others.is_empty() {
        let names: Vec<&str> = given.others.iter().map(String::as_str).collect();
        lines.push(format!("what it starts can also read {}", names.join(", ")));
    }
    lines
}

/// A value on one line. One that fills a terminal would hide all else; the answer holds for the whole all the same.
fn shortened(value: &str) -> String {
    if value.len() <= VALUE_MAX {
        return visible_line(value);
    }
    let shown = visible_line(&value[..value.floor_char_boundary(VALUE_MAX)]);
    format!("{shown}… (cut: it has {} bytes)", value.len())
}

fn planned_env(env: &BTreeMap<String, EnvSource>) -> Vec<String> {
    with(env.iter().map(|(name, source)| (name, planned_source(source))))
}

fn header(name: &str, value: &str) -> String {
    format!("with {}: {}", visible_line(name), visible_line(value))
}

fn folder(dir: Option<&str>) -> Option<String> {
    dir.map(|dir| format!("in {}", visible_line(dir)))
}

fn source_text(source: &RenderedSource) -> String {
    match source {
        RenderedSource::Value(value) => value.clone(),
        RenderedSource::Secret { name, prefix } => format!("{prefix}(secret {name})"),
    }
}

fn planned_source(source: &EnvSource) -> String {
    match source {
        EnvSource::Template(value) => template(value),
        EnvSource::Secret { name, prefix } => format!("{prefix}(secret {name})"),
    }
}

/// A template as it was written, or nearly so.
pub(crate) fn template(template: &Template) -> String {
    match template {
        Template::Literal(Value::String(text)) => text.clone(),
        Template::Literal(value) => canonical(value),
        Template::Value(expression) => format!("{{{{ {} }}}}", expression.source),
        // Kept as written, braces and all.
        Template::Text(expression) => expression.source.clone(),
        Template::List(items) => {
            let items: Vec<String> = items.iter().map(self::template).collect();
            format!("[{}]", items.join(", "))
        }
        Template::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, value)| format!("{name}: {}", self::template(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

pub(crate) fn command_line<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(|word| super::hint::quoted(&visible_line(word))).collect::<Vec<_>>().join(" ")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| canonical(value))
}

fn statuses(ranges: &[(u16, u16)]) -> String {
    let one = |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}–{high}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_script_is_shown_exactly_and_cannot_hide_anything() {
        let action = Rendered::Run {
            text: "echo one\n\x1b[1A\x1b[2Krm -rf \"$DIR\"\n".to_owned(),
            shell: "bash".to_owned(),
            env: BTreeMap::from([
                ("DIR".to_owned(), RenderedSource::Value("/srv\n/x".to_owned())),
                ("TOKEN".to_owned(), RenderedSource::Secret { name: "admin".into(), prefix: "Bearer ".to_owned() }),
            ]),
            dir: Some("/opt".to_owned()),
        };
        let lines = [
            "runs, by bash:",
            "  │ echo one",
            "  │ \\u{1b}[1A\\u{1b}[2Krm -rf \"$DIR\"",
            "with DIR=/srv\\n/x",
            "with TOKEN=Bearer (secret admin)",
            "in /opt",
        ];
        assert_eq!(rendered(&action), lines);
    }

    #[test]
    fn a_value_that_would_fill_the_terminal_is_cut_and_says_so() {
        let value = |text: String| RenderedSource::Value(text);
        let shown = BTreeMap::from([
            ("FITS".to_owned(), value("x".repeat(VALUE_MAX))),
            ("LONG".to_owned(), value(format!("{}é{}", "x".repeat(VALUE_MAX - 1), "y".repeat(70_000)))),
        ]);
        let fits = "x".repeat(VALUE_MAX);
        let lines = [format!("with FITS={fits}"), format!("with LONG={}… (cut: it has 71001 bytes)", &fits[1..])];
        assert_eq!(given(&Given { shown, ..Given::default() }), lines);
    }

    #[test]
    fn requests_show_method_body_and_expected_statuses() {
        let action = Rendered::Http {
            method: "POST".to_owned(),
            url: "http://h/x".to_owned(),
            headers: BTreeMap::new(),
            body: Some(RenderedBody::Json(json!({"a": 1}))),
            expect: vec![(200, 399), (404, 404)],
        };
        let lines =
            ["sends: POST http://h/x", "body:", "  │ {", "  │   \"a\": 1", "  │ }", "expects status 200–399, 404"];
        assert_eq!(rendered(&action), lines);
    }

    #[test]
    fn an_undo_is_shown_with_its_templates() {
        let action = json!({"argv": {"argv": [{"literal": "kill it"}, {"value": {"source": "outputs.pid", "reads": []}}],
            "env": {}, "dir": null}});
        assert_eq!(undo(&action), ["runs: 'kill it' '{{ outputs.pid }}'"]);
        assert_eq!(undo(&json!({"new": 1})), [r#"{"new":1}"#]);
    }
}
