//! A text with its name, and places in it.

use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A range of bytes of a text; `end` is not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The range from `start` to before `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// How many bytes it holds.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.end == self.start
    }
}

/// A place as people count it: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

/// A text with its name. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct SourceFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl SourceFile {
    /// Takes a text; `name` is what diagnostics call it, usually its path.
    ///
    /// A byte order mark is dropped: some editors write one, and parsers do not agree on it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self(Arc::new(Inner { name: name.into(), text, lines }))
    }

    /// What diagnostics call it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text of a range, cut to what there is and to whole characters.
    pub fn slice(&self, span: Span) -> &str {
        let (start, end) = (self.floor(span.start), self.floor(span.end));
        &self.0.text[start..end.max(start)]
    }

    /// The line and column of a byte.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let line = self.line_of(offset);
        let column = self.0.text[self.0.lines[line]..offset].chars().count() + 1;
        Position { line: line + 1, column }
    }

    /// The line, counted from 0, that a byte lies in.
    fn line_of(&self, offset: usize) -> usize {
        self.0.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The nearest start of a character at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.0.text.len());
        while !self.0.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// miette's own implementation for texts counts columns in bytes and reads the text from its start for every label;
/// this one counts characters and looks lines up.
impl SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        if end > self.0.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let first = self.line_of(start).saturating_sub(before);
        let last = (self.line_of(end) + after).min(self.0.lines.len() - 1);
        let from = self.0.lines[first];
        let to = self.0.lines.get(last + 1).copied().unwrap_or(self.0.text.len());
        // The header of the output shows the place of the span, not that of the context around it.
        let column = if before == 0 { self.position(start).column - 1 } else { 0 };
        let (from, line) = if before == 0 { (start, self.line_of(start)) } else { (from, first) };
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.name.clone(),
            &self.0.text.as_bytes()[from..to.max(from)],
            (from, to.saturating_sub(from)).into(),
            line,
            column,
            last - first + 1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let file = SourceFile::new("a", "x\näöü: 1\n");
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        assert_eq!(file.position(2), Position { line: 2, column: 1 });
        assert_eq!(file.position("x\näö".len()), Position { line: 2, column: 3 });
        assert_eq!(file.position(3), Position { line: 2, column: 1 }, "inside a character means its start");
        assert_eq!(file.position(999), Position { line: 3, column: 1 });
        assert_eq!(file.slice(Span::new(2, 4)), "ä");
        assert_eq!(file.slice(Span::new(3, 900)), "äöü: 1\n");
    }
}
