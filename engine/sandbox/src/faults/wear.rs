//! What breaks without anybody attacking: things run out, end, grow, stop answering.

use std::fs;

use crate::business::orders::{self, NewOrder};
use crate::control::{machine, people, schema};
use crate::database::{self, backup_name, manifest_path};
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, millis, shifted};

const HOUR_MS: i64 = 3_600_000;
/// A newest backup of this age is overdue, and one older than that has the fault.
const OVERDUE_HOURS: i64 = 50;
const OVERDUE_ABOVE_HOURS: i64 = 48;
/// What a leak has left of the memory, and where it counts as one.
const LEAKED_PERCENT: i64 = 93;
const LEAK_ABOVE_PERCENT: i64 = 90;
/// What the strategy buys beyond its limit, in millionths of a coin, and where it counts as beyond.
const RUNAWAY_MICRO: i64 = 40_000_000;
const RUNAWAY_ABOVE_MICRO: i64 = 20_000_000;
/// Too few connections for what the gateway has to carry.
const STARVED_POOL: i64 = 4;
const POOL_MENDED: i64 = 24;
/// The system that stops answering.
const SILENT: &str = "reporting";

pub(super) const CERTIFICATE: &str = "certificate_expiring";
pub(super) const BACKUP: &str = "backup_overdue";
pub(crate) const DISK: &str = "backup_disk_failing";
pub(super) const MEMORY: &str = "memory_leak";
pub(super) const EXPOSURE: &str = "exposure_exceeded";
pub(super) const SYSTEM: &str = "reporting_silent";
pub(super) const POOL: &str = "gateway_starved";

/// Breaks it; false where this is no fault of these.
pub(super) fn inject(work: &Work<'_>, name: &str) -> Result<bool, Failure> {
    match name {
        CERTIFICATE => machine::let_certificate_expire(work)?,
        BACKUP => let_backups_age(work)?,
        DISK => schema::set_meta(work.control, DISK, "yes")?,
        MEMORY => machine::set_figure(work, "memory_percent", LEAKED_PERCENT)?,
        EXPOSURE => trade(work, "buy", RUNAWAY_MICRO)?,
        SYSTEM => people::set_answers(work, SILENT, false)?,
        POOL => drop(machine::set(work, machine::POOL, STARVED_POOL)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Takes it away; false where this is no fault of these.
pub(super) fn mend(work: &Work<'_>, name: &str) -> Result<bool, Failure> {
    match name {
        CERTIFICATE => machine::renew_certificate(work)?,
        BACKUP => drop(database::create_backup(work.platform.folder.root())?),
        DISK => drop(work.control.execute("DELETE FROM meta WHERE key = ?1", [DISK])?),
        MEMORY => machine::reset_figure(work, "memory_percent")?,
        EXPOSURE => trade(work, "sell", held_micro(work)?)?,
        SYSTEM => people::set_answers(work, SILENT, true)?,
        POOL => drop(machine::set(work, machine::POOL, POOL_MENDED)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Whether it is there; none where this is no fault of these.
pub(super) fn present(work: &Work<'_>, name: &str) -> Result<Option<bool>, Failure> {
    Ok(Some(match name {
        CERTIFICATE => machine::certificate_expires(work)?,
        BACKUP => newest_backup(work)?.is_some_and(|newest| newest < name_of(work, OVERDUE_ABOVE_HOURS)),
        DISK => schema::meta(work.control, DISK)?.is_some(),
        MEMORY => machine::figure(work, "memory_percent")?.unwrap_or_default() > LEAK_ABOVE_PERCENT,
        EXPOSURE => held_micro(work)? > RUNAWAY_ABOVE_MICRO,
        SYSTEM => !people::answers(work, SILENT)?,
        POOL => machine::pool_wait_ms(work)? > 0,
        _ => return Ok(None),
    }))
}

/// The name that a backup of this age has: names sort by time.
fn name_of(work: &Work<'_>, hours: i64) -> String {
    backup_name(shifted(work.now, -hours * HOUR_MS))
}

fn newest_backup(work: &Work<'_>) -> Result<Option<String>, Failure> {
    let entries = fs::read_dir(work.platform.folder.backups())
        .map_err(crate::error::Error::io("cannot read folder", work.platform.folder.backups()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| name.ends_with(".db")).max())
}

/// The nights of the last days left nothing: their backups are gone, and an old one is all there is.
fn let_backups_age(work: &Work<'_>) -> Result<(), Failure> {
    let folder = work.platform.folder.backups();
    let oldest = name_of(work, OVERDUE_ABOVE_HOURS);
    for backup in database::backups(work.platform.folder.root())? {
        if backup.name >= oldest {
            for path in [manifest_path(&backup.path), backup.path] {
                fs::remove_file(&path).map_err(crate::error::Error::io("cannot remove", &path))?;
            }
        }
    }
    if newest_backup(work)?.is_none() {
        let at = shifted(work.now, -OVERDUE_HOURS * HOUR_MS);
        database::dump_at(work.platform.folder.root(), &folder.join(backup_name(at)), at)?;
    }
    Ok(())
}

/// What the strategy holds; nothing that could be told while the books are lost.
fn held_micro(work: &Work<'_>) -> Result<i64, Failure> {
    let Ok(books) = work.books() else {
        return Ok(0);
    };
    let (_, account, symbol) = schema::STRATEGY;
    let sql = "SELECT sum(quantity_micro) FROM positions WHERE account = ?1 AND symbol = ?2 AND status <> 'closed'";
    Ok(rows::number(&books, sql, [account, symbol])?)
}

/// The strategy trades past its limit: a real order, filled at the last quote.
fn trade(work: &Work<'_>, side: &str, quantity_micro: i64) -> Result<(), Failure> {
    let (name, account, symbol) = schema::STRATEGY;
    let order = NewOrder {
        account: account.to_owned(),
        symbol: symbol.to_owned(),
        side: side.to_owned(),
        kind: "market".to_owned(),
        quantity_micro,
        limit_price_cents: None,
        placed_by: name.to_owned(),
        placed_from: "10.20.1.10".to_owned(),
    };
    let price_cents = orders::price_cents(work, &order.symbol)?;
    let mut books = work.books()?;
    let tx = books.transaction()?;
    let id = orders::insert(&tx, &order, &work.at(), millis(work.now))?;
    orders::execute(&tx, work, id, &order, price_cents)?;
    Ok(tx.commit()?)
}
