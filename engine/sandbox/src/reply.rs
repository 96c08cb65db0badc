//! What a request is answered with: JSON always, errors included.

use serde_json::{Value, json};

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// Whether this is the kept answer to an earlier request with the same `Idempotency-Key`.
    pub(crate) replayed: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, body, replayed: false }
    }

    pub(crate) fn ok(body: impl Into<Value>) -> Self {
        Self::new(200, body.into())
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::new(201, body)
    }
}

/// A bad answer: a status, a code for programs and a message for people. What the request wrote is undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(404, "not_found", format!("no {what} `{name}`"))
    }

    /// The request makes sense, but not in the state that the thing is in.
    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// Something the platform needs is not there: a service, the database.
    pub(crate) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(503, code, message)
    }

    pub(crate) fn body(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message}})
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(500, "database_error", format!("database error: {error}"))
    }
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        use crate::Error;
        match &error {
            Error::UnknownFault { .. } => Self::new(404, "unknown_fault", error.to_string()),
            Error::Damaged(_) => Self::unavailable("database_damaged", error.to_string()),
            Error::NoBackup(_) => Self::conflict("no_backup", error.to_string()),
            _ => Self::new(500, "internal_error", error.to_string()),
        }
    }
}
