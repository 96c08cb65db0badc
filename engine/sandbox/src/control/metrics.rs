//! Figures that monitoring asks for, worked out from the platform's state at the moment of the question.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::business::{orders, positions};
use crate::control::{alerts, health, machine, services, trading};
use crate::database;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, millis, shifted, stamp};

const HOUR_MS: i64 = 3_600_000;

/// Every figure: its name, and what it says.
pub(crate) const METRICS: [(&str, &str); 15] = [
    ("services_not_up", "Services that are not up"),
    ("trading_active", "1 while trading is active"),
    ("books_damaged", "1 while the books are not whole"),
    ("quote_age_seconds", "Age of the newest quote"),
    ("stuck_orders", "Market orders that wait too long"),
    ("gross_exposure_usd", "Value of all positions, long and short"),
    ("unrealized_pnl_usd", "What all positions would gain if they were closed"),
    ("cpu_percent", "Load of the machine"),
    ("memory_percent", "Memory in use"),
    ("disk_free_percent", "Disk that is free"),
    ("certificate_days_left", "Days until the first certificate ends"),
    ("backup_age_hours", "Age of the newest backup that can be trusted"),
    ("failed_logins_24h", "Logins that failed within a day"),
    ("suspicious_credentials", "Suspicious keys and sessions that work"),
    ("alerts_firing", "Alerts that fire and are not silenced"),
];

/// The value of a figure now; none for an unknown name, and where it cannot be told.
pub(crate) fn value(work: &Work<'_>, name: &str) -> Result<Option<Value>, Failure> {
    let yes = |holds: bool| Some(json!(i32::from(holds)));
    Ok(match name {
        "services_not_up" => {
            let found = services::list(work)?;
            Some(json!(found.iter().filter(|service| service["state"] != "up").count()))
        }
        "trading_active" => yes(trading::state(work)? == trading::ACTIVE),
        "books_damaged" => yes(health::database_problem(work).is_some()),
        "quote_age_seconds" => {
            let newest = rows::number(work.control, "SELECT max(at_ms) FROM quotes", [])?;
            Some(json!(millis(work.now).saturating_sub(newest) / 1_000))
        }
        "stuck_orders" => work.books().ok().map(|books| orders::stuck(work, &books)).transpose()?.map(Value::from),
        "gross_exposure_usd" => dollars(work, "gross_exposure_cents")?,
        "unrealized_pnl_usd" => dollars(work, "unrealized_cents")?,
        "certificate_days_left" => Some(json!(machine::certificate_days(work)?)),
        "backup_age_hours" => backup_age_hours(work).map(Value::from),
        "failed_logins_24h" => {
            let since = stamp(shifted(work.now, -24 * HOUR_MS));
            let sql = "SELECT count(*) FROM security_events WHERE kind = 'login_failed' AND at >= ?1";
            Some(json!(rows::number(work.control, sql, [since])?))
        }
        "suspicious_credentials" => {
            let (keys, sessions) = health::suspicious_credentials(work)?;
            Some(json!(keys + sessions))
        }
        "alerts_firing" => Some(json!(alerts::heard(work)?)),
        _ => machine::figure(work, name)?.map(Value::from),
    })
}

/// All figures with their values; null where one cannot be told.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    METRICS.iter().map(|(name, what)| Ok(json!({"name": name, "what": what, "value": value(work, name)?}))).collect()
}

/// What a Prometheus server would answer to this query: a vector with one element, or none.
pub(crate) fn vector(work: &Work<'_>, name: &str) -> Result<Value, Failure> {
    let text = value(work, name)?.map(|value| value.to_string());
    // Seconds, as Prometheus gives them.
    let at = json!(std::time::Duration::from_millis(u64::try_from(millis(work.now)).unwrap_or_default()).as_secs());
    let result: Vec<Value> = text
        .into_iter()
        .map(|text| json!({"metric": {"__name__": name, "job": "platform"}, "value": [at, text]}))
        .collect();
    Ok(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// Damaged books have no exposure that anybody could tell.
fn dollars(work: &Work<'_>, part: &str) -> Result<Option<Value>, Failure> {
    let Ok(books) = work.books() else {
        return Ok(None);
    };
    let risk = positions::risk(work, &books)?;
    Ok(risk[part].as_i64().map(|cents| json!(cents / 100)))
}

/// The age of the newest backup that can be trusted; none where there is no such backup.
pub(crate) fn backup_age_hours(work: &Work<'_>) -> Option<i64> {
    let newest = database::newest_good(work.platform.folder.root()).ok()?;
    let made: Timestamp = newest.manifest?.created_at.parse().ok()?;
    Some(millis(work.now).saturating_sub(millis(made)) / HOUR_MS)
}
