//! Reads one expression into minijinja's syntax tree, and finds the way to a value in it.

use minijinja::machinery::ast::Expr;
use minijinja::machinery::{Tokenizer, parse_expr};

use super::error::ExpressionError;
use super::structure;
use super::values::label;

/// Most words (names, signs, literals) in one expression.
///
/// The parser and everything after it recurse into the tree, whose depth this bounds. Nobody reads a longer one.
pub const TOKENS_MAX: usize = 500;

/// Reads an expression, and refuses what the language does not have: unknown filters, calls, an `if` without `else`.
pub(super) fn parse(source: &str) -> Result<Expr<'_>, ExpressionError> {
    if source.trim().is_empty() {
        return Err(ExpressionError::new("an expression is missing", 0..source.len()));
    }
    count_tokens(source)?;
    let tree = parse_expr(source).map_err(|error| {
        let braces = source.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match braces {
            Some(inner) => ExpressionError::new("an expression stands here without braces", 0..source.len())
                .hint(format!("write {}", label(inner))),
            None => ExpressionError::from_syntax(&error, source),
        }
    })?;
    structure::check(&tree, source)?;
    Ok(tree)
}

/// Lexes all of the text first: after a string literal the parser mistakes an unreadable character for the end.
fn count_tokens(source: &str) -> Result<(), ExpressionError> {
    let mut tokens = Tokenizer::new(source, "", true, minijinja::syntax::SyntaxConfig::default());
    let mut count = 0;
    loop {
        match tokens.next_token() {
            Ok(None) => return Ok(()),
            Ok(Some(_)) if count < TOKENS_MAX => count += 1,
            Ok(Some((_, span))) => {
                let message = format!("an expression has at most {TOKENS_MAX} words");
                return Err(ExpressionError::new(message, span.start_offset as usize..source.len())
                    .hint("compute parts of it in a `set` step"));
            }
            Err(error) => return Err(ExpressionError::from_syntax(&error, source)),
        }
    }
}

/// A name with its attributes, as far as they are written out: `steps.a.outputs['b']`.
pub(super) struct Path {
    /// The top-level name and its attributes.
    pub(super) segments: Vec<String>,
    /// Where it stands in the expression, in bytes.
    pub(super) range: std::ops::Range<usize>,
}

/// The path that an expression is, when it is one and nothing else.
pub(super) fn path_of(expr: &Expr<'_>) -> Option<Path> {
    match expr {
        Expr::Var(var) => Some(Path { segments: vec![var.id.to_owned()], range: range_of(expr) }),
        Expr::GetAttr(get) => extend(path_of(&get.expr)?, get.name, expr),
        Expr::GetItem(get) => match &get.subscript_expr {
            Expr::Const(key) => extend(path_of(&get.expr)?, key.value.as_str()?, expr),
            _ => None,
        },
        _ => None,
    }
}

fn extend(mut path: Path, segment: &str, whole: &Expr<'_>) -> Option<Path> {
    path.segments.push(segment.to_owned());
    path.range.end = whole.span().end_offset as usize;
    Some(path)
}

/// Where an expression stands, in bytes.
///
/// minijinja's spans end where they should, but those of a chain begin at its last dot: the start is that of its head.
pub(super) fn range_of(expr: &Expr<'_>) -> std::ops::Range<usize> {
    let end = expr.span().end_offset as usize;
    start_of(expr).min(end)..end
}

fn start_of(expr: &Expr<'_>) -> usize {
    match expr {
        Expr::GetAttr(get) => start_of(&get.expr),
        Expr::GetItem(get) => start_of(&get.expr),
        Expr::Slice(slice) => start_of(&slice.expr),
        Expr::Call(call) => start_of(&call.expr),
        Expr::Test(test) => start_of(&test.expr),
        Expr::Filter(filter) => filter.expr.as_ref().map_or(filter.span().start_offset as usize, start_of),
        Expr::BinOp(op) => start_of(&op.left),
        Expr::Compare(compare) => start_of(&compare.expr),
        Expr::IfExpr(choice) => start_of(&choice.true_expr),
        // `x not in y` is a `not` whose span begins before its operand.
        Expr::UnaryOp(op) => (op.span().start_offset as usize).max(match &op.expr {
            Expr::BinOp(inner) if inner.span().start_offset == op.span().start_offset => start_of(&inner.left),
            _ => 0,
        }),
        Expr::Var(_) | Expr::Const(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
            expr.span().start_offset as usize
        }
    }
}

/// A path as it is written: `params.x`, `params['a-b']`.
pub(super) fn write_path(segments: &[String]) -> String {
    let mut out = String::new();
    for (at, segment) in segments.iter().enumerate() {
        let plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if at == 0 {
            out.push_str(segment);
        } else if plain && !segment.is_empty() {
            out.push('.');
            out.push_str(segment);
        } else {
            out.push_str(&format!("[{segment:?}]"));
        }
    }
    out
}
