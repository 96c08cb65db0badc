//! YAML text to a checked plan.
//!
//! ```text
//! SourceFile ─yaml─► Node ─decode─► RunbookDoc ─check─► Outline ─lower─► runbook_core::plan::Plan
//!                      └───────────────┴──────────────┴─────────────┴──► Diagnostics
//! ```
//!
//! Every stage reports all that it finds and hands on what is usable, so that one mistake never hides another. Nothing
//! here reads a file, a clock or the environment: text goes in, a plan or diagnostics come out.

pub mod code;
pub mod decode;
pub mod diagnostic;
pub mod document;
pub mod environment;
pub mod expression;
pub mod library;
pub mod load;
pub mod params;
pub mod period;
pub mod plugin;
pub mod project;
pub mod reference;
pub mod retention;
pub mod schema;
pub mod source;
pub mod yaml;

mod check;
mod lower;
mod suggest;
mod values;

pub use diagnostic::{Diagnostic, Diagnostics, Look, Severity};
pub use environment::{Environment, Resolved, RunFacts, ServiceFacts, resolve_environment};
pub use library::{Library, Missing, NoLibrary};
pub use load::{Loaded, Peek, load_environment, load_part, load_runbook, load_runbook_with, peek};
pub use params::{ParamError, export_param, exported_name, parse_param, resolve_params};
pub use period::Period;
pub use plugin::{FoundPlugin, PLUGIN_FILE, PluginAbout, load_plugin};
pub use project::{PROJECT_FILE, Project, parse_project};
pub use reference::reference;
pub use retention::Retention;
pub use schema::{SchemaKind, schema};
pub use source::SourceFile;
pub use suggest::did_you_mean;
