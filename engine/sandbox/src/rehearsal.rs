//! From "which runbook will be rehearsed" to a platform that needs it.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::business::seed;
use crate::config::Rehearsal;
use crate::control::schema;
use crate::database::{self, backup_name};
use crate::error::Error;
use crate::faults;
use crate::platform::Platform;
use crate::reply::Failure;
use crate::rows::shifted;

/// The incidents that the response to a critical incident can be about.
const INCIDENTS: [&str; 3] = ["system_down", "security_breach", "trading_halted"];
const CRITICAL: &str = "P0";
/// What less severe incidents are about.
const HIGH: &str = "degraded_gateway";
const MEDIUM: &str = "market_data_stale";

const MINUTE_MS: i64 = 60_000;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// A backup of a rehearsal: its age in minutes, and whether it is what its manifest says.
type Made = (i64, bool);

/// Before a restore: an old good one, a good one, a newer one that is corrupt.
const FOR_RESTORE: &[Made] = &[(26 * HOUR, true), (2 * HOUR, true), (10, false)];
/// Before a day begins: last night's.
const FOR_CHECK: &[Made] = &[(30 * HOUR, true), (6 * HOUR, true)];
/// Before backups are pruned: of days, weeks, months, and one that is older than anybody keeps. Two are of one day, of
/// which the older is not needed once the month keeps one of each week.
const FOR_PRUNING: &[Made] = &[
    (400 * DAY, true),
    (200 * DAY, true),
    (100 * DAY, true),
    (40 * DAY + 2, true),
    (40 * DAY, true),
    (29 * DAY, true),
    (9 * DAY, true),
    (DAY, true),
];

/// What is remembered once a rehearsal has been set up: a restart must not break the platform again.
const MARKER: &str = "rehearsal";
const BROKEN_BESIDES: &str = "faults";
const BACKUPS_MADE: &str = "rehearsal_backups";

/// Refuses a rehearsal that cannot be set up, before anything is made.
pub(crate) fn validate(rehearsal: &Rehearsal) -> Result<(), Error> {
    fault_of(rehearsal).map(drop)
}

/// What the rehearsal is about.
fn fault_of(rehearsal: &Rehearsal) -> Result<Option<&str>, Error> {
    let severity = rehearsal.params.get("severity").map_or("", String::as_str);
    Ok(match (rehearsal.runbook.as_str(), severity) {
        // The runbook itself refuses that.
        ("sop-002-incident-response", CRITICAL) if kind_is_open(rehearsal) => None,
        ("p0-response", _) | ("sop-002-incident-response", CRITICAL) => Some(incident(rehearsal)?),
        ("p1-response", _) | ("sop-002-incident-response", "P1") => Some(HIGH),
        ("p2-response", _) | ("sop-002-incident-response", "P2") => Some(MEDIUM),
        ("dr-restore", _) => Some("database_lost"),
        ("sop-004-security-incident", _) => Some("security_breach"),
        ("sop-005-performance", _) => Some("gateway_starved"),
        _ => None,
    })
}

fn kind_is_open(rehearsal: &Rehearsal) -> bool {
    rehearsal.params.get("incident_type").is_some_and(|kind| kind == "not_said")
}

fn incident(rehearsal: &Rehearsal) -> Result<&str, Error> {
    let value = rehearsal.params.get("incident_type").map_or("", String::as_str);
    if INCIDENTS.contains(&value) {
        return Ok(value);
    }
    Err(Error::UnknownRehearsal { parameter: "incident_type", value: value.to_owned(), valid: INCIDENTS.to_vec() })
}

/// The backups that a rehearsal finds.
fn backups_of(rehearsal: &Rehearsal) -> &'static [Made] {
    match rehearsal.runbook.as_str() {
        "dr-restore" => FOR_RESTORE,
        "sop-001-daily-health-check" => FOR_CHECK,
        "sop-006-backup-and-recovery" => FOR_PRUNING,
        _ => &[],
    }
}

/// Breaks what the rehearsal is about, once in the life of a data folder.
pub(crate) fn apply(platform: &Platform, rehearsal: &Rehearsal, now: Timestamp) -> Result<(), Error> {
    let fault = fault_of(rehearsal)?;
    if remembers(platform, MARKER)? {
        return Ok(());
    }
    make_backups(platform, backups_of(rehearsal), now)?;
    // The fault and the marker in one transaction. The one fault that reaches beyond it, the loss of the books, can
    // be repeated; the backups are made before and kept when they are there.
    break_once(platform, fault.as_slice(), MARKER, &rehearsal.runbook)
}

/// Breaks what else was asked for, once in the life of a data folder.
pub(crate) fn break_besides(platform: &Platform) -> Result<(), Error> {
    let names: Vec<&str> = platform.config.faults.iter().map(String::as_str).collect();
    if names.is_empty() || remembers(platform, BROKEN_BESIDES)? {
        return Ok(());
    }
    break_once(platform, &names, BROKEN_BESIDES, &names.join(","))
}

fn break_once(platform: &Platform, names: &[&str], marker: &str, value: &str) -> Result<(), Error> {
    let broken = platform.work(|work| {
        for name in names {
            faults::inject(work, name)?;
        }
        Ok(schema::set_meta(work.control, marker, value)?)
    });
    broken.map_err(rejected)
}

fn remembers(platform: &Platform, marker: &str) -> Result<bool, Error> {
    platform.work(|work| Ok(schema::meta(work.control, marker)?.is_some())).map_err(rejected)
}

fn rejected(failure: Failure) -> Error {
    Error::Rejected(failure.message)
}

fn make_backups(platform: &Platform, wanted: &[Made], now: Timestamp) -> Result<(), Error> {
    if wanted.is_empty() || remembers(platform, BACKUPS_MADE)? {
        return Ok(());
    }
    // Left half made by a start that was killed: begin again.
    remove_backups(platform)?;
    let folder = &platform.folder;
    let yesterday = folder.root().join("yesterday.tmp");
    seed::create(&yesterday, now, seed::DAYS - 1)?;
    for (age, good) in wanted {
        let at = shifted(now, -age * MINUTE_MS);
        let path = folder.backups().join(backup_name(at));
        if *age < DAY {
            database::dump_at(folder.root(), &path, at)?;
        } else {
            database::dump_file(&yesterday, &path, at)?;
        }
        if !good {
            database::damage(&path)?;
        }
        made_at(&path, at)?;
    }
    std::fs::remove_file(&yesterday).map_err(Error::io("cannot remove", &yesterday))?;
    platform.work(|work| Ok(schema::set_meta(work.control, BACKUPS_MADE, "yes")?)).map_err(rejected)
}

/// Sets the time of a file: what prunes by age looks at that.
fn made_at(path: &Path, at: Timestamp) -> Result<(), Error> {
    let file = std::fs::File::options().write(true).open(path).map_err(Error::io("cannot open", path))?;
    file.set_modified(SystemTime::from(at)).map_err(Error::io("cannot write", path))
}

fn remove_backups(platform: &Platform) -> Result<(), Error> {
    let folder = platform.folder.backups();
    for entry in std::fs::read_dir(&folder).map_err(Error::io("cannot read folder", &folder))? {
        let path = entry.map_err(Error::io("cannot read folder", &folder))?.path();
        std::fs::remove_file(&path).map_err(Error::io("cannot remove", &path))?;
    }
    Ok(())
}
