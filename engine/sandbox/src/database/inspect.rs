//! What a database holds and whether it is whole.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use super::manifest::{Report, TableReport};
use crate::business;
use crate::error::Error;
use crate::folder::Folder;
use crate::secret::hex;

/// The problem of a database that is not there at all.
pub(super) const MISSING: &str = "database file is missing";

/// Checks the books of a data folder: integrity, tables, columns, balances. Gives row counts and checksums.
///
/// # Errors
/// [`Error::Damaged`] with everything that is wrong, when anything is.
pub fn check(data: &Path) -> Result<Report, Error> {
    let report = inspect_folder(data);
    if report.is_whole() { Ok(report) } else { Err(Error::Damaged(report.problems)) }
}

/// Looks into the books of a data folder, as [`inspect`] does.
pub fn inspect_folder(data: &Path) -> Report {
    inspect(&Folder::at(data).business())
}

/// Looks into a database file. Never fails: what cannot be read is a problem in the report.
pub fn inspect(file: &Path) -> Report {
    let mut report = Report::default();
    if !file.exists() {
        report.problems.push(MISSING.to_owned());
        return report;
    }
    if let Err(error) = look(file, &mut report) {
        report.problems.push(format!("database cannot be read: {error}"));
    }
    report
}

fn look(file: &Path, report: &mut Report) -> rusqlite::Result<()> {
    // For writing, although nothing is written: SQLite may have to finish what a killed process began.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.busy_timeout(crate::platform::BUSY_TIMEOUT)?;
    // One read transaction, so that all tables are of one moment.
    let db = db.unchecked_transaction()?;
    integrity(&db, report)?;
    for name in table_names(&db)? {
        let table = table(&db, &name)?;
        report.tables.insert(name, table);
    }
    let missing = business::missing_tables(&db)?;
    if missing.is_empty() {
        columns(&db, report)?;
    }
    if missing.is_empty() && report.is_whole() {
        report.problems.extend(business::unbalanced(&db)?);
    }
    report.problems.extend(missing);
    Ok(())
}

fn integrity(db: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut statement = db.prepare("PRAGMA integrity_check(20)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            report.problems.push(format!("integrity: {line}"));
        }
    }
    Ok(())
}

/// Each table must have the columns that this program would make.
fn columns(db: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let fresh = Connection::open_in_memory()?;
    business::create_tables(&fresh)?;
    for (name, _) in business::TABLES {
        if column_names(db, name)? != column_names(&fresh, name)? {
            report.problems.push(format!("table `{name}` has other columns than it should"));
        }
    }
    Ok(())
}

fn column_names(db: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    names.collect()
}

fn table_names(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

/// Rows are read in the order of the primary key, which is the first column of every table. Each value is hashed
/// with its type and length, so that no two different rows look the same.
fn table(db: &Connection, name: &str) -> rusqlite::Result<TableReport> {
    let quoted = name.replace('"', "\"\"");
    let mut statement = db.prepare(&format!("SELECT * FROM \"{quoted}\" ORDER BY 1"))?;
    let mut hasher = Sha256::new();
    for column in statement.column_names() {
        put(&mut hasher, b'c', column.as_bytes());
    }
    let width = statement.column_count();
    let mut rows = statement.query([])?;
    let mut count = 0_u64;
    while let Some(row) = rows.next()? {
        count += 1;
        hasher.update(b"r");
        for index in 0..width {
            match row.get_ref(index)? {
                ValueRef::Null => put(&mut hasher, b'n', &[]),
                ValueRef::Integer(value) => put(&mut hasher, b'i', &value.to_le_bytes()),
                ValueRef::Real(value) => put(&mut hasher, b'f', &value.to_bits().to_le_bytes()),
                ValueRef::Text(value) => put(&mut hasher, b't', value),
                ValueRef::Blob(value) => put(&mut hasher, b'b', value),
            }
        }
    }
    Ok(TableReport { rows: count, sha256: hex(&hasher.finalize()) })
}

fn put(hasher: &mut Sha256, kind: u8, value: &[u8]) {
    hasher.update([kind]);
    hasher.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(value);
}
