//! The shell round the pure core: it runs what the core decided, and tells it what happened.

pub mod exit_code;
pub mod folder;
pub mod identity;
pub mod inbox;
pub mod secrets;
pub mod supervisor;
