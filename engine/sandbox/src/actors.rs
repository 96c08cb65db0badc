//! Who uses the platform from outside while it is broken: an intruder, and a strategy that gets no fills.
//!
//! Both come through the front door, over HTTP with their own credentials, so that revoking a credential or stopping
//! trading is what ends them, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use rusqlite::params;
use serde_json::json;
use tokio::task::JoinSet;

use crate::background::ticks;
use crate::business::orders;
use crate::client::Client;
use crate::control::schema;
use crate::faults::INTRUDER_IP;
use crate::platform::{Platform, Work};
use crate::reply::Failure;
use crate::rows;

/// After so many refusals in a row the intruder gives a credential up.
const PATIENCE: i64 = 40;
/// A strategy stops sending at this many open orders, so that a forgotten platform does not fill the disk.
const ORDERS_MAX: i64 = 400;

/// Starts both, against the platform's own address.
pub(crate) fn start(platform: &Arc<Platform>, address: SocketAddr, tasks: &mut JoinSet<()>) {
    // Without the admin's token: they have credentials of their own.
    let client = Client::new(address.to_string(), "");
    tasks.spawn(intrude(Arc::clone(platform), client.clone()));
    tasks.spawn(resend(Arc::clone(platform), client));
}

struct Loot {
    secret: String,
    header: &'static str,
    denied: i64,
}

async fn intrude(platform: Arc<Platform>, client: Client) {
    let mut ticks = ticks(platform.config.activity_interval_ms);
    let mut turn = 0_u64;
    loop {
        ticks.tick().await;
        turn += 1;
        for loot in ask(&platform, loot).await.unwrap_or_default() {
            let (path, body) = if turn.is_multiple_of(2) {
                ("/api/withdrawals", json!({"amount_cents": 25_000}))
            } else {
                ("/api/orders", json!({"symbol": "XLM-USD", "side": "buy", "quantity_micro": 5_000_000}))
            };
            let headers = [(loot.header, loot.secret.as_str()), ("X-Forwarded-For", INTRUDER_IP)];
            let answer = client.send("POST", path, &headers, Some(&body)).await;
            let denied = if answer.is_ok_and(|answer| answer.status == 401) { loot.denied + 1 } else { 0 };
            ask(&platform, move |work| remember(work, &loot.secret, denied)).await;
        }
    }
}

fn loot(work: &Work<'_>) -> Result<Vec<Loot>, Failure> {
    let mut statement = work.control.prepare("SELECT secret, kind, denied FROM loot ORDER BY rowid")?;
    let found = statement.query_map([], |row| {
        let kind: String = row.get(1)?;
        Ok(Loot {
            secret: row.get(0)?,
            header: if kind == "key" { "X-Api-Key" } else { "X-Session" },
            denied: row.get(2)?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn remember(work: &Work<'_>, secret: &str, denied: i64) -> Result<(), Failure> {
    let sql = if denied >= PATIENCE {
        "DELETE FROM loot WHERE secret = ?1 AND ?2 > 0"
    } else {
        "UPDATE loot SET denied = ?2 WHERE secret = ?1 AND denied <> ?2"
    };
    work.control.execute(sql, params![secret, denied])?;
    Ok(())
}

/// The strategy takes an order that is not filled for lost, and sends another: this is how a wedged engine becomes a
/// growing exposure.
async fn resend(platform: Arc<Platform>, client: Client) {
    let mut ticks = ticks(platform.config.activity_interval_ms);
    loop {
        ticks.tick().await;
        let Some(Some((secret, symbol))) = ask(&platform, unfilled).await else {
            continue;
        };
        let body = json!({"symbol": symbol, "side": "buy", "quantity_micro": 120_000});
        // Refused or not: what the platform says about its orders decides the next turn.
        let _ = client.send("POST", "/api/orders", &[("X-Api-Key", secret.as_str())], Some(&body)).await;
    }
}

/// The strategy's key and market, when one of its orders is overdue.
fn unfilled(work: &Work<'_>) -> Result<Option<(String, String)>, Failure> {
    let books = work.books()?;
    let (name, account, _) = schema::STRATEGY;
    let sql =
        "SELECT count(*) FROM orders WHERE status = 'open' AND type = 'market' AND account = ?1 AND placed_ms <= ?2";
    let overdue = rows::number(&books, sql, params![account, orders::stuck_before(work)])?;
    if overdue == 0 || orders::open_count(&books)? >= ORDERS_MAX {
        return Ok(None);
    }
    let sql = "SELECT secret, symbol FROM strategies WHERE name = ?1";
    let found = work.control.query_row(sql, params![name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some(found))
}

async fn ask<T: Send + 'static>(
    platform: &Arc<Platform>,
    question: impl FnOnce(&Work<'_>) -> Result<T, Failure> + Send + 'static,
) -> Option<T> {
    let platform = Arc::clone(platform);
    tokio::task::spawn_blocking(move || platform.work(question).ok()).await.ok().flatten()
}
