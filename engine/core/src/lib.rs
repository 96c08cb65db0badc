//! Plan, events and state of a run, and the three pure functions that decide everything.
//!
//! ```text
//! Input ──► decide ──► events ──(one durable batch)──► Run::apply ──► Run ──► Run::wanted ──► effects
//! ```
//!
//! Nothing here knows a clock, a file, a thread or randomness; a replay of the events gives the same state.

mod apply;
mod decide;
mod depth;
mod digest;
pub mod evaluate;
pub mod event;
pub mod input;
pub mod plan;
pub mod rendered;
pub mod run;
pub mod units;
mod wanted;

pub use apply::IllegalEvent;
pub use decide::{Decision, decide};
pub use depth::{DEPTH_MAX, is_too_deep};
pub use digest::{as_text, canonical, digest_of, hex};
pub use wanted::Effect;
