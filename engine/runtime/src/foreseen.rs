//! An undo as far as it is known before its step has run: what comes from the environment and the params stands there as
//! its value. In a question, what only the step will make stands there in words, such as `‹id of this step›`; in a plan it
//! stays as its author wrote it. For people to read; nothing is executed from it.

use std::collections::BTreeMap;

use runbook_core::as_text;
use runbook_core::event::Created;
use runbook_core::plan::{Action, Ask, Body, DoneWhen, EnvSource, HttpBody, Plan, Step, Template, Wait};
use runbook_core::run::{Run, StepState};
use runbook_core::units::StepId;
use runbook_language::expression::{Piece, analyse_expression, split};
use serde_json::{Value, json};

/// The action with all names filled in that are known now, and words for the others.
pub(crate) fn foreseen(mut action: Action, created: &Created, run: &Run) -> Action {
    let about = json!({"id": created.run.as_str(), "runbook": created.plan.about.id, "started_by": created.by.name});
    let asked = Some(Asked { run, about: &about });
    Known { params: &created.params, environment: &created.environment, asked }.fill_action(&mut action);
    action
}

/// The plan with all names filled in that are known before there is a run; those of child runs are their own.
pub fn foresee(plan: &mut Plan, params: &Value, environment: &Value) {
    let known = Known { params, environment, asked: None };
    plan.locks.iter_mut().for_each(|lock| known.fill(&mut lock.name));
    known.fill_steps(&mut plan.steps);
}

struct Known<'c> {
    params: &'c Value,
    environment: &'c Value,
    asked: Option<Asked<'c>>,
}

/// What is known while a run asks.
struct Asked<'c> {
    run: &'c Run,
    /// What `run` is in expressions.
    about: &'c Value,
}

impl Known<'_> {
    fn fill_action(&self, action: &mut Action) {
        match action {
            Action::Run(run) => {
                self.fill_sources(&mut run.env);
                run.dir.iter_mut().for_each(|dir| self.fill(dir));
            }
            Action::Argv(argv) => {
                argv.argv.iter_mut().for_each(|word| self.fill(word));
                self.fill_sources(&mut argv.env);
                argv.dir.iter_mut().for_each(|dir| self.fill(dir));
            }
            Action::Http(http) => {
                self.fill(&mut http.url);
                self.fill_sources(&mut http.headers);
                if let Some(HttpBody::Json(body) | HttpBody::Text(body)) = &mut http.body {
                    self.fill(body);
                }
            }
            Action::Set(values) => values.values_mut().for_each(|value| self.fill(value)),
            Action::Wait(Wait::For(time) | Wait::Until(time)) => self.fill(time),
            Action::Manual(text) | Action::Ask(Ask { prompt: text, .. }) => self.fill(text),
            Action::Runbook(call) => call.with.values_mut().for_each(|value| self.fill(value)),
            Action::Plugin(call) => {
                self.fill_sources(&mut call.with);
                call.outputs.values_mut().for_each(|value| self.fill(value));
            }
            Action::Assert(_) | Action::UndoRunbook => {}
        }
    }

    fn fill_steps(&self, steps: &mut [Step]) {
        for step in steps {
            match &mut step.body {
                Body::Action(action) => self.fill_action(action),
                Body::ForEach(each) => self.fill_steps(&mut each.body),
                Body::Block { .. } | Body::Switch { .. } => {}
            }
            step.rollback.iter_mut().for_each(|undo| self.fill_action(&mut undo.action));
            if let Some(DoneWhen::Probe(probe)) = &mut step.done_when {
                self.fill_action(&mut probe.action);
            }
            step.locks.iter_mut().for_each(|lock| self.fill(&mut lock.name));
        }
    }

    fn fill_sources(&self, sources: &mut BTreeMap<String, EnvSource>) {
        for source in sources.values_mut() {
            if let EnvSource::Template(template) = source {
                self.fill(template);
            }
        }
    }

    fn fill(&self, template: &mut Template) {
        match template {
            Template::Literal(_) => {}
            Template::Value(expression) => {
                if let Some(value) = self.value(&expression.source) {
                    *template = Template::Literal(value.clone());
                } else if self.asked.is_some() {
                    *template = Template::text(in_words(&expression.source));
                }
            }
            Template::Text(expression) => {
                let filled = self.fill_text(&expression.source);
                // It is no template any more, whatever its values look like.
                if self.asked.is_some() { *template = Template::text(filled) } else { expression.source = filled }
            }
            Template::List(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Template::Object(entries) => entries.values_mut().for_each(|entry| self.fill(entry)),
        }
    }

    /// Only a plain name is filled in: whatever is computed stays as its author wrote it, or is said in words.
    fn fill_text(&self, text: &str) -> String {
        let Ok(pieces) = split(text) else {
            // The checker lets none such through, but a plan in a journal may be of another version.
            return if self.asked.is_some() { COMPUTED.to_owned() } else { text.to_owned() };
        };
        let mut filled = String::with_capacity(text.len());
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Expression { source, whole, .. } => match self.value(source) {
                    Some(value) => filled.push_str(&as_text(value.clone())),
                    None if self.asked.is_some() => filled.push_str(&in_words(source)),
                    None => filled.push_str(whole),
                },
            }
        }
        filled
    }

    fn value(&self, expression: &str) -> Option<&Value> {
        let mut names = expression.trim().split('.');
        let start = names.next()?;
        let first = names.next()?;
        let found = match start {
            "params" => self.params.get(first)?,
            "environment" => self.environment.get(first)?,
            "run" => self.asked.as_ref()?.about.get(first)?,
            "steps" if names.next() == Some("outputs") => self.output(first, names.next()?)?,
            _ => return None,
        };
        names.try_fold(found, |value, name| value.get(name))
    }
}

impl Known<'_> {
    /// What a step handed on that has succeeded. Within a loop its name means another one for each item.
    fn output(&self, step: &str, name: &str) -> Option<&Value> {
        let step = StepId::new(step);
        let run = self.asked.as_ref()?.run;
        run.step_plan(&step).filter(|plan| plan.item.is_none())?;
        run.step(&step).filter(|step| step.state == StepState::Succeeded)?.outputs.get(name)
    }
}

/// What stands for a value when nothing can be said of where it comes from.
const COMPUTED: &str = "‹computed›";

/// What an expression stands for whose value is not known.
fn in_words(expression: &str) -> String {
    let expression = expression.trim();
    let Ok(read) = analyse_expression(expression) else { return COMPUTED.to_owned() };
    if let [name] = read.uses.as_slice()
        && name.len == expression.len()
        && !name.dynamic
    {
        return format!("‹{}›", name_in_words(&name.path));
    }
    let mut names: Vec<String> = read.uses.iter().map(|name| name_in_words(&name.path)).collect();
    names.sort();
    names.dedup();
    if names.is_empty() { COMPUTED.to_owned() } else { format!("‹computed from {}›", names.join(" and ")) }
}

fn name_in_words(path: &[String]) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["outputs", name @ ..] if !name.is_empty() => format!("{} of this step", name.join(".")),
        ["outputs" | "stdout" | "stderr" | "exit_code" | "response", ..] => format!("{} of this step", path.join(".")),
        ["steps", step, "outputs", name @ ..] if !name.is_empty() => format!("{} of the step {step}", name.join(".")),
        ["steps", step, name @ ..] if !name.is_empty() => format!("{} of the step {step}", name.join(".")),
        ["params" | "environment", name @ ..] if !name.is_empty() => name.join("."),
        ["run", name @ ..] if !name.is_empty() => format!("{} of the run", name.join(".")),
        [item, name @ ..] if !name.is_empty() => format!("{} of {item}", name.join(".")),
        _ => path.join("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said_in_words() {
        for (expression, words) in [
            (" outputs.notice ", "‹notice of this step›"),
            ("stdout", "‹stdout of this step›"),
            ("steps.create.outputs.id", "‹id of the step create›"),
            ("item", "‹item›"),
            ("host.name", "‹name of host›"),
            ("outputs.count + params.more", "‹computed from count of this step and more›"),
            ("outputs.list[0]", "‹computed from list of this step›"),
            ("'{' ~ '{'", "‹computed›"),
        ] {
            assert_eq!(in_words(expression), words, "{expression}");
        }
    }

    fn filled(text: &str) -> String {
        let params = json!({"version": "1.4", "tags": ["a"]});
        let environment = json!({"api": "http://127.0.0.1:1", "db": {"host": "{{ params.version }}"}});
        let known = Known { params: &params, environment: &environment, asked: None };
        known.fill_text(text)
    }

    fn asked(text: &str) -> String {
        let params = json!({"version": "1.4"});
        let asked = Some(Asked { run: &Run::default(), about: &json!({}) });
        Known { params: &params, environment: &json!({}), asked }.fill_text(text)
    }

    #[test]
    fn an_expression_ends_where_it_ends_for_the_one_who_evaluates_it() {
        for (text, shown) in [
            ("x {{ {'a': {'id': outputs.id}} | tojson }} y", "x ‹computed from id of this step› y"),
            ("x {{ outputs.id ~ '}}' }} y", "x ‹computed from id of this step› y"),
            ("x {{ \"{{ params.version }}\" ~ item }} y", "x ‹computed from item› y"),
            ("{{ '}}{{params.version}}' }} of {{ params.version }}", "‹computed› of 1.4"),
            ("x {{- outputs.id -}} y", "x‹id of this step›y"),
            ("x {{- params.version }}", "x1.4"),
        ] {
            assert_eq!(asked(text), shown, "{text}");
        }
        for text in
            ["x {{ outputs.id", "x {{ params.version }} {{ 'open }}", "{% if x %}{{ params.version }}{% endif %}"]
        {
            assert_eq!(asked(text), "‹computed›", "{text}");
        }
        let kept = "{{ '}}{{params.version}}' ~ outputs.id }}{{- -outputs.count }}";
        assert_eq!(filled(&format!("{kept} {{{{ params.version }}}}")), format!("{kept} 1.4"));
    }

    #[test]
    fn known_names_become_values_and_nothing_else_does() {
        assert_eq!(filled("{{ environment.api }}/stop"), "http://127.0.0.1:1/stop");
        assert_eq!(filled("{{params.version}} {{ params.tags }}"), r#"1.4 ["a"]"#);
        assert_eq!(
            filled("{{ outputs.id }} {{ params.version | upper }}"),
            "{{ outputs.id }} {{ params.version | upper }}"
        );
        assert_eq!(filled("{{ params.nope }} {{ open"), "{{ params.nope }} {{ open");
    }

    #[test]
    fn a_value_that_looks_like_a_template_is_not_filled_again() {
        assert_eq!(filled("{{ environment.db.host }}"), "{{ params.version }}");
    }
}
