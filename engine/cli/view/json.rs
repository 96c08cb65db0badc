//! For programs: NDJSON, one object for each record of the journal, as `seq`, `at` (RFC 3339), `hash` and `event`.

use runbook_journal::Record;
use serde_json::json;

/// One record as one line.
pub(super) fn line(record: &Record) -> Option<String> {
    let at = i64::try_from(record.at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let value = json!({
        "seq": record.seq,
        "at": at.map(|at| at.to_string()),
        "hash": record.hash,
        "event": record.event,
    });
    serde_json::to_string(&value).ok()
}
