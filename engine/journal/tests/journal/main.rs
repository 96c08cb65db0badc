//! Tests of the journals as their users see them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod behaviour;
mod damage;
mod examined;
mod fixtures;
mod power_loss;
mod process;
mod sealed;
