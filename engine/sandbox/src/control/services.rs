//! The three services: gateway (takes requests), engine (matches orders), market data (writes quotes).
//!
//! ```text
//!   up ⇄ degraded      stop → stopped      start → starting ─┐
//!   fault → down       restart → restarting ─────────────────┴─(due)→ up, or down when the books are damaged
//! ```

use rusqlite::params;
use serde_json::{Value, json};

use crate::control::logs;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, millis, shifted};

/// All services, in the order in which they start.
pub(crate) const NAMES: [&str; 3] = ["market_data", "engine", "gateway"];
/// The services that write to the books; a restore wants them stopped.
pub(crate) const WRITERS: [&str; 2] = ["gateway", "engine"];

/// The engine runs but fills nothing.
pub(crate) const WEDGED: &str = "matching loop makes no progress";
/// The gateway answers slowly and loses requests.
pub(crate) const SLOW: &str = "connection pool exhausted";
/// The feed is connected but nothing comes.
pub(crate) const STALE: &str = "feed connected, no messages";
/// The process is gone.
pub(crate) const CRASHED: &str = "process exited with signal 11";

const COLUMNS: &str = "name, state, since, condition, restarts";

/// One service as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) state: String,
    pub(crate) condition: Option<String>,
}

impl Service {
    /// Whether it does its work at all, well or badly.
    pub(crate) fn runs(&self) -> bool {
        matches!(self.state.as_str(), "up" | "degraded")
    }

    pub(crate) fn suffers(&self, condition: &str) -> bool {
        self.runs() && self.condition.as_deref() == Some(condition)
    }
}

/// The service `name`.
pub(crate) fn get(work: &Work<'_>, name: &str) -> Result<Service, Failure> {
    let found = work.control.query_row("SELECT state, condition FROM services WHERE name = ?1", params![name], |row| {
        Ok(Service { state: row.get(0)?, condition: row.get(1)? })
    });
    match found {
        Ok(service) => Ok(service),
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(Failure::not_found("service", name)),
        Err(error) => Err(error.into()),
    }
}

/// All services as JSON.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM services ORDER BY name");
    Ok(rows::list(work.control, &sql, [])?)
}

/// One service as JSON.
pub(crate) fn show(work: &Work<'_>, name: &str) -> Result<Value, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE name = ?1");
    rows::first(work.control, &sql, params![name])?.ok_or_else(|| Failure::not_found("service", name))
}

/// Which services `name` means: one, or every one for `all`.
pub(crate) fn named(name: &str) -> Result<Vec<&'static str>, Failure> {
    if name == "all" {
        return Ok(NAMES.to_vec());
    }
    match NAMES.iter().find(|known| **known == name) {
        Some(known) => Ok(vec![known]),
        None => Err(Failure::not_found("service", name)),
    }
}

/// Ends the process of a service and starts it again; what it suffered from is gone with the process.
pub(crate) fn restart(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    begin(work, name, "restarting")
}

/// Starts a service that is stopped or down; nothing happens to one that runs or is on its way.
pub(crate) fn start(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    match get(work, name)?.state.as_str() {
        "stopped" | "down" => begin(work, name, "starting"),
        _ => Ok(()),
    }
}

/// Stops a service at once; nothing happens to one that is stopped.
pub(crate) fn stop(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    if get(work, name)?.state != "stopped" {
        set(work, name, "stopped", None)?;
    }
    Ok(())
}

fn begin(work: &Work<'_>, name: &str, state: &str) -> Result<(), Failure> {
    let restart_ms = i64::try_from(work.platform.config.restart_ms).unwrap_or(i64::MAX);
    set(work, name, state, None)?;
    work.control.execute(
        "UPDATE services SET due_ms = ?2, restarts = restarts + 1 WHERE name = ?1",
        params![name, millis(shifted(work.now, restart_ms))],
    )?;
    Ok(())
}

/// Puts a service into a state, with what it suffers from.
pub(crate) fn set(work: &Work<'_>, name: &str, state: &str, condition: Option<&str>) -> Result<(), Failure> {
    work.control.execute(
        "UPDATE services SET state = ?2, condition = ?3, since = ?4, due_ms = NULL WHERE name = ?1",
        params![name, state, condition, work.at()],
    )?;
    Ok(())
}

/// Ends the starts that are due. The due time is in the database, so a start survives the process.
pub(crate) fn settle(work: &Work<'_>) -> Result<(), Failure> {
    let mut statement =
        work.control.prepare_cached("SELECT name FROM services WHERE due_ms IS NOT NULL AND due_ms <= ?1")?;
    let due: Vec<String> =
        statement.query_map(params![millis(work.now)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in due {
        let failed = WRITERS.contains(&name.as_str()).then(|| work.books().err());
        match failed.flatten() {
            None => set(work, &name, "up", None)?,
            Some(failure) => {
                set(work, &name, "down", Some("start failed: books unusable"))?;
                logs::error(work, &name, "critical", "start_failed", &failure.message)?;
            }
        }
    }
    Ok(())
}

/// Refuses a request that needs `name` while it does not run.
pub(crate) fn require(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    let service = get(work, name)?;
    if service.runs() {
        return Ok(());
    }
    Err(Failure::unavailable("service_down", format!("service `{name}` is {}", service.state)))
}

/// All services, by name, as `/health` shows them.
pub(crate) fn states(work: &Work<'_>) -> Result<Value, Failure> {
    let mut states = serde_json::Map::new();
    for service in list(work)? {
        if let Some(name) = service["name"].as_str() {
            states.insert(name.to_owned(), service["state"].clone());
        }
    }
    Ok(json!(states))
}
