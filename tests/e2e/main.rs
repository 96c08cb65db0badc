//! The real binary against real processes, a real database and a real server.

mod blows;
mod bundle;
mod cancel;
mod children;
mod commands;
mod durability;
mod floods;
mod guide;
mod help;
mod hosts;
mod kit;
mod left_behind;
mod order;
mod planted;
mod pruning;
mod readme;
mod record;
mod refusals;
mod rehearsal;
mod reports;
mod retries;
mod secrets;
mod sections;
mod services;
mod shown;
mod terminal;
