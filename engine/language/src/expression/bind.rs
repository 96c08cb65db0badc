//! Rewrites a syntax tree so that minijinja runs it under the rules of runbooks.
//!
//! Every name becomes the value that it has now, so nothing is ever looked up while the expression runs and only what
//! it names is converted; a name that has none becomes the error that says so, raised only if it is reached. Operators
//! that minijinja defines too loosely become the filters of [`operators`](super::operators).

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, CallArg, CompareOpKind, Const, Expr, Filter, IfExpr, List, Map, Slice, Spanned, Test, Tuple,
    UnaryOp, UnaryOpKind,
};

use super::operators::{BOOL, BOUNDED, COMPARE, CONCAT, FOUND, GET, NUMBER, UNDEFINED};
use super::parse::{path_of, range_of};
use super::tables::may_find_nothing;
use super::values::label;

/// Gives names their values.
pub(super) trait Names {
    /// The value of a path, or the sentence that says what is missing.
    fn resolve(&self, path: &[String]) -> Result<Value, String>;

    /// The value of a function without arguments.
    fn call(&self, function: &str) -> Value;
}

/// One rewriting.
pub(super) struct Bind<'n> {
    /// The text of the expression, for messages.
    pub(super) source: &'n str,
    /// Where values come from.
    pub(super) names: &'n dyn Names,
}

impl Bind<'_> {
    /// The expression with values for names. With `lenient`, what is missing is undefined and no error.
    pub(super) fn bind<'a>(&self, expr: &Expr<'a>, lenient: bool) -> Expr<'a> {
        let span = expr.span();
        if let Some(path) = path_of(expr) {
            return match self.names.resolve(&path.segments) {
                Ok(value) => constant(value, span),
                Err(_) if lenient => constant(Value::UNDEFINED, span),
                Err(sentence) => filter(UNDEFINED, text(&sentence, span), vec![], span),
            };
        }
        match expr {
            Expr::Const(value) => constant(value.value.clone(), span),
            Expr::GetAttr(get) => self.get(&get.expr, text(get.name, span), expr, lenient),
            Expr::GetItem(get) => self.get(&get.expr, self.bind(&get.subscript_expr, false), expr, lenient),
            Expr::BinOp(op) => self.binary(op, expr),
            Expr::UnaryOp(op) => match op.op {
                UnaryOpKind::Not => unary(UnaryOpKind::Not, self.boolean(&op.expr), span),
                UnaryOpKind::Neg => unary(UnaryOpKind::Neg, self.number(&op.expr), span),
            },
            Expr::Filter(call) => {
                let operand = call.expr.as_ref().map(|operand| self.bind(operand, call.name == "default"));
                let args = self.args(&call.args);
                let bound = Expr::Filter(Spanned::new(Filter { name: call.name, expr: operand, args }, call.span()));
                if may_find_nothing(call.name) && !lenient {
                    return filter(FOUND, bound, vec![self.label(expr)], span);
                }
                bound
            }
            Expr::Test(test) => {
                let operand = self.bind(&test.expr, matches!(test.name, "defined" | "undefined"));
                let bound = Test { name: test.name, expr: operand, args: self.args(&test.args) };
                Expr::Test(Spanned::new(bound, test.span()))
            }
            Expr::Call(call) => match &call.expr {
                Expr::Var(name) => constant(self.names.call(name.id), span),
                _ => filter(UNDEFINED, text("only functions can be called", span), vec![], span),
            },
            _ => self.parts(expr),
        }
    }

    /// What is made of parts, each bound on its own.
    fn parts<'a>(&self, expr: &Expr<'a>) -> Expr<'a> {
        let span = expr.span();
        let strict = |part: &Expr<'a>| self.bind(part, false);
        match expr {
            Expr::Slice(slice) => Expr::Slice(Spanned::new(
                Slice {
                    expr: strict(&slice.expr),
                    start: slice.start.as_ref().map(strict),
                    stop: slice.stop.as_ref().map(strict),
                    step: None,
                },
                span,
            )),
            Expr::IfExpr(choice) => Expr::IfExpr(Spanned::new(
                IfExpr {
                    test_expr: self.boolean(&choice.test_expr),
                    true_expr: strict(&choice.true_expr),
                    false_expr: choice.false_expr.as_ref().map(strict),
                },
                span,
            )),
            Expr::Compare(compare) => {
                let mut args = Vec::new();
                for op in &compare.ops {
                    args.extend([text(comparison(op.op), span), strict(&op.expr)]);
                }
                args.push(self.label(expr));
                filter(COMPARE, strict(&compare.expr), args, span)
            }
            Expr::List(list) => Expr::List(Spanned::new(List { items: list.items.iter().map(strict).collect() }, span)),
            Expr::Tuple(tuple) => {
                Expr::Tuple(Spanned::new(Tuple { items: tuple.items.iter().map(strict).collect() }, span))
            }
            Expr::Map(map) => Expr::Map(Spanned::new(
                Map { keys: map.keys.iter().map(strict).collect(), values: map.values.iter().map(strict).collect() },
                span,
            )),
            _ => filter(UNDEFINED, text("this expression is not supported", span), vec![], span),
        }
    }

    fn get<'a>(&self, base: &Expr<'a>, key: Expr<'a>, whole: &Expr<'a>, lenient: bool) -> Expr<'a> {
        let mut args = vec![key];
        if !lenient {
            args.push(self.label(whole));
        }
        filter(GET, self.bind(base, lenient), args, whole.span())
    }

    fn binary<'a>(&self, op: &BinOp<'a>, whole: &Expr<'a>) -> Expr<'a> {
        let span = whole.span();
        let plain = |left, right| Expr::BinOp(Spanned::new(BinOp { op: op.op, left, right }, span));
        let comparison = |name: &str| {
            let args = vec![text(name, span), self.bind(&op.right, false), self.label(whole)];
            filter(COMPARE, self.bind(&op.left, false), args, span)
        };
        match op.op {
            BinOpKind::ScAnd | BinOpKind::ScOr => plain(self.boolean(&op.left), self.boolean(&op.right)),
            BinOpKind::Add => {
                filter(BOUNDED, plain(self.bind(&op.left, false), self.bind(&op.right, false)), vec![], span)
            }
            BinOpKind::Concat => {
                let args = vec![self.bind(&op.right, false), self.label(whole)];
                filter(CONCAT, self.bind(&op.left, false), args, span)
            }
            BinOpKind::Sub
            | BinOpKind::Mul
            | BinOpKind::Div
            | BinOpKind::FloorDiv
            | BinOpKind::Rem
            | BinOpKind::Pow => plain(self.number(&op.left), self.number(&op.right)),
            BinOpKind::Eq => comparison("=="),
            BinOpKind::Ne => comparison("!="),
            BinOpKind::Lt => comparison("<"),
            BinOpKind::Lte => comparison("<="),
            BinOpKind::Gt => comparison(">"),
            BinOpKind::Gte => comparison(">="),
            BinOpKind::In => comparison("in"),
        }
    }

    fn boolean<'a>(&self, expr: &Expr<'a>) -> Expr<'a> {
        filter(BOOL, self.bind(expr, false), vec![self.label(expr)], expr.span())
    }

    fn number<'a>(&self, expr: &Expr<'a>) -> Expr<'a> {
        filter(NUMBER, self.bind(expr, false), vec![self.label(expr)], expr.span())
    }

    fn args<'a>(&self, args: &[CallArg<'a>]) -> Vec<CallArg<'a>> {
        args.iter()
            .filter_map(|arg| match arg {
                CallArg::Pos(expr) => Some(CallArg::Pos(self.bind(expr, false))),
                CallArg::Kwarg(name, expr) => Some(CallArg::Kwarg(name, self.bind(expr, false))),
                // Refused when the text was read.
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => None,
            })
            .collect()
    }

    fn label<'a>(&self, expr: &Expr<'a>) -> Expr<'a> {
        text(&label(with_brackets(self.source, range_of(expr))), expr.span())
    }
}

/// The part of an expression with the brackets before it that close within: they are in no tree.
fn with_brackets(source: &str, range: std::ops::Range<usize>) -> &str {
    let Some(mut part) = source.get(range.clone()) else { return source };
    while part.matches(')').count() > part.matches('(').count() {
        let before = source[..range.end - part.len()].trim_end();
        match before.strip_suffix('(') {
            Some(rest) => part = &source[rest.len()..range.end],
            None => break,
        }
    }
    part
}

fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}

fn constant(value: Value, span: Span) -> Expr<'static> {
    Expr::Const(Spanned::new(Const { value }, span))
}

fn text(text: &str, span: Span) -> Expr<'static> {
    constant(Value::from(text), span)
}

fn filter<'a>(name: &'static str, operand: Expr<'a>, args: Vec<Expr<'a>>, span: Span) -> Expr<'a> {
    let args = args.into_iter().map(CallArg::Pos).collect();
    Expr::Filter(Spanned::new(Filter { name, expr: Some(operand), args }, span))
}

fn unary(op: UnaryOpKind, expr: Expr<'_>, span: Span) -> Expr<'_> {
    Expr::UnaryOp(Spanned::new(UnaryOp { op, expr }, span))
}
