//! Locks of the document and of its steps.

use std::collections::BTreeMap;

use runbook_core::plan::{Expression, Lock, Template};

use super::Lowering;
use super::site::Site;
use super::template::literal_text;
use crate::check::locks::Held;
use crate::code::Code;
use crate::decode::List;
use crate::document::LockDoc;
use crate::source::Span;

impl<'d> Lowering<'d, '_> {
    /// The locks of the document or of a step.
    pub(crate) fn locks(&mut self, list: Option<&'d List<LockDoc>>, site: &Site) -> Vec<Lock> {
        let Some(list) = list else { return vec![] };
        if list.empty {
            self.found.error(Code::Empty, list.span, "there are no locks in it").help("name one, or remove the key");
        }
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut locks = vec![];
        for doc in &list.items {
            let (node, wait) = match doc {
                LockDoc::Name(node) => (Some(node), None),
                LockDoc::Map(map) => (map.name.get().map(|name| &name.0), map.wait.as_ref()),
            };
            let wait_ms = wait.map(|wait| self.positive(wait));
            let Some(node) = node else { continue };
            let Some(name) = self.template(node, site) else { continue };
            if let Some(text) = literal_text(&name) {
                if text.trim().is_empty() {
                    self.found.error(Code::WrongValue, node.span, "a lock needs a name");
                } else if let Some(first) = seen.insert(text.to_owned(), node.span) {
                    self.found
                        .error(Code::WrongValue, node.span, format!("the lock `{text}` is there twice"))
                        .related(first, "first here")
                        .help("remove one of them");
                }
            }
            if let Some(written) = self.name_for_all(&name, site, node.span) {
                self.locks_held.push(Held { step: site.step, name: written, span: node.span });
            }
            locks.push(Lock { name, wait_ms });
        }
        locks
    }

    /// The name as written, where that is the same lock wherever it is written: it depends on nothing that happens in the run.
    fn name_for_all(&self, name: &Template, site: &Site, span: Span) -> Option<String> {
        if let Some(text) = literal_text(name) {
            return Some(text.to_owned());
        }
        let is_fixed = |expression: &&Expression| expression.reads.is_empty() && expression.locals.is_empty();
        let in_loop = site.step.is_some_and(|at| self.outline.loops(at).next().is_some());
        let is_fixed = !in_loop && name.expressions().iter().all(is_fixed);
        is_fixed.then(|| self.found.file().slice(span).trim_matches(['"', '\'']).to_owned())
    }
}
