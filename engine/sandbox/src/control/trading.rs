//! Whether trading is active, paused or stopped in an emergency. Kept apart from the books: it must work without them.

use rusqlite::params;
use serde_json::{Value, json};

use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

/// Orders are taken and matched.
pub(crate) const ACTIVE: &str = "active";
/// No new orders, no fills; expected to go on.
pub(crate) const PAUSED: &str = "paused";
/// The kill switch was used.
pub(crate) const STOPPED: &str = "emergency_stopped";

/// The present state.
pub(crate) fn state(work: &Work<'_>) -> Result<String, Failure> {
    Ok(work.control.query_row("SELECT state FROM trading", [], |row| row.get(0))?)
}

/// The state as `/api/trading/status` shows it.
pub(crate) fn status(work: &Work<'_>) -> Result<Value, Failure> {
    let sql =
        "SELECT state AS mode, reason, changed_by, since, state = 'active' AS \"trading_active:bool\" FROM trading";
    Ok(rows::first(work.control, sql, [])?.unwrap_or_default())
}

/// Moves to `to`. Pausing does not weaken an emergency stop: that is refused.
pub(crate) fn change(work: &Work<'_>, to: &str, reason: &str, by: &str) -> Result<Value, Failure> {
    let from = state(work)?;
    if from == STOPPED && to == PAUSED {
        return Err(Failure::conflict("emergency_stopped", "trading is stopped in an emergency; resume it first"));
    }
    let changed = from != to;
    if changed {
        work.control.execute(
            "UPDATE trading SET state = ?1, reason = ?2, changed_by = ?3, since = ?4",
            params![to, reason, by, work.at()],
        )?;
    }
    let mut answer = status(work)?;
    answer["previous"] = json!(from);
    answer["changed"] = json!(changed);
    Ok(answer)
}

/// Refuses what needs active trading.
pub(crate) fn require_active(work: &Work<'_>) -> Result<(), Failure> {
    let state = state(work)?;
    if state == ACTIVE {
        return Ok(());
    }
    Err(Failure::conflict("trading_not_active", format!("trading is {state}")))
}
