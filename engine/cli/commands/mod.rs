//! One file for each command.

pub(crate) mod answer;
pub(crate) mod approve;
pub(crate) mod attach;
pub(crate) mod audit;
pub(crate) mod bundle;
pub(crate) mod cancel;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod internal;
pub(crate) mod list;
pub(crate) mod locks;
pub(crate) mod logs;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod reject;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod seal;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod validate;
pub(crate) mod verify;
