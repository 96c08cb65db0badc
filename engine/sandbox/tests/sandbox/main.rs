//! The platform, tested from outside: over HTTP on a free loopback port, and by its database functions.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod access;
mod alerts;
mod books;
mod database;
mod disaster;
mod faults;
mod hooks;
mod incidents;
mod operations;
mod overview;
mod records;
mod starts;
mod support;
