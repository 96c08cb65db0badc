//! What `/health` says, worked out from the services, the books and the orders.

use rusqlite::params;
use serde_json::{Value, json};

use crate::business;
use crate::business::orders;
use crate::control::credentials::{suspicious_key, suspicious_session};
use crate::control::services::{self, Service};
use crate::control::trading;
use crate::platform::Work;
use crate::reply::{Failure, Reply};
use crate::rows::{self, millis};

/// Quotes older than this many feed intervals are stale.
const STALE_AFTER_INTERVALS: i64 = 4;

/// The overall state: 200 when `healthy` or `degraded`, 503 when `down`.
pub(crate) fn report(work: &Work<'_>) -> Result<Reply, Failure> {
    let mut down = Vec::new();
    let mut degraded = Vec::new();
    for name in services::NAMES {
        let service = services::get(work, name)?;
        judge(name, &service, &mut down, &mut degraded);
    }
    let database = match database_problem(work) {
        None => "ok",
        Some(problem) => {
            down.push(problem);
            "damaged"
        }
    };
    let stuck = match work.books() {
        Ok(books) => orders::stuck(work, &books)?,
        Err(_) => 0,
    };
    if stuck > 0 {
        degraded.push(format!("{stuck} market orders are stuck"));
    }
    if quotes_are_stale(work)? {
        degraded.push("quotes are stale".to_owned());
    }
    let status = match (down.is_empty(), degraded.is_empty()) {
        (false, _) => "down",
        (true, false) => "degraded",
        (true, true) => "healthy",
    };
    let problems = [down, degraded].concat();
    let body = json!({
        "status": status,
        "services": services::states(work)?,
        "trading": trading::state(work)?,
        "database": database,
        "stuck_orders": stuck,
        "problems": problems,
        "alerts": alerts(work)?,
        "checked_at": work.at(),
    });
    Ok(Reply::new(if status == "down" { 503 } else { 200 }, body))
}

fn judge(name: &str, service: &Service, down: &mut Vec<String>, degraded: &mut Vec<String>) {
    let text = match &service.condition {
        Some(condition) => format!("{name} is {}: {condition}", service.state),
        None => format!("{name} is {}", service.state),
    };
    match service.state.as_str() {
        "up" => {}
        // Without quotes the platform limps; without the others it does not work at all.
        "degraded" => degraded.push(text),
        _ if name == "market_data" => degraded.push(text),
        _ => down.push(text),
    }
}

/// What is wrong with the books, if anything is.
pub(crate) fn database_problem(work: &Work<'_>) -> Option<String> {
    let books = match work.books() {
        Ok(books) => books,
        Err(failure) => return Some(failure.message),
    };
    match business::unbalanced(&books) {
        Ok(problems) if problems.is_empty() => None,
        Ok(problems) => Some(problems.join("; ")),
        Err(error) => Some(error.to_string()),
    }
}

/// Whether the last quote is older than the feed's pace explains.
pub(crate) fn quotes_are_stale(work: &Work<'_>) -> Result<bool, Failure> {
    let newest = rows::number(work.control, "SELECT max(at_ms) FROM quotes", [])?;
    let interval = i64::try_from(work.platform.config.feed_interval_ms).unwrap_or(i64::MAX);
    let allowed = interval.saturating_mul(STALE_AFTER_INTERVALS);
    Ok(millis(work.now).saturating_sub(newest) > allowed)
}

fn alerts(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    let (keys, sessions) = suspicious_credentials(work)?;
    let mut alerts = Vec::new();
    if keys + sessions > 0 {
        alerts.push(json!(format!("suspicious credentials work (keys: {keys}, sessions: {sessions})")));
    }
    Ok(alerts)
}

/// How many suspicious keys and sessions still work.
pub(crate) fn suspicious_credentials(work: &Work<'_>) -> Result<(i64, i64), Failure> {
    let count = |table: &str, condition: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE status = 'active' AND {condition}");
        rows::number(work.control, &sql, params![])
    };
    Ok((count("api_keys", &suspicious_key())?, count("sessions", &suspicious_session())?))
}
