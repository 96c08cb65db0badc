//! Orders: placed, matched, cancelled, put back.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::business::fills::{self, Fill};
use crate::business::number_in;
use crate::control::trading;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, millis, shifted};

/// The largest quantity of one order, in millionths: far more than any account can pay for.
const QUANTITY_MICRO_MAX: i64 = 100_000_000_000;
/// The largest limit price, in cents.
const PRICE_CENTS_MAX: i64 = 10_000_000_000;
/// Orders matched in one turn of the engine.
const MATCHED_AT_ONCE: i64 = 200;

const COLUMNS: &str = "printf('ORD-%06d', id) AS id, account, symbol, side, type, quantity_micro, limit_price_cents,
    status, placed_by, placed_from, placed_at, done_at,
    CASE WHEN cancellation IS NULL THEN NULL ELSE printf('CXL-%04d', cancellation) END AS cancellation,
    (status = 'open' AND type = 'market' AND placed_ms <= ?1) AS \"stuck:bool\"";

/// An order before it has an id.
#[derive(Debug, Clone)]
pub(crate) struct NewOrder {
    pub(crate) account: String,
    pub(crate) symbol: String,
    pub(crate) side: String,
    /// `market` or `limit`.
    pub(crate) kind: String,
    pub(crate) quantity_micro: i64,
    pub(crate) limit_price_cents: Option<i64>,
    pub(crate) placed_by: String,
    pub(crate) placed_from: String,
}

impl NewOrder {
    fn check(&self, work: &Work<'_>) -> Result<(), Failure> {
        if !matches!(self.side.as_str(), "buy" | "sell") {
            return Err(Failure::invalid("`side` must be `buy` or `sell`"));
        }
        if !(1..=QUANTITY_MICRO_MAX).contains(&self.quantity_micro) {
            return Err(Failure::invalid(format!("`quantity_micro` must be from 1 to {QUANTITY_MICRO_MAX}")));
        }
        match (self.kind.as_str(), self.limit_price_cents) {
            ("market", None) => {}
            ("limit", Some(price)) if (1..=PRICE_CENTS_MAX).contains(&price) => {}
            ("market", Some(_)) => {
                return Err(Failure::invalid("a market order has no `limit_price_cents`"));
            }
            ("limit", _) => {
                return Err(Failure::invalid(format!(
                    "a limit order needs `limit_price_cents` from 1 to {PRICE_CENTS_MAX}"
                )));
            }
            _ => return Err(Failure::invalid("`type` must be `market` or `limit`")),
        }
        price_cents(work, &self.symbol).map(drop)
    }
}

/// The last quote of a market.
pub(crate) fn price_cents(work: &Work<'_>, symbol: &str) -> Result<i64, Failure> {
    let sql = "SELECT price_cents FROM quotes WHERE symbol = ?1";
    let found = work.control.query_row(sql, params![symbol], |row| row.get(0));
    match found {
        Ok(price) => Ok(price),
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(Failure::not_found("market", symbol)),
        Err(error) => Err(error.into()),
    }
}

/// Places an order, if trading is active. Gives the order as JSON.
pub(crate) fn place(work: &Work<'_>, order: &NewOrder) -> Result<Value, Failure> {
    order.check(work)?;
    trading::require_active(work)?;
    let books = work.books()?;
    if rows::number(&books, "SELECT count(*) FROM accounts WHERE id = ?1", params![order.account])? == 0 {
        return Err(Failure::not_found("account", &order.account));
    }
    let id = insert(&books, order, &work.at(), millis(work.now))?;
    show(work, &books, id)
}

/// Writes an open order without asking whether trading is active.
pub(crate) fn insert(books: &Connection, order: &NewOrder, at: &str, at_ms: i64) -> rusqlite::Result<i64> {
    books.execute(
        "INSERT INTO orders (account, symbol, side, type, quantity_micro, limit_price_cents, status, placed_by,
         placed_from, placed_at, placed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8, ?9, ?10)",
        params![
            order.account,
            order.symbol,
            order.side,
            order.kind,
            order.quantity_micro,
            order.limit_price_cents,
            order.placed_by,
            order.placed_from,
            at,
            at_ms
        ],
    )?;
    Ok(books.last_insert_rowid())
}

/// The moment before which a market order should have been filled, in milliseconds.
pub(crate) fn stuck_before(work: &Work<'_>) -> i64 {
    let stall_ms = i64::try_from(work.platform.config.stall_ms).unwrap_or(i64::MAX);
    millis(shifted(work.now, -stall_ms))
}

/// How many market orders should have been filled and were not.
pub(crate) fn stuck(work: &Work<'_>, books: &Connection) -> Result<i64, Failure> {
    let sql = "SELECT count(*) FROM orders WHERE status = 'open' AND type = 'market' AND placed_ms <= ?1";
    Ok(rows::number(books, sql, params![stuck_before(work)])?)
}

/// How many orders are open.
pub(crate) fn open_count(books: &Connection) -> Result<i64, Failure> {
    Ok(rows::number(books, "SELECT count(*) FROM orders WHERE status = 'open'", [])?)
}

/// Orders, newest first; `status` narrows them.
pub(crate) fn list(
    work: &Work<'_>,
    books: &Connection,
    status: Option<&str>,
    limit: i64,
) -> Result<Vec<Value>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE ?2 IS NULL OR status = ?2 ORDER BY id DESC LIMIT ?3");
    let params = params![stuck_before(work), status, limit];
    Ok(rows::list(books, &sql, params)?)
}

/// One order.
pub(crate) fn show(work: &Work<'_>, books: &Connection, id: i64) -> Result<Value, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ?2");
    rows::first(books, &sql, params![stuck_before(work), id])?
        .ok_or_else(|| Failure::not_found("order", &format!("ORD-{id:06}")))
}

/// Cancels one open order.
pub(crate) fn cancel(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    let number = number_in("ORD", id).ok_or_else(|| Failure::not_found("order", id))?;
    let books = work.books()?;
    let before = show(work, &books, number)?;
    if before["status"] == json!("filled") {
        return Err(Failure::conflict("order_filled", format!("order `{id}` is filled")));
    }
    books.execute(
        "UPDATE orders SET status = 'cancelled', done_at = ?2 WHERE id = ?1 AND status = 'open'",
        params![number, work.at()],
    )?;
    show(work, &books, number)
}

/// Cancels every open order under one cancellation, which can be undone.
pub(crate) fn cancel_all(work: &Work<'_>, reason: &str) -> Result<Value, Failure> {
    let books = work.books()?;
    work.control.execute("INSERT INTO cancellations (at, reason) VALUES (?1, ?2)", params![work.at(), reason])?;
    let id = work.control.last_insert_rowid();
    let cancelled = books.execute(
        "UPDATE orders SET status = 'cancelled', done_at = ?1, cancellation = ?2 WHERE status = 'open'",
        params![work.at(), id],
    )?;
    Ok(json!({"id": format!("CXL-{id:04}"), "cancelled": cancelled, "open": open_count(&books)?}))
}

/// Puts the resting orders of one cancellation back. Market orders stay cancelled: they would be filled at once, at a
/// price that nobody saw when they were placed.
pub(crate) fn undo_cancel_all(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    let number = number_in("CXL", id).ok_or_else(|| Failure::not_found("cancellation", id))?;
    let known = work.control.execute(
        "UPDATE cancellations SET undone_at = coalesce(undone_at, ?2) WHERE id = ?1",
        params![number, work.at()],
    )?;
    if known == 0 {
        return Err(Failure::not_found("cancellation", id));
    }
    let books = work.books()?;
    let restored = books.execute(
        "UPDATE orders SET status = 'open', done_at = NULL, cancellation = NULL
         WHERE cancellation = ?1 AND status = 'cancelled' AND type = 'limit'",
        params![number],
    )?;
    let left = rows::number(&books, "SELECT count(*) FROM orders WHERE cancellation = ?1", params![number])?;
    Ok(
        json!({"id": format!("CXL-{number:04}"), "restored": restored, "left_cancelled": left, "open": open_count(&books)?}),
    )
}

/// One turn of the engine: fills what can be filled at the last quotes. Gives how many orders it filled.
pub(crate) fn match_open(work: &Work<'_>) -> Result<usize, Failure> {
    let mut books = work.books()?;
    let waiting = matchable(&books)?;
    let tx = books.transaction()?;
    let mut filled = 0;
    for (id, order) in waiting {
        let price_cents = price_cents(work, &order.symbol)?;
        let crosses = match (order.limit_price_cents, order.side.as_str()) {
            (None, _) => true,
            (Some(limit), "buy") => price_cents <= limit,
            (Some(limit), _) => price_cents >= limit,
        };
        if crosses {
            execute(&tx, work, id, &order, price_cents)?;
            filled += 1;
        }
    }
    tx.commit()?;
    Ok(filled)
}

fn matchable(books: &Connection) -> Result<Vec<(i64, NewOrder)>, Failure> {
    let mut statement = books.prepare(
        "SELECT id, account, symbol, side, type, quantity_micro, limit_price_cents, placed_by, placed_from
         FROM orders WHERE status = 'open' ORDER BY type DESC, id LIMIT ?1",
    )?;
    let rows = statement.query_map(params![MATCHED_AT_ONCE], |row| {
        let order = NewOrder {
            account: row.get(1)?,
            symbol: row.get(2)?,
            side: row.get(3)?,
            kind: row.get(4)?,
            quantity_micro: row.get(5)?,
            limit_price_cents: row.get(6)?,
            placed_by: row.get(7)?,
            placed_from: row.get(8)?,
        };
        Ok((row.get(0)?, order))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Fills one order at a price.
pub(crate) fn execute(
    books: &Connection,
    work: &Work<'_>,
    id: i64,
    order: &NewOrder,
    price_cents: i64,
) -> Result<(), Failure> {
    let at = work.at();
    books.execute("UPDATE orders SET status = 'filled', done_at = ?2 WHERE id = ?1", params![id, at])?;
    let fill = Fill {
        order_id: id,
        account: &order.account,
        symbol: &order.symbol,
        side: &order.side,
        quantity_micro: order.quantity_micro,
        price_cents,
        at: &at,
    };
    Ok(fills::book(books, &fill)?)
}
