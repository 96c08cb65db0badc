//! The shipped plugins against real counterparts, which the tests start themselves.

mod certificates;
mod database;
mod events;
mod kit;
mod mail;
mod page;
mod reports;
mod watching;
mod work_trees;
