//! The platform, tested from outside: over HTTP on a free loopback port, and by its database functions.

mod incidents;
mod support;
