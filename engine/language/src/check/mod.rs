//! What can be known before running, as far as the shape of the steps shows. Names are checked while lowering.

pub(crate) mod env_names;
pub(crate) mod fit;
pub(crate) mod graph;
pub(crate) mod header;
pub(crate) mod locks;
pub(crate) mod needs;
pub(crate) mod outline;
pub(crate) mod params;
pub(crate) mod secrets;
