//! From a place within a value to the place in the file.

use super::node::{Kind, Node, Style};
use crate::source::{SourceFile, Span};

impl Node {
    /// Where a part of this text stands in the file: exactly, unless escapes or folded lines hide it; then the whole
    /// value.
    pub fn part(&self, file: &SourceFile, offset: usize, len: usize) -> Span {
        let Kind::Text(text) = &self.kind else { return self.span };
        let written = file.slice(self.span);
        let start = match self.style {
            Style::Plain if written == text => Some(self.span.start + offset),
            Style::Quoted if written.get(1..written.len().saturating_sub(1)) == Some(text) => {
                Some(self.span.start + 1 + offset)
            }
            Style::Literal => self.literal(text, written, offset),
            _ => None,
        };
        let start = start.or_else(|| {
            let part = text.get(offset..offset + len).filter(|part| !part.is_empty())?;
            let (at, _) = written.match_indices(part).next()?;
            (written.matches(part).count() == 1).then_some(self.span.start + at)
        });
        match start {
            // A part never goes beyond the value, nor beyond its line.
            Some(start) => {
                let line = file.slice(Span::new(start, self.span.end)).find('\n').unwrap_or(usize::MAX);
                Span::new(start, start + len.min(line).min(self.span.end.saturating_sub(start)))
            }
            None => self.span,
        }
    }

    /// The place in a block after `|`: the same line and, counted from its end, the same column.
    fn literal(&self, text: &str, written: &str, offset: usize) -> Option<usize> {
        let before = text.get(..offset)?;
        let line = before.matches('\n').count();
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let content = text[begin..].lines().next().unwrap_or_default();
        let mut at = 0;
        // saphyr lets a block begin at its first line that is not empty, behind the indentation.
        let empty = text.len() - text.trim_start_matches('\n').len();
        for (number, source) in written.split_inclusive('\n').enumerate() {
            if number + empty == line {
                let source = source.trim_end_matches(['\n', '\r']);
                let indent = source.len().checked_sub(content.len())?;
                return source.ends_with(content).then_some(self.span.start + at + indent + (offset - begin));
            }
            at += source.len();
        }
        None
    }
}
