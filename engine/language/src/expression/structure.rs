//! Refuses what Jinja has and the language of runbooks has not, and names that exist nowhere.

use minijinja::machinery::ast::{CallArg, Expr};

use super::error::ExpressionError;
use super::parse::range_of;
use super::tables::{FILTERS, FUNCTIONS, Named, TESTS};

/// Checks a whole tree.
pub(super) fn check(expr: &Expr<'_>, source: &str) -> Result<(), ExpressionError> {
    let both = |left, right| check(left, source).and_then(|()| check(right, source));
    match expr {
        Expr::Var(_) | Expr::Const(_) => Ok(()),
        Expr::GetAttr(get) => check(&get.expr, source),
        Expr::GetItem(get) => both(&get.expr, &get.subscript_expr),
        Expr::UnaryOp(op) => check(&op.expr, source),
        Expr::BinOp(op) => both(&op.left, &op.right),
        Expr::Compare(compare) => {
            check(&compare.expr, source)?;
            compare.ops.iter().try_for_each(|op| check(&op.expr, source))
        }
        Expr::List(list) => list.items.iter().try_for_each(|item| check(item, source)),
        Expr::Tuple(tuple) => tuple.items.iter().try_for_each(|item| check(item, source)),
        Expr::Map(map) => map.keys.iter().chain(&map.values).try_for_each(|part| check(part, source)),
        Expr::IfExpr(choice) => {
            both(&choice.true_expr, &choice.test_expr)?;
            let Some(otherwise) = &choice.false_expr else {
                return Err(ExpressionError::new("an `if` needs an `else`", range_of(expr))
                    .hint("say what the value is otherwise, such as `else ''`"));
            };
            check(otherwise, source)
        }
        Expr::Slice(slice) => {
            if let Some(step) = &slice.step {
                return Err(ExpressionError::new("a slice has no step here", range_of(step))
                    .hint("write `list[1:3]`, or `list | reverse`"));
            }
            [Some(&slice.expr), slice.start.as_ref(), slice.stop.as_ref()]
                .into_iter()
                .flatten()
                .try_for_each(|part| check(part, source))
        }
        Expr::Filter(filter) => {
            filter.expr.iter().try_for_each(|operand| check(operand, source))?;
            known("filter", filter.name, filter.span().start_offset, FILTERS)?;
            check_named_argument(filter.name, &filter.args, expr)?;
            check_args(&filter.args, expr, source)
        }
        Expr::Test(test) => {
            check(&test.expr, source)?;
            known("test", test.name, test.span().start_offset, TESTS)?;
            check_args(&test.args, expr, source)
        }
        Expr::Call(call) => check_call(&call.expr, &call.args, expr),
    }
}

fn known(what: &str, name: &str, offset: u32, table: &[Named]) -> Result<(), ExpressionError> {
    if table.iter().any(|entry| entry.name == name) {
        return Ok(());
    }
    let offset = offset as usize;
    let error = ExpressionError::new(format!("unknown {what} `{name}`"), offset..offset + name.len());
    Err(error.hint(suggest(what, name, table)))
}

/// The nearest names, or all of them when none is near.
fn suggest(what: &str, name: &str, table: &[Named]) -> String {
    let mut near: Vec<(usize, &str)> = table
        .iter()
        .map(|entry| (strsim::damerau_levenshtein(name, entry.name), entry.name))
        .filter(|(distance, _)| *distance <= (name.len() / 3).max(1))
        .collect();
    near.sort_unstable();
    let quoted =
        |names: &mut dyn Iterator<Item = &str>| -> Vec<String> { names.map(|name| format!("`{name}`")).collect() };
    if near.is_empty() {
        format!("the {what}s are {}", quoted(&mut table.iter().map(|entry| entry.name)).join(", "))
    } else {
        format!("did you mean {}?", quoted(&mut near.iter().take(3).map(|(_, name)| *name)).join(" or "))
    }
}

/// Filters such as `map` take the name of another: it must be written out, and exist.
fn check_named_argument(filter: &str, args: &[CallArg<'_>], whole: &Expr<'_>) -> Result<(), ExpressionError> {
    let (at, what, table) = match filter {
        "map" => (0, "filter", FILTERS),
        "select" | "reject" => (0, "test", TESTS),
        "selectattr" | "rejectattr" => (1, "test", TESTS),
        _ => return Ok(()),
    };
    match args.iter().filter(|arg| !matches!(arg, CallArg::Kwarg(..))).nth(at) {
        None => Ok(()),
        Some(CallArg::Pos(Expr::Const(name))) if name.value.as_str().is_some() => {
            let text = name.value.as_str().unwrap_or_default();
            // The quote before the name is not part of it.
            known(what, text, name.span().start_offset + 1, table)
        }
        Some(_) => {
            Err(ExpressionError::new(format!("`{filter}` needs the name of a {what} as a text"), range_of(whole)))
        }
    }
}

fn check_args(args: &[CallArg<'_>], whole: &Expr<'_>, source: &str) -> Result<(), ExpressionError> {
    args.iter().try_for_each(|arg| match arg {
        CallArg::Pos(expr) | CallArg::Kwarg(_, expr) => check(expr, source),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
            Err(ExpressionError::new("`*` and `**` before an argument are not supported", range_of(whole)))
        }
    })
}

fn check_call(callee: &Expr<'_>, args: &[CallArg<'_>], whole: &Expr<'_>) -> Result<(), ExpressionError> {
    match callee {
        Expr::Var(name) if FUNCTIONS.iter().any(|entry| entry.name == name.id) => {
            if args.is_empty() {
                return Ok(());
            }
            Err(ExpressionError::new(format!("`{}()` takes no arguments", name.id), range_of(whole)))
        }
        Expr::Var(name) => {
            let error = ExpressionError::new(format!("unknown function `{}`", name.id), range_of(callee));
            Err(match FILTERS.iter().find(|entry| entry.name == name.id) {
                Some(filter) => error.hint(format!("`{0}` is a filter: write `value | {0}`", filter.name)),
                None => error.hint(suggest("function", name.id, FUNCTIONS)),
            })
        }
        Expr::GetAttr(get) => {
            let error = ExpressionError::new("values have no methods", range_of(whole));
            Err(match FILTERS.iter().find(|entry| entry.name == get.name) {
                Some(filter) => error.hint(format!("`{0}` is a filter: write `value | {0}`", filter.name)),
                None => error.hint("use a filter: `value | filter`"),
            })
        }
        _ => Err(ExpressionError::new("only functions can be called", range_of(whole))),
    }
}
