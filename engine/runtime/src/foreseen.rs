//! An undo as far as it is known before its step has run: what comes from the environment and the params stands there as
//! its value, and only what the step will make stays in braces. For people to read; nothing is executed from it.

use std::collections::BTreeMap;

use runbook_core::as_text;
use runbook_core::event::Created;
use runbook_core::plan::{Action, Ask, Body, DoneWhen, EnvSource, HttpBody, Plan, Step, Template, Wait};
use serde_json::Value;

/// The action with all names filled in that the start of the run knows.
pub(crate) fn foreseen(mut action: Action, created: &Created) -> Action {
    Known { params: &created.params, environment: &created.environment }.fill_action(&mut action);
    action
}

/// The plan with all names filled in that are known before there is a run; those of child runs are their own.
pub fn foresee(plan: &mut Plan, params: &Value, environment: &Value) {
    let known = Known { params, environment };
    plan.locks.iter_mut().for_each(|lock| known.fill(&mut lock.name));
    known.fill_steps(&mut plan.steps);
}

struct Known<'c> {
    params: &'c Value,
    environment: &'c Value,
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
                }
            }
            Template::Text(expression) => expression.source = self.fill_text(&expression.source),
            Template::List(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Template::Object(entries) => entries.values_mut().for_each(|entry| self.fill(entry)),
        }
    }

    /// Only a plain name is filled in: whatever is computed stays as its author wrote it.
    fn fill_text(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((inside, behind)) = after.split_once("}}") else {
                filled.push_str("{{");
                rest = after;
                continue;
            };
            match self.value(inside) {
                Some(value) => filled.push_str(&as_text(value.clone())),
                None => filled.extend(["{{", inside, "}}"]),
            }
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, expression: &str) -> Option<&Value> {
        let mut names = expression.trim().split('.');
        let start = names.next()?;
        let first = names.next()?;
        let found = match start {
            "params" => self.params.get(first)?,
            "environment" => self.environment.get(first)?,
            _ => return None,
        };
        names.try_fold(found, |value, name| value.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(text: &str) -> String {
        let params = json!({"version": "1.4", "tags": ["a"]});
        let environment = json!({"api": "http://127.0.0.1:1", "db": {"host": "{{ params.version }}"}});
        let known = Known { params: &params, environment: &environment };
        known.fill_text(text)
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
