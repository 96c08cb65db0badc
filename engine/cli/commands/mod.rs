//! One file for each command.

pub(crate) mod answer;
pub(crate) mod cancel;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod internal;
pub(crate) mod resume;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod validate;
