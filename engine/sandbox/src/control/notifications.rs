//! Where notices end: a sink that keeps what it got.

use rusqlite::params;
use serde_json::{Value, json};

use crate::business::number_in;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

const COLUMNS: &str = "printf('NTF-%05d', id) AS id, at, channel, severity, subject, text, incident, status,
    CASE WHEN retracts IS NULL THEN NULL ELSE printf('NTF-%05d', retracts) END AS retracts";

/// A notice to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Notice<'a> {
    pub(crate) channel: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) text: &'a str,
    pub(crate) incident: Option<&'a str>,
}

/// Keeps a notice.
pub(crate) fn send(work: &Work<'_>, notice: &Notice<'_>) -> Result<Value, Failure> {
    if notice.channel.is_empty() || notice.subject.is_empty() {
        return Err(Failure::invalid("`channel` and `subject` must not be empty"));
    }
    insert(work, notice, None)
}

fn insert(work: &Work<'_>, notice: &Notice<'_>, retracts: Option<i64>) -> Result<Value, Failure> {
    work.control.execute(
        "INSERT INTO notifications (at, channel, severity, subject, text, incident, status, retracts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'sent', ?7)",
        params![work.at(), notice.channel, notice.severity, notice.subject, notice.text, notice.incident, retracts],
    )?;
    show(work, work.control.last_insert_rowid())
}

/// All notices, oldest first; `channel` and `incident` narrow them.
pub(crate) fn list(work: &Work<'_>, channel: Option<&str>, incident: Option<&str>) -> Result<Vec<Value>, Failure> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notifications WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR incident = ?2)
         ORDER BY notifications.id"
    );
    Ok(rows::list(work.control, &sql, params![channel, incident])?)
}

/// Tells the same channel that a notice no longer holds. What was read cannot be unread, so the notice stays, marked,
/// and the retraction is a notice of its own. Done once: a repetition answers with the first retraction.
pub(crate) fn retract(work: &Work<'_>, id: &str, reason: &str) -> Result<Value, Failure> {
    let number = number_in("NTF", id).ok_or_else(|| Failure::not_found("notification", id))?;
    let before = show(work, number)?;
    if before["status"] == json!("retracted") {
        let sql = format!("SELECT {COLUMNS} FROM notifications WHERE retracts = ?1");
        return Ok(rows::first(work.control, &sql, params![number])?.unwrap_or(before));
    }
    work.control.execute("UPDATE notifications SET status = 'retracted' WHERE id = ?1", params![number])?;
    let field = |name: &str| before[name].as_str().unwrap_or_default().to_owned();
    let subject = format!("Retracted: {}", field("subject"));
    let notice = Notice {
        channel: &field("channel"),
        severity: &field("severity"),
        subject: &subject,
        text: reason,
        incident: before["incident"].as_str(),
    };
    insert(work, &notice, Some(number))
}

fn show(work: &Work<'_>, number: i64) -> Result<Value, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id = ?1");
    rows::first(work.control, &sql, params![number])?
        .ok_or_else(|| Failure::not_found("notification", &format!("NTF-{number:05}")))
}
