//! Alerts: what the rules find, since when, and whether a silence keeps it from people.
//!
//! ```text
//!   every moment, and after each change:  rules ──► found ──► alerts (control.db) ──► API, figures, overview
//!                                                             silences that hold ──┘
//! ```
//!
//! They are kept, so that one that is over can still be told from one that never was, and one that people got to hear
//! from one that was silenced all the time.

mod rules;

use std::collections::BTreeSet;

use rusqlite::params;
use serde_json::{Value, json};

use crate::control::matchers::{self, Labels, Matcher};
use crate::control::silences;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::{self, shifted, stamp};

/// How long an alert is believed that is not seen again.
const BELIEVED_MS: i64 = 240_000;
/// Who is told of alerts that are not silenced.
const RECEIVER: &str = "operations";

/// Which alerts are wanted.
pub(crate) struct Wanted {
    /// Those that no silence holds back.
    pub(crate) active: bool,
    /// Those that a silence holds back.
    pub(crate) silenced: bool,
    /// What their labels have to be.
    pub(crate) filter: Vec<Matcher>,
}

/// Looks what fires now: begins what is new, ends what is over, and notes what was heard for the first time.
pub(crate) fn observe(work: &Work<'_>) -> Result<(), Failure> {
    let found = rules::firing(work)?;
    let prints: BTreeSet<String> = found.iter().map(|one| fingerprint(&one.labels)).collect();
    let now = work.at();
    for open in rows::list(work.control, "SELECT id, fingerprint FROM alerts WHERE ends_at IS NULL", [])? {
        if !open["fingerprint"].as_str().is_some_and(|print| prints.contains(print)) {
            work.control.execute("UPDATE alerts SET ends_at = ?2 WHERE id = ?1", params![open["id"].as_i64(), now])?;
        }
    }
    let holding = silences::holding(work)?;
    for one in found {
        let print = fingerprint(&one.labels);
        let heard = silences::silencing(&holding, &one.labels)?.is_empty().then_some(&now);
        let changed = work.control.execute(
            "UPDATE alerts SET summary = ?2, updated_at = ?3, heard_at = coalesce(heard_at, ?4)
             WHERE fingerprint = ?1 AND ends_at IS NULL",
            params![print, one.summary, now, heard],
        )?;
        if changed == 0 {
            work.control.execute(
                "INSERT INTO alerts (fingerprint, labels, summary, starts_at, updated_at, heard_at)
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
                params![print, json!(one.labels).to_string(), one.summary, now, heard],
            )?;
        }
    }
    Ok(())
}

/// The alerts that fire, as far as they are wanted, in the form of the API; as they were when last looked at.
pub(crate) fn list(work: &Work<'_>, wanted: &Wanted) -> Result<Vec<Value>, Failure> {
    let holding = silences::holding(work)?;
    let sql = "SELECT fingerprint, labels, summary, starts_at, updated_at FROM alerts WHERE ends_at IS NULL
        ORDER BY fingerprint";
    let mut shown = vec![];
    for row in rows::list(work.control, sql, [])? {
        let labels = labels(&row);
        let by = silences::silencing(&holding, &labels)?;
        let wanted_so = if by.is_empty() { wanted.active } else { wanted.silenced };
        if wanted_so && matchers::all_match(&wanted.filter, &labels)? {
            shown.push(json!({
                "labels": labels,
                "annotations": {"summary": row["summary"]},
                "startsAt": row["starts_at"],
                "updatedAt": row["updated_at"],
                "endsAt": believed_until(&row["updated_at"]),
                "fingerprint": row["fingerprint"],
                "receivers": [{"name": RECEIVER}],
                "status": {
                    "state": if by.is_empty() { "active" } else { "suppressed" },
                    "silencedBy": by,
                    "inhibitedBy": [],
                },
            }));
        }
    }
    Ok(shown)
}

/// All alerts that ever fired, oldest first: until when (null while it fires), and when it was first heard (null where
/// a silence held it back all the time).
pub(crate) fn log(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    let sql = "SELECT labels, summary, starts_at, ends_at, heard_at FROM alerts ORDER BY id";
    let mut found = rows::list(work.control, sql, [])?;
    for row in &mut found {
        row["labels"] = json!(labels(row));
    }
    Ok(found)
}

/// How many alerts fire that no silence holds back.
pub(crate) fn heard(work: &Work<'_>) -> Result<usize, Failure> {
    Ok(list(work, &Wanted { active: true, silenced: false, filter: vec![] })?.len())
}

fn labels(row: &Value) -> Labels {
    row["labels"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn believed_until(updated_at: &Value) -> Value {
    let at = updated_at.as_str().and_then(|text| text.parse().ok());
    at.map_or(Value::Null, |at| json!(stamp(shifted(at, BELIEVED_MS))))
}

/// What an alert is known by: FNV-1a over its labels, each name and value ended by 255, as Prometheus has it.
fn fingerprint(labels: &Labels) -> String {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let parts = labels.iter().flat_map(|(name, value)| [name.as_bytes(), &[255], value.as_bytes(), &[255]]);
    let hash = parts.flatten().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}
