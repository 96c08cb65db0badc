//! What monitoring asks: figures, in the platform's own form and as Prometheus answers; certificates; settings.

use super::call::Call;
use super::route::Route;
use crate::control::{alerts, machine, metrics};
use crate::platform::Work;
use crate::reply::{Failure, Reply};

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/metrics", "All figures, worked out at this moment", list),
    Route::get("/api/v1/query", "One figure (`?query=NAME`), in the form in which Prometheus answers", query),
    Route::get("/api/certificates", "Certificates and the days that are left", certificates),
    Route::get("/api/settings", "All settings", settings),
    Route::get("/api/settings/{name}", "One setting", setting),
    Route::post("/api/settings/{name}", "Change a setting: `value`, a whole number", set),
];

fn list(work: &Work<'_>, _: &Call) -> Answer {
    alerts::observe(work)?;
    Ok(Reply::ok(metrics::list(work)?))
}

fn query(work: &Work<'_>, call: &Call) -> Answer {
    let name = call.query("query").ok_or_else(|| Failure::invalid("`query` is missing"))?;
    if name == "alerts_firing" {
        alerts::observe(work)?;
    }
    Ok(Reply::ok(metrics::vector(work, name)?))
}

fn certificates(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(machine::certificates(work)?))
}

fn settings(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(machine::settings(work)?))
}

fn setting(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(machine::setting(work, call.path("name"))?))
}

fn set(work: &Work<'_>, call: &Call) -> Answer {
    let value = call.integer("value")?.ok_or_else(|| Failure::invalid("`value` is missing"))?;
    Ok(Reply::ok(machine::set(work, call.path("name"), value)?))
}
