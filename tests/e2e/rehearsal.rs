//! The shipped runbooks, rehearsed for real: the program as it is, its sandbox, an empty home. What the platform's own
//! databases say before and after is the proof.

mod access;
mod asked;
mod backup;
mod crashed;
mod example;
mod health;
mod incidents;
mod performance;
mod response;
mod restore;
mod room;
mod security;
mod shipped;
mod silences;
mod undone;
