//! `runbook` and `with`: the values are held against the params of the other runbook.

use runbook_core::plan::{Action, RunbookCall, Template};

use super::Lowering;
use super::site::Site;
use crate::code::Code;
use crate::decode::Text;
use crate::library::Child;
use crate::params::check_value;
use crate::suggest::{did_you_mean, some_of};

impl Lowering<'_, '_> {
    pub(crate) fn runbook(&mut self, at: usize, name: &Text, site: &Site) -> Option<Action> {
        let doc = self.outline.items[at].doc;
        let with = doc.with.as_ref().map(|with| self.named(with, site)).unwrap_or_default();
        let child = self.calls[at].clone()?;
        self.check_with(at, name, &child);
        for (param, value) in doc.with.iter().flat_map(|with| with.iter()) {
            let literal = with.get(&param.value).and_then(|template| match template {
                Template::Literal(value) => Some(value),
                _ => None,
            });
            if let (Some(param), Some(literal)) = (child.params.get(&param.value), literal)
                && let Err(reason) = check_value(param, literal)
            {
                let (message, help) = match reason.split_once("; ") {
                    Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
                    None => (reason, None),
                };
                let error = self.found.error(Code::ParamValue, value.0.span, message);
                if let Some(help) = help {
                    error.help(help);
                }
            }
        }
        Some(Action::Runbook(RunbookCall { name: name.value.clone(), plan: child.plan.clone(), with }))
    }

    fn check_with(&mut self, at: usize, name: &Text, child: &Child) {
        let doc = self.outline.items[at].doc;
        let given: Vec<&Text> = doc.with.iter().flat_map(|with| &with.items).map(|entry| &entry.key).collect();
        for key in given.iter().filter(|key| !child.params.contains_key(&key.value)) {
            let help = did_you_mean(&key.value, child.params.keys()).unwrap_or_else(|| match child.params.is_empty() {
                true => format!("`{}` has no params: remove it", name.value),
                false => format!("its params are {}", some_of(child.params.keys().map(String::as_str))),
            });
            let message = format!("the runbook `{}` has no param `{}`", name.value, key.value);
            self.found.error(Code::ParamOfRunbook, key.span, message).help(help);
        }
        let is_missing = |(param, of): &(&String, &runbook_core::plan::Param)| {
            of.required && !given.iter().any(|key| key.value == **param)
        };
        for (param, _) in child.params.iter().filter(is_missing) {
            let message = format!("the runbook `{}` needs the param `{param}`", name.value);
            let error = self.found.error(Code::ParamOfRunbook, name.span, message);
            error.help(format!("give it one: `with: {{{param}: …}}`"));
        }
    }
}
