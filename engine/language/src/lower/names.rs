//! Whether a name exists where it is used.

use super::Lowering;
use super::site::{Locals, Site};
use crate::code::Code;
use crate::document::ParamType;
use crate::expression::NameUse;
use crate::source::Span;
use crate::suggest::{did_you_mean, some_of};

/// What expressions may read of `run`.
const RUN_NAMES: [&str; 3] = ["id", "runbook", "started_by"];

/// The names that are there everywhere.
const ROOTS: [&str; 4] = ["params", "environment", "run", "steps"];

impl Lowering<'_, '_> {
    /// Checks one use of a name.
    pub(crate) fn check_name(&mut self, span: Span, name: &NameUse, site: &Site) {
        match name.path[0].as_str() {
            local if self.is_of_loop(local, site) => {}
            "params" => self.check_param(name, span),
            "environment" => self.check_environment(name, span),
            "run" => self.check_run(name, span),
            "steps" => self.check_step(name, span, site),
            "secrets" => {
                let secret = name.path.get(1).map_or("name", String::as_str);
                self.found
                    .error(Code::SecretInTemplate, span, "a secret cannot be part of an expression")
                    .help(format!("give it to `env` or to the `headers` of `http`: `TOKEN: {{secret: {secret}}}`"));
            }
            "outputs" if site.locals == Locals::Undo => self.check_own_output(name, span, site),
            local if site.locals.names().contains(&local) => {}
            other => self.unknown_root(other, name, span, site),
        }
    }

    fn unknown_root(&mut self, root: &str, name: &NameUse, span: Span, site: &Site) {
        let params: Vec<&str> =
            self.doc.params.iter().flat_map(|list| &list.items).map(|one| one.key.value.as_str()).collect();
        let local = [Locals::Process, Locals::Response].into_iter().find(|locals| locals.names().contains(&root));
        let help = match local {
            Some(Locals::Response) => {
                "`response` can be read in `until`, `outputs` and `retry.on.if` of an `http` step only".to_owned()
            }
            Some(_) if site.locals == Locals::Failed => "what a failed attempt handed back does not count".to_owned(),
            Some(_) => {
                format!("`{root}` can be read in `until`, `outputs` and `retry.on.if` of a `run` or `argv` step only")
            }
            None if root == "item" || root == "index" => {
                "it is there within a `for_each` step only, in all that is about one item".to_owned()
            }
            None if params.contains(&root) => format!("write `params.{root}`"),
            None if self.outline.find(root).is_some() => {
                let rest: Vec<&str> = name.path.iter().skip(1).map(String::as_str).collect();
                let rest = if rest.is_empty() { "succeeded".to_owned() } else { rest.join(".") };
                format!("write `steps.{root}.{rest}`")
            }
            None => did_you_mean(root, ROOTS.iter().chain(site.locals.names())).unwrap_or_else(|| {
                let names = ROOTS.iter().chain(site.locals.names()).copied();
                format!("the names here are {}; put quotes round a text", some_of(names))
            }),
        };
        self.found.error(Code::UnknownName, span, format!("there is no `{root}` here")).help(help);
    }

    fn check_param(&mut self, name: &NameUse, span: Span) {
        let params = self.doc.params.as_ref();
        let names = || params.iter().flat_map(|list| &list.items).map(|one| one.key.value.as_str());
        // All params, as a whole or by a name that only the run knows, are fine: the run says what is missing.
        let Some(wanted) = name.path.get(1) else { return };
        let Some(entry) = params.and_then(|list| list.entry(wanted)) else {
            let help = did_you_mean(wanted, names()).unwrap_or_else(|| match names().next() {
                Some(_) => format!("the params are {}", some_of(names())),
                None => "this runbook declares no params".to_owned(),
            });
            self.found.error(Code::UnknownName, span, format!("there is no param `{wanted}`")).help(help);
            return;
        };
        let kind = entry.value.as_ref().and_then(|param| param.kind.get());
        if name.path.len() > 2 && !matches!(kind, None | Some(ParamType::Object | ParamType::List)) {
            self.found
                .error(
                    Code::UnknownName,
                    span,
                    format!("the param `{wanted}` is a single value and has nothing within"),
                )
                .help(format!("write `params.{wanted}`"));
        }
    }

    fn check_environment(&mut self, name: &NameUse, span: Span) {
        let (Some(environment), Some(wanted)) = (self.environment, name.path.get(1)) else { return };
        let values = || environment.values.iter().flat_map(|list| &list.items).map(|one| one.key.value.as_str());
        if name.defaulted || values().any(|value| value == wanted) {
            return;
        }
        let id = environment.id.get().map_or("?", |id| id.value.as_str());
        let help = did_you_mean(wanted, values()).unwrap_or_else(|| {
            format!("add it to `values` of the environment, or write `environment.{wanted} | default(…)`")
        });
        self.found
            .error(Code::UnknownEnvironmentName, span, format!("the environment `{id}` has no value `{wanted}`"))
            .help(help);
    }

    fn check_run(&mut self, name: &NameUse, span: Span) {
        let Some(wanted) = name.path.get(1) else { return };
        if !RUN_NAMES.contains(&wanted.as_str()) {
            let help = did_you_mean(wanted, RUN_NAMES).unwrap_or_else(|| format!("there are {}", some_of(RUN_NAMES)));
            self.found.error(Code::UnknownName, span, format!("a run has no `{wanted}`")).help(help);
        }
    }
}
