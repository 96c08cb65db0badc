//! Expressions and templates, from the way they are written to the way the plan keeps them.

use std::collections::BTreeMap;

use runbook_core::plan::{Expression, Template};
use serde_json::Value;

use super::Lowering;
use super::site::Site;
use crate::check::secrets::refuse_references;
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::expression::{Analysis, ExpressionError, NameUse, analyse_expression, analyse_template};
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// Reads templates; `check` sees every use of a name.
pub(crate) struct Reader<'c, 'f> {
    pub(crate) found: &'f mut Collector,
    /// Sees each use and where it stands.
    pub(crate) check: &'c mut dyn FnMut(&mut Collector, Span, &NameUse),
}

impl Reader<'_, '_> {
    /// A value in which texts may be templates. None when one of them cannot be read.
    pub(crate) fn template(&mut self, node: &Node) -> Option<Template> {
        match &node.kind {
            Kind::Text(text) => self.text(node, text),
            Kind::List(items) => {
                let items: Vec<Option<Template>> = items.iter().map(|item| self.template(item)).collect();
                let items = items.into_iter().collect::<Option<Vec<_>>>()?;
                if items.iter().all(literal) {
                    Some(Template::Literal(node.to_json()))
                } else {
                    Some(Template::List(items))
                }
            }
            Kind::Map(entries) => {
                let entries: Vec<Option<(String, Template)>> =
                    entries.iter().map(|(key, value)| Some((key.text.clone(), self.template(value)?))).collect();
                let entries = entries.into_iter().collect::<Option<BTreeMap<_, _>>>()?;
                if entries.values().all(literal) {
                    Some(Template::Literal(node.to_json()))
                } else {
                    Some(Template::Object(entries))
                }
            }
            _ => Some(Template::Literal(node.to_json())),
        }
    }

    fn text(&mut self, node: &Node, text: &str) -> Option<Template> {
        match analyse_template(text) {
            Ok(analysis) => {
                for name in &analysis.uses {
                    let span = node.part(self.found.file(), name.offset, name.len);
                    (self.check)(self.found, span, name);
                }
                if analysis.asks_status {
                    status_outside(node, self.found);
                }
                Some(analysis.lower(text))
            }
            Err(error) => {
                syntax_error(node, &error, self.found);
                None
            }
        }
    }
}

fn literal(template: &Template) -> bool {
    matches!(template, Template::Literal(_))
}

fn syntax_error(node: &Node, error: &ExpressionError, found: &mut Collector) {
    let span = node.part(found.file(), error.offset, error.len);
    let entry = found.error(Code::ExpressionSyntax, span, error.message.clone());
    if let Some(hint) = &error.hint {
        entry.help(hint.clone());
    }
}

fn status_outside(node: &Node, found: &mut Collector) {
    found
        .error(Code::UnknownName, node.span, "`failure()` and `always()` can be asked in `if` only")
        .help("elsewhere, read `steps.<id>.failed`");
}

impl Lowering<'_, '_> {
    /// A value in which texts may be templates.
    pub(crate) fn template(&mut self, node: &Node, site: &Site) -> Option<Template> {
        if matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
            let declared = self.declared_secrets();
            refuse_references(node, &|name| declared.iter().any(|one| one == name), self.found);
        }
        let mut uses: Vec<(Span, NameUse)> = Vec::new();
        let mut check = |_: &mut Collector, span: Span, name: &NameUse| uses.push((span, name.clone()));
        let template = Reader { found: self.found, check: &mut check }.template(node);
        self.warn_of_missing_braces(node);
        for (span, name) in &uses {
            self.check_name(*span, name, site);
        }
        template
    }

    /// Warns of texts that are wholly a name that there is: few texts look so and are meant so.
    fn warn_of_missing_braces(&mut self, node: &Node) {
        match &node.kind {
            Kind::Text(text) if self.names_a_value(text) => {
                self.found
                    .warning(Code::Braceless, node.span, format!("this is the text `{text}`, not the value of it"))
                    .help(format!("write `\"{{{{ {text} }}}}\"`"));
            }
            Kind::List(items) => items.iter().for_each(|item| self.warn_of_missing_braces(item)),
            Kind::Map(entries) => entries.iter().for_each(|(_, value)| self.warn_of_missing_braces(value)),
            _ => {}
        }
    }

    fn names_a_value(&self, text: &str) -> bool {
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            ["params", param] => self.doc.params.as_ref().is_some_and(|params| params.entry(param).is_some()),
            ["steps", step, "outputs", _] | ["steps", step, "succeeded" | "failed" | "skipped" | "exit_code"] => {
                self.outline.find(step).is_some()
            }
            ["environment", value] => self.environment.is_some_and(|environment| {
                environment.values.as_ref().is_some_and(|values| values.entry(value).is_some())
            }),
            _ => false,
        }
    }

    /// A template for a text: numbers and booleans stand for the text that they are written as.
    pub(crate) fn scalar(&mut self, node: &Node, site: &Site) -> Option<Template> {
        match node.kind {
            Kind::Number(_) | Kind::Bool(_) => Some(Template::text(self.found.file().slice(node.span))),
            _ => self.template(node, site),
        }
    }

    /// An expression, with what its text shows.
    pub(crate) fn analysed(&mut self, node: &Node, site: &Site) -> Option<(Expression, Analysis)> {
        let text = match &node.kind {
            Kind::Text(text) => text.clone(),
            _ => self.found.file().slice(node.span).to_owned(),
        };
        let trimmed = text.trim();
        if let Some(inner) = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
            let inner = inner.trim();
            self.found
                .error(Code::ExpressionSyntax, node.span, "an expression has no braces here")
                .help(format!("write `{inner}`"));
            return None;
        }
        match analyse_expression(&text) {
            Ok(analysis) => {
                for name in &analysis.uses {
                    let span = node.part(self.found.file(), name.offset, name.len);
                    self.check_name(span, name, site);
                }
                if analysis.asks_status && !site.condition {
                    status_outside(node, self.found);
                }
                Some((analysis.lower(&text), analysis))
            }
            Err(error) => {
                syntax_error(node, &error, self.found);
                None
            }
        }
    }

    /// An expression.
    pub(crate) fn expression(&mut self, node: &Node, site: &Site) -> Option<Expression> {
        self.analysed(node, site).map(|(expression, _)| expression)
    }
}

/// Whether a template is a text without braces, and which.
pub(crate) fn literal_text(template: &Template) -> Option<&str> {
    match template {
        Template::Literal(Value::String(text)) => Some(text),
        _ => None,
    }
}
