//! What is said of runs: by the real core, over a journal in memory.

mod kit;
mod long;
mod schema;
mod told;
mod written;
