//! `uses` and `with`: the values are held against the inputs of the plugin.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::plan::{Action, EnvSource, OnInterrupt, Operation, PluginCall, Retry, RunbookCall, Template, Undo};
use serde_json::{Map, Value};

use super::Lowering;
use super::site::Site;
use super::step::KILL_GRACE_MS;
use crate::code::Code;
use crate::decode::{Decode as _, Entries, Free, Text};
use crate::document::SecretRef;
use crate::plugin::{Body, Definition, Used, secret_ref};
use crate::suggest::{did_you_mean, some_of};
use crate::values::{compile, misfits};
use crate::yaml::Node;

impl Lowering<'_, '_> {
    /// The call of a plugin, or the child run that it is.
    pub(crate) fn uses(
        &mut self,
        used: &Used,
        name: &Text,
        with: Option<&Entries<Free>>,
        site: &Site,
    ) -> Option<Action> {
        let definition = &used.definition;
        let lowered = self.inputs(definition, name, with, site);
        self.check_inputs(definition, name, with, &lowered);
        if let Some(child) = &used.child {
            self.check_keys_of_steps(site);
            let plain = |(name, source): (String, EnvSource)| match source {
                EnvSource::Template(template) => Some((name, template)),
                EnvSource::Secret { .. } => None,
            };
            let with = lowered.into_iter().filter_map(plain).collect();
            return Some(Action::Runbook(RunbookCall { name: name.value.clone(), plan: child.plan.clone(), with }));
        }
        let Body::Program { plugin, .. } = &definition.body else { return None };
        self.plugins.insert(definition.digest.clone(), (**plugin).clone());
        Some(Action::Plugin(PluginCall {
            name: name.value.clone(),
            plugin: definition.digest.clone(),
            operation: Operation::Run,
            with: lowered,
            outputs: BTreeMap::new(),
        }))
    }

    /// A plugin of steps is a child run, and what can be said of a command says nothing about it.
    fn check_keys_of_steps(&mut self, site: &Site) {
        let Some(at) = site.step.filter(|_| site.undo.is_none()) else { return };
        let place = &self.outline.items[at].doc.place;
        for key in ["until", "every", "on_interrupt", "read_only", "done_when", "kill_grace", "outputs"] {
            if let Some(span) = place.key(key) {
                self.found
                    .error(Code::Misplaced, span, format!("`{key}` makes no sense with a plugin of steps"))
                    .help("it is a child run, whose steps say such things themselves");
            }
        }
    }

    /// How a plugin that can undo what it did undoes a step without a rollback of its own.
    pub(crate) fn undo_by_plugin(
        &self,
        at: usize,
        action: &Action,
        timeout_ms: Option<u64>,
        retry: Option<&Retry>,
    ) -> Option<Undo> {
        let Action::Plugin(call) = action else { return None };
        let used = self.uses[at].as_ref().filter(|_| !self.is_cleanup(at))?;
        let Body::Program { plugin, undoes: true } = &used.definition.body else { return None };
        let own = |name: &String| (name.clone(), super::step::handed_back(name));
        let outputs = used.definition.outputs.iter().map(own).collect();
        let doc = self.outline.items[at].doc;
        Some(Undo {
            action: Action::Plugin(PluginCall { operation: Operation::Undo, outputs, ..call.clone() }),
            also_failed: false,
            timeout_ms,
            kill_grace_ms: doc.kill_grace.as_ref().map_or(KILL_GRACE_MS, |grace| grace.0.value),
            // What `on` looks for was written of the call, and says nothing about the way back.
            retry: retry.map(|retry| Retry { on: None, ..retry.clone() }),
            on_interrupt: if plugin.idempotent { OnInterrupt::Rerun } else { OnInterrupt::Ask },
        })
    }

    /// What an interruption of a call does where nothing is written.
    pub(crate) fn is_idempotent(&self, action: &Action) -> bool {
        match action {
            Action::Plugin(call) => self.plugins.get(&call.plugin).is_some_and(|plugin| plugin.idempotent),
            _ => false,
        }
    }

    fn inputs(
        &mut self,
        definition: &Definition,
        name: &Text,
        with: Option<&Entries<Free>>,
        site: &Site,
    ) -> BTreeMap<String, EnvSource> {
        let mut lowered = BTreeMap::new();
        for (key, value) in with.iter().flat_map(|with| with.iter()) {
            let is_secret = definition.inputs.secrets.contains(&key.value);
            let source = match (is_secret, secret_ref(&value.0).is_some()) {
                (true, true) => self.secret_input(&value.0),
                (true, false) => {
                    self.found
                        .error(
                            Code::InputOfPlugin,
                            value.0.span,
                            format!("`{}` is a secret to `{}`", key.value, name.value),
                        )
                        .help(format!(
                            "write `{}: {{secret: name}}`, so that the value is in no file and no record",
                            key.value
                        ));
                    None
                }
                (false, _) => self.template(&value.0, site).map(EnvSource::Template),
            };
            if let Some(source) = source {
                lowered.insert(key.value.clone(), source);
            }
        }
        lowered
    }

    fn secret_input(&mut self, node: &Node) -> Option<EnvSource> {
        let secret = SecretRef::decode(node, self.found)?;
        let wanted = secret.secret.get()?;
        self.use_secret(wanted);
        let prefix = secret.prefix.as_ref().map(|prefix| prefix.value.clone()).unwrap_or_default();
        Some(EnvSource::Secret { name: self.secret_name(&wanted.value), prefix })
    }

    fn check_inputs(
        &mut self,
        definition: &Definition,
        name: &Text,
        with: Option<&Entries<Free>>,
        lowered: &BTreeMap<String, EnvSource>,
    ) {
        let inputs = &definition.inputs;
        let given: Vec<&Text> = with.iter().flat_map(|with| &with.items).map(|entry| &entry.key).collect();
        for key in given.iter().filter(|key| !inputs.properties.contains_key(&key.value)) {
            let help = did_you_mean(&key.value, inputs.properties.keys()).unwrap_or_else(|| {
                match inputs.properties.is_empty() {
                    true => format!("`{}` takes nothing: remove it", name.value),
                    false => format!("it takes {}", some_of(inputs.properties.keys().map(String::as_str))),
                }
            });
            let message = format!("the plugin `{}` has no input `{}`", name.value, key.value);
            self.found.error(Code::InputOfPlugin, key.span, message).help(help);
        }
        // One of steps cannot do without a secret that it names.
        let of_steps = matches!(definition.body, Body::Steps(_)).then_some(&inputs.secrets);
        let needed: BTreeSet<&String> = inputs.required.iter().chain(of_steps.into_iter().flatten()).collect();
        for input in needed.into_iter().filter(|input| !given.iter().any(|key| key.value == **input)) {
            let value = if inputs.secrets.contains(input) { "{secret: name}" } else { "…" };
            let message = format!("the plugin `{}` needs the input `{input}`", name.value);
            self.found
                .error(Code::InputOfPlugin, name.span, message)
                .help(format!("give it one: `with: {{{input}: {value}}}`"));
        }
        self.check_values(definition, with, lowered);
    }

    /// Holds what is known of the values against the schema.
    fn check_values(
        &mut self,
        definition: &Definition,
        with: Option<&Entries<Free>>,
        lowered: &BTreeMap<String, EnvSource>,
    ) {
        let Ok(validator) = compile(&definition.inputs.schema) else { return };
        let (mut known, mut open) = (Map::new(), vec![]);
        for (name, source) in lowered {
            let EnvSource::Template(template) = source else { continue };
            known.insert(name.clone(), shape(template, &format!("/{}", escaped(name)), &mut open));
        }
        let within = |path: &str, of: &str| path == of || path.starts_with(&format!("{of}/"));
        for misfit in misfits(&validator, &Value::Object(known)) {
            let Some((name, value)) = input_at(&misfit.path, with) else { continue };
            // What is not known yet may fit; that a text is no number is known of each text.
            let is_open = |one: &Open| within(&one.path, &misfit.path) || within(&misfit.path, &one.path);
            let is_certain = misfit.is_type && !open.iter().any(|one| !one.is_text && one.path == misfit.path);
            if open.iter().any(is_open) && !is_certain {
                continue;
            }
            let rest = misfit.path.splitn(3, '/').nth(2).map(|rest| format!("/{rest}")).unwrap_or_default();
            let span = crate::plugin::at(value, &rest);
            let place = format!("{name}{}", rest.replace('/', "."));
            self.found.error(Code::InputOfPlugin, span, format!("`{place}` {}", misfit.message));
        }
    }
}

/// A value that is known only in the run.
struct Open {
    path: String,
    /// Whether it is a text all the same.
    is_text: bool,
}

/// As much of a value as is known, with placeholders for the rest.
fn shape(template: &Template, path: &str, open: &mut Vec<Open>) -> Value {
    match template {
        Template::Literal(value) => value.clone(),
        Template::Value(_) => {
            open.push(Open { path: path.to_owned(), is_text: false });
            Value::Null
        }
        Template::Text(_) => {
            open.push(Open { path: path.to_owned(), is_text: true });
            Value::String(String::new())
        }
        Template::List(items) => {
            (0..).zip(items).map(|(at, item): (usize, _)| shape(item, &format!("{path}/{at}"), open)).collect()
        }
        Template::Object(entries) => {
            let entry = |(name, value): (&String, &Template)| {
                (name.clone(), shape(value, &format!("{path}/{}", escaped(name)), open))
            };
            entries.iter().map(entry).collect()
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The input that a JSON pointer leads to; none for what concerns them all, which is looked at by itself.
fn input_at<'w>(path: &str, with: Option<&'w Entries<Free>>) -> Option<(&'w str, &'w Node)> {
    let name = path.split('/').nth(1)?;
    let (key, value) = with?.iter().find(|(key, _)| escaped(&key.value) == name)?;
    Some((&key.value, &value.0))
}
