//! A small but real trading platform to rehearse operations on: an HTTP service over two SQLite databases, with faults
//! that really break it.
//!
//! ```text
//!   client ──HTTP──► http ──► platform (one unit of work at a time)
//!                               ├─► control.db   services, trading state, keys, sessions, incidents, notices, logs
//!                               └─► platform.db  the books: accounts, orders, positions, trades, ledger
//!   background: engine, emergency desk, feed         actors (over HTTP): intruder, strategy without fills
//!   database: dump, verify, restore, check, compare, with or without a server
//! ```
//!
//! [`serve`] runs it, [`fault`] breaks it, the functions of [`database`] do what a disaster recovery needs, [`routes`]
//! lists what it answers, [`overview`] says how it stands.

mod actors;
mod background;
mod business;
mod client;
mod config;
mod control;
pub mod database;
mod error;
mod faults;
mod folder;
mod http;
mod measure;
mod overview;
mod platform;
mod rehearsal;
mod reply;
mod rows;
mod secret;
mod server;

pub use client::{Answer, Client, fault, faults, mend};
pub use config::{Config, Rehearsal};
pub use error::Error;
pub use faults::{FAULTS, Fault};
pub use http::{Access, Route, routes};
pub use measure::measure;
pub use overview::{is_platform, overview};
pub use server::{Server, serve};
