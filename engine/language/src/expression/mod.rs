//! Expressions (`params.x == 'a'`) and templates (`{{ … }}` in a text): what they read, and what they are worth.
//!
//! ```text
//! text ──split──► pieces ──parse──► minijinja's syntax tree ──┬─ analyse ──► names that it uses, for the checker
//!                                   (whole, known, bounded)   └─ bind ─────► the same tree with values in the place
//!                                                                            of names ──► minijinja runs it
//! ```
//!
//! The tree comes from minijinja's own parser (feature `unstable_machinery`, hence the exact version): it alone knows
//! where a name stands, and `undeclared_variables` neither gives positions nor sees subscripts.
//!
//! Rules that differ from Jinja, because a runbook is read at three in the morning:
//!
//! - only `{{ … }}` means something; `{% … %}` is an error; `{#` is text, as in `${#list}`;
//! - a name that is not there is an error that names it, except straight under `| default(…)`, `is defined` and
//!   `is undefined`; `default` also stands in for `none`, which is what an optional param without a value is;
//! - there is no truthiness: `if`, `and`, `or`, `not` want `true` or `false` (the text `"false"` would count as true);
//! - text is never compared with a number or a boolean (`"10" > 9` would be true, `"5" == 5` false): the types must
//!   agree, or the comparison is an error that says how to convert;
//! - in a text, booleans and numbers are written as in YAML, lists and objects as JSON, and `none` is an error;
//! - `*` multiplies numbers only, there is no `range`, and an inline `if` needs its `else`.
//!
//! Bounds: [`TOKENS_MAX`] words in an expression, [`TEXT_MAX`] bytes in a result, [`WORK_MAX`] bytes written on the
//! way to it, and minijinja's fuel. No clock, no randomness, no environment, no other template can be reached.

mod analysis;
mod bind;
mod error;
mod evaluator;
mod facts;
mod filters;
mod names;
mod operators;
mod parse;
mod split;
mod structure;
mod tables;
#[cfg(test)]
mod tests;
mod values;

pub use analysis::{Analysis, NameUse, TemplateAnalysis, TemplateKind, analyse_expression, analyse_template};
pub use error::ExpressionError;
pub use evaluator::Evaluator;
pub use operators::WORK_MAX;
pub use parse::TOKENS_MAX;
pub use split::{Piece, split};
pub use tables::{FILTERS, FUNCTIONS, Named, TESTS};
pub use values::TEXT_MAX;
