//! Thirty days of believable business, the same at each first start but for the dates.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::business::{create_tables, fills};
use crate::error::Error;
use crate::folder;
use crate::rows::{millis, shifted, stamp};

/// Markets and their base prices in cents.
pub(crate) const MARKETS: [(&str, i64); 5] =
    [("BTC-USD", 6_714_250), ("ETH-USD", 348_130), ("SOL-USD", 17_245), ("XLM-USD", 1_184), ("ADA-USD", 4_532)];

/// Days of history in a new platform.
pub(crate) const DAYS: i64 = 30;
const TRADES_A_DAY: i64 = 12;
const DAY_MS: i64 = 86_400_000;
const SEED: u64 = 0x5eed_0f00_7ade;

/// Accounts: id, owner, kind, first deposit in cents.
const ACCOUNTS: [(&str, &str, &str, i64); 8] = [
    ("ACC-0001", "Treasury", "house", 900_000_000),
    ("ACC-0002", "Okafor Capital", "client", 250_000_000),
    ("ACC-0003", "Lindqvist Partners", "client", 410_000_000),
    ("ACC-0004", "Rossi Family Office", "client", 125_000_000),
    ("ACC-0005", "Tanaka Trading", "client", 330_000_000),
    ("ACC-0006", "Silva & Sons", "client", 86_000_000),
    ("ACC-0007", "Strategy momentum-7", "house", 500_000_000),
    ("ACC-0008", "Market making", "house", 700_000_000),
];

/// Who trades what: each pair becomes a position.
const DESKS: [(&str, &str, i64); 9] = [
    ("ACC-0002", "BTC-USD", 350_000),
    ("ACC-0002", "ETH-USD", 4_000_000),
    ("ACC-0003", "BTC-USD", 600_000),
    ("ACC-0003", "SOL-USD", 90_000_000),
    ("ACC-0004", "XLM-USD", 400_000_000),
    ("ACC-0005", "ETH-USD", 7_000_000),
    ("ACC-0005", "ADA-USD", 200_000_000),
    ("ACC-0006", "SOL-USD", 40_000_000),
    ("ACC-0008", "BTC-USD", 800_000),
];

/// Makes the books of the first `days` days in `path`, whole or not at all. A file that is there is replaced.
pub(crate) fn create(path: &Path, now: Timestamp, days: i64) -> Result<(), Error> {
    let folder = folder::parent(path);
    let file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("cannot write in", folder))?;
    {
        let mut db = Connection::open(file.path())?;
        let tx = db.transaction()?;
        create_tables(&tx)?;
        fill(&tx, now, days)?;
        tx.commit()?;
    }
    file.as_file().sync_all().map_err(Error::io("cannot sync", path))?;
    file.persist(path).map_err(|error| Error::io("cannot write", path)(error.error))?;
    folder::sync_folder(folder)
}

fn fill(db: &Connection, now: Timestamp, days: i64) -> rusqlite::Result<()> {
    let opened = shifted(now, -DAY_MS * (DAYS + 1));
    for (id, owner, kind, deposit) in ACCOUNTS {
        db.execute("INSERT INTO accounts VALUES (?1, ?2, ?3, 'USD', 0, ?4)", params![id, owner, kind, stamp(opened)])?;
        fills::enter(db, id, "deposit", deposit, "opening deposit", &stamp(opened))?;
    }
    let mut dice = Dice(SEED);
    for day in 0..days {
        let start = shifted(now, -DAY_MS * (DAYS - day));
        for slot in 0..TRADES_A_DAY {
            let offset = slot * DAY_MS / TRADES_A_DAY + dice.below(3_600_000);
            trade(db, &mut dice, shifted(start, offset))?;
        }
        if day % 4 == 3 {
            let (account, ..) = ACCOUNTS[usize::try_from(1 + dice.below(5)).unwrap_or(1)];
            let at = stamp(shifted(start, DAY_MS - 600_000));
            let amount = -100_000 * (1 + dice.below(9));
            fills::enter(db, account, "withdrawal", amount, &format!("WIRE-{day:04}"), &at)?;
        }
    }
    rest(db, shifted(now, -DAY_MS * (DAYS - days) - 7_200_000))
}

fn trade(db: &Connection, dice: &mut Dice, at: Timestamp) -> rusqlite::Result<()> {
    let count = i64::try_from(DESKS.len()).unwrap_or(1);
    let (account, symbol, size) = DESKS[usize::try_from(dice.below(count)).unwrap_or(0)];
    let base = MARKETS.iter().find_map(|(name, price)| (*name == symbol).then_some(*price)).unwrap_or(1);
    // Six in ten buy, so that most desks end with a position.
    let side = if dice.below(10) < 6 { "buy" } else { "sell" };
    let quantity_micro = size / 100 * (20 + dice.below(81));
    let price_cents = base + base * (dice.below(801) - 400) / 10_000;
    let at_text = stamp(at);
    db.execute(
        "INSERT INTO orders (account, symbol, side, type, quantity_micro, status, placed_by, placed_from, placed_at,
         placed_ms, done_at) VALUES (?1, ?2, ?3, 'market', ?4, 'filled', 'history', '10.20.1.10', ?5, ?6, ?5)",
        params![account, symbol, side, quantity_micro, at_text, millis(at)],
    )?;
    let fill = fills::Fill {
        order_id: db.last_insert_rowid(),
        account,
        symbol,
        side,
        quantity_micro,
        price_cents,
        at: &at_text,
    };
    fills::book(db, &fill)
}

/// Limit orders so far from the market that they rest: a quiet platform leaves its books unchanged.
fn rest(db: &Connection, at: Timestamp) -> rusqlite::Result<()> {
    for (index, (account, symbol, size)) in (0_i64..).zip(DESKS.into_iter().take(6)) {
        let base = MARKETS.iter().find_map(|(name, price)| (*name == symbol).then_some(*price)).unwrap_or(1);
        let (side, limit) = if index % 2 == 0 { ("buy", base * 70 / 100) } else { ("sell", base * 130 / 100) };
        db.execute(
            "INSERT INTO orders (account, symbol, side, type, quantity_micro, limit_price_cents, status, placed_by,
             placed_from, placed_at, placed_ms)
             VALUES (?1, ?2, ?3, 'limit', ?4, ?5, 'open', 'history', '10.20.1.10', ?6, ?7)",
            params![account, symbol, side, size / 2, limit, stamp(at), millis(at)],
        )?;
    }
    Ok(())
}

/// splitmix64: the same numbers on every machine and in every version, which no library promises.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 for a bound that is not positive.
    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        let bound = u64::try_from(bound).unwrap_or(1).max(1);
        i64::try_from(self.next() % bound).unwrap_or(0)
    }
}
