//! What can be broken on purpose. Each fault changes the platform itself; nothing pretends.

mod wear;

use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};

use crate::business::orders::{self, NewOrder};
use crate::control::credentials::{self, NewKey};
use crate::control::{health, lockdown, logs, schema, services};
use crate::database;
use crate::error::Error;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{millis, shifted, stamp};

pub(crate) use wear::DISK as FAILING_DISK;

/// One thing that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Its name in routes and commands.
    pub name: &'static str,
    /// What breaks, in a sentence.
    pub what: &'static str,
}

/// Every fault there is.
pub const FAULTS: [Fault; 13] = [
    Fault { name: "system_down", what: "gateway and engine crash: business routes and /health answer 503" },
    Fault { name: "security_breach", what: "a key and sessions opened from outside place orders and withdraw money" },
    Fault { name: "trading_halted", what: "the engine fills nothing: market orders pile up while trading is active" },
    Fault { name: "database_lost", what: "trades and positions are dropped, the ledger is emptied" },
    Fault { name: "market_data_stale", what: "the feed is connected but writes no quotes" },
    Fault { name: "degraded_gateway", what: "every request is slow, every third is lost with 502" },
    Fault { name: wear::CERTIFICATE, what: "the gateway's certificate ends in 9 days" },
    Fault { name: wear::BACKUP, what: "the backups of the last days are gone: the newest is 50 hours old" },
    Fault { name: wear::DISK, what: "a page of every new dump is damaged, as by a failing disk" },
    Fault { name: wear::MEMORY, what: "93 % of the machine's memory is in use" },
    Fault { name: wear::EXPOSURE, what: "the strategy has bought 40 BTC beyond its limit" },
    Fault { name: wear::SYSTEM, what: "the reporting system answers nobody who manages access" },
    Fault { name: wear::POOL, what: "the gateway has 4 connections to the engine, so that every request waits" },
];

/// Where the intruder comes from: an address kept for documentation, outside of the company's network.
pub(crate) const INTRUDER_IP: &str = "203.0.113.66";
/// What waits for a wedged engine when the incident is noticed.
const BACKLOG: i64 = 14;
const FAILED_LOGINS: i64 = 9;

/// Breaks the platform. Injecting a fault that is there already changes nothing.
pub(crate) fn inject(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    if present(work, name)? || wear::inject(work, name)? {
        return Ok(());
    }
    match name {
        "system_down" => crash(work),
        "security_breach" => let_intruder_in(work),
        "trading_halted" => wedge(work),
        "database_lost" => destroy(work),
        "market_data_stale" => services::set(work, "market_data", "degraded", Some(services::STALE)),
        "degraded_gateway" => services::set(work, "gateway", "degraded", Some(services::SLOW)),
        _ => Err(unknown(name).into()),
    }
}

/// Takes a fault away without the procedure that should. For tests and for starting over.
pub(crate) fn mend(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    if !present(work, name)? || wear::mend(work, name)? {
        return Ok(());
    }
    match name {
        "system_down" => {
            services::set(work, "engine", "up", None)?;
            services::set(work, "gateway", "up", None)
        }
        "security_breach" => {
            lockdown::begin(work, "suspicious", "fault mended")?;
            work.control.execute("DELETE FROM loot", [])?;
            Ok(())
        }
        "trading_halted" => {
            services::set(work, "engine", "up", None)?;
            work.books()?.execute(
                "UPDATE orders SET status = 'cancelled', done_at = ?1 WHERE status = 'open' AND type = 'market'",
                params![work.at()],
            )?;
            Ok(())
        }
        "database_lost" => {
            let folder = &work.platform.folder;
            let backup = database::newest_good(folder.root())?;
            let manifest = database::verify(&backup.path)?;
            Ok(database::put_in_place(&backup.path, &manifest, folder)?)
        }
        "market_data_stale" => services::set(work, "market_data", "up", None),
        "degraded_gateway" => services::set(work, "gateway", "up", None),
        _ => Err(unknown(name).into()),
    }
}

/// Whether the platform is broken in this way now, worked out from its state.
pub(crate) fn present(work: &Work<'_>, name: &str) -> Result<bool, Failure> {
    if let Some(found) = wear::present(work, name)? {
        return Ok(found);
    }
    Ok(match name {
        "system_down" => {
            let down = |name| Ok::<_, Failure>(services::get(work, name)?.state == "down");
            down("gateway")? && down("engine")?
        }
        "security_breach" => health::suspicious_credentials(work)? != (0, 0),
        "trading_halted" => services::get(work, "engine")?.suffers(services::WEDGED),
        "database_lost" => health::database_problem(work).is_some(),
        "market_data_stale" => services::get(work, "market_data")?.suffers(services::STALE),
        "degraded_gateway" => services::get(work, "gateway")?.suffers(services::SLOW),
        _ => return Err(unknown(name).into()),
    })
}

/// All faults and whether each is there.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    FAULTS
        .iter()
        .map(|fault| {
            let present = present(work, fault.name)?;
            Ok(json!({"name": fault.name, "what": fault.what, "present": present}))
        })
        .collect()
}

/// The error for a name that no fault has; it lists those that there are.
pub(crate) fn unknown(name: &str) -> Error {
    Error::UnknownFault { name: name.to_owned(), valid: FAULTS.iter().map(|fault| fault.name).collect() }
}

fn crash(work: &Work<'_>) -> Result<(), Failure> {
    for (service, message) in [
        ("engine", "order book snapshot failed: out of memory"),
        ("engine", "process exited with signal 11, not restarted: restart budget used up"),
        ("gateway", "upstream `engine` refused the connection, 5 of 5 attempts"),
        ("gateway", "process exited with signal 11"),
    ] {
        logs::error(work, service, "critical", "crashed", message)?;
    }
    services::set(work, "engine", "down", Some(services::CRASHED))?;
    services::set(work, "gateway", "down", Some(services::CRASHED))
}

/// The intruder's credentials are real ones, kept in `loot` as an intruder would keep them; what it does with them is
/// in [`crate::actors`].
fn let_intruder_in(work: &Work<'_>) -> Result<(), Failure> {
    for attempt in 0..FAILED_LOGINS {
        let at = shifted(work.now, -1_000 * (600 - 20 * attempt));
        security_event(work, &stamp(at), "warning", "login_failed", "wrong password")?;
    }
    let at = stamp(shifted(work.now, -400_000));
    security_event(work, &at, "high", "login_suspicious", "signed in from an unknown network without a second factor")?;
    let key = credentials::issue_key(
        work,
        &NewKey {
            name: "svc-report-export",
            account: "ACC-0001",
            scopes: "read trade withdraw",
            issued_by: "a.meyer",
            issued_from: INTRUDER_IP,
            change_ref: None,
        },
    )?;
    keep_loot(work, "key", &key["secret"])?;
    for (user, account) in [("a.meyer", "ACC-0001"), ("b.okafor", "ACC-0002"), ("ops-desk", "ACC-0001")] {
        let session = credentials::open_session(work, user, account, INTRUDER_IP)?;
        keep_loot(work, "session", &session["token"])?;
    }
    security_event(
        work,
        &work.at(),
        "high",
        "key_issued",
        "API key `svc-report-export` issued without a change reference",
    )
}

fn keep_loot(work: &Work<'_>, kind: &str, secret: &Value) -> Result<(), Failure> {
    let insert = "INSERT INTO loot (secret, kind) VALUES (?1, ?2)";
    work.control.execute(insert, params![secret.as_str(), kind])?;
    Ok(())
}

fn security_event(work: &Work<'_>, at: &str, severity: &str, kind: &str, detail: &str) -> Result<(), Failure> {
    work.control.execute(
        "INSERT INTO security_events (at, severity, kind, user, ip, detail) VALUES (?1, ?2, ?3, 'a.meyer', ?4, ?5)",
        params![at, severity, kind, INTRUDER_IP, detail],
    )?;
    Ok(())
}

fn wedge(work: &Work<'_>) -> Result<(), Failure> {
    services::set(work, "engine", "up", Some(services::WEDGED))?;
    let (name, account, symbol) = schema::STRATEGY;
    let books = work.books()?;
    for index in 0..BACKLOG {
        let at = shifted(work.now, -20_000 * (BACKLOG + 3 - index));
        let order = NewOrder {
            account: account.to_owned(),
            symbol: symbol.to_owned(),
            side: "buy".to_owned(),
            kind: "market".to_owned(),
            quantity_micro: 150_000 + 10_000 * index,
            limit_price_cents: None,
            placed_by: name.to_owned(),
            placed_from: "10.20.1.10".to_owned(),
        };
        orders::insert(&books, &order, &stamp(at), millis(at))?;
    }
    logs::error(work, "engine", "critical", "no_progress", "matching loop made no progress for 340 s")?;
    logs::error(work, "engine", "error", "queue_full", "14 market orders wait, the oldest for 340 s")
}

fn destroy(work: &Work<'_>) -> Result<(), Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let books = Connection::open_with_flags(work.platform.folder.business(), flags)?;
    books.busy_timeout(crate::platform::BUSY_TIMEOUT)?;
    books.execute_batch(
        "BEGIN IMMEDIATE;
         DROP TABLE IF EXISTS trades;
         DROP TABLE IF EXISTS positions;
         DELETE FROM ledger;
         COMMIT;",
    )?;
    logs::error(work, "engine", "critical", "database_lost", "no such table: trades")?;
    logs::error(work, "engine", "critical", "database_lost", "ledger is empty, balances cannot be proven")
}
