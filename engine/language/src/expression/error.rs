//! What is wrong with the text of an expression.

use minijinja::{Error, ErrorKind};

/// Why a text is no expression or no template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where it begins, in bytes from the start of the given text.
    pub offset: usize,
    /// How many bytes it spans; 0 where something is missing.
    pub len: usize,
    /// The way out, where one is known.
    pub hint: Option<String>,
}

impl ExpressionError {
    /// An error over a range of the text.
    pub(super) fn new(message: impl Into<String>, range: std::ops::Range<usize>) -> Self {
        Self { message: message.into(), offset: range.start, len: range.len(), hint: None }
    }

    /// Adds the way out.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error in a text that begins `by` bytes earlier.
    pub(super) fn shifted(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }

    /// What minijinja found wrong while it read `source`.
    pub(super) fn from_syntax(error: &Error, source: &str) -> Self {
        let mut message = match error.kind() {
            ErrorKind::BadEscape => "bad escape in a string".to_owned(),
            _ => error.detail().unwrap_or("not an expression").to_owned(),
        };
        if message == "template exceeds maximum recursion limits" {
            "too many brackets within each other".clone_into(&mut message);
        }
        let range = within(error.range().unwrap_or(0..source.len()), source);
        let is_assignment = source[range.clone()].starts_with('=');
        let error = Self::new(message, range);
        if is_assignment { error.hint("two values are compared with `==`") } else { error }
    }
}

/// A range that lies within the text, at character boundaries, and is empty only at its end.
fn within(range: std::ops::Range<usize>, text: &str) -> std::ops::Range<usize> {
    let start = floor_boundary(text, range.start.min(text.len()));
    let mut end = range.end.clamp(start, text.len());
    if end == start {
        end = text[start..].chars().next().map_or(start, |character| start + character.len_utf8());
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
