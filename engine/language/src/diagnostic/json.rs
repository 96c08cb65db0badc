//! Diagnostics for programs.

use serde::Serialize;

use super::{Diagnostic, Diagnostics, Severity};

/// A diagnostic as `--output json` shows it. Lines and columns count from 1, columns in characters; the end is the
/// place after the last character.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiagnosticJson {
    /// Such as `RB0101`.
    pub code: String,
    /// `error` or `warning`.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// In which file.
    pub file: String,
    /// Where it begins: the line.
    pub line: usize,
    /// Where it begins: the column.
    pub column: usize,
    /// Where it ends: the line.
    pub end_line: usize,
    /// Where it ends: the column.
    pub end_column: usize,
    /// The offending text, its first line.
    pub text: String,
    /// The way out.
    pub help: Option<String>,
}

impl Diagnostic {
    /// As `--output json` shows it.
    pub fn to_json(&self) -> DiagnosticJson {
        let span = self.first_line(self.span);
        let (start, end) = (self.file.position(span.start), self.file.position(span.end));
        DiagnosticJson {
            code: self.code.to_string(),
            severity: self.severity,
            message: self.message.clone(),
            file: self.file.name().to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            text: self.file.slice(span).to_owned(),
            help: self.help.clone(),
        }
    }
}

impl Diagnostics {
    /// As `--output json` shows them: all, whatever their number.
    pub fn to_json(&self) -> Vec<DiagnosticJson> {
        self.iter().map(Diagnostic::to_json).collect()
    }
}
