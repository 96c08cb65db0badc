//! What is known to hold once a condition has been found true or false.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};

use super::parse::path_of;

/// Something that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// The step of this id succeeded.
    Succeeded(String),
    /// This path, and so everything on the way to it, is there.
    Defined(Vec<String>),
}

/// What is known when `condition` is `outcome`.
pub(super) fn facts(condition: &Expr<'_>, outcome: bool) -> BTreeSet<Fact> {
    match condition {
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => facts(&op.expr, !outcome),
        Expr::BinOp(op) => match (op.op, outcome) {
            (BinOpKind::ScAnd, true) | (BinOpKind::ScOr, false) => {
                let mut known = facts(&op.left, outcome);
                known.extend(facts(&op.right, outcome));
                known
            }
            // One side decided, and it is not known which: what both would show. The right one is asked only when
            // the left did not decide.
            (BinOpKind::ScAnd | BinOpKind::ScOr, _) => {
                let mut right = facts(&op.left, !outcome);
                right.extend(facts(&op.right, outcome));
                facts(&op.left, outcome).intersection(&right).cloned().collect()
            }
            _ => BTreeSet::new(),
        },
        Expr::Test(test) if (test.name == "defined") == outcome && matches!(test.name, "defined" | "undefined") => {
            path_of(&test.expr).map(|path| Fact::Defined(path.segments)).into_iter().collect()
        }
        // `steps.a.succeeded | default(false)`
        Expr::Filter(filter) if outcome && filter.name == "default" && defaults_to_false(&filter.args) => {
            filter.expr.as_ref().map(|operand| facts(operand, true)).unwrap_or_default()
        }
        _ if outcome => succeeded_step(condition).map(Fact::Succeeded).into_iter().collect(),
        _ => BTreeSet::new(),
    }
}

fn defaults_to_false(args: &[minijinja::machinery::ast::CallArg<'_>]) -> bool {
    matches!(args, [minijinja::machinery::ast::CallArg::Pos(Expr::Const(value))] if value.value == minijinja::Value::from(false))
}

fn succeeded_step(expr: &Expr<'_>) -> Option<String> {
    match path_of(expr)?.segments.as_slice() {
        [root, id, last] if root == "steps" && last == "succeeded" => Some(id.clone()),
        _ => None,
    }
}
