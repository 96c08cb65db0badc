//! Where an expression stands, and so what it may see.

/// Where an expression stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    /// Of which step; none for the document's own.
    pub(crate) step: Option<usize>,
    /// Which names exist only here.
    pub(crate) locals: Locals,
    /// Whether `failure()` and `always()` can be called: in `if` only.
    pub(crate) condition: bool,
    /// Whether the step has ended: what lies in it can be read.
    pub(crate) ended: bool,
    /// Whether it is evaluated once for a loop, and so does not see its items.
    pub(crate) once: bool,
    /// In a rollback: whether it may follow a failure of its step.
    pub(crate) undo: Option<bool>,
}

/// Names that exist only in some places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locals {
    /// None.
    None,
    /// Of an ended process.
    Process,
    /// Of an answered request.
    Response,
    /// Of a plugin that answered.
    Plugin,
    /// Of a plugin that failed.
    FailedPlugin,
    /// Of the step that is undone.
    Undo,
    /// Of a process whose attempt failed: what it handed back does not count.
    Failed,
}

impl Locals {
    /// The names.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Process => &["stdout", "stderr", "exit_code", "outputs"],
            Self::Response => &["response"],
            Self::Plugin => &["exit_code", "outputs"],
            Self::FailedPlugin => &["exit_code"],
            Self::Undo => &["outputs"],
            Self::Failed => &["stdout", "stderr", "exit_code"],
        }
    }

    /// The names that exist after a failed attempt.
    pub(crate) fn of_failure(self) -> Self {
        match self {
            Self::Process => Self::Failed,
            Self::Plugin => Self::FailedPlugin,
            other => other,
        }
    }
}

impl Site {
    /// The document's `env`.
    pub(crate) fn document() -> Self {
        Self { step: None, locals: Locals::None, condition: false, ended: false, once: false, undo: None }
    }

    /// What the runbook hands on, after all has been done.
    pub(crate) fn end() -> Self {
        Self { ended: true, ..Self::document() }
    }

    /// What a step does, before it is done.
    pub(crate) fn step(at: usize) -> Self {
        Self { step: Some(at), ..Self::document() }
    }

    /// What a step says of itself as a whole: of a loop, before its items.
    pub(crate) fn once(at: usize) -> Self {
        Self { once: true, ..Self::step(at) }
    }

    /// The `if` of a step.
    pub(crate) fn condition(at: usize) -> Self {
        Self { condition: true, ..Self::once(at) }
    }

    /// `until` and `outputs` of a step, after it was done.
    pub(crate) fn result(at: usize, locals: Locals) -> Self {
        Self { locals, ended: true, ..Self::step(at) }
    }

    /// `trip_if` of a guard, after a look.
    pub(crate) fn look(at: usize, locals: Locals) -> Self {
        Self { locals, ..Self::step(at) }
    }

    /// The rollback of a step.
    pub(crate) fn undo(at: usize, also_failed: bool) -> Self {
        Self { undo: Some(also_failed), locals: Locals::Undo, ended: true, ..Self::step(at) }
    }
}
