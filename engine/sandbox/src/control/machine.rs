//! What the platform runs on: figures of its machine, its certificates, its settings.
//!
//! The machine is imagined, so its figures are kept, not measured; faults move them. A certificate is kept by its end,
//! so that the days that are left go by.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, millis, shifted, stamp};

const DAY_MS: i64 = 86_400_000;

/// Figures of a machine that has nothing to complain about, in percent.
const FIGURES: [(&str, i64); 3] = [("cpu_percent", 42), ("memory_percent", 65), ("disk_free_percent", 61)];
/// Certificates and the days that are left of each.
const CERTIFICATES: [(&str, i64); 2] = [("gateway", 87), ("market_data", 140)];
/// Days of a certificate that is as good as over, and of one that was just renewed.
const EXPIRING_DAYS: i64 = 9;
const RENEWED_DAYS: i64 = 90;
/// A certificate with fewer days has the fault.
const EXPIRES_BELOW_DAYS: i64 = 14;

/// Connections of the gateway to the engine: what is set at first, and the bounds of what can be set.
pub(crate) const POOL: &str = "gateway_pool";
const POOL_DEFAULT: i64 = 24;
const POOL_BOUNDS: std::ops::RangeInclusive<i64> = 1..=64;
/// From so many connections on nobody waits for one; above the other bound they get into each other's way.
const POOL_ENOUGH: i64 = 16;
const POOL_CROWDED: i64 = 32;
/// What each connection too few, or too many, costs a request.
const TOO_FEW_MS: i64 = 12;
const TOO_MANY_MS: i64 = 6;

/// Fills the tables of a new platform.
pub(crate) fn fill(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    for (name, value) in FIGURES {
        db.execute("INSERT INTO figures VALUES (?1, ?2)", params![name, value])?;
    }
    for (name, days) in CERTIFICATES {
        let ends = shifted(now, DAY_MS * days + DAY_MS / 2);
        db.execute("INSERT INTO certificates VALUES (?1, ?2, ?3)", params![name, stamp(ends), millis(ends)])?;
    }
    db.execute("INSERT INTO settings VALUES (?1, ?2)", params![POOL, POOL_DEFAULT])?;
    Ok(())
}

/// A figure of the machine, if there is one of that name.
pub(crate) fn figure(work: &Work<'_>, name: &str) -> Result<Option<i64>, Failure> {
    let sql = "SELECT value FROM figures WHERE name = ?1";
    Ok(rows::first(work.control, sql, params![name])?.and_then(|row| row["value"].as_i64()))
}

/// Moves a figure of the machine.
pub(crate) fn set_figure(work: &Work<'_>, name: &str, value: i64) -> Result<(), Failure> {
    work.control.execute("UPDATE figures SET value = ?2 WHERE name = ?1", params![name, value])?;
    Ok(())
}

/// Puts a figure where it is on a healthy machine.
pub(crate) fn reset_figure(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    let usual = FIGURES.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| *value);
    set_figure(work, name, usual)
}

/// All certificates with the whole days that are left, the first to end first.
pub(crate) fn certificates(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT name, ends_at, (ends_ms - ?1) / 86400000 AS days_left FROM certificates ORDER BY ends_ms, name";
    Ok(rows::list(work.control, sql, params![millis(work.now)])?)
}

/// The days that are left of the certificate that ends first.
pub(crate) fn certificate_days(work: &Work<'_>) -> Result<i64, Failure> {
    Ok(certificates(work)?.first().and_then(|first| first["days_left"].as_i64()).unwrap_or_default())
}

/// Whether a certificate is about to end.
pub(crate) fn certificate_expires(work: &Work<'_>) -> Result<bool, Failure> {
    Ok(certificate_days(work)? < EXPIRES_BELOW_DAYS)
}

/// Brings the end of the gateway's certificate near.
pub(crate) fn let_certificate_expire(work: &Work<'_>) -> Result<(), Failure> {
    certificate_ends_in(work, EXPIRING_DAYS)
}

/// Gives the gateway a new certificate.
pub(crate) fn renew_certificate(work: &Work<'_>) -> Result<(), Failure> {
    certificate_ends_in(work, RENEWED_DAYS)
}

fn certificate_ends_in(work: &Work<'_>, days: i64) -> Result<(), Failure> {
    let ends = shifted(work.now, DAY_MS * days + DAY_MS / 2);
    let sql = "UPDATE certificates SET ends_at = ?1, ends_ms = ?2 WHERE name = 'gateway'";
    work.control.execute(sql, params![stamp(ends), millis(ends)])?;
    Ok(())
}

/// All settings.
pub(crate) fn settings(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    Ok(rows::list(work.control, "SELECT name, value FROM settings ORDER BY name", [])?)
}

/// One setting.
pub(crate) fn setting(work: &Work<'_>, name: &str) -> Result<Value, Failure> {
    rows::first(work.control, "SELECT name, value FROM settings WHERE name = ?1", params![name])?
        .ok_or_else(|| Failure::not_found("setting", name))
}

/// Changes a setting; it holds from the next request on.
pub(crate) fn set(work: &Work<'_>, name: &str, value: i64) -> Result<Value, Failure> {
    setting(work, name)?;
    if !POOL_BOUNDS.contains(&value) {
        let (least, most) = POOL_BOUNDS.into_inner();
        return Err(Failure::invalid(format!("`{name}` must be from {least} to {most}")));
    }
    work.control.execute("UPDATE settings SET value = ?2 WHERE name = ?1", params![name, value])?;
    setting(work, name)
}

/// How long a request waits for the gateway's connections, in milliseconds: too few are waited for, too many hinder
/// each other.
pub(crate) fn pool_wait_ms(work: &Work<'_>) -> Result<u64, Failure> {
    let pool = setting(work, POOL)?["value"].as_i64().unwrap_or(POOL_DEFAULT);
    let wait = (POOL_ENOUGH - pool).max(0) * TOO_FEW_MS + (pool - POOL_CROWDED).max(0) * TOO_MANY_MS;
    Ok(u64::try_from(wait).unwrap_or_default())
}
