//! A request, taken apart: parameters, body, who it is from, whether it was answered before.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Access, Parts, Route};
use crate::control::credentials::{self, Credential};
use crate::platform::Work;
use crate::reply::{Failure, Reply};
use crate::secret;

const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;

/// The headers that matter.
pub(super) struct Headers {
    bearer: Option<String>,
    key: Option<String>,
    session: Option<String>,
    /// Where the request is from: what the gateway in front says, or this machine.
    pub(super) origin: String,
    pub(super) idempotency_key: Option<String>,
}

impl Headers {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            bearer: text("authorization").and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
            }),
            key: text("x-api-key"),
            session: text("x-session"),
            origin: text("x-forwarded-for").unwrap_or_else(|| "127.0.0.1".to_owned()),
            idempotency_key: text("idempotency-key"),
        }
    }

    /// Who this is, if that is enough for the route.
    pub(super) fn credential(&self, work: &Work<'_>, access: Access) -> Result<Credential, Failure> {
        let admin = match &self.bearer {
            Some(token) if secret::same(token, &work.platform.token) => true,
            Some(_) if access != Access::Open => {
                return Err(Failure::unauthorized("unknown bearer token"));
            }
            _ => false,
        };
        match access {
            _ if admin => Ok(Credential::Admin),
            Access::Open => Ok(Credential::None),
            Access::Admin => Err(Failure::unauthorized("this route needs `Authorization: Bearer <admin token>`")),
            Access::Trader => match (&self.key, &self.session) {
                (Some(key), _) => credentials::by_key(work, key),
                (None, Some(session)) => credentials::by_session(work, session),
                (None, None) => {
                    Err(Failure::unauthorized("this route needs `X-Api-Key`, `X-Session` or the admin token"))
                }
            },
        }
    }
}

/// A request whose sender is known.
pub(crate) struct Call {
    path: BTreeMap<String, String>,
    query: Vec<(String, String)>,
    body: Value,
    pub(crate) credential: Credential,
    pub(crate) origin: String,
}

impl Call {
    pub(super) fn new(parts: Parts, credential: Credential) -> Result<Self, Failure> {
        let body = if parts.body.iter().all(u8::is_ascii_whitespace) {
            Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_slice(&parts.body)
                .map_err(|error| Failure::invalid(format!("body is not JSON: {error}")))?
        };
        if !body.is_object() {
            return Err(Failure::invalid("body must be a JSON object"));
        }
        Ok(Self {
            path: parts.path.into_iter().collect(),
            query: query(&parts.query)?,
            body,
            credential,
            origin: parts.headers.origin,
        })
    }

    /// A segment of the path; the route's pattern promises that it is there.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A value of the query string; an empty one counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.queries(name).last()
    }

    /// All values of the query string under one name; empty ones count as absent.
    pub(crate) fn queries(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.query.iter().filter(move |(key, value)| key == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// `true` or `false` in the query string, or a default.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Failure> {
        let text = self.query(name);
        text.map_or(Ok(default), str::parse).map_err(|_| Failure::invalid(format!("`{name}` must be true or false")))
    }

    /// The whole body, as what it has to be.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        T::deserialize(&self.body).map_err(|error| Failure::invalid(format!("body: {error}")))
    }

    /// How many entries are wanted.
    pub(crate) fn limit(&self) -> Result<i64, Failure> {
        let Some(text) = self.query("limit") else {
            return Ok(LIMIT_DEFAULT);
        };
        text.parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| Failure::invalid(format!("`limit` must be from 1 to {LIMIT_MAX}")))
    }

    /// A text of the body that may be absent.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match &self.body[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(Failure::invalid(format!("`{name}` must be a text"))),
        }
    }

    /// A text of the body that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.text(name)?.ok_or_else(|| Failure::invalid(format!("`{name}` is missing")))
    }

    /// A text of the body, or a default.
    pub(crate) fn text_or<'a>(&'a self, name: &str, default: &'a str) -> Result<&'a str, Failure> {
        Ok(self.text(name)?.unwrap_or(default))
    }

    /// A value of the body, null where there is none.
    pub(crate) fn value(&self, name: &str) -> &Value {
        &self.body[name]
    }

    /// A whole number of the body that may be absent.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        match &self.body[name] {
            Value::Null => Ok(None),
            value => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(Failure::invalid(format!("`{name}` must be a whole number"))),
            },
        }
    }

    /// Who did it, for records: `by` (or the manuals' `user_id`) in the body, else the credential.
    pub(crate) fn by(&self) -> Result<&str, Failure> {
        let named = match self.text("by")? {
            Some(by) => Some(by),
            None => self.text("user_id")?,
        };
        Ok(named.unwrap_or_else(|| self.credential.name()))
    }

    /// Who asks for what: `admin POST /api/incidents/INC-0001/resolve`.
    pub(super) fn concrete(&self, route: &Route) -> String {
        let mut path = route.path.to_owned();
        for (name, value) in &self.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        format!("{} {} {path}", self.credential.name(), route.method)
    }
}

fn query(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let uri = format!("/?{text}")
        .parse::<axum::http::Uri>()
        .map_err(|error| Failure::invalid(format!("query string: {error}")))?;
    axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .map(|query| query.0)
        .map_err(|error| Failure::invalid(format!("query string: {error}")))
}

/// The answer that this key got on this route before. Another body under the same key is an error of the caller.
pub(super) fn answered_before(work: &Work<'_>, place: &str, key: &str, digest: &str) -> Result<Option<Reply>, Failure> {
    let sql = "SELECT request_sha256, status, body FROM idempotency WHERE route = ?1 AND key = ?2";
    let found: Option<(String, u16, String)> = work
        .control
        .query_row(sql, params![place, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    match found {
        None => Ok(None),
        Some((before, ..)) if before != digest => {
            Err(Failure::new(422, "idempotency_key_reused", "this `Idempotency-Key` was used with another body"))
        }
        Some((_, status, body)) => {
            Ok(Some(Reply { status, body: serde_json::from_str(&body).unwrap_or_default(), replayed: true }))
        }
    }
}

/// Keeps an answer in the same transaction as what it answers.
pub(super) fn keep_answer(work: &Work<'_>, place: &str, key: &str, digest: &str, reply: &Reply) -> Result<(), Failure> {
    work.control.execute(
        "INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![place, key, digest, reply.status, reply.body.to_string(), work.at()],
    )?;
    Ok(())
}
