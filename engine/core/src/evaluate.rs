//! What core needs of the language at run time: the value of an expression or template, given what is known.
//!
//! Core asks; `engine/language` answers with minijinja. An answer depends on the arguments alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::plan::{Expression, Param, Plan, Template};
use crate::units::{StepId, Timestamp};

/// Gives expressions and templates their values.
pub trait Evaluate {
    /// Whether a condition holds.
    ///
    /// # Errors
    /// When it cannot be evaluated: an undefined name, a wrong type, too much work.
    fn condition(&self, expression: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError>;

    /// The value of an expression.
    ///
    /// # Errors
    /// As [`Evaluate::condition`].
    fn expression(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Value, EvaluateError>;

    /// The value of a template.
    ///
    /// # Errors
    /// As [`Evaluate::condition`].
    fn template(&self, template: &Template, scope: &Scope<'_>) -> Result<Value, EvaluateError>;

    /// The moment that an RFC 3339 text with an offset names.
    ///
    /// # Errors
    /// When the text names none.
    fn moment(&self, text: &str) -> Result<Timestamp, EvaluateError>;

    /// A value that a person gave, in its one form.
    ///
    /// # Errors
    /// When it is of another type, or none of the allowed ones.
    fn fit(&self, param: &Param, value: &Value) -> Result<Value, EvaluateError>;

    /// The values of all params of a plan, from those that are given: both are objects.
    ///
    /// # Errors
    /// When one is missing, or does not fit.
    fn params(&self, plan: &Plan, given: Map<String, Value>) -> Result<Value, EvaluateError>;

    /// Holds a value against a JSON Schema.
    ///
    /// # Errors
    /// What does not fit, all of it in one sentence.
    fn schema(&self, schema: &Value, value: &Value) -> Result<(), EvaluateError>;
}

/// Why something has no value: one sentence without the place, which the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvaluateError(pub String);

/// What an expression may see.
pub struct Scope<'a> {
    /// `params`: an object.
    pub params: &'a Value,
    /// `environment`: an object.
    pub environment: &'a Value,
    /// `run`: an object (`id`, `runbook`, `started_by`).
    pub run: &'a Value,
    /// `steps.<id>`, for those that the expression reads.
    pub steps: &'a dyn Fn(&StepId) -> Option<StepView<'a>>,
    /// Names that exist only here: `stdout`, `stderr`, `exit_code`, `response`, and `outputs` of this very attempt.
    pub locals: &'a BTreeMap<String, Value>,
    /// What `failure()` says: whether an ancestor failed, was cancelled or was blocked.
    pub failure: bool,
}

/// `steps.<id>` in an expression.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// It ended well.
    pub succeeded: bool,
    /// It ended badly.
    pub failed: bool,
    /// Its condition did not hold, or its branch was not taken.
    pub skipped: bool,
    /// It succeeded because nothing was left to do.
    pub already_done: bool,
    /// The exit code of its last attempt, when it had one.
    pub exit_code: Option<i32>,
    /// What it handed on.
    pub outputs: &'a BTreeMap<String, Value>,
}
