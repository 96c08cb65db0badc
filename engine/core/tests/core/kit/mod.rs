//! What the tests are made with.

pub(crate) mod asked;
pub(crate) mod beside;
pub(crate) mod book;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod desk;
pub(crate) mod done;
pub(crate) mod engine;
pub(crate) mod expr;
pub(crate) mod fate;
pub(crate) mod locks;
pub(crate) mod loops;
pub(crate) mod lower;
pub(crate) mod needs;
pub(crate) mod operator;
pub(crate) mod rng;
pub(crate) mod sim;
pub(crate) mod world;
