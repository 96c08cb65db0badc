//! The shell round the pure core: it runs what the core decided, and tells it what happened.

mod answerable;
mod asked;
mod awaited;
pub mod bundle;
mod engine;
mod engine_lock;
pub mod exit_code;
pub mod folder;
mod foreseen;
pub mod given;
pub mod group;
mod handback;
pub mod identity;
pub mod inbox;
pub mod keys;
pub mod launch;
pub mod locks;
pub mod looped;
mod places;
pub mod plugin;
pub mod probe;
pub mod prune;
mod question;
pub mod record;
mod regular;
pub mod removals;
pub mod secrets;
mod shared;
mod shortened;
pub mod signing;
pub mod status;
pub mod supervisor;
pub mod unless;
pub mod words;

pub use engine::{
    Asked, CHILD_SUBCOMMAND, Engine, EngineError, Options, Outcome, Reporter, Sign, leave_end, load, now,
};
pub use foreseen::foresee;
