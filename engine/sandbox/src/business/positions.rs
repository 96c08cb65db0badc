//! Positions: listed, closed one by one in an emergency, and what they amount to.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use crate::business::orders::{self, NewOrder};
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;

const COLUMNS: &str = "printf('POS-%04d', id) AS id, account, symbol, quantity_micro, entry_price_cents, status,
    opened_at, close_requested_at, closed_at";

/// Positions that are not closed, or those in `status`.
pub(crate) fn list(books: &Connection, status: Option<&str>) -> Result<Vec<Value>, Failure> {
    let sql =
        format!("SELECT {COLUMNS} FROM positions WHERE (?1 IS NULL AND status <> 'closed') OR status = ?1 ORDER BY id");
    Ok(rows::list(books, &sql, params![status])?)
}

/// How far an emergency close is.
pub(crate) fn liquidation(books: &Connection) -> Result<Value, Failure> {
    let count = |status: &str| rows::number(books, "SELECT count(*) FROM positions WHERE status = ?1", params![status]);
    let (open, closing) = (count("open")?, count("closing")?);
    Ok(json!({"open": open, "closing": closing, "closed": count("closed")?, "done": open + closing == 0}))
}

/// Asks for every open position to be closed. They close one by one, in the background.
pub(crate) fn close_all(work: &Work<'_>) -> Result<Value, Failure> {
    let books = work.books()?;
    let requested = books.execute(
        "UPDATE positions SET status = 'closing', close_requested_at = ?1 WHERE status = 'open'",
        params![work.at()],
    )?;
    let mut answer = liquidation(&books)?;
    answer["requested"] = json!(requested);
    Ok(answer)
}

/// Keeps the positions that were not closed yet. What is closed was sold, and stays so.
pub(crate) fn keep_rest(work: &Work<'_>) -> Result<Value, Failure> {
    let books = work.books()?;
    let kept = books
        .execute("UPDATE positions SET status = 'open', close_requested_at = NULL WHERE status = 'closing'", [])?;
    let mut answer = liquidation(&books)?;
    answer["kept"] = json!(kept);
    Ok(answer)
}

/// Closes the position that has waited longest, if one waits: an order against it, filled at the last quote.
pub(crate) fn close_next(work: &Work<'_>) -> Result<bool, Failure> {
    let mut books = work.books()?;
    let next: Option<(String, String, i64)> = books
        .query_row(
            "SELECT account, symbol, quantity_micro FROM positions WHERE status = 'closing' ORDER BY id LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((account, symbol, quantity)) = next else {
        return Ok(false);
    };
    let order = NewOrder {
        account,
        symbol,
        side: if quantity > 0 { "sell" } else { "buy" }.to_owned(),
        kind: "emergency".to_owned(),
        quantity_micro: quantity.abs(),
        limit_price_cents: None,
        placed_by: "emergency desk".to_owned(),
        placed_from: "10.20.1.10".to_owned(),
    };
    let price_cents = orders::price_cents(work, &order.symbol)?;
    let tx = books.transaction()?;
    let id = orders::insert(&tx, &order, &work.at(), rows::millis(work.now))?;
    orders::execute(&tx, work, id, &order, price_cents)?;
    tx.commit()?;
    Ok(true)
}

/// What is at stake: exposure of positions and of open orders, in cents.
pub(crate) fn risk(work: &Work<'_>, books: &Connection) -> Result<Value, Failure> {
    let mut gross = 0_i64;
    let mut unrealized = 0_i64;
    let mut statement =
        books.prepare("SELECT symbol, quantity_micro, entry_price_cents FROM positions WHERE status <> 'closed'")?;
    let held =
        statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    let value = crate::business::fills::value_cents;
    for row in held {
        let (symbol, quantity, entry) = row?;
        let price = orders::price_cents(work, &symbol)?;
        gross = gross.saturating_add(value(quantity, price).saturating_abs());
        unrealized = unrealized.saturating_add(value(quantity, price.saturating_sub(entry)));
    }
    let mut pending = 0_i64;
    let mut statement =
        books.prepare("SELECT symbol, quantity_micro, limit_price_cents FROM orders WHERE status = 'open'")?;
    let waiting = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?)))?;
    for row in waiting {
        let (symbol, quantity, limit) = row?;
        let price = match limit {
            Some(price) => price,
            None => orders::price_cents(work, &symbol)?,
        };
        pending = pending.saturating_add(value(quantity, price));
    }
    Ok(json!({
        "gross_exposure_cents": gross,
        "pending_exposure_cents": pending,
        "unrealized_cents": unrealized,
        "open_orders": orders::open_count(books)?,
        "stuck_orders": orders::stuck(work, books)?,
    }))
}
