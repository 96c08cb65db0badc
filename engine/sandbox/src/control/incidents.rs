//! Incident records and their timelines.
//!
//! ```text
//!   open ──acknowledge──► acknowledged ──resolve──► resolved ──reopen──► open
//!     └──────────────────────┴──────withdraw──────► withdrawn ──reopen──► open
//! ```

use rusqlite::params;
use serde_json::{Value, json};

use crate::business::number_in;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

const COLUMNS: &str = "printf('INC-%04d', id) AS id, type, severity, title, description, status, opened_at,
    acknowledged_at, acknowledged_by, resolved_at, resolution, withdrawn_at, withdrawn_because";
const SEVERITIES: [&str; 4] = ["P0", "P1", "P2", "P3"];

/// An incident before it has an id.
#[derive(Debug, Clone)]
pub(crate) struct NewIncident<'a> {
    pub(crate) kind: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) author: &'a str,
}

/// Opens a record.
pub(crate) fn open(work: &Work<'_>, new: &NewIncident<'_>) -> Result<Value, Failure> {
    if !SEVERITIES.contains(&new.severity) {
        return Err(Failure::invalid(format!("`severity` must be one of {}", SEVERITIES.join(", "))));
    }
    if new.kind.is_empty() {
        return Err(Failure::invalid("`type` must not be empty"));
    }
    work.control.execute(
        "INSERT INTO incidents (type, severity, title, description, status, opened_at)
         VALUES (?1, ?2, ?3, ?4, 'open', ?5)",
        params![new.kind, new.severity, new.title, new.description, work.at()],
    )?;
    let id = work.control.last_insert_rowid();
    note(work, id, new.author, "incident opened")?;
    show(work, &format!("INC-{id:04}"))
}

/// All incidents, newest first; `status` narrows them.
pub(crate) fn list(work: &Work<'_>, status: Option<&str>) -> Result<Vec<Value>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM incidents WHERE ?1 IS NULL OR status = ?1 ORDER BY incidents.id DESC");
    Ok(rows::list(work.control, &sql, params![status])?)
}

/// One incident with its timeline.
pub(crate) fn show(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    let number = number_of(id)?;
    let sql = format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1");
    let mut incident =
        rows::first(work.control, &sql, params![number])?.ok_or_else(|| Failure::not_found("incident", id))?;
    incident["timeline"] = json!(timeline(work, number)?);
    Ok(incident)
}

/// What happened in an incident, oldest first.
pub(crate) fn timeline(work: &Work<'_>, number: i64) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT printf('TML-%05d', id) AS id, at, author, text FROM timeline WHERE incident = ?1
        ORDER BY at, timeline.id";
    Ok(rows::list(work.control, sql, params![number])?)
}

/// Adds an entry to the timeline of an incident; gives the incident.
pub(crate) fn add(work: &Work<'_>, id: &str, author: &str, text: &str) -> Result<Value, Failure> {
    if text.is_empty() {
        return Err(Failure::invalid("`text` must not be empty"));
    }
    show(work, id)?;
    note(work, number_of(id)?, author, text)?;
    show(work, id)
}

/// Moves an incident on. Repeating a move changes nothing; one that makes no sense is a conflict.
pub(crate) fn advance(work: &Work<'_>, id: &str, action: &str, by: &str, why: &str) -> Result<Value, Failure> {
    let before = show(work, id)?;
    let status = before["status"].as_str().unwrap_or_default();
    let (to, sql) = match (status, action) {
        ("open", "acknowledge") => (
            "acknowledged",
            "UPDATE incidents SET acknowledged_at = ?2, acknowledged_by = ?3 WHERE id = ?1 AND ?4 IS NOT NULL",
        ),
        ("open" | "acknowledged", "resolve") => (
            "resolved",
            "UPDATE incidents SET resolved_at = ?2, resolution = ?4 WHERE id = ?1 AND ?3 IS NOT NULL",
        ),
        ("open" | "acknowledged", "withdraw") => (
            "withdrawn",
            "UPDATE incidents SET withdrawn_at = ?2, withdrawn_because = ?4 WHERE id = ?1 AND ?3 IS NOT NULL",
        ),
        ("resolved" | "withdrawn", "reopen") => (
            "open",
            "UPDATE incidents SET acknowledged_at = NULL, acknowledged_by = NULL, resolved_at = NULL, resolution = NULL,
             withdrawn_at = NULL, withdrawn_because = NULL WHERE id = ?1 AND ?2 <> ?3 || ?4",
        ),
        ("acknowledged", "acknowledge")
        | ("resolved", "resolve")
        | ("withdrawn", "withdraw")
        | ("open" | "acknowledged", "reopen") => return Ok(before),
        (status, action) => {
            return Err(Failure::conflict(
                "wrong_state",
                format!("cannot {action} incident `{id}`: it is {status}"),
            ));
        }
    };
    let number = number_of(id)?;
    work.control.execute(sql, params![number, work.at(), by, why])?;
    work.control.execute("UPDATE incidents SET status = ?2 WHERE id = ?1", params![number, to])?;
    let text = if why.is_empty() { to.to_owned() } else { format!("{to}: {why}") };
    note(work, number, by, &text)?;
    show(work, id)
}

fn note(work: &Work<'_>, incident: i64, author: &str, text: &str) -> Result<(), Failure> {
    work.control.execute(
        "INSERT INTO timeline (incident, at, author, text) VALUES (?1, ?2, ?3, ?4)",
        params![incident, work.at(), author, text],
    )?;
    Ok(())
}

/// The number in an incident's id.
pub(crate) fn number_of(id: &str) -> Result<i64, Failure> {
    number_in("INC", id).ok_or_else(|| Failure::not_found("incident", id))
}
