//! Who works here, and what each may do in which system.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, stamp};

/// The systems that keep a list of who may use them.
pub(crate) const SYSTEMS: [&str; 4] = ["trading", "monitoring", "reporting", "vpn"];
const ROLES: [&str; 3] = ["trader", "operator", "admin"];
const LEVELS: [&str; 3] = ["read", "write", "admin"];

/// Who is there from the beginning: name, full name, role, team.
const PEOPLE: [(&str, &str, &str, &str); 7] = [
    ("a.meyer", "Anna Meyer", "operator", "treasury"),
    ("b.okafor", "Ben Okafor", "trader", "spot-trading"),
    ("c.lindqvist", "Clara Lindqvist", "trader", "spot-trading"),
    ("d.rossi", "Dario Rossi", "trader", "client-desk"),
    ("e.tanaka", "Emi Tanaka", "trader", "client-desk"),
    ("f.silva", "Filipe Silva", "trader", "client-desk"),
    ("ops-desk", "Operations desk", "operator", "operations"),
];

/// Fills the tables of a new platform.
pub(crate) fn fill(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let at = stamp(now);
    for system in SYSTEMS {
        db.execute("INSERT INTO systems VALUES (?1, 1)", params![system])?;
    }
    for (name, full_name, role, team) in PEOPLE {
        db.execute(
            "INSERT INTO people VALUES (?1, ?2, ?3, ?4, 'active', ?5, NULL)",
            params![name, full_name, role, team, at],
        )?;
        let systems: &[(&str, &str)] = match role {
            "operator" => &[("trading", "read"), ("monitoring", "write"), ("reporting", "read"), ("vpn", "read")],
            _ => &[("trading", "write"), ("reporting", "read"), ("vpn", "read")],
        };
        for (system, level) in systems {
            db.execute("INSERT INTO grants VALUES (?1, ?2, ?3, ?4)", params![system, name, level, at])?;
        }
    }
    Ok(())
}

/// Everybody, with what each may do where.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    let mut found = rows::list(work.control, "SELECT name FROM people ORDER BY name", [])?;
    for person in &mut found {
        *person = show(work, person["name"].as_str().unwrap_or_default())?;
    }
    Ok(found)
}

/// One person; `access` is an object from systems to levels.
pub(crate) fn show(work: &Work<'_>, name: &str) -> Result<Value, Failure> {
    let sql = "SELECT name, full_name, role, team, status, created_at, disabled_at FROM people WHERE name = ?1";
    let mut person = rows::first(work.control, sql, params![name])?.ok_or_else(|| Failure::not_found("user", name))?;
    let sql = "SELECT system, level FROM grants WHERE user = ?1 ORDER BY system";
    let mut access = serde_json::Map::new();
    for grant in rows::list(work.control, sql, params![name])? {
        access.insert(grant["system"].as_str().unwrap_or_default().to_owned(), grant["level"].clone());
    }
    person["access"] = json!(access);
    let sessions = "SELECT count(*) FROM sessions WHERE user = ?1 AND status = 'active'";
    person["sessions"] = json!(rows::number(work.control, sessions, params![name])?);
    let keys = "SELECT count(*) FROM api_keys WHERE holder = ?1 AND status = 'active'";
    person["keys"] = json!(rows::number(work.control, keys, params![name])?);
    Ok(person)
}

/// Makes an account; it may do nothing yet.
pub(crate) fn create(work: &Work<'_>, name: &str, full_name: &str, role: &str, team: &str) -> Result<Value, Failure> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(Failure::invalid("`name` must be of lower-case letters, digits, `.` and `-`"));
    }
    if !ROLES.contains(&role) {
        return Err(Failure::invalid(format!("`role` must be one of {}", ROLES.join(", "))));
    }
    let known = rows::number(work.control, "SELECT count(*) FROM people WHERE name = ?1", params![name])?;
    if known > 0 {
        return Err(Failure::conflict("user_exists", format!("there is a user `{name}` already")));
    }
    work.control.execute(
        "INSERT INTO people VALUES (?1, ?2, ?3, ?4, 'active', ?5, NULL)",
        params![name, full_name, role, team, work.at()],
    )?;
    show(work, name)
}

/// Removes an account; what it may do must have been taken away before.
pub(crate) fn remove(work: &Work<'_>, name: &str) -> Result<Value, Failure> {
    let before = show(work, name)?;
    if before["access"].as_object().is_some_and(|access| !access.is_empty()) {
        return Err(Failure::conflict("has_access", format!("user `{name}` still has access: take it away first")));
    }
    work.control.execute(
        "UPDATE api_keys SET status = 'revoked', revoked_at = ?2 WHERE holder = ?1 AND status = 'active'",
        params![name, work.at()],
    )?;
    work.control.execute("DELETE FROM people WHERE name = ?1", params![name])?;
    Ok(before)
}

/// Lets an account in, or no more. What it may do stays written, for the day on which it is enabled again.
pub(crate) fn set_enabled(work: &Work<'_>, name: &str, enabled: bool) -> Result<Value, Failure> {
    show(work, name)?;
    let sql = if enabled {
        "UPDATE people SET status = 'active', disabled_at = NULL WHERE name = ?1 AND ?2 IS NOT NULL"
    } else {
        "UPDATE people SET status = 'disabled', disabled_at = coalesce(disabled_at, ?2) WHERE name = ?1"
    };
    work.control.execute(sql, params![name, work.at()])?;
    show(work, name)
}

/// Gives a level in a system; asked again with another level, that one holds.
pub(crate) fn grant(work: &Work<'_>, system: &str, user: &str, level: &str) -> Result<Value, Failure> {
    reachable(work, system)?;
    if !LEVELS.contains(&level) {
        return Err(Failure::invalid(format!("`level` must be one of {}", LEVELS.join(", "))));
    }
    show(work, user)?;
    work.control.execute(
        "INSERT INTO grants VALUES (?1, ?2, ?3, ?4) ON CONFLICT (system, user) DO UPDATE SET level = excluded.level",
        params![system, user, level, work.at()],
    )?;
    Ok(json!({"system": system, "user": user, "level": level}))
}

/// Takes access to a system away. Gives the level that there was; null when there was none.
pub(crate) fn revoke(work: &Work<'_>, system: &str, user: &str) -> Result<Value, Failure> {
    reachable(work, system)?;
    let before = show(work, user)?["access"][system].clone();
    work.control.execute("DELETE FROM grants WHERE system = ?1 AND user = ?2", params![system, user])?;
    Ok(json!({"system": system, "user": user, "level": before}))
}

/// All systems, whether each answers, and how many may use it.
pub(crate) fn systems(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT name, answers AS \"answers:bool\",
        (SELECT count(*) FROM grants WHERE system = name) AS users FROM systems ORDER BY name";
    Ok(rows::list(work.control, sql, [])?)
}

/// Whether a system answers.
pub(crate) fn answers(work: &Work<'_>, system: &str) -> Result<bool, Failure> {
    let found = rows::first(work.control, "SELECT answers FROM systems WHERE name = ?1", params![system])?;
    found.map(|row| row["answers"] == 1).ok_or_else(|| Failure::not_found("system", system))
}

/// Makes a system silent, or lets it answer again.
pub(crate) fn set_answers(work: &Work<'_>, system: &str, answers: bool) -> Result<(), Failure> {
    work.control.execute("UPDATE systems SET answers = ?2 WHERE name = ?1", params![system, answers])?;
    Ok(())
}

fn reachable(work: &Work<'_>, system: &str) -> Result<(), Failure> {
    if answers(work, system)? {
        return Ok(());
    }
    Err(Failure::unavailable("system_down", format!("system `{system}` does not answer")))
}
