//! What the platform does by itself: the engine matches, the emergency desk closes positions, the feed writes quotes,
//! monitoring looks whether an alert has to fire.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::params;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::business::seed::{Dice, MARKETS};
use crate::business::{orders, positions};
use crate::control::{alerts, logs, services, trading};
use crate::platform::{Platform, Work};
use crate::reply::Failure;
use crate::rows::millis;

/// Quotes stay within this distance from their base, in hundredths of a percent; resting orders are further away.
const WALK_MAX: i64 = 150;

type Turn = fn(&Work<'_>) -> Result<(), Failure>;

/// Starts the loops. They end when the set is dropped.
pub(crate) fn start(platform: &Arc<Platform>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let config = &platform.config;
    for (pace_ms, turn) in [
        (config.fill_interval_ms, match_orders as Turn),
        (config.close_interval_ms, close_position),
        (config.feed_interval_ms, write_quotes),
        (config.watch_interval_ms, alerts::observe),
    ] {
        tasks.spawn(repeat(Arc::clone(platform), pace_ms, turn));
    }
    tasks
}

async fn repeat(platform: Arc<Platform>, pace_ms: u64, turn: Turn) {
    let mut ticks = ticks(pace_ms);
    loop {
        ticks.tick().await;
        let platform = Arc::clone(&platform);
        // A turn that fails has failed for now: the next one tries again, and health shows why.
        let _ = tokio::task::spawn_blocking(move || platform.work(turn)).await;
    }
}

/// A clock that skips what it missed instead of catching up.
pub(crate) fn ticks(pace_ms: u64) -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_millis(pace_ms.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

fn match_orders(work: &Work<'_>) -> Result<(), Failure> {
    let engine = services::get(work, "engine")?;
    if !engine.runs() {
        return Ok(());
    }
    // An engine without its database is an engine that dies, wedged or not.
    if let Err(failure) = work.books() {
        logs::error(work, "engine", "critical", failure.code, &failure.message)?;
        return services::set(work, "engine", "down", Some("books unusable"));
    }
    if engine.suffers(services::WEDGED) || trading::state(work)? != trading::ACTIVE {
        return Ok(());
    }
    orders::match_open(work).map(drop)
}

/// The emergency desk trades with the exchange itself, past a matching loop that hangs; it needs the engine's process.
fn close_position(work: &Work<'_>) -> Result<(), Failure> {
    if services::get(work, "engine")?.runs() {
        positions::close_next(work)?;
    }
    Ok(())
}

fn write_quotes(work: &Work<'_>) -> Result<(), Failure> {
    if services::get(work, "market_data")?.state != "up" {
        return Ok(());
    }
    for (index, (symbol, base)) in (0_i64..).zip(MARKETS) {
        let walk: i64 =
            work.control.query_row("SELECT walk FROM quotes WHERE symbol = ?1", params![symbol], |row| row.get(0))?;
        let mut dice = Dice(u64::try_from(millis(work.now) + index).unwrap_or_default());
        let walk = (walk + dice.below(21) - 10).clamp(-WALK_MAX, WALK_MAX);
        work.control.execute(
            "UPDATE quotes SET price_cents = ?2, walk = ?3, at = ?4, at_ms = ?5 WHERE symbol = ?1",
            params![symbol, base + base * walk / 10_000, walk, work.at(), millis(work.now)],
        )?;
    }
    Ok(())
}
