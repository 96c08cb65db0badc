//! The platform, tested from outside: over HTTP on a free loopback port, and by its database functions.

mod access;
mod books;
mod database;
mod disaster;
mod faults;
mod incidents;
mod records;
mod starts;
mod support;
