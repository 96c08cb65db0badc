//! The shipped plugins against real counterparts, which the tests start themselves.

mod certificates;
mod events;
mod kit;
mod mail;
mod page;
mod reports;
mod watching;
