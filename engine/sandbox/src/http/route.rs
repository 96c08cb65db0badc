//! The table of routes. It makes the router, the documentation and a test.

use std::sync::LazyLock;

use super::call::Call;
use super::{alerts, books, hooks, incidents, monitoring, operate, people, sandbox, security};
use crate::platform::Work;
use crate::reply::{Failure, Reply};

/// What a request must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// An API key (`X-Api-Key`), a session (`X-Session`) or the admin token.
    Trader,
    /// The admin token: `Authorization: Bearer …`.
    Admin,
}

/// What a route does.
pub(crate) type Handler = fn(&Work<'_>, &Call) -> Result<Reply, Failure>;

/// One route of the platform.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path; `{name}` stands for one segment.
    pub path: &'static str,
    /// What a request must bring.
    pub access: Access,
    /// Services that must run for it to answer; 503 otherwise.
    pub needs: &'static [&'static str],
    /// What it does, in a sentence.
    pub what: &'static str,
    /// Whether its answer holds a secret, which is shown once and never kept.
    pub(crate) secret: bool,
    pub(crate) run: Handler,
}

impl Route {
    pub(crate) const fn get(path: &'static str, what: &'static str, run: Handler) -> Self {
        Self { method: "GET", path, access: Access::Open, needs: &[], what, secret: false, run }
    }

    /// A route that changes something: for the admin, unless said otherwise.
    pub(crate) const fn post(path: &'static str, what: &'static str, run: Handler) -> Self {
        Self { method: "POST", access: Access::Admin, ..Self::get(path, what, run) }
    }

    pub(crate) const fn delete(path: &'static str, what: &'static str, run: Handler) -> Self {
        Self { method: "DELETE", ..Self::post(path, what, run) }
    }

    pub(crate) const fn for_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    pub(crate) const fn needs(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether a request without any credential is refused with 401.
    pub fn needs_token(&self) -> bool {
        self.access != Access::Open
    }

    /// Whether it changes how the platform is operated.
    pub(crate) fn operates(&self) -> bool {
        self.method != "GET" && self.access == Access::Admin
    }

    /// Whether an `Idempotency-Key` brings the first answer again.
    pub fn replays(&self) -> bool {
        self.method == "POST" && !self.secret
    }
}

/// Every route that the platform answers.
pub fn routes() -> &'static [Route] {
    static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
        [
            operate::ROUTES,
            monitoring::ROUTES,
            books::ROUTES,
            security::ROUTES,
            people::ROUTES,
            alerts::ROUTES,
            incidents::ROUTES,
            hooks::ROUTES,
            sandbox::ROUTES,
        ]
        .concat()
    });
    &ROUTES
}
