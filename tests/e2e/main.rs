//! The real binary against real processes, a real database and a real server.

mod blows;
mod cancel;
mod durability;
mod kit;
mod order;
mod readme;
mod rehearsal;
mod terminal;
