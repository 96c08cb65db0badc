//! The shipped plugins against real counterparts, which the tests start themselves.

mod events;
mod kit;
mod page;
mod watching;
