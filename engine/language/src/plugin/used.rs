//! The plugin that a step uses, found, read and checked once.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use runbook_core::plan::{CHILD_DEPTH_MAX, SecretSource};
use runbook_core::units::SecretName;

use super::{Body, Definition, define};
use crate::code::Code;
use crate::decode::{Decode as _, Entries, Free, Text};
use crate::diagnostic::{Collector, Diagnostic};
use crate::document::{PluginDoc, SecretRef};
use crate::library::{Child, Children, GivenSecrets, too_deep};
use crate::load;
use crate::yaml::{Kind, Node};

/// A plugin as one step uses it.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) definition: Rc<Definition>,
    /// For one of steps: the child run that it is.
    pub(crate) child: Option<Rc<Child>>,
}

impl Children<'_> {
    /// The plugin that a step of the present file uses; none when it cannot be used, which is reported. `sources` are those of
    /// the secrets of the present file.
    pub(crate) fn uses(
        &mut self,
        name: &Text,
        with: Option<&Entries<Free>>,
        sources: &BTreeMap<SecretName, SecretSource>,
        found: &mut Collector,
    ) -> Option<Used> {
        let from = match self.library.plugin(&name.value, found.file()) {
            Ok(from) => from,
            Err(missing) => {
                let error = found.error(Code::UnknownPlugin, name.span, missing.message);
                if let Some(help) = missing.help {
                    error.help(help);
                }
                return None;
            }
        };
        if self.runs_itself(&from.file, name, found) {
            return None;
        }
        let definition = match self.plugins.get(from.file.name()) {
            Some(known) => known.clone(),
            None => {
                let mut own = Collector::new(&from.file);
                let doc: Option<PluginDoc> = load::read(&from.file, "plugin/v1", &mut own);
                let definition = doc.and_then(|doc| define(&doc, &from, &mut own));
                let is_broken = own.has_errors();
                self.found.extend(own.finish());
                let definition = definition.filter(|_| !is_broken).map(Rc::new);
                self.plugins.insert(from.file.name().to_owned(), definition.clone());
                definition
            }
        };
        let Some(definition) = definition else { return self.is_broken(name, from.file.name(), found) };
        if matches!(definition.body, Body::Program { .. }) {
            return Some(Used { definition, child: None });
        }
        let given = self.given_to(&definition, with, sources);
        match self.steps_of(&definition, given) {
            None => self.is_broken(name, from.file.name(), found),
            Some(child) if child.depth >= CHILD_DEPTH_MAX => too_deep(name, found),
            Some(child) => Some(Used { definition, child: Some(Rc::new(child)) }),
        }
    }

    /// What follows from a mistake in another file is said once, where the way began.
    fn is_broken(&self, name: &Text, file: &str, found: &mut Collector) -> Option<Used> {
        if self.is_first() {
            found
                .error(Code::BrokenPlugin, name.span, format!("the plugin `{}` has errors", name.value))
                .help(format!("they are reported for {file}"));
        }
        None
    }

    fn given_to(
        &self,
        definition: &Definition,
        with: Option<&Entries<Free>>,
        sources: &BTreeMap<SecretName, SecretSource>,
    ) -> GivenSecrets {
        let mut given = GivenSecrets::default();
        for (input, value) in with.iter().flat_map(|with| with.iter()) {
            let wanted = definition.inputs.secrets.contains(&input.value).then(|| secret_ref(&value.0)).flatten();
            let Some(wanted) = wanted.and_then(|wanted| wanted.secret.0) else { continue };
            let name = self.secret_name(&wanted.value);
            if let Some(source) = sources.get(&name) {
                given.sources.insert(name.clone(), source.clone());
            }
            given.names.insert(input.value.clone(), name);
        }
        given
    }

    /// The name by which the run knows a secret of the present file.
    pub(crate) fn secret_name(&self, written: &str) -> SecretName {
        let given = self.given.last().and_then(Option::as_ref);
        let given = given.and_then(|given| given.names.get(written).cloned());
        given.unwrap_or_else(|| SecretName::new(written.to_owned()))
    }

    /// The plan of a plugin of steps, with the secrets that it is given here.
    fn steps_of(&mut self, definition: &Definition, given: GivenSecrets) -> Option<Child> {
        let Body::Steps(runbook) = &definition.body else { return None };
        let id = runbook.id.get().map_or(definition.file.name(), |id| id.value.as_str());
        let mut own = Collector::new(&definition.file);
        self.enter_with(&definition.file, id, Some(given));
        let environment = self.environment.map(|environment| &environment.document);
        let plan = crate::lower::lower(runbook, environment, self, &BTreeSet::new(), &mut own);
        self.leave();
        let is_broken = own.has_errors();
        // It is lowered for each step that uses it, and what is wrong with it is said once.
        let same = |one: &Diagnostic, other: &Diagnostic| {
            (one.code, one.span, one.file.name()) == (other.code, other.span, other.file.name())
                && one.message == other.message
        };
        let is_new = |one: &Diagnostic| !self.found.iter().any(|other| same(one, other));
        let own: Vec<_> = own.finish().into_iter().filter(is_new).collect();
        self.found.extend(own);
        plan.filter(|_| !is_broken).map(|plan| self.add(plan))
    }
}

/// A value that is `{secret: name}`, with or without a prefix.
pub(crate) fn secret_ref(node: &Node) -> Option<SecretRef> {
    let Kind::Map(entries) = &node.kind else { return None };
    let is_one = entries.iter().any(|(key, _)| key.text == "secret")
        && entries.iter().all(|(key, _)| matches!(key.text.as_str(), "secret" | "prefix"));
    if !is_one {
        return None;
    }
    // What is wrong with it is reported where the value is lowered.
    SecretRef::decode(node, &mut Collector::new(&crate::source::SourceFile::new("", "")))
}
