//! What an expression or a template reads, as far as its text shows.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};
use runbook_core::plan::{Expression, Template};
use runbook_core::units::StepId;
use serde_json::Value;

use super::error::ExpressionError;
use super::facts::{Fact, facts};
use super::parse::{Path, parse, path_of, range_of};
use super::split::{LITERAL_BRACES, Piece, split};

/// The names that are there everywhere. Any other top-level name is local to its place.
const GLOBAL_NAMES: [&str; 4] = ["params", "environment", "run", "steps"];

/// A place where a name is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameUse {
    /// The name and its attributes, as far as they are written out: `["steps", "a", "outputs", "b"]`.
    /// A subscript by a fixed text counts as an attribute.
    pub path: Vec<String>,
    /// Whether a subscript follows whose value only the run knows: `steps[params.x]`, also `params.list[0]`.
    pub dynamic: bool,
    /// Where it begins, in bytes from the start of the given text.
    pub offset: usize,
    /// How many bytes it spans.
    pub len: usize,
    /// Whether it may be missing here: straight under `| default(…)` or `is defined`, or behind such a test.
    /// Only `default` also stands in for `none`.
    pub defaulted: bool,
    /// The ids of the steps that are known to have succeeded where this is evaluated.
    pub guards: BTreeSet<String>,
}

/// What the text of an expression shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Every use of a name, in the order written.
    pub uses: Vec<NameUse>,
    /// Whether it calls `failure()` or `always()`.
    pub asks_status: bool,
    /// The ids of the steps that succeeded if the expression is true: guards for what a step with this `if` does.
    pub assures: BTreeSet<String>,
}

/// What a template makes of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateKind {
    /// No braces: the text itself.
    Literal,
    /// One `{{ expression }}` and nothing else: its value keeps its type.
    Value {
        /// The expression, without braces and space around it.
        expression: String,
    },
    /// Text with braces within: the result is text, and `none` within it is an error when it is rendered.
    Text,
}

/// What the text of a template shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateAnalysis {
    /// What becomes of it.
    pub kind: TemplateKind,
    /// Every use of a name, in the order written.
    pub uses: Vec<NameUse>,
    /// Whether it calls `failure()` or `always()`.
    pub asks_status: bool,
}

/// Analyses a bare expression, as in `if:`, `until:`, `switch:` and `assert:`.
///
/// # Errors
/// When it is no expression, or has a filter, test or function that does not exist.
pub fn analyse_expression(text: &str) -> Result<Analysis, ExpressionError> {
    let tree = parse(text)?;
    let mut walk = Walk::default();
    walk.visit(&tree, &BTreeSet::new(), false);
    Ok(Analysis { uses: walk.uses, asks_status: walk.asks_status, assures: succeeded(&facts(&tree, true)) })
}

/// Analyses a text that may hold `{{ … }}`.
///
/// # Errors
/// As [`analyse_expression`], for each expression within; and for braces that are not closed, and `{% … %}`.
pub fn analyse_template(text: &str) -> Result<TemplateAnalysis, ExpressionError> {
    let pieces = split(text)?;
    let mut walk = Walk::default();
    for piece in &pieces {
        if let Piece::Expression { source, offset, .. } = piece {
            let tree = parse(source).map_err(|error| {
                let error = error.shifted(*offset);
                // As in `docker ps --format '{{.Names}}'`, which means another language's braces.
                if source.trim_start().starts_with('.') { error.hint(LITERAL_BRACES) } else { error }
            })?;
            walk.base = *offset;
            walk.visit(&tree, &BTreeSet::new(), false);
        }
    }
    let kind = match pieces.as_slice() {
        [Piece::Expression { source, .. }] if text.starts_with("{{") && text.ends_with("}}") => {
            TemplateKind::Value { expression: source.trim().to_owned() }
        }
        pieces if pieces.iter().any(|piece| matches!(piece, Piece::Expression { .. })) => TemplateKind::Text,
        _ => TemplateKind::Literal,
    };
    Ok(TemplateAnalysis { kind, uses: walk.uses, asks_status: walk.asks_status })
}

impl Analysis {
    /// The expression as the plan keeps it.
    pub fn lower(&self, text: &str) -> Expression {
        expression(text, &self.uses)
    }
}

impl TemplateAnalysis {
    /// The template as the plan keeps it.
    pub fn lower(&self, text: &str) -> Template {
        match &self.kind {
            TemplateKind::Literal => Template::Literal(Value::String(text.to_owned())),
            TemplateKind::Value { expression: source } => Template::Value(expression(source, &self.uses)),
            TemplateKind::Text => Template::Text(expression(text, &self.uses)),
        }
    }
}

fn expression(source: &str, uses: &[NameUse]) -> Expression {
    let steps = uses.iter().filter(|name| name.path[0] == "steps").filter_map(|name| name.path.get(1));
    let locals = uses.iter().map(|name| &name.path[0]).filter(|root| !GLOBAL_NAMES.contains(&root.as_str()));
    Expression {
        source: source.to_owned(),
        reads: steps.map(|id| StepId::new(id.as_str())).collect(),
        locals: locals.cloned().collect(),
    }
}

fn succeeded(known: &BTreeSet<Fact>) -> BTreeSet<String> {
    known
        .iter()
        .filter_map(|fact| match fact {
            Fact::Succeeded(id) => Some(id.clone()),
            Fact::Defined(_) => None,
        })
        .collect()
}

/// Collects the uses of names.
#[derive(Default)]
struct Walk {
    base: usize,
    uses: Vec<NameUse>,
    asks_status: bool,
}

impl Walk {
    /// Visits an expression of which `known` holds when it is evaluated, and which may be missing if `lenient`.
    fn visit(&mut self, expr: &Expr<'_>, known: &BTreeSet<Fact>, lenient: bool) {
        if let Some(path) = path_of(expr) {
            return self.record(path, false, known, lenient);
        }
        match expr {
            Expr::GetAttr(get) => self.visit(&get.expr, known, lenient),
            Expr::GetItem(get) => {
                match path_of(&get.expr) {
                    Some(path) => {
                        let range = path.range.start..range_of(expr).end;
                        self.record(Path { range, ..path }, true, known, lenient);
                    }
                    None => self.visit(&get.expr, known, lenient),
                }
                self.visit(&get.subscript_expr, known, false);
            }
            Expr::BinOp(op) => {
                self.visit(&op.left, known, false);
                let mut known = known.clone();
                match op.op {
                    BinOpKind::ScAnd => known.extend(facts(&op.left, true)),
                    BinOpKind::ScOr => known.extend(facts(&op.left, false)),
                    _ => {}
                }
                self.visit(&op.right, &known, false);
            }
            Expr::IfExpr(choice) => {
                self.visit(&choice.test_expr, known, false);
                for (branch, outcome) in [(Some(&choice.true_expr), true), (choice.false_expr.as_ref(), false)] {
                    let mut known = known.clone();
                    known.extend(facts(&choice.test_expr, outcome));
                    branch.into_iter().for_each(|branch| self.visit(branch, &known, false));
                }
            }
            Expr::Filter(filter) => {
                filter.expr.iter().for_each(|operand| self.visit(operand, known, filter.name == "default"));
                self.visit_args(&filter.args, known);
            }
            Expr::Test(test) => {
                self.visit(&test.expr, known, matches!(test.name, "defined" | "undefined"));
                self.visit_args(&test.args, known);
            }
            Expr::Call(_) => self.asks_status = true,
            _ => self.visit_parts(expr, known),
        }
    }

    /// Visits what has parts that are all evaluated, none of which decides about another.
    fn visit_parts(&mut self, expr: &Expr<'_>, known: &BTreeSet<Fact>) {
        let mut parts: Vec<&Expr<'_>> = Vec::new();
        match expr {
            Expr::UnaryOp(op) => parts.push(&op.expr),
            Expr::Slice(slice) => {
                parts.push(&slice.expr);
                parts.extend([&slice.start, &slice.stop, &slice.step].into_iter().flatten());
            }
            Expr::Compare(compare) => {
                parts.push(&compare.expr);
                parts.extend(compare.ops.iter().map(|op| &op.expr));
            }
            Expr::List(list) => parts.extend(&list.items),
            Expr::Tuple(tuple) => parts.extend(&tuple.items),
            Expr::Map(map) => parts.extend(map.keys.iter().zip(&map.values).flat_map(|(key, value)| [key, value])),
            _ => {}
        }
        parts.into_iter().for_each(|part| self.visit(part, known, false));
    }

    fn visit_args(&mut self, args: &[CallArg<'_>], known: &BTreeSet<Fact>) {
        for arg in args {
            let (CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr)) =
                arg;
            self.visit(expr, known, false);
        }
    }

    fn record(&mut self, path: Path, dynamic: bool, known: &BTreeSet<Fact>, lenient: bool) {
        let there = known.iter().any(|fact| match fact {
            Fact::Defined(defined) => path.segments.starts_with(defined) || defined.starts_with(&path.segments),
            Fact::Succeeded(_) => false,
        });
        self.uses.push(NameUse {
            path: path.segments,
            dynamic,
            offset: self.base + path.range.start,
            len: path.range.len(),
            defaulted: lenient || there,
            guards: succeeded(known),
        });
    }
}
