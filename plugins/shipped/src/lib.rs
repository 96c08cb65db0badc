//! The shipped plugins that are programs. Each has a folder in `plugins/` with its `plugin.yaml`, whose program is
//! `runbook plugin serve ID`: this crate, on the other side of the protocol that any plugin speaks.
//!
//! A plugin is one function from a [`Session`] to an [`Outcome`]. It knows nothing of the engine.

mod alertmanager;
mod certificate;
mod compose;
mod duration;
mod email;
mod git_rollback;
mod http;
mod http_check;
mod incident_report;
mod kubernetes;
mod pagerduty;
mod postgres;
mod program;
mod prometheus;
mod session;
mod slack;
mod systemd;
mod webhook;

use std::io::{self, BufRead, Write};

pub use session::{FOR_NOW, Failed, Outcome, Session, UNMET};

/// A plugin that is shipped with the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its id.
    pub id: &'static str,
    /// Its `plugin.yaml`.
    pub yaml: &'static str,
    /// What it does; none for one of steps.
    pub run: Option<fn(&Session<'_>) -> Outcome>,
}

/// All of them, by id.
pub const SHIPPED: &[Shipped] = &[
    program("alertmanager", include_str!("../../alertmanager/plugin.yaml"), alertmanager::run),
    program("certificate", include_str!("../../certificate/plugin.yaml"), certificate::run),
    program("compose", include_str!("../../compose/plugin.yaml"), compose::run),
    program("email", include_str!("../../email/plugin.yaml"), email::run),
    program("git-rollback", include_str!("../../git-rollback/plugin.yaml"), git_rollback::run),
    program("http-check", include_str!("../../http-check/plugin.yaml"), http_check::run),
    program("incident-report", include_str!("../../incident-report/plugin.yaml"), incident_report::run),
    program("kubernetes", include_str!("../../kubernetes/plugin.yaml"), kubernetes::run),
    program("pagerduty", include_str!("../../pagerduty/plugin.yaml"), pagerduty::run),
    program("postgres", include_str!("../../postgres/plugin.yaml"), postgres::run),
    program("prometheus", include_str!("../../prometheus/plugin.yaml"), prometheus::run),
    program("slack", include_str!("../../slack/plugin.yaml"), slack::run),
    program("systemd", include_str!("../../systemd/plugin.yaml"), systemd::run),
    program("webhook", include_str!("../../webhook/plugin.yaml"), webhook::run),
];

const fn program(id: &'static str, yaml: &'static str, run: fn(&Session<'_>) -> Outcome) -> Shipped {
    Shipped { id, yaml, run: Some(run) }
}

/// The plugin with an id.
pub fn find(id: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.id == id)
}

/// Answers one call.
///
/// # Errors
/// When the engine cannot be heard or told anything.
pub fn serve(run: fn(&Session<'_>) -> Outcome, from: &mut dyn BufRead, to: &mut dyn Write) -> io::Result<()> {
    session::serve(run, from, to)
}
