//! What runs come to: reports, statistics, and who did what.
//!
//! ```text
//! records of a run ──fold──► Report ──compose──► Document ──► Markdown, HTML
//!                                └──────────────────────────► JSON (report/v1)
//! records of all runs ──fold──► Stats, acts of people
//! ```
//!
//! A room of its own, beside the command line: a report is made of records alone, by whoever has them, and nothing here
//! reads a file, a clock or the environment. The ends of logs are handed in.

mod acts;
mod began;
mod compose;
mod document;
mod fold;
mod html;
mod markdown;
mod model;
mod phrases;
mod schema;
mod sections;
mod stats;
mod targets;
pub mod text;
mod timeline;

pub use acts::{ACTS, Act, acts, pruned};
pub use fold::{Given, report};
pub use html::html;
pub use markdown::markdown;
pub use model::{
    Answer, Attempt, Counts, Ending, Entry, Evidence, LogEnd, Person, Question, Refusal, Report, Rollback, RunFacts,
    Source, Step, Target,
};
pub use schema::{SCHEMA, schema};
pub use stats::{Measured, RunbookStats, SeverityStats, Stats, StepStats, Tally};
