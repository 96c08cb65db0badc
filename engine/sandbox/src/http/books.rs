//! Orders, positions, accounts, market data: the business of the platform. Most of it needs the services to run.

use rusqlite::params;
use serde_json::{Value, json};

use super::Access;
use super::call::Call;
use super::route::Route;
use crate::business::orders::{self, NewOrder};
use crate::business::{accounts, number_in, positions};
use crate::control::health;
use crate::platform::Work;
use crate::reply::{Failure, Reply};
use crate::rows;

type Answer = Result<Reply, Failure>;

const TRADING: &[&str] = &["gateway", "engine"];
const QUOTING: &[&str] = &["gateway"];

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/positions", "Positions that are not closed (`?status=`)", position_list).needs(TRADING),
    Route::get("/api/v1/portfolio/positions", "The same as `/api/positions`", position_list).needs(TRADING),
    Route::post("/api/positions/emergency-close", "Close every position, one by one in the background", close_all),
    Route::post("/api/positions/emergency-close/cancel", "Keep the positions that are not closed yet", keep_rest),
    Route::get("/api/v1/portfolio/liquidation_status", "How far an emergency close is", liquidation),
    Route::get("/api/orders", "Newest orders first (`?status=`, `?limit=`)", order_list).needs(TRADING),
    Route::get("/api/orders/{id}", "One order", order).needs(TRADING),
    Route::post(
        "/api/orders",
        "Place an order: `symbol`, `side`, `quantity_micro`, `type`, `limit_price_cents`",
        place,
    )
    .for_access(Access::Trader)
    .needs(TRADING),
    Route::post("/api/orders/{id}/cancel", "Cancel one order", cancel).needs(TRADING),
    Route::post("/api/orders/cancel-all", "Cancel every open order, under an id", cancel_all),
    Route::post("/api/orders/cancel-all/{id}/undo", "Put the resting orders of a cancellation back", undo_cancel_all),
    Route::get("/api/trades/recent", "Newest trades, the latest last (`?limit=`)", trades).needs(TRADING),
    Route::get("/api/trades/suspicious", "Orders and withdrawals let through from outside of the company", suspicious)
        .for_access(Access::Admin),
    Route::get("/api/accounts", "Accounts and their balances", account_list).needs(QUOTING),
    Route::get("/api/ledger", "Newest ledger entries first (`?account=`, `?limit=`)", ledger).needs(QUOTING),
    Route::post("/api/withdrawals", "Withdraw `amount_cents`", withdraw).for_access(Access::Trader).needs(QUOTING),
    Route::get("/api/market-data", "Last quotes and whether they are stale", quotes).needs(QUOTING),
    Route::get("/api/market-data/{symbol}", "Last quote of one market", quote).needs(QUOTING),
    Route::get("/api/risk/summary", "Exposure of positions and open orders", risk).needs(TRADING),
    Route::get("/api/risk/current", "The same as `/api/risk/summary`", risk).needs(TRADING),
];

fn position_list(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(positions::list(&work.books()?, call.query("status"))?))
}

fn close_all(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::new(202, positions::close_all(work)?))
}

fn keep_rest(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(positions::keep_rest(work)?))
}

fn liquidation(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(positions::liquidation(&work.books()?)?))
}

fn order_list(work: &Work<'_>, call: &Call) -> Answer {
    let books = work.books()?;
    Ok(Reply::ok(orders::list(work, &books, call.query("status"), call.limit()?)?))
}

fn order(work: &Work<'_>, call: &Call) -> Answer {
    let id = call.path("id");
    let number = number_in("ORD", id).ok_or_else(|| Failure::not_found("order", id))?;
    Ok(Reply::ok(orders::show(work, &work.books()?, number)?))
}

fn place(work: &Work<'_>, call: &Call) -> Answer {
    let order = NewOrder {
        account: call.credential.account("trade", call.text("account")?)?,
        symbol: call.required("symbol")?.to_owned(),
        side: call.required("side")?.to_owned(),
        kind: call.text_or("type", "market")?.to_owned(),
        quantity_micro: call
            .integer("quantity_micro")?
            .ok_or_else(|| Failure::invalid("`quantity_micro` is missing"))?,
        limit_price_cents: call.integer("limit_price_cents")?,
        placed_by: call.credential.name().to_owned(),
        placed_from: call.origin.clone(),
    };
    Ok(Reply::created(orders::place(work, &order)?))
}

fn cancel(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(orders::cancel(work, call.path("id"))?))
}

fn cancel_all(work: &Work<'_>, call: &Call) -> Answer {
    let reason = call.text_or("reason", "cancelled by an operator")?;
    Ok(Reply::ok(orders::cancel_all(work, reason)?))
}

fn undo_cancel_all(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(orders::undo_cancel_all(work, call.path("id"))?))
}

fn trades(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(accounts::trades(&work.books()?, call.limit()?)?))
}

fn suspicious(work: &Work<'_>, call: &Call) -> Answer {
    let outside = crate::control::credentials::outside("ip");
    let sql = format!(
        "SELECT id, at, credential, ip, action FROM access_log WHERE outcome = 'accepted' AND {outside}
         ORDER BY id DESC LIMIT ?1"
    );
    Ok(Reply::ok(rows::list(work.control, &sql, params![call.limit()?])?))
}

fn account_list(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(accounts::list(&work.books()?)?))
}

fn ledger(work: &Work<'_>, call: &Call) -> Answer {
    let books = work.books()?;
    Ok(Reply::ok(accounts::ledger(&books, call.query("account"), call.limit()?)?))
}

fn withdraw(work: &Work<'_>, call: &Call) -> Answer {
    let account = call.credential.account("withdraw", call.text("account")?)?;
    let amount_cents = call.integer("amount_cents")?.ok_or_else(|| Failure::invalid("`amount_cents` is missing"))?;
    let entry = accounts::withdraw(work, &account, amount_cents, call.credential.name())?;
    Ok(Reply::created(entry))
}

fn quotes(work: &Work<'_>, _: &Call) -> Answer {
    let sql = "SELECT symbol, price_cents, at FROM quotes ORDER BY symbol";
    let quotes = rows::list(work.control, sql, [])?;
    Ok(Reply::ok(json!({"quotes": quotes, "stale": health::quotes_are_stale(work)?})))
}

fn quote(work: &Work<'_>, call: &Call) -> Answer {
    let symbol = call.path("symbol");
    let sql = "SELECT symbol, price_cents, at FROM quotes WHERE symbol = ?1";
    let mut quote: Value =
        rows::first(work.control, sql, params![symbol])?.ok_or_else(|| Failure::not_found("market", symbol))?;
    quote["stale"] = json!(health::quotes_are_stale(work)?);
    Ok(Reply::ok(quote))
}

fn risk(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(positions::risk(work, &work.books()?)?))
}
