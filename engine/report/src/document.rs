//! A report as headings, paragraphs and tables: composed once, written as Markdown and as HTML.
//!
//! All text in it is raw: it may hold what commands and people wrote, and each writer escapes all of it. Words in backticks
//! that could be names are set as code; backticks round anything else are text.

use serde::Serialize;

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Document {
    /// Its title.
    pub(crate) title: String,
    /// What it holds, in order.
    pub(crate) blocks: Vec<Block>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Block {
    /// A heading of level 2 or 3.
    Heading {
        level: u8,
        text: Vec<Span>,
    },
    Paragraph(Vec<Span>),
    List(Vec<Vec<Span>>),
    Table {
        head: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
    },
    /// Lines that stay as they are.
    Lines(Vec<String>),
    /// What a person is to write here.
    ToWrite(&'static str),
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    /// Its text.
    pub(crate) spans: Vec<Span>,
    /// `good`, `bad`, or nothing: how HTML colours it; the text says the same.
    pub(crate) tone: &'static str,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Span {
    /// The text, without line ends and control characters.
    pub(crate) text: String,
    /// Whether it is set as code.
    pub(crate) is_code: bool,
}

impl Document {
    pub(crate) fn heading(&mut self, level: u8, text: impl AsRef<str>) {
        self.blocks.push(Block::Heading { level, text: spans(text.as_ref()) });
    }

    pub(crate) fn paragraph(&mut self, text: impl AsRef<str>) {
        self.blocks.push(Block::Paragraph(spans(text.as_ref())));
    }

    pub(crate) fn list(&mut self, items: Vec<String>) {
        if items.is_empty() {
            return;
        }
        self.blocks.push(Block::List(items.iter().map(|item| spans(item)).collect()));
    }

    pub(crate) fn table(&mut self, head: &[&'static str], rows: Vec<Vec<Cell>>) {
        self.blocks.push(Block::Table { head: head.to_vec(), rows });
    }

    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        let lines = lines.into_iter().map(|line| crate::text::visible(&line)).collect();
        self.blocks.push(Block::Lines(lines));
    }

    pub(crate) fn left_to_people(&mut self, what: &'static str) {
        self.blocks.push(Block::ToWrite(what));
    }
}

/// A cell of text.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    Cell { spans: spans(text.as_ref()), tone: "" }
}

/// A cell that is set as code whatever it holds.
pub(crate) fn code(text: impl AsRef<str>) -> Cell {
    let text = one_line(text.as_ref());
    Cell { spans: if text.is_empty() { vec![] } else { vec![Span { text, is_code: true }] }, tone: "" }
}

/// A cell of text that is good or bad.
pub(crate) fn toned(text: impl AsRef<str>, is_good: bool) -> Cell {
    Cell { tone: if is_good { "good" } else { "bad" }, ..cell(text) }
}

/// Text in which names in backticks are code.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let text = one_line(text);
    let (mut found, mut plain, mut rest) = (vec![], String::new(), text.as_str());
    while let Some(open) = rest.find('`') {
        let (before, after) = (&rest[..open], &rest[open + 1..]);
        plain.push_str(before);
        let name = after.split_once('`').filter(|(name, _)| is_name(name));
        if let Some((name, next)) = name {
            push(&mut found, &mut plain);
            found.push(Span { text: name.to_owned(), is_code: true });
            rest = next;
        } else {
            plain.push('`');
            rest = after;
        }
    }
    plain.push_str(rest);
    push(&mut found, &mut plain);
    found
}

fn push(found: &mut Vec<Span>, plain: &mut String) {
    if !plain.is_empty() {
        found.push(Span { text: std::mem::take(plain), is_code: false });
    }
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

/// Text on one line, with what a screen would act on made visible.
fn one_line(text: &str) -> String {
    crate::text::visible(text.trim()).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let one = |span: &Span| if span.is_code { format!("<{}>", span.text) } else { span.text.clone() };
        spans(text).iter().map(one).collect()
    }

    #[test]
    fn only_names_in_backticks_are_code() {
        assert_eq!(shown("step `a_b` failed: `x.1`"), "step <a_b> failed: <x.1>");
        assert_eq!(shown("`rm -rf /` and ` and `x`"), "`rm -rf /` and ` and <x>");
        assert_eq!(shown("a `` b `"), "a `` b `");
        assert_eq!(shown("two\nlines\x1b[2K"), "two lines\\u{1b}[2K");
    }
}
