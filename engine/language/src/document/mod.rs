//! The documents as they are written: every key, typed, with its place. Nothing is looked up yet.

mod action;
mod deadline;
mod done;
mod environment;
mod guard;
mod lock;
mod needs;
mod plugin;
mod runbook;
mod step;

pub(crate) use action::is_moment;
pub use action::{AskDoc, AssertDoc, CheckDoc, EnvDoc, ExpectDoc, HttpDoc, ResponseCodes, SecretRef, WaitDoc, WaitMap};
pub use deadline::{DeadlineDoc, DeadlineMap};
pub use done::{DoneWhenDoc, ProbeDoc};
pub use environment::{EnvironmentDoc, ReadyDoc, ServiceDoc};
pub use guard::{GuardDoc, GuardMap, OnTripWord};
pub use lock::{LockDoc, LockMap};
pub use needs::{NeedsDoc, SomeOfDoc};
pub use plugin::PluginDoc;
pub use runbook::{OnFailureWord, ParamDoc, ParamType, RunbookDoc, SecretDoc, SourceDoc};
pub use step::{
    ApprovalDoc, BackoffWord, OnInterruptWord, OnStepFailureWord, OnTimeoutWord, OutputsDoc, RetryDoc, RetryOnDoc,
    StepDoc, UndoDoc, UndoWhenWord,
};
