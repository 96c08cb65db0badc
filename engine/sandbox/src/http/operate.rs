//! Health, services, trading: what an operator asks first and touches first. These answer while all else is down.

use serde_json::json;

use super::Access;
use super::call::Call;
use super::route::Route;
use crate::control::{containment, health, services, trading};
use crate::platform::Work;
use crate::reply::{Failure, Reply};
use crate::rows;

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/ready", "200 once the platform is seeded and its rehearsal is set up, healthy or not", ready),
    Route::get("/health", "Overall state: 200 when healthy or degraded, 503 when down", health),
    Route::get("/api/health", "The same as `/health`", health),
    Route::get("/api/v1/health/detailed", "Health with every service, risk and the age of quotes", detailed),
    Route::get("/api/services", "All services", service_list),
    Route::get("/api/services/{name}", "One service", service),
    Route::post("/api/services/{name}/restart", "Restart a service, or `all`; it is `up` after a moment", restart),
    Route::post("/api/services/{name}/stop", "Stop a service, or `all`, at once", stop),
    Route::post("/api/services/{name}/start", "Start a stopped or crashed service, or `all`", start),
    Route::get("/api/trading/status", "Whether trading is active, paused or emergency_stopped", trading_status),
    Route::get("/api/v1/trading/status", "The same as `/api/trading/status`", trading_status),
    Route::post("/api/trading/pause", "Pause trading: no new orders, no fills", pause),
    Route::post("/api/trading/resume", "Make trading active again: undoes a pause or an emergency stop", resume),
    Route::post("/api/trading/emergency-stop", "Stop trading in an emergency", emergency_stop),
    Route::post("/api/v1/emergency/kill_switch", "The same as `/api/trading/emergency-stop`", emergency_stop),
    Route::get(
        "/api/incident/containment",
        "Whether an incident of `?type=` is contained, from the platform's state",
        contained,
    ),
    Route::get("/api/errors", "Newest errors first (`?limit=`, `?service=`)", errors),
    Route::get("/api/admin/access-log", "Newest accesses first (`?limit=`, `?outcome=`)", access_log)
        .for_access(Access::Admin),
];

fn ready(work: &Work<'_>, _: &Call) -> Answer {
    let rehearsal = work.platform.config.rehearse.as_ref().map(|rehearsal| &rehearsal.runbook);
    Ok(Reply::ok(json!({"ready": true, "rehearsal": rehearsal})))
}

fn health(work: &Work<'_>, _: &Call) -> Answer {
    health::report(work)
}

fn detailed(work: &Work<'_>, _: &Call) -> Answer {
    let mut reply = health::report(work)?;
    reply.body["services"] = json!(services::list(work)?);
    reply.body["trading"] = trading::status(work)?;
    let sql = "SELECT max(at) FROM quotes";
    reply.body["last_quote_at"] = json!(rows::text(work.control, sql, [])?);
    reply.body["risk"] = match work.books() {
        // Damaged books are a finding here, not a reason to say nothing else.
        Ok(books) => crate::business::positions::risk(work, &books).unwrap_or_default(),
        Err(_) => serde_json::Value::Null,
    };
    Ok(reply)
}

fn service_list(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(services::list(work)?))
}

fn service(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(services::show(work, call.path("name"))?))
}

fn restart(work: &Work<'_>, call: &Call) -> Answer {
    each(work, call, services::restart)
}

fn stop(work: &Work<'_>, call: &Call) -> Answer {
    each(work, call, services::stop)
}

fn start(work: &Work<'_>, call: &Call) -> Answer {
    each(work, call, services::start)
}

/// 202: the order is taken, the state says when it is done.
fn each(work: &Work<'_>, call: &Call, order: fn(&Work<'_>, &str) -> Result<(), Failure>) -> Answer {
    for name in services::named(call.path("name"))? {
        order(work, name)?;
    }
    Ok(Reply::new(202, json!({"services": services::states(work)?})))
}

fn trading_status(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(trading::status(work)?))
}

fn pause(work: &Work<'_>, call: &Call) -> Answer {
    change(work, call, trading::PAUSED, "paused by an operator")
}

fn resume(work: &Work<'_>, call: &Call) -> Answer {
    change(work, call, trading::ACTIVE, "resumed by an operator")
}

fn emergency_stop(work: &Work<'_>, call: &Call) -> Answer {
    change(work, call, trading::STOPPED, "emergency stop")
}

fn change(work: &Work<'_>, call: &Call, to: &str, default: &str) -> Answer {
    let reason = call.text_or("reason", default)?;
    Ok(Reply::ok(trading::change(work, to, reason, call.by()?)?))
}

fn contained(work: &Work<'_>, call: &Call) -> Answer {
    let kind = call.query("type").unwrap_or_default();
    Ok(Reply::ok(containment::report(work, kind)?))
}

fn errors(work: &Work<'_>, call: &Call) -> Answer {
    let sql = "SELECT id, at, service, level, code, message FROM errors
        WHERE ?1 IS NULL OR service = ?1 ORDER BY id DESC LIMIT ?2";
    let params = rusqlite::params![call.query("service"), call.limit()?];
    Ok(Reply::ok(rows::list(work.control, sql, params)?))
}

fn access_log(work: &Work<'_>, call: &Call) -> Answer {
    let sql = "SELECT id, at, credential, ip, action, outcome, detail FROM access_log
        WHERE ?1 IS NULL OR outcome = ?1 ORDER BY id DESC LIMIT ?2";
    let params = rusqlite::params![call.query("outcome"), call.limit()?];
    Ok(Reply::ok(rows::list(work.control, sql, params)?))
}
