//! The shell round the pure core: it runs what the core decided, and tells it what happened.

pub mod supervisor;
