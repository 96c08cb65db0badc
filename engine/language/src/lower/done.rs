//! `done_when`, and what a step that was already done hands on.

use std::collections::BTreeSet;

use runbook_core::plan::{DoneWhen, Probe};

use super::Lowering;
use super::action::Command;
use super::site::Site;
use super::step::KILL_GRACE_MS;
use crate::document::{DoneWhenDoc, OutputsDoc};
use crate::expression::analyse_template;
use crate::yaml::{Kind, Node};

/// How long a look may take where nothing is written, in milliseconds: one that hangs must not hold up the run.
const TIMEOUT_MS: u64 = 60_000;

impl Lowering<'_, '_> {
    /// What says that nothing is left to do; none when there is none or it cannot be used, which has been reported.
    pub(crate) fn done_when(&mut self, at: usize) -> Option<DoneWhen> {
        let site = Site::step(at);
        match self.outline.items[at].doc.done_when.as_ref()? {
            DoneWhenDoc::Holds(text) => self.expression(&text.0, &site).map(DoneWhen::Holds),
            DoneWhenDoc::Probe(doc) => {
                let command = Command { env: doc.env.as_ref(), dir: doc.dir.as_ref(), shell: doc.shell.as_ref() };
                let action = doc.run.get().and_then(|text| self.script(text, &command, &site));
                let timeout_ms = doc.timeout.as_ref().map_or(TIMEOUT_MS, |time| self.positive(time));
                let kill_grace_ms = doc.kill_grace.as_ref().map_or(KILL_GRACE_MS, |grace| grace.0.value);
                Some(DoneWhen::Probe(Box::new(Probe { action: action?, timeout_ms, kill_grace_ms })))
            }
        }
    }

    /// Why an output of a step may be missing although the step succeeded: it was done already, and then there is only
    /// what needs no attempt, and what a look hands back.
    pub(crate) fn missing_when_done(&self, target: usize, output: &str) -> Option<String> {
        let doc = self.outline.items[target].doc;
        let done_when = doc.done_when.as_ref()?;
        let mut read = BTreeSet::new();
        match doc.outputs.as_ref()? {
            OutputsDoc::Names(_) => drop(read.insert("outputs".to_owned())),
            OutputsDoc::Templates(entries) => {
                if let Some(value) = entries.entry(output).and_then(|entry| entry.value.as_ref()) {
                    roots(&value.0, &mut read);
                }
            }
        }
        if matches!(done_when, DoneWhenDoc::Probe(_)) {
            read.remove("outputs");
        }
        let of_attempt = ["stdout", "stderr", "exit_code", "response", "outputs"];
        let name = self.outline.name(target);
        let read = of_attempt.into_iter().find(|name| read.contains(*name))?;
        Some(format!("`{name}` may be done already, and then there is no `{read}`"))
    }
}

/// The names that the templates in a value read.
fn roots(node: &Node, found: &mut BTreeSet<String>) {
    match &node.kind {
        Kind::Text(text) => {
            // What is no template has been reported.
            let uses = analyse_template(text).map(|analysis| analysis.uses).unwrap_or_default();
            found.extend(uses.into_iter().filter(|name| !name.defaulted).filter_map(|name| name.path.first().cloned()));
        }
        Kind::List(items) => items.iter().for_each(|item| roots(item, found)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| roots(value, found)),
        _ => {}
    }
}
