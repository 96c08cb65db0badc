//! What steps and undos do, with templates where values go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EnvSource, Expression, Param, PluginCall, Template};
use crate::units::Digest;

/// What a step, or its undo, does in the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A script for a shell; its text is never templated.
    Run(Script),
    /// A program with arguments, no shell.
    Argv(Argv),
    /// An HTTP request.
    Http(Box<Http>),
    /// Expressions that must hold.
    Assert(Vec<Check>),
    /// Values.
    Set(BTreeMap<String, Template>),
    /// A pause.
    Wait(Wait),
    /// Something that a person does and confirms.
    Manual(Template),
    /// Values that a person gives.
    Ask(Ask),
    /// Another runbook, as a child run.
    Runbook(RunbookCall),
    /// A plugin that is a program.
    Plugin(PluginCall),
    /// As an undo: the child runs of the step are rolled back.
    UndoRunbook,
}

/// `run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The text, exactly as written.
    pub text: String,
    /// `bash`, `sh` or a path.
    pub shell: String,
    /// The step's own `env`.
    pub env: BTreeMap<String, EnvSource>,
    /// The folder to run in; the one that the run was started in where none is written.
    pub dir: Option<Template>,
}

/// `argv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Argv {
    /// The program and its arguments.
    pub argv: Vec<Template>,
    /// The step's own `env`.
    pub env: BTreeMap<String, EnvSource>,
    /// The folder to run in.
    pub dir: Option<Template>,
}

/// `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// Upper case.
    pub method: String,
    /// Where to.
    pub url: Template,
    /// Request headers.
    pub headers: BTreeMap<String, EnvSource>,
    /// The body.
    pub body: Option<HttpBody>,
    /// The statuses that are a success, as inclusive ranges.
    pub expect: Vec<(u16, u16)>,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// Sent as `application/json`.
    Json(Template),
    /// Sent as it is.
    Text(Template),
}

/// `ask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// What is asked.
    pub prompt: Template,
    /// The values, in the order written.
    pub fields: Vec<Field>,
}

/// A value that a person gives: an output of the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type, and what else may be said of it.
    pub param: Param,
}

/// One check of an `assert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What must hold.
    pub that: Expression,
    /// What to say when it does not.
    pub message: Option<Template>,
}

/// `wait`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// For so long: a duration once rendered.
    For(Template),
    /// Until a moment: an RFC 3339 time with its offset once rendered.
    Until(Template),
}

/// `runbook` and `with`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunbookCall {
    /// How the step names it: an id, or a file.
    pub name: String,
    /// The plan, in [`Plan::runbooks`](super::Plan).
    pub plan: Digest,
    /// The values of its params.
    pub with: BTreeMap<String, Template>,
}
