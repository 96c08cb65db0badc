//! From SQL rows to JSON and Rust values, in one place.

use jiff::{SignedDuration, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde_json::{Map, Value};

/// Every row of a query as a JSON object named by its columns. A column named `x:bool` becomes `x`, true or false.
pub(crate) fn list(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<Value>> {
    let mut statement = db.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map(params, |row| object(row, &names))?;
    rows.collect()
}

/// The first row of a query as a JSON object, if there is one.
pub(crate) fn first(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Option<Value>> {
    let mut statement = db.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    statement.query_row(params, |row| object(row, &names)).optional()
}

/// One number, such as a count; 0 when the sum is over nothing.
pub(crate) fn number(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<i64> {
    db.query_row(sql, params, |row| row.get::<_, Option<i64>>(0)).map(Option::unwrap_or_default)
}

/// One text, if there is a row and it is not NULL.
pub(crate) fn text(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Option<String>> {
    db.query_row(sql, params, |row| row.get::<_, Option<String>>(0)).optional().map(Option::flatten)
}

fn object(row: &Row<'_>, names: &[String]) -> rusqlite::Result<Value> {
    let mut map = Map::new();
    for (index, name) in names.iter().enumerate() {
        let (name, as_bool) = match name.strip_suffix(":bool") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) if as_bool => Value::Bool(number != 0),
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Real(number) => Value::from(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::from(String::from_utf8_lossy(bytes).into_owned()),
        };
        map.insert(name.to_owned(), value);
    }
    Ok(Value::Object(map))
}

/// A moment as the databases keep it: RFC 3339, UTC, milliseconds. Text of one width, so that it sorts by time.
pub(crate) fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A moment as the number of milliseconds that due times are kept in.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// `at` moved by `ms` milliseconds, which may be negative; `at` itself at the edge of time.
pub(crate) fn shifted(at: Timestamp, ms: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(ms)).unwrap_or(at)
}
