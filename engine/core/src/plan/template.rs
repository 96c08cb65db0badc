//! Expressions and templates, and where values come from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::{SecretName, StepId};

/// An expression, without braces: `params.x == 'a'`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expression {
    /// The text.
    pub source: String,
    /// The steps whose results it may read; all have ended when it is evaluated.
    pub reads: BTreeSet<StepId>,
    /// The local names it reads, such as `stdout`, `stderr`, `response`: only these are collected for it.
    #[serde(default)]
    pub locals: BTreeSet<String>,
}

/// A value in which texts may hold `{{ … }}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// No braces anywhere within: taken as it is.
    Literal(Value),
    /// A text that is one `{{ expression }}` and nothing else: its value keeps its type.
    Value(Expression),
    /// A text with braces within: the result is text.
    Text(Expression),
    /// A list with a template somewhere within.
    List(Vec<Template>),
    /// An object with a template somewhere within.
    Object(BTreeMap<String, Template>),
}

impl Template {
    /// A template that is just this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Literal(Value::String(text.into()))
    }

    /// The expressions in it.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Literal(_) => vec![],
            Self::Value(expression) | Self::Text(expression) => vec![expression],
            Self::List(items) => items.iter().flat_map(Self::expressions).collect(),
            Self::Object(entries) => entries.values().flat_map(Self::expressions).collect(),
        }
    }
}

/// Where an environment variable or a header gets its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvSource {
    /// From a template.
    Template(Template),
    /// From a secret, with fixed text around it (`Bearer ` before a token).
    Secret {
        /// Which secret.
        name: SecretName,
        /// Fixed text before the value.
        prefix: String,
    },
}

/// Where a secret is found at the start of each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// In an environment variable of the engine.
    Env(String),
    /// In a file; one newline at the end is not part of it.
    File(String),
    /// What a program prints; one newline at the end is not part of it.
    Command(SecretCommand),
}

/// A program that prints a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretCommand {
    /// The program and its arguments; there is no shell.
    pub argv: Vec<String>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}
