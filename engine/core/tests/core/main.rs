//! Tests of the core: truth tables by theme, and random runs that crash at every point.

mod case;
mod crash;
mod hunt;
mod kit;
mod lost;
mod outline;
mod random;
mod tables;
mod tear;
