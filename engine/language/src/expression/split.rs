//! Cuts a template into text and expressions.
//!
//! Only `{{` opens an expression. Where it ends is for minijinja's lexer to say, since `}}` may stand in a string.

use minijinja::machinery::{Token, Tokenizer};

use super::error::ExpressionError;

/// The way out for who means the characters.
pub(super) const LITERAL_BRACES: &str = "write `{{ '{{' }}` for the characters `{{` themselves";

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Taken as it is.
    Text(&'t str),
    /// Between braces.
    Expression {
        /// Without the braces.
        source: &'t str,
        /// Where `source` begins in the template, in bytes.
        offset: usize,
        /// With the braces, as it is written.
        whole: &'t str,
    },
}

/// The parts of a template, in order; empty texts are left out, and so is the space that `{{-` and `-}}` take away.
///
/// # Errors
/// For braces that are not closed, what no expression may hold, and `{% … %}`. Whether an expression makes sense is not
/// asked.
pub fn split(text: &str) -> Result<Vec<Piece<'_>>, ExpressionError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim_start = false;
    while let Some(open) = find_opening(text, at)? {
        let start = open + 2;
        let trims = text[start..].starts_with('-');
        push_text(&mut pieces, &text[at..open], trim_start, trims);
        let start = start + usize::from(trims);
        let (end, next) = find_end(text, open, start)?;
        pieces.push(Piece::Expression { source: &text[start..end], offset: start, whole: &text[open..next] });
        trim_start = text[end..next].starts_with('-');
        at = next;
    }
    push_text(&mut pieces, &text[at..], trim_start, false);
    Ok(pieces)
}

fn push_text<'t>(pieces: &mut Vec<Piece<'t>>, mut text: &'t str, trim_start: bool, trim_end: bool) {
    if trim_start {
        text = text.trim_start();
    }
    if trim_end {
        text = text.trim_end();
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

/// Where the next `{{` stands. A `{%` before it is an error: to render it as text would surprise who knows Jinja.
fn find_opening(text: &str, from: usize) -> Result<Option<usize>, ExpressionError> {
    let expression = text[from..].find("{{").map(|at| from + at);
    let statement = text[from..].find("{%").map(|at| from + at);
    match statement {
        Some(at) if expression.is_none_or(|expression| at < expression) => {
            let end = text[at..].find("%}").map_or(at + 2, |end| at + end + 2);
            Err(ExpressionError::new("statements are not supported, only `{{ … }}`", at..end)
                .hint("write `{{ a if condition else b }}`, or `{{ '{%' }}` for the characters themselves"))
        }
        _ => Ok(expression),
    }
}

/// Where the expression that begins at `start` ends, and where the text goes on.
fn find_end(text: &str, open: usize, start: usize) -> Result<(usize, usize), ExpressionError> {
    let rest = &text[start..];
    // A newline at the very end would be cut off by the lexer, which moves no offset.
    let mut tokens = Tokenizer::new(rest, "", true, minijinja::syntax::SyntaxConfig::default());
    loop {
        match tokens.next_token() {
            Ok(Some((Token::VariableEnd, span))) => {
                return Ok((start + span.start_offset as usize, start + span.end_offset as usize));
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(ExpressionError::new("`{{` is never closed", open..open + 2)
                    .hint(format!("close it with `}}}}`, or {LITERAL_BRACES}")));
            }
            Err(error) => {
                return Err(ExpressionError::from_syntax(&error, rest).shifted(start).hint(LITERAL_BRACES));
            }
        }
    }
}
