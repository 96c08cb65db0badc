//! From "which runbook will be rehearsed" to a platform that needs it.

use jiff::Timestamp;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::business::seed;
use crate::config::Rehearsal;
use crate::control::schema;
use crate::database::{self, backup_name};
use crate::error::Error;
use crate::faults;
use crate::platform::Platform;
use crate::rows::shifted;

/// The runbook that answers a critical incident, and the incidents it can be about.
const INCIDENT_RUNBOOK: &str = "p0-response";
const INCIDENTS: [&str; 3] = ["system_down", "security_breach", "trading_halted"];
/// The runbook that restores the books.
const RESTORE_RUNBOOK: &str = "dr-restore";

const MINUTE_MS: i64 = 60_000;
/// Ages of the backups of a restore rehearsal, in minutes: an old good one, a good one, a newer one that is corrupt.
const OLD_AGE: i64 = 26 * 60;
const GOOD_AGE: i64 = 2 * 60;
const CORRUPT_AGE: i64 = 10;

/// What is remembered once a rehearsal has been set up: a restart must not break the platform again.
const MARKER: &str = "rehearsal";

/// Refuses a rehearsal that cannot be set up, before anything is made.
pub(crate) fn validate(rehearsal: &Rehearsal) -> Result<(), Error> {
    incident(rehearsal).map(drop)
}

fn incident(rehearsal: &Rehearsal) -> Result<Option<&str>, Error> {
    if rehearsal.runbook != INCIDENT_RUNBOOK {
        return Ok(None);
    }
    let value = rehearsal.params.get("incident_type").map_or("", String::as_str);
    if INCIDENTS.contains(&value) {
        return Ok(Some(value));
    }
    Err(Error::UnknownRehearsal { parameter: "incident_type", value: value.to_owned(), valid: INCIDENTS.to_vec() })
}

/// Breaks what the rehearsal is about, once in the life of a data folder.
pub(crate) fn apply(platform: &Platform, rehearsal: &Rehearsal, now: Timestamp) -> Result<(), Error> {
    let fault = match incident(rehearsal)? {
        Some(incident) => Some(incident),
        None if rehearsal.runbook == RESTORE_RUNBOOK => Some("database_lost"),
        None => None,
    };
    let done = platform
        .work(|work| Ok(schema::meta(work.control, MARKER)?.is_some()))
        .map_err(|failure| Error::Rejected(failure.message))?;
    if done {
        return Ok(());
    }
    if rehearsal.runbook == RESTORE_RUNBOOK {
        make_backups(platform, now)?;
    }
    // The fault and the marker in one transaction. The one fault that reaches beyond it, the loss of the books, can
    // be repeated; the backups are made before and kept when they are there.
    platform
        .work(|work| {
            if let Some(fault) = fault {
                faults::inject(work, fault)?;
            }
            Ok(schema::set_meta(work.control, MARKER, &rehearsal.runbook)?)
        })
        .map_err(|failure| Error::Rejected(failure.message))
}

fn make_backups(platform: &Platform, now: Timestamp) -> Result<(), Error> {
    const BACKUPS_MADE: &str = "rehearsal_backups";
    let failed = |failure: crate::reply::Failure| Error::Rejected(failure.message);
    let made = platform.work(|work| Ok(schema::meta(work.control, BACKUPS_MADE)?.is_some()));
    if made.map_err(failed)? {
        return Ok(());
    }
    // Left half made by a start that was killed: begin again.
    remove_backups(platform)?;
    let folder = &platform.folder;
    let at = |age: i64| shifted(now, -age * MINUTE_MS);
    let path = |age: i64| folder.backups().join(backup_name(at(age)));
    let yesterday = folder.root().join("yesterday.tmp");
    seed::create(&yesterday, now, seed::DAYS - 1)?;
    database::dump_file(&yesterday, &path(OLD_AGE), at(OLD_AGE))?;
    std::fs::remove_file(&yesterday).map_err(Error::io("cannot remove", &yesterday))?;
    database::dump_at(folder.root(), &path(GOOD_AGE), at(GOOD_AGE))?;
    database::dump_at(folder.root(), &path(CORRUPT_AGE), at(CORRUPT_AGE))?;
    corrupt(&path(CORRUPT_AGE))?;
    platform.work(|work| Ok(schema::set_meta(work.control, BACKUPS_MADE, "yes")?)).map_err(failed)
}

fn remove_backups(platform: &Platform) -> Result<(), Error> {
    let folder = platform.folder.backups();
    for entry in std::fs::read_dir(&folder).map_err(Error::io("cannot read folder", &folder))? {
        let path = entry.map_err(Error::io("cannot read folder", &folder))?.path();
        std::fs::remove_file(&path).map_err(Error::io("cannot remove", &path))?;
    }
    Ok(())
}

/// Overwrites a page in the middle, as a failing disk would: size and name stay as they were.
fn corrupt(path: &Path) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).open(path).map_err(Error::io("cannot open", path))?;
    let size = file.metadata().map_err(Error::io("cannot read", path))?.len();
    file.write_all_at(&[0xA5; 512], size / 2).and_then(|()| file.sync_all()).map_err(Error::io("cannot write", path))
}
