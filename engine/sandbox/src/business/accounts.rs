//! Accounts: what they hold, what leaves them, what was booked.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use crate::business::fills;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

/// All accounts.
pub(crate) fn list(books: &Connection) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT id, owner, kind, currency, balance_cents, opened_at FROM accounts ORDER BY id";
    Ok(rows::list(books, sql, [])?)
}

/// The newest ledger entries, newest first; `account` narrows them.
pub(crate) fn ledger(books: &Connection, account: Option<&str>, limit: i64) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT printf('LED-%06d', id) AS id, account, kind, amount_cents, reference, at FROM ledger
        WHERE ?1 IS NULL OR account = ?1 ORDER BY ledger.id DESC LIMIT ?2";
    Ok(rows::list(books, sql, params![account, limit])?)
}

/// The newest trades, oldest of them first, as the manuals' `.[-5:]` expects.
pub(crate) fn trades(books: &Connection, limit: i64) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT printf('TRD-%06d', t.id) AS id, printf('ORD-%06d', t.order_id) AS order_id, t.account, t.symbol,
        t.side, t.quantity_micro, t.price_cents, t.fee_cents, t.at, o.placed_by, o.placed_from
        FROM trades t LEFT JOIN orders o ON o.id = t.order_id ORDER BY t.id DESC LIMIT ?1";
    let mut newest = rows::list(books, sql, params![limit])?;
    newest.reverse();
    Ok(newest)
}

/// Takes money out of an account; gives the ledger entry.
pub(crate) fn withdraw(work: &Work<'_>, account: &str, amount_cents: i64, by: &str) -> Result<Value, Failure> {
    if amount_cents <= 0 {
        return Err(Failure::invalid("`amount_cents` must be positive"));
    }
    let mut books = work.books()?;
    let tx = books.transaction()?;
    let sql = "SELECT balance_cents FROM accounts WHERE id = ?1";
    let balance: i64 = tx
        .query_row(sql, params![account], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Failure::not_found("account", account))?;
    if balance < amount_cents {
        return Err(Failure::conflict("insufficient_funds", format!("account `{account}` holds {balance} cents")));
    }
    fills::enter(&tx, account, "withdrawal", -amount_cents, by, &work.at())?;
    let id = tx.last_insert_rowid();
    tx.commit()?;
    Ok(json!({"id": format!("LED-{id:06}"), "account": account, "amount_cents": amount_cents,
        "balance_cents": balance - amount_cents}))
}
