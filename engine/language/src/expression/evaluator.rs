//! Gives expressions and templates their values.

use minijinja::machinery::{CodeGenerator, eval, make_string_output};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use runbook_core::evaluate::{Evaluate, EvaluateError, Scope};
use runbook_core::plan::{Expression, Param, ParamKind, Plan, Template};
use runbook_core::units::Timestamp;
use serde_json::{Map, Value as Json};

use super::bind::Bind;
use super::names::Scoped;
use super::operators::{self, boolean};
use super::parse::parse;
use super::split::{Piece, split};
use super::tables::{register_filters, register_tests};
use super::values::{TEXT_MAX, label, to_json, to_text};
use crate::params::{parse_param, resolve_params};

/// Most instructions of minijinja's machine for one expression.
///
/// An expression has no loops, so one of [`TOKENS_MAX`](super::TOKENS_MAX) words needs far fewer: this is the
/// second lock on the door.
const FUEL: u64 = 20_000;

/// Longest message, in bytes, that is taken over from minijinja.
const MESSAGE_MAX: usize = 200;

/// Evaluates expressions and templates with minijinja. One serves any number of runs and threads.
#[derive(Debug)]
pub struct Evaluator {
    env: Environment<'static>,
}

impl Default for Evaluator {
    fn default() -> Self {
        Self::new()
    }
}

impl Evaluator {
    /// An evaluator with the filters and tests of the language.
    pub fn new() -> Self {
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_debug(false);
        register_filters(&mut env);
        register_tests(&mut env);
        operators::register(&mut env);
        Self { env }
    }

    /// The value of an expression. minijinja hands out even an undefined one; who takes it refuses that.
    ///
    /// The text is read anew each time: that costs microseconds, less than keeping trees that borrow from it.
    fn value(&self, source: &str, from: &Expression, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
        let tree =
            parse(source).map_err(|error| EvaluateError(format!("{} is no expression: {error}", label(source))))?;
        let names = Scoped { scope, reads: &from.reads };
        let bound = Bind { source, names: &names }.bind(&tree, false);
        let mut code = CodeGenerator::new("expression", source);
        code.compile_expr(&bound);
        let (instructions, blocks) = code.finish();
        let mut nothing = String::new();
        let mut output = make_string_output(&mut nothing);
        let (value, _) = eval(&self.env, &instructions, Value::UNDEFINED, &blocks, &mut output, AutoEscape::None)
            .map_err(|error| EvaluateError(sentence(&error, source)))?;
        Ok(value.unwrap_or_default())
    }

    /// The text of a template with braces within.
    fn text(&self, template: &Expression, scope: &Scope<'_>, room: &mut usize) -> Result<String, EvaluateError> {
        let pieces = split(&template.source)
            .map_err(|error| EvaluateError(format!("{} is no template: {error}", label(&template.source))))?;
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Expression { source, .. } => {
                    let value = self.value(source, template, scope)?;
                    let text = to_text(&value, room).map_err(|problem| {
                        let way_out = if value.is_none() { "; give it a text with `| default('…')`" } else { "" };
                        EvaluateError(format!("{} {problem}{way_out}", label(source)))
                    })?;
                    out.push_str(&text);
                }
            }
        }
        Ok(out)
    }

    fn render(&self, template: &Template, scope: &Scope<'_>, room: &mut usize) -> Result<Json, EvaluateError> {
        Ok(match template {
            Template::Literal(value) => value.clone(),
            Template::Value(expression) => json(&self.value(&expression.source, expression, scope)?, expression, room)?,
            Template::Text(expression) => Json::String(self.text(expression, scope, room)?),
            Template::List(items) => {
                items.iter().map(|item| self.render(item, scope, room)).collect::<Result<_, _>>()?
            }
            Template::Object(entries) => entries
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.render(value, scope, room)?)))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Evaluate for Evaluator {
    fn condition(&self, expression: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        let value = self.value(&expression.source, expression, scope)?;
        boolean(&value, &label(&expression.source)).map_err(EvaluateError)
    }

    fn expression(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
        json(&self.value(&expression.source, expression, scope)?, expression, &mut TEXT_MAX.clone())
    }

    fn template(&self, template: &Template, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
        self.render(template, scope, &mut TEXT_MAX.clone())
    }

    fn fit(&self, param: &Param, value: &Json) -> Result<Json, EvaluateError> {
        crate::params::check_value(param, value).map_err(EvaluateError)
    }

    fn params(&self, plan: &Plan, given: Map<String, Json>) -> Result<Json, EvaluateError> {
        // What a script hands back is text, and may be meant as a number: it is read as on the command line.
        let read = |(name, value): (String, Json)| {
            let value = match (plan.params.get(&name), value) {
                (Some(param), Json::String(text)) if param.kind != ParamKind::String => parse_param(param, &text)
                    .map_err(|reason| EvaluateError(format!("the param `{name}` cannot be used: {reason}")))?,
                (_, value) => value,
            };
            Ok((name, value))
        };
        let given = given.into_iter().map(read).collect::<Result<_, EvaluateError>>()?;
        resolve_params(plan, &given).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            EvaluateError(all.join("; "))
        })
    }

    fn schema(&self, schema: &Json, value: &Json) -> Result<(), EvaluateError> {
        crate::values::check(schema, value).map_err(EvaluateError)
    }

    fn moment(&self, text: &str) -> Result<Timestamp, EvaluateError> {
        let problem = || EvaluateError(format!("{} is not a time such as `2026-01-31T17:00:00+01:00`", label(text)));
        // jiff also reads a zone in brackets, which would need a database to be believed.
        let at: jiff::Timestamp =
            if text.contains('[') { None } else { text.trim().parse().ok() }.ok_or_else(problem)?;
        let ms =
            u64::try_from(at.as_millisecond()).map_err(|_| EvaluateError(format!("{} is before 1970", label(text))))?;
        Ok(Timestamp(ms))
    }
}

fn json(value: &Value, from: &Expression, room: &mut usize) -> Result<Json, EvaluateError> {
    to_json(value, room).map_err(|problem| EvaluateError(format!("{} {problem}", label(&from.source))))
}

/// One sentence for what minijinja reports.
fn sentence(error: &Error, source: &str) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => format!("{} needs too much work", label(source)),
        ErrorKind::UndefinedError => format!("{} works on something that is undefined", label(source)),
        kind => {
            let detail = error.detail().map_or_else(|| kind.to_string(), str::to_owned);
            let line = detail.lines().next().unwrap_or_default();
            let end = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= MESSAGE_MAX).last().unwrap_or(0);
            let line = if line.len() > MESSAGE_MAX { &line[..end] } else { line };
            // minijinja would add the operands.
            let line =
                if line.starts_with("unable to calculate") { "the result is no number, or too large" } else { line };
            // What the language itself reports names its place in backticks; the rest needs the expression.
            if line.starts_with('`') { line.to_owned() } else { format!("{}: {line}", label(source)) }
        }
    }
}
