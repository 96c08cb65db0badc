//! A report as Markdown that reads well unrendered, too. Nothing that a command or a person wrote can break a table, become
//! a heading, a link or HTML.

use crate::compose::compose;
use crate::document::{Block, Cell, Document, Span};
use crate::model::Report;

/// The report as Markdown (GitHub's flavour), ending in a newline.
pub fn markdown(report: &Report) -> String {
    write(&compose(report))
}

fn write(document: &Document) -> String {
    let mut out = format!("# {}\n", escaped(&document.title));
    for block in &document.blocks {
        out.push('\n');
        out.push_str(&of_block(block));
    }
    out
}

fn of_block(block: &Block) -> String {
    match block {
        Block::Heading { level, text } => format!("{} {}\n", "#".repeat(usize::from(*level)), line(text)),
        Block::Paragraph(text) => format!("{}\n", at_start(&line(text))),
        Block::List(items) => items.iter().map(|item| format!("- {}\n", at_start(&line(item)))).collect(),
        Block::Table { head, rows } => table(head, rows),
        Block::Lines(lines) => fenced(lines),
        Block::ToWrite(what) => format!("_{what}_\n"),
    }
}

fn table(head: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| line(&cell.spans)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// Lines between fences longer than any in them.
fn fenced(lines: &[String]) -> String {
    let fence = "`".repeat(longest_ticks(&lines.join("\n")).max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

fn line(spans: &[Span]) -> String {
    spans.iter().map(|span| if span.is_code { code(&span.text) } else { escaped(&span.text) }).collect()
}

/// A code span between more backticks than it holds in a row. Within a table a bar ends the cell even there.
fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_ticks(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{}{pad}{ticks}", text.replace('|', "\\|"))
}

fn longest_ticks(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or(0)
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let within_word = before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric());
        match char {
            // What could be the beginning of a name such as `&lt;`; `a & b` stays as it is.
            '&' if chars.peek().is_some_and(|next| next.is_alphanumeric() || *next == '#') => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // An underscore within a word marks nothing.
            '_' if within_word => out.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                out.push('\\');
                out.push(char);
            }
            char => out.push(char),
        }
        before = char;
    }
    out
}

/// A paragraph that does not begin as a heading, a list or a rule would.
fn at_start(text: &str) -> String {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = digits > 0 && text[digits..].starts_with(['.', ')']);
    if numbered {
        return format!("{}\\{}", &text[..digits], &text[digits..]);
    }
    if text.starts_with(['#', '+', '-', '=', '>']) { format!("\\{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{cell, code, spans};

    #[test]
    fn what_others_wrote_is_text() {
        let mut document = Document { title: "a <b> | c".to_owned(), blocks: vec![] };
        document.paragraph("# no heading");
        document.paragraph("1. no list, ![no](image) <script>alert(1)</script> &amp; **no** snake_case _no_");
        document.table(&["x", "y"], vec![vec![cell("a | b\nc"), code("`|`<i>")]]);
        document.lines(["```".to_owned(), "# no".to_owned()]);
        insta::assert_snapshot!(write(&document), @r"
        # a &lt;b> \| c

        \# no heading

        1\. no list, !\[no\](image) &lt;script>alert(1)&lt;/script> &amp;amp; \*\*no\*\* snake_case \_no\_

        | x | y |
        |---|---|
        | a \| b c | `` `\|`<i> `` |

        ````text
        ```
        # no
        ````
        ");
    }

    #[test]
    fn names_are_code() {
        assert_eq!(line(&spans("step `a_b` failed")), "step `a_b` failed");
    }
}
