//! A lock-down: many keys and sessions revoked at once, under one id by which it can be lifted.

use rusqlite::params;
use serde_json::{Value, json};

use crate::business::number_in;
use crate::control::credentials::{suspicious_key, suspicious_session};
use crate::control::people;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

/// Revokes the suspicious keys and sessions, or all of them.
///
/// `user:NAME` means the keys that a user holds and the user's sessions.
pub(crate) fn begin(work: &Work<'_>, scope: &str, reason: &str) -> Result<Value, Failure> {
    let user = scope.strip_prefix("user:");
    let (keys, sessions) = match (scope, user) {
        ("suspicious", _) => (suspicious_key(), suspicious_session()),
        ("all", _) => ("1".to_owned(), "1".to_owned()),
        (_, Some(_)) => ("holder = ?3".to_owned(), "user = ?3".to_owned()),
        _ => return Err(Failure::invalid("`scope` must be `suspicious`, `all` or `user:NAME`")),
    };
    if let Some(user) = user {
        people::show(work, user)?;
    }
    let insert = "INSERT INTO lockdowns (at, scope, reason) VALUES (?1, ?2, ?3)";
    work.control.execute(insert, params![work.at(), scope, reason])?;
    let id = work.control.last_insert_rowid();
    for (table, condition) in [("api_keys", keys), ("sessions", sessions)] {
        let sql = format!(
            "UPDATE {table} SET status = 'revoked', revoked_at = ?1, revoked_by = ?2
             WHERE status = 'active' AND ?3 IS ?3 AND {condition}"
        );
        work.control.execute(&sql, params![work.at(), id, user])?;
    }
    show(work, &format!("LCK-{id:04}"))
}

/// Gives the keys and sessions of a lock-down back to their holders. Suspicious ones stay revoked: undoing a lock-down
/// must not let the intruder in again.
pub(crate) fn lift(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    let number = number_in("LCK", id).ok_or_else(|| Failure::not_found("lock-down", id))?;
    let known = work.control.execute(
        "UPDATE lockdowns SET lifted_at = coalesce(lifted_at, ?2) WHERE id = ?1",
        params![number, work.at()],
    )?;
    if known == 0 {
        return Err(Failure::not_found("lock-down", id));
    }
    let mut restored = Vec::new();
    for (table, suspicious) in [("api_keys", suspicious_key()), ("sessions", suspicious_session())] {
        let sql = format!(
            "UPDATE {table} SET status = 'active', revoked_at = NULL, revoked_by = NULL
             WHERE revoked_by = ?1 AND NOT {suspicious}"
        );
        restored.push(work.control.execute(&sql, params![number])?);
    }
    let mut answer = show(work, id)?;
    answer["keys_restored"] = json!(restored.first());
    answer["sessions_restored"] = json!(restored.get(1));
    Ok(answer)
}

/// A lock-down and what it still holds revoked.
pub(crate) fn show(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    let number = number_in("LCK", id).ok_or_else(|| Failure::not_found("lock-down", id))?;
    let sql = "SELECT printf('LCK-%04d', id) AS id, at, scope, reason, lifted_at FROM lockdowns WHERE id = ?1";
    let mut answer =
        rows::first(work.control, sql, params![number])?.ok_or_else(|| Failure::not_found("lock-down", id))?;
    let ids = |prefix: &str, table: &str| -> Result<Value, Failure> {
        let sql =
            format!("SELECT printf('{prefix}-%04d', id) AS id FROM {table} WHERE revoked_by = ?1 ORDER BY {table}.id");
        let held = rows::list(work.control, &sql, params![number])?;
        Ok(held.into_iter().map(|row| row["id"].clone()).collect())
    };
    answer["keys_revoked"] = ids("KEY", "api_keys")?;
    answer["sessions_revoked"] = ids("SES", "sessions")?;
    Ok(answer)
}
