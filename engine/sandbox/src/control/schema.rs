//! The control database: what must still answer while the books are lost.
//!
//! Keys and sessions are here, not with the books, for a reason: a restore of yesterday's books must not bring a key
//! back to life that was revoked today.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::error::Error;
use crate::rows::{millis, shifted, stamp};
use crate::secret;

/// Bump when a table changes; a folder of another version is refused.
const VERSION: i64 = 4;

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE services (name TEXT PRIMARY KEY, state TEXT NOT NULL, since TEXT NOT NULL, due_ms INTEGER,
    condition TEXT, restarts INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE trading (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL, reason TEXT NOT NULL,
    changed_by TEXT NOT NULL, since TEXT NOT NULL) STRICT;
CREATE TABLE quotes (symbol TEXT PRIMARY KEY, price_cents INTEGER NOT NULL, at TEXT NOT NULL, at_ms INTEGER NOT NULL,
    walk INTEGER NOT NULL) STRICT;
CREATE TABLE api_keys (id INTEGER PRIMARY KEY, name TEXT NOT NULL, account TEXT NOT NULL, scopes TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL UNIQUE, issued_at TEXT NOT NULL, issued_by TEXT NOT NULL, issued_from TEXT NOT NULL,
    change_ref TEXT, status TEXT NOT NULL, revoked_at TEXT, revoked_by INTEGER, holder TEXT,
    replaces INTEGER) STRICT;
CREATE TABLE sessions (id INTEGER PRIMARY KEY, user TEXT NOT NULL, account TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE, opened_at TEXT NOT NULL, opened_from TEXT NOT NULL, status TEXT NOT NULL,
    revoked_at TEXT, revoked_by INTEGER) STRICT;
CREATE TABLE lockdowns (id INTEGER PRIMARY KEY, at TEXT NOT NULL, scope TEXT NOT NULL, reason TEXT NOT NULL,
    lifted_at TEXT) STRICT;
CREATE TABLE access_log (id INTEGER PRIMARY KEY, at TEXT NOT NULL, credential TEXT NOT NULL, ip TEXT NOT NULL,
    action TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE security_events (id INTEGER PRIMARY KEY, at TEXT NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL,
    user TEXT NOT NULL, ip TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE incidents (id INTEGER PRIMARY KEY, type TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL,
    description TEXT NOT NULL, status TEXT NOT NULL, opened_at TEXT NOT NULL, acknowledged_at TEXT,
    acknowledged_by TEXT, resolved_at TEXT, resolution TEXT, withdrawn_at TEXT, withdrawn_because TEXT) STRICT;
CREATE TABLE timeline (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, at TEXT NOT NULL, author TEXT NOT NULL,
    text TEXT NOT NULL) STRICT;
CREATE TABLE notifications (id INTEGER PRIMARY KEY, at TEXT NOT NULL, channel TEXT NOT NULL, severity TEXT NOT NULL,
    subject TEXT NOT NULL, text TEXT NOT NULL, incident TEXT, status TEXT NOT NULL, retracts INTEGER,
    dedup TEXT) STRICT;
CREATE TABLE errors (id INTEGER PRIMARY KEY, at TEXT NOT NULL, service TEXT NOT NULL, level TEXT NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL) STRICT;
CREATE TABLE idempotency (route TEXT NOT NULL, key TEXT NOT NULL, request_sha256 TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (route, key)) STRICT;
CREATE TABLE cancellations (id INTEGER PRIMARY KEY, at TEXT NOT NULL, reason TEXT NOT NULL, undone_at TEXT) STRICT;
CREATE TABLE strategies (name TEXT PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, secret TEXT NOT NULL) STRICT;
CREATE TABLE loot (secret TEXT PRIMARY KEY, kind TEXT NOT NULL, denied INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE figures (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE certificates (name TEXT PRIMARY KEY, ends_at TEXT NOT NULL, ends_ms INTEGER NOT NULL) STRICT;
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE people (name TEXT PRIMARY KEY, full_name TEXT NOT NULL, role TEXT NOT NULL, team TEXT NOT NULL,
    status TEXT NOT NULL, created_at TEXT NOT NULL, disabled_at TEXT) STRICT;
CREATE TABLE systems (name TEXT PRIMARY KEY, answers INTEGER NOT NULL) STRICT;
CREATE TABLE grants (system TEXT NOT NULL, user TEXT NOT NULL, level TEXT NOT NULL, granted_at TEXT NOT NULL,
    PRIMARY KEY (system, user)) STRICT;
CREATE TABLE alerts (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, labels TEXT NOT NULL, summary TEXT NOT NULL,
    starts_at TEXT NOT NULL, updated_at TEXT NOT NULL, ends_at TEXT, heard_at TEXT) STRICT;
CREATE TABLE silences (id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts_at TEXT NOT NULL, ends_at TEXT NOT NULL,
    created_by TEXT NOT NULL, comment TEXT NOT NULL, updated_at TEXT NOT NULL) STRICT;
";

/// Users whose sessions are open when the platform starts: name, account, address in the company's network.
const USERS: [(&str, &str, &str); 7] = [
    ("a.meyer", "ACC-0001", "10.20.4.17"),
    ("b.okafor", "ACC-0002", "10.20.4.31"),
    ("c.lindqvist", "ACC-0003", "10.20.7.8"),
    ("d.rossi", "ACC-0004", "10.20.7.55"),
    ("e.tanaka", "ACC-0005", "10.20.9.2"),
    ("f.silva", "ACC-0006", "10.20.9.64"),
    ("ops-desk", "ACC-0001", "10.20.1.10"),
];

/// Keys that customers and services hold: name, account, scopes, change reference, who holds it.
const KEYS: [(&str, &str, &str, &str, &str); 6] = [
    ("treasury-sweeper", "ACC-0001", "read trade withdraw", "CHG-2031", "a.meyer"),
    ("okafor-desk", "ACC-0002", "read trade", "CHG-2107", "b.okafor"),
    ("lindqvist-algo", "ACC-0003", "read trade", "CHG-2144", "c.lindqvist"),
    ("rossi-mobile", "ACC-0004", "read trade withdraw", "CHG-2150", "d.rossi"),
    ("risk-dashboard", "ACC-0001", "read", "CHG-2166", "ops-desk"),
    ("tanaka-desk", "ACC-0005", "read trade", "CHG-2190", "e.tanaka"),
];

/// The strategy that the platform runs itself, and the market it trades.
pub(crate) const STRATEGY: (&str, &str, &str) = ("momentum-7", "ACC-0007", "BTC-USD");

/// Opens the control database, made and filled when it is new.
pub(crate) fn open_or_create(path: &Path, now: Timestamp) -> Result<Connection, Error> {
    drop(crate::folder::open_private(path)?);
    let mut db = open(path)?;
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => {
            tx.execute_batch(TABLES)?;
            fill(&tx, now)?;
            tx.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        other => {
            return Err(Error::Rejected(format!("control database has version {other}, this program knows {VERSION}")));
        }
    }
    tx.commit()?;
    Ok(db)
}

/// Opens an existing control database.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(crate::platform::BUSY_TIMEOUT)?;
    Ok(db)
}

fn fill(db: &Connection, now: Timestamp) -> Result<(), Error> {
    let at = stamp(now);
    for service in crate::control::services::NAMES {
        db.execute("INSERT INTO services (name, state, since) VALUES (?1, 'up', ?2)", params![service, at])?;
    }
    db.execute("INSERT INTO trading VALUES (1, 'active', 'normal operation', 'system', ?1)", params![at])?;
    for (symbol, price_cents) in crate::business::seed::MARKETS {
        db.execute("INSERT INTO quotes VALUES (?1, ?2, ?3, ?4, 0)", params![symbol, price_cents, at, millis(now)])?;
    }
    crate::control::machine::fill(db, now)?;
    crate::control::people::fill(db, now)?;
    fill_credentials(db, now)
}

fn fill_credentials(db: &Connection, now: Timestamp) -> Result<(), Error> {
    for (index, (name, account, scopes, change, holder)) in (0_i64..).zip(KEYS) {
        let issued = stamp(shifted(now, -86_400_000 * (200 - 17 * index)));
        // Nobody learns these secrets: they belong to customers who do not take part.
        insert_key(db, name, account, scopes, &secret::random_token("key_")?, &issued, Some(change))?;
        db.execute("UPDATE api_keys SET holder = ?2 WHERE name = ?1", params![name, holder])?;
    }
    let (name, account, symbol) = STRATEGY;
    let key = secret::random_token("key_")?;
    let issued = stamp(shifted(now, -86_400_000 * 40));
    insert_key(db, name, account, "read trade", &key, &issued, Some("CHG-2188"))?;
    db.execute("INSERT INTO strategies VALUES (?1, ?2, ?3, ?4)", params![name, account, symbol, key])?;
    for (index, (user, account, ip)) in (0_i64..).zip(USERS) {
        let opened = stamp(shifted(now, -60_000 * (20 + 31 * index)));
        let token = secret::sha256(secret::random_token("ses_")?.as_bytes());
        db.execute(
            "INSERT INTO sessions (user, account, token_sha256, opened_at, opened_from, status)
             VALUES (?1, ?2, ?3, ?4, ?5, 'active')",
            params![user, account, token, opened, ip],
        )?;
        db.execute(
            "INSERT INTO security_events (at, severity, kind, user, ip, detail)
             VALUES (?1, 'info', 'login', ?2, ?3, 'signed in with a second factor')",
            params![opened, user, ip],
        )?;
    }
    Ok(())
}

fn insert_key(
    db: &Connection,
    name: &str,
    account: &str,
    scopes: &str,
    key: &str,
    issued_at: &str,
    change_ref: Option<&str>,
) -> Result<(), Error> {
    db.execute(
        "INSERT INTO api_keys (name, account, scopes, secret_sha256, issued_at, issued_by, issued_from, change_ref, status)
         VALUES (?1, ?2, ?3, ?4, ?5, 'provisioning', '10.20.1.10', ?6, 'active')",
        params![name, account, scopes, secret::sha256(key.as_bytes()), issued_at, change_ref],
    )?;
    Ok(())
}

/// One remembered fact, such as which rehearsal was applied.
pub(crate) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    crate::rows::text(db, "SELECT value FROM meta WHERE key = ?1", params![key])
}

/// Remembers a fact.
pub(crate) fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![key, value],
    )?;
    Ok(())
}
