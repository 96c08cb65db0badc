//! The control plane: services, trading state, credentials, people, incidents, notifications, machine, alerts and
//! silences, logs.

pub(crate) mod alerts;
pub(crate) mod containment;
pub(crate) mod credentials;
pub(crate) mod health;
pub(crate) mod hooks;
pub(crate) mod incidents;
pub(crate) mod lockdown;
pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod matchers;
pub(crate) mod metrics;
pub(crate) mod notifications;
pub(crate) mod people;
pub(crate) mod rotation;
pub(crate) mod schema;
pub(crate) mod services;
pub(crate) mod silences;
pub(crate) mod trading;
