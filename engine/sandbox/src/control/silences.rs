//! Silences, as Alertmanager has them: for a while, alerts whose labels match are nobody's business.
//!
//! ```text
//!   pending ──(startsAt)──► active ──(endsAt, or DELETE)──► expired
//! ```

use std::cmp::Reverse;

use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::matchers::{self, Labels, Matcher};
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows::stamp;
use crate::secret;

const ACTIVE: &str = "active";
const PENDING: &str = "pending";
const EXPIRED: &str = "expired";

/// A silence as it is asked for; with an `id` it takes the place of that one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewSilence {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<Matcher>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

/// A silence that is kept. Times are as the databases keep them, so that their texts sort.
pub(crate) struct Silence {
    id: String,
    matchers: Vec<Matcher>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
    updated_at: String,
}

impl Silence {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let matchers: String = row.get("matchers")?;
        Ok(Self {
            id: row.get("id")?,
            // Written by this program; what cannot be read matches nothing.
            matchers: serde_json::from_str(&matchers).unwrap_or_default(),
            starts_at: row.get("starts_at")?,
            ends_at: row.get("ends_at")?,
            created_by: row.get("created_by")?,
            comment: row.get("comment")?,
            updated_at: row.get("updated_at")?,
        })
    }

    fn state(&self, now: &str) -> &'static str {
        if now >= self.ends_at.as_str() {
            EXPIRED
        } else if now < self.starts_at.as_str() {
            PENDING
        } else {
            ACTIVE
        }
    }

    fn shown(&self, now: &str) -> Value {
        json!({
            "id": self.id,
            "status": {"state": self.state(now)},
            "matchers": self.matchers,
            "startsAt": self.starts_at,
            "endsAt": self.ends_at,
            "updatedAt": self.updated_at,
            "createdBy": self.created_by,
            "comment": self.comment,
        })
    }
}

/// Makes a silence, or changes one; gives its id. What an earlier one has silenced is never rewritten: where the
/// matchers or the past would differ, that one ends and a new one begins.
pub(crate) fn set(work: &Work<'_>, new: &NewSilence) -> Result<String, Failure> {
    matchers::check(&new.matchers)?;
    let now = work.at();
    let (starts, ends) = (time("startsAt", &new.starts_at)?, time("endsAt", &new.ends_at)?);
    if starts >= ends {
        return Err(Failure::invalid("a silence has to start before it ends"));
    }
    if ends < now {
        return Err(Failure::invalid("a silence cannot end in the past"));
    }
    let before = new.id.as_deref().filter(|id| !id.is_empty()).map(|id| get(work, id)).transpose()?;
    let matchers = json!(new.matchers).to_string();
    if let Some(before) = &before {
        if may_change(before, new, &starts, &now) {
            work.control.execute(
                "UPDATE silences SET starts_at = ?2, ends_at = ?3, created_by = ?4, comment = ?5, updated_at = ?6
                 WHERE id = ?1",
                params![before.id, starts, ends, new.created_by, new.comment, now],
            )?;
            return Ok(before.id.clone());
        }
        expire(work, &before.id)?;
    }
    let id = secret::random_uuid()?;
    let starts = starts.max(now.clone());
    work.control.execute(
        "INSERT INTO silences (id, matchers, starts_at, ends_at, created_by, comment, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id, matchers, starts, ends, new.created_by, new.comment, now],
    )?;
    Ok(id)
}

fn time(name: &str, text: &str) -> Result<String, Failure> {
    let at: Timestamp = text.parse().map_err(|error| Failure::invalid(format!("`{name}`: {error}")))?;
    Ok(stamp(at))
}

fn may_change(before: &Silence, new: &NewSilence, starts: &str, now: &str) -> bool {
    // Up to the second: what a client read and sends back may have lost the rest.
    let second = |at: &str| at.get(.."2026-01-01T00:00:00".len()).map(str::to_owned);
    before.matchers == new.matchers
        && match before.state(now) {
            ACTIVE => second(&before.starts_at) == second(starts),
            PENDING => starts >= now,
            _ => false,
        }
}

/// Ends a silence now; one that is over stays as it is.
pub(crate) fn expire(work: &Work<'_>, id: &str) -> Result<(), Failure> {
    let now = work.at();
    if get(work, id)?.state(&now) != EXPIRED {
        let sql = "UPDATE silences SET starts_at = min(starts_at, ?2), ends_at = ?2, updated_at = ?2 WHERE id = ?1";
        work.control.execute(sql, params![id, now])?;
    }
    Ok(())
}

fn get(work: &Work<'_>, id: &str) -> Result<Silence, Failure> {
    let found = work.control.query_row("SELECT * FROM silences WHERE id = ?1", params![id], Silence::read);
    match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(Failure::not_found("silence", id)),
        found => Ok(found?),
    }
}

fn all(work: &Work<'_>) -> Result<Vec<Silence>, Failure> {
    let mut statement = work.control.prepare_cached("SELECT * FROM silences ORDER BY rowid")?;
    let found = statement.query_map([], Silence::read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// One silence in the form of the API.
pub(crate) fn show(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    Ok(get(work, id)?.shown(&work.at()))
}

/// All silences in the form of the API, over or not: those that hold first, the first to end before the others, then
/// those to come, then those that are over, the last to end first. `filter` narrows them to those with these matchers.
pub(crate) fn list(work: &Work<'_>, filter: &[Matcher]) -> Result<Vec<Value>, Failure> {
    let now = work.at();
    let mut found = all(work)?;
    found.retain(|one| filter.iter().all(|wanted| one.matchers.contains(wanted)));
    found.sort_by_cached_key(|one| match one.state(&now) {
        ACTIVE => (0, one.ends_at.clone(), Reverse(String::new())),
        PENDING => (1, one.starts_at.clone(), Reverse(String::new())),
        _ => (2, String::new(), Reverse(one.ends_at.clone())),
    });
    Ok(found.iter().map(|one| one.shown(&now)).collect())
}

/// The silences that hold now.
pub(crate) fn holding(work: &Work<'_>) -> Result<Vec<Silence>, Failure> {
    let now = work.at();
    let mut found = all(work)?;
    found.retain(|one| one.state(&now) == ACTIVE);
    Ok(found)
}

/// The ids of those of `holding` that silence an alert with these labels.
pub(crate) fn silencing(holding: &[Silence], labels: &Labels) -> Result<Vec<String>, Failure> {
    let mut ids = vec![];
    for one in holding {
        if matchers::all_match(&one.matchers, labels)? {
            ids.push(one.id.clone());
        }
    }
    ids.sort();
    Ok(ids)
}
