//! What is wrong with a text: code, place, message, way out.

mod json;
mod text;

use std::borrow::Cow;
use std::fmt;

pub use json::DiagnosticJson;
pub use text::Look;

use crate::code::Code;
use crate::source::{Position, SourceFile, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What kind.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// A fragment in lower case.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
    /// Where.
    pub span: Span,
    /// What stands under the underlined text.
    pub label: Option<String>,
    /// Other places that matter, each with what it has to do with it.
    pub related: Vec<(Span, String)>,
    /// Of which text.
    pub file: SourceFile,
}

impl Diagnostic {
    /// Adds the way out.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what stands under the underlined text.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Adds another place that matters.
    pub fn related(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.related.push((span, label.into()));
        self
    }

    /// The line and column where it begins.
    pub fn position(&self) -> Position {
        self.file.position(self.span.start)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.file)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let main = self.first_line(self.span);
        let main = miette::LabeledSpan::new_primary_with_span(self.label.clone(), (main.start, main.len()));
        let others = self.related.iter().map(|(span, label)| {
            let span = self.first_line(*span);
            miette::LabeledSpan::new_with_span(Some(label.clone()), (span.start, span.len()))
        });
        Some(Box::new(std::iter::once(main).chain(others)))
    }
}

impl Diagnostic {
    /// The part of a span on its first line: a whole step underlined hides what is meant.
    fn first_line(&self, span: Span) -> Span {
        let text = self.file.slice(span);
        let first = text.lines().next().unwrap_or_default();
        let start = span.start.min(self.file.text().len());
        Span::new(start, start + first.trim_end().len())
    }
}

/// Collects what is wrong while a text is checked, so that one problem never hides another.
#[derive(Debug)]
pub struct Collector {
    file: SourceFile,
    found: Vec<Diagnostic>,
    others: Vec<Diagnostic>,
}

impl Collector {
    /// Collects for one text.
    pub fn new(file: &SourceFile) -> Self {
        Self { file: file.clone(), found: Vec::new(), others: Vec::new() }
    }

    /// Adds an error; more can be said on what it returns.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        self.add(Severity::Error, code, span, message.into())
    }

    /// Adds a warning; more can be said on what it returns.
    pub fn warning(&mut self, code: Code, span: Span, message: impl Into<Cow<'static, str>>) -> &mut Diagnostic {
        self.add(Severity::Warning, code, span, message.into())
    }

    fn add(&mut self, severity: Severity, code: Code, span: Span, message: Cow<'static, str>) -> &mut Diagnostic {
        self.found.push(Diagnostic {
            code,
            severity,
            message: message.into_owned(),
            help: None,
            span,
            label: None,
            related: Vec::new(),
            file: self.file.clone(),
        });
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// The text that is checked.
    pub fn file(&self) -> &SourceFile {
        &self.file
    }

    /// Adds what was found in other texts, which comes last.
    pub(crate) fn of_others(&mut self, others: Vec<Diagnostic>) {
        self.others.extend(others);
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.found.iter().chain(&self.others).any(|one| one.severity == Severity::Error)
    }

    /// How much was found so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// All that was found, by place, each thing once.
    pub fn finish(self) -> Diagnostics {
        let mut list = self.found;
        list.sort_by_key(|one| (one.span.start, one.severity, one.code));
        list.dedup_by(|b, a| (a.code, a.span, &a.message) == (b.code, b.span, &b.message));
        list.extend(self.others);
        Diagnostics(list)
    }
}

/// All that is wrong with a text, by place.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Each in turn.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Keeps those that are wanted.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.0.retain(keep);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|one| one.severity == Severity::Error)
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    /// One line for each: `file:line:column: RB0101: message`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.0 {
            let at = one.position();
            writeln!(out, "{}:{}:{}: {}: {}", one.file.name(), at.line, at.column, one.code, one.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
