//! The error log, the access log and security events. Each keeps its newest entries only.

use rusqlite::params;

use crate::platform::Work;
use crate::reply::Failure;

/// What each log keeps; a fault that nobody mends must not fill the disk.
const KEPT: i64 = 2_000;

/// Writes a line to the error log.
pub(crate) fn error(work: &Work<'_>, service: &str, level: &str, code: &str, message: &str) -> Result<(), Failure> {
    work.control.execute(
        "INSERT INTO errors (at, service, level, code, message) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![work.at(), service, level, code, message],
    )?;
    let oldest = work.control.last_insert_rowid() - KEPT;
    work.control.execute("DELETE FROM errors WHERE id <= ?1", params![oldest])?;
    Ok(())
}

/// Writes a line to the access log: who did what from where, and whether it was let through.
pub(crate) fn access(
    work: &Work<'_>,
    credential: &str,
    ip: &str,
    action: &str,
    outcome: &str,
    detail: &str,
) -> Result<(), Failure> {
    work.control.execute(
        "INSERT INTO access_log (at, credential, ip, action, outcome, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![work.at(), credential, ip, action, outcome, detail],
    )?;
    let oldest = work.control.last_insert_rowid() - KEPT;
    work.control.execute("DELETE FROM access_log WHERE id <= ?1", params![oldest])?;
    Ok(())
}
