//! Whether an incident is contained, worked out from the platform's own state: no step can claim it.

use rusqlite::params;
use serde_json::{Value, json};

use crate::business::orders;
use crate::control::credentials::{outside, suspicious_key, suspicious_session};
use crate::control::{health, services, trading};
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

/// The incidents that can be asked about.
pub(crate) const TYPES: [&str; 4] = ["system_down", "security_breach", "trading_halted", "database_lost"];

struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// The state of containment of one type of incident: `contained` is true when every check holds.
pub(crate) fn report(work: &Work<'_>, kind: &str) -> Result<Value, Failure> {
    let checks = match kind {
        "system_down" => services_up(work)?,
        "security_breach" => intruder_out(work)?,
        "trading_halted" => trading_stopped(work)?,
        "database_lost" => {
            let mut checks = vec![books_whole(work)];
            checks.extend(services_up(work)?);
            checks
        }
        _ => {
            let message = format!("unknown incident type `{kind}`; valid types: {}", TYPES.join(", "));
            return Err(Failure::invalid(message));
        }
    };
    let listed: Vec<Value> =
        checks.iter().map(|check| json!({"name": check.name, "ok": check.ok, "detail": check.detail})).collect();
    Ok(json!({
        "type": kind,
        "contained": checks.iter().all(|check| check.ok),
        "checks": listed,
        "checked_at": work.at(),
    }))
}

fn services_up(work: &Work<'_>) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    for name in services::NAMES {
        let service = services::get(work, name)?;
        checks.push(Check { name, ok: service.state == "up", detail: format!("{name} is {}", service.state) });
    }
    Ok(checks)
}

fn books_whole(work: &Work<'_>) -> Check {
    let problem = health::database_problem(work);
    Check { name: "database", ok: problem.is_none(), detail: problem.unwrap_or_else(|| "books are whole".to_owned()) }
}

/// No credential of the intruder works, and nothing from outside was let through after the last of them was revoked.
fn intruder_out(work: &Work<'_>) -> Result<Vec<Check>, Failure> {
    let (keys, sessions) = health::suspicious_credentials(work)?;
    let from_outside = outside("ip");
    let sql = format!("SELECT max(at) FROM access_log WHERE outcome = 'accepted' AND {from_outside}");
    let last_accepted = rows::text(work.control, &sql, [])?;
    let sql = format!(
        "SELECT max(at) FROM (SELECT max(revoked_at) AS at FROM api_keys WHERE {} UNION ALL
         SELECT max(revoked_at) FROM sessions WHERE {})",
        suspicious_key(),
        suspicious_session()
    );
    let last_revoked = rows::text(work.control, &sql, [])?;
    let sql = format!(
        "SELECT count(*) FROM access_log WHERE outcome = 'denied' AND {from_outside} AND at >= coalesce(?1, '')"
    );
    let denied = rows::number(work.control, &sql, params![last_revoked])?;
    let silent = match (&last_accepted, &last_revoked) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(accepted), Some(revoked)) => accepted <= revoked,
    };
    let accepted = last_accepted.unwrap_or_default();
    let activity = match (silent, last_revoked) {
        (_, None) if accepted.is_empty() => "nothing came from outside".to_owned(),
        (true, _) => format!("nothing from outside was let through since the lock-down (denied: {denied})"),
        (false, None) => format!("the last request from outside was let through at {accepted}"),
        (false, Some(revoked)) => {
            format!("a request from outside was let through at {accepted}, after the lock-down at {revoked}")
        }
    };
    Ok(vec![
        Check { name: "suspicious_keys", ok: keys == 0, detail: working(keys, "key") },
        Check { name: "suspicious_sessions", ok: sessions == 0, detail: working(sessions, "session") },
        Check { name: "no_activity_since", ok: silent, detail: activity },
    ])
}

fn working(number: i64, what: &str) -> String {
    match number {
        0 => format!("no suspicious {what} works"),
        1 => format!("1 suspicious {what} works"),
        _ => format!("{number} suspicious {what}s work"),
    }
}

fn trading_stopped(work: &Work<'_>) -> Result<Vec<Check>, Failure> {
    let state = trading::state(work)?;
    let books = work.books()?;
    let open = orders::open_count(&books)?;
    let orders = match open {
        0 => "no order is open".to_owned(),
        1 => "1 order is open".to_owned(),
        _ => format!("{open} orders are open"),
    };
    Ok(vec![
        Check { name: "trading", ok: state == trading::STOPPED, detail: format!("trading is {state}") },
        Check { name: "open_orders", ok: open == 0, detail: orders },
    ])
}
