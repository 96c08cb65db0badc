//! Plan, events and state of a run, and the three pure functions that decide everything.

pub mod evaluate;
pub mod event;
pub mod input;
pub mod plan;
pub mod rendered;
pub mod units;
