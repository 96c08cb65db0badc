//! The control plane: services, trading state, credentials, incidents, notifications, logs.

pub(crate) mod containment;
pub(crate) mod credentials;
pub(crate) mod health;
pub(crate) mod incidents;
pub(crate) mod lockdown;
pub(crate) mod logs;
pub(crate) mod notifications;
pub(crate) mod schema;
pub(crate) mod services;
pub(crate) mod trading;
