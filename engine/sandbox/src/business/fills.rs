//! What a fill does to the books: a trade, two ledger entries, a balance, a position. All or nothing.

use rusqlite::{Connection, OptionalExtension, params};

/// The share of the value that the platform takes, in hundredths of a percent.
const FEE_BASIS_POINTS: i128 = 5;
const MICRO: i128 = 1_000_000;

/// One execution of an order.
#[derive(Debug, Clone)]
pub(crate) struct Fill<'a> {
    pub(crate) order_id: i64,
    pub(crate) account: &'a str,
    pub(crate) symbol: &'a str,
    /// `buy` or `sell`.
    pub(crate) side: &'a str,
    pub(crate) quantity_micro: i64,
    pub(crate) price_cents: i64,
    pub(crate) at: &'a str,
}

/// The value of a quantity at a price, in cents, rounded towards zero.
pub(crate) fn value_cents(quantity_micro: i64, price_cents: i64) -> i64 {
    clamp(i128::from(quantity_micro) * i128::from(price_cents) / MICRO)
}

/// Books one fill. The caller has a transaction open.
pub(crate) fn book(db: &Connection, fill: &Fill<'_>) -> rusqlite::Result<()> {
    let value = value_cents(fill.quantity_micro, fill.price_cents);
    let fee = clamp(i128::from(value.abs()) * FEE_BASIS_POINTS / 10_000);
    let buys = fill.side == "buy";
    db.execute(
        "INSERT INTO trades (order_id, account, symbol, side, quantity_micro, price_cents, fee_cents, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            fill.order_id,
            fill.account,
            fill.symbol,
            fill.side,
            fill.quantity_micro,
            fill.price_cents,
            fee,
            fill.at
        ],
    )?;
    let reference = format!("TRD-{:06}", db.last_insert_rowid());
    let cash = if buys { -value } else { value };
    enter(db, fill.account, "trade", cash, &reference, fill.at)?;
    enter(db, fill.account, "fee", -fee, &reference, fill.at)?;
    let signed = if buys { fill.quantity_micro } else { -fill.quantity_micro };
    move_position(db, fill, signed)
}

/// One ledger entry, with the balance that follows from it.
pub(crate) fn enter(
    db: &Connection,
    account: &str,
    kind: &str,
    amount_cents: i64,
    reference: &str,
    at: &str,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO ledger (account, kind, amount_cents, reference, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![account, kind, amount_cents, reference, at],
    )?;
    db.execute("UPDATE accounts SET balance_cents = balance_cents + ?2 WHERE id = ?1", params![account, amount_cents])?;
    Ok(())
}

fn move_position(db: &Connection, fill: &Fill<'_>, signed: i64) -> rusqlite::Result<()> {
    let held: Option<(i64, i64, i64)> = db
        .query_row(
            "SELECT id, quantity_micro, entry_price_cents FROM positions
             WHERE account = ?1 AND symbol = ?2 AND status <> 'closed'",
            params![fill.account, fill.symbol],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((id, quantity, entry)) = held else {
        db.execute(
            "INSERT INTO positions (account, symbol, quantity_micro, entry_price_cents, status, opened_at)
             VALUES (?1, ?2, ?3, ?4, 'open', ?5)",
            params![fill.account, fill.symbol, signed, fill.price_cents, fill.at],
        )?;
        return Ok(());
    };
    let after = quantity.saturating_add(signed);
    if after == 0 {
        db.execute(
            "UPDATE positions SET quantity_micro = 0, status = 'closed', closed_at = ?2 WHERE id = ?1",
            params![id, fill.at],
        )?;
        return Ok(());
    }
    db.execute(
        "UPDATE positions SET quantity_micro = ?2, entry_price_cents = ?3 WHERE id = ?1",
        params![id, after, entry_after(quantity, entry, signed, fill.price_cents)],
    )?;
    Ok(())
}

/// The average entry price after a change: weighted when the position grows, kept when it shrinks, new when it turns.
fn entry_after(quantity: i64, entry: i64, signed: i64, price: i64) -> i64 {
    let after = i128::from(quantity) + i128::from(signed);
    if quantity.signum() == signed.signum() {
        let total = i128::from(quantity) * i128::from(entry) + i128::from(signed) * i128::from(price);
        clamp(total / after)
    } else if after.signum() == i128::from(quantity).signum() {
        entry
    } else {
        price
    }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_price_is_weighted_when_growing_kept_when_shrinking_new_when_turning() {
        assert_eq!(entry_after(2_000_000, 100, 2_000_000, 200), 150);
        assert_eq!(entry_after(-2_000_000, 100, -2_000_000, 200), 150);
        assert_eq!(entry_after(2_000_000, 100, -1_000_000, 200), 100);
        assert_eq!(entry_after(2_000_000, 100, -3_000_000, 200), 200);
    }

    #[test]
    fn value_is_in_cents_and_does_not_overflow() {
        assert_eq!(value_cents(500_000, 6_700_000), 3_350_000);
        assert_eq!(value_cents(i64::MAX, i64::MAX), i64::MAX);
    }
}
