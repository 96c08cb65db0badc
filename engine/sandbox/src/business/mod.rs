//! The books: accounts, orders, positions, trades, ledger. What a disaster destroys and a backup brings back.
//!
//! Everything here is business data: nothing in this database is volatile, so a restore can be compared exactly.
//! Money is in cents, quantities are in millionths of a unit, both whole numbers.

pub(crate) mod accounts;
pub(crate) mod fills;
pub(crate) mod orders;
pub(crate) mod positions;
pub(crate) mod seed;

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::Error;

/// Every table with its columns, in the order in which reports list them.
pub(crate) const TABLES: [(&str, &str); 5] = [
    (
        "accounts",
        "id TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, currency TEXT NOT NULL,
        balance_cents INTEGER NOT NULL, opened_at TEXT NOT NULL",
    ),
    (
        "orders",
        "id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
        type TEXT NOT NULL, quantity_micro INTEGER NOT NULL, limit_price_cents INTEGER, status TEXT NOT NULL,
        placed_by TEXT NOT NULL, placed_from TEXT NOT NULL, placed_at TEXT NOT NULL, placed_ms INTEGER NOT NULL,
        done_at TEXT, cancellation INTEGER",
    ),
    (
        "positions",
        "id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL,
        quantity_micro INTEGER NOT NULL, entry_price_cents INTEGER NOT NULL, status TEXT NOT NULL,
        opened_at TEXT NOT NULL, close_requested_at TEXT, closed_at TEXT",
    ),
    (
        "trades",
        "id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, account TEXT NOT NULL, symbol TEXT NOT NULL,
        side TEXT NOT NULL, quantity_micro INTEGER NOT NULL, price_cents INTEGER NOT NULL,
        fee_cents INTEGER NOT NULL, at TEXT NOT NULL",
    ),
    (
        "ledger",
        "id INTEGER PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, amount_cents INTEGER NOT NULL,
        reference TEXT NOT NULL, at TEXT NOT NULL",
    ),
];

/// Makes the tables in an empty database.
pub(crate) fn create_tables(db: &Connection) -> rusqlite::Result<()> {
    for (name, columns) in TABLES {
        db.execute_batch(&format!("CREATE TABLE {name} ({columns}) STRICT"))?;
    }
    db.execute_batch(
        "CREATE INDEX orders_by_status ON orders (status, type);
         CREATE INDEX positions_by_status ON positions (status);
         CREATE INDEX ledger_by_account ON ledger (account);",
    )
}

/// Opens the books for reading and writing. A missing file stays missing, a missing table is an error.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    if !path.exists() {
        return Err(Error::Damaged(vec!["database file is missing".to_owned()]));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(crate::platform::BUSY_TIMEOUT)?;
    let missing = missing_tables(&db)?;
    if missing.is_empty() { Ok(db) } else { Err(Error::Damaged(missing)) }
}

/// What is wrong with the list of tables.
pub(crate) fn missing_tables(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut known = db.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?;
    for (name, _) in TABLES {
        if !known.exists([name])? {
            problems.push(format!("table `{name}` is missing"));
        }
    }
    Ok(problems)
}

/// What is wrong between the tables: each account's balance must be the sum of its ledger entries, and each trade
/// must have its entry.
pub(crate) fn unbalanced(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut problems = Vec::new();
    if crate::rows::number(db, "SELECT count(*) FROM accounts", [])? == 0 {
        problems.push("no accounts".to_owned());
    }
    let wrong = crate::rows::number(
        db,
        "SELECT count(*) FROM accounts a WHERE a.balance_cents
         <> (SELECT coalesce(sum(amount_cents), 0) FROM ledger l WHERE l.account = a.id)",
        [],
    )?;
    if wrong > 0 {
        problems.push(format!("{wrong} account balances do not match the ledger"));
    }
    let trades = crate::rows::number(db, "SELECT count(*) FROM trades", [])?;
    let entries = crate::rows::number(db, "SELECT count(*) FROM ledger WHERE kind = 'trade'", [])?;
    if trades != entries {
        problems.push(format!("{trades} trades but {entries} ledger entries for trades"));
    }
    Ok(problems)
}

/// The number in an id such as `ORD-000012`; also taken bare.
pub(crate) fn number_in(prefix: &str, id: &str) -> Option<i64> {
    let digits = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or(id);
    digits.parse().ok().filter(|number| *number > 0)
}
