//! The whole state of a platform for somebody who looks at its folder, while it is served or after it has ended.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::control::alerts::{self, Wanted};
use crate::control::credentials::{self, outside};
use crate::control::{containment, incidents, machine, metrics, notifications, people, services, silences, trading};
use crate::database;
use crate::error::Error;
use crate::faults;
use crate::folder::Folder;
use crate::platform::{Platform, Work};
use crate::reply::Failure;
use crate::rows;

/// Whether `data` is the data folder of a platform.
pub fn is_platform(data: &Path) -> bool {
    Folder::at(data).control().is_file()
}

/// Everything that the platform in `data` knows, read from its databases: nothing is changed, nobody has to serve it.
///
/// An object with `trading`, `services`, `faults` (the names of those present), `containment` (for each type of
/// incident true, false, or null where it cannot be told), `database` (`whole`, `problems`, rows of each table),
/// `orders` and `positions` (counts by status; null while the books cannot be read), `incidents` with their timelines,
/// `notices`, `keys`, `sessions`, `users` with their access, `systems`, `metrics`, `settings`, `certificates`, `alerts`
/// (those that fired when it was last served), `alert_log` (all that ever did: until when, and when first heard, which
/// is null where a silence held it back all the time), `silences`, `lockdowns`, and `outside` (requests let through and
/// denied from outside of the company's network).
///
/// # Errors
/// [`Error::NotAPlatform`] when this is no data folder, [`Error::Rejected`] or [`Error::Database`] when its control
/// database cannot be read.
pub fn overview(data: &Path) -> Result<Value, Error> {
    let platform = Platform::existing(data)?;
    let mut found = platform.look(state).map_err(|failure| Error::Rejected(failure.message))?;
    let report = database::inspect_folder(data);
    let rows: Map<String, Value> =
        report.tables.iter().map(|(name, table)| (name.clone(), json!(table.rows))).collect();
    found["database"] = json!({"whole": report.is_whole(), "problems": report.problems, "rows": rows});
    Ok(found)
}

fn state(work: &Work<'_>) -> Result<Value, Failure> {
    let mut present = vec![];
    for fault in faults::FAULTS {
        if faults::present(work, fault.name)? {
            present.push(fault.name);
        }
    }
    // What depends on lost books cannot be told; the rest of the overview still can.
    let contained = |kind: &&str| {
        ((*kind).to_owned(), containment::report(work, kind).map_or(Value::Null, |it| it["contained"].clone()))
    };
    let containment: Map<String, Value> = containment::TYPES.iter().map(contained).collect();
    let mut records = vec![];
    for incident in incidents::list(work, None)? {
        records.push(incidents::show(work, incident["id"].as_str().unwrap_or_default())?);
    }
    let lockdowns =
        "SELECT printf('LCK-%04d', id) AS id, at, scope, reason, lifted_at FROM lockdowns ORDER BY lockdowns.id";
    Ok(json!({
        "trading": trading::status(work)?,
        "services": services::list(work)?,
        "faults": present,
        "containment": containment,
        "orders": by_status(work, "orders"),
        "positions": by_status(work, "positions"),
        "incidents": records,
        "notices": notifications::list(work, None, None)?,
        "keys": credentials::keys(work)?,
        "sessions": credentials::sessions(work)?,
        "users": people::list(work)?,
        "systems": people::systems(work)?,
        "metrics": metrics::list(work)?,
        "settings": machine::settings(work)?,
        "certificates": machine::certificates(work)?,
        "alerts": alerts::list(work, &Wanted { active: true, silenced: true, filter: vec![] })?,
        "alert_log": alerts::log(work)?,
        "silences": silences::list(work, &[])?,
        "lockdowns": rows::list(work.control, lockdowns, [])?,
        "outside": {"accepted": from_outside(work, "accepted")?, "denied": from_outside(work, "denied")?},
    }))
}

/// How many rows of a table of the books are in which status; null when the table cannot be read.
fn by_status(work: &Work<'_>, table: &str) -> Value {
    let count = |books: &Connection| {
        let sql = format!("SELECT status, count(*) AS number FROM {table} GROUP BY status ORDER BY status");
        rows::list(books, &sql, [])
    };
    let Some(counted) = work.books().ok().and_then(|books| count(&books).ok()) else {
        return Value::Null;
    };
    let one = |row: Value| Some((row["status"].as_str()?.to_owned(), row["number"].clone()));
    Value::Object(counted.into_iter().filter_map(one).collect())
}

fn from_outside(work: &Work<'_>, outcome: &str) -> Result<i64, Failure> {
    let sql = format!("SELECT count(*) FROM access_log WHERE outcome = ?1 AND {}", outside("ip"));
    Ok(rows::number(work.control, &sql, [outcome])?)
}
