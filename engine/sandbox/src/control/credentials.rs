//! API keys and sessions: issued, listed, revoked, and asked for on every request that needs one.

use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

use crate::business::number_in;
use crate::platform::Work;
use crate::reply::Failure;
use crate::{rows, secret};

/// What a key may be allowed to do.
const SCOPES: [&str; 3] = ["read", "trade", "withdraw"];

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nobody in particular.
    None,
    /// The holder of the admin token.
    Admin,
    /// The holder of an API key or a session, bound to one account.
    Trader {
        /// How logs name it, such as `KEY-0003 (rossi-mobile)`.
        name: String,
        /// The account it acts on.
        account: String,
        /// What it may do.
        scopes: String,
    },
}

impl Credential {
    /// How logs name it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::None => "anonymous",
            Self::Admin => "admin",
            Self::Trader { name, .. } => name,
        }
    }

    /// The account this request acts on: its own, or for the admin the one that the request names.
    pub(crate) fn account(&self, scope: &str, named: Option<&str>) -> Result<String, Failure> {
        match self {
            Self::None => Err(Failure::unauthorized("an API key or a session is needed")),
            Self::Admin => named.map(str::to_owned).ok_or_else(|| Failure::invalid("the admin must name an `account`")),
            Self::Trader { account, scopes, .. } => {
                if !scopes.split(' ').any(|has| has == scope) {
                    let message = format!("this credential lacks the scope `{scope}`");
                    return Err(Failure::new(403, "forbidden", message));
                }
                if named.is_some_and(|named| named != account) {
                    let message = format!("this credential acts on account `{account}` only");
                    return Err(Failure::new(403, "forbidden", message));
                }
                Ok(account.clone())
            }
        }
    }
}

/// SQL that holds for an address outside of the company's network. Keys and sessions that come from there, without a
/// change reference, are what the platform calls suspicious.
pub(crate) fn outside(column: &str) -> String {
    format!("({column} NOT LIKE '10.20.%' AND {column} NOT LIKE '127.%')")
}

/// SQL that holds for a suspicious key.
pub(crate) fn suspicious_key() -> String {
    format!("({} AND change_ref IS NULL)", outside("issued_from"))
}

/// SQL that holds for a suspicious session.
pub(crate) fn suspicious_session() -> String {
    outside("opened_from")
}

/// Finds whose key this is; a revoked one is nobody's.
pub(crate) fn by_key(work: &Work<'_>, key: &str) -> Result<Credential, Failure> {
    let sql =
        "SELECT printf('KEY-%04d (%s)', id, name), account, scopes, status FROM api_keys WHERE secret_sha256 = ?1";
    find(work, sql, key, "API key")
}

/// Finds whose session this is; a revoked one is nobody's.
pub(crate) fn by_session(work: &Work<'_>, token: &str) -> Result<Credential, Failure> {
    let sql = "SELECT printf('SES-%04d (%s)', id, user), account, 'read trade withdraw', status FROM sessions
        WHERE token_sha256 = ?1";
    find(work, sql, token, "session")
}

fn find(work: &Work<'_>, sql: &str, given: &str, what: &str) -> Result<Credential, Failure> {
    let digest = secret::sha256(given.as_bytes());
    let found: Option<(Credential, String)> = work
        .control
        .query_row(sql, params![digest], |row| {
            let credential = Credential::Trader { name: row.get(0)?, account: row.get(1)?, scopes: row.get(2)? };
            Ok((credential, row.get(3)?))
        })
        .optional()?;
    match found {
        Some((credential, status)) if status == "active" => Ok(credential),
        Some((credential, _)) => Err(Failure::unauthorized(format!("{what} {} is revoked", credential.name()))),
        None => Err(Failure::unauthorized(format!("unknown {what}"))),
    }
}

/// All keys, without their secrets.
pub(crate) fn keys(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    Ok(rows::list(work.control, &key_sql("1"), [])?)
}

fn key_sql(condition: &str) -> String {
    let suspicious = suspicious_key();
    format!(
        "SELECT printf('KEY-%04d', id) AS id, name, account, scopes, issued_at, issued_by, issued_from, change_ref,
         holder, CASE WHEN replaces IS NULL THEN NULL ELSE printf('KEY-%04d', replaces) END AS replaces, status, status = 'active' AS \"active:bool\", revoked_at,
         CASE WHEN revoked_by IS NULL THEN NULL ELSE printf('LCK-%04d', revoked_by) END AS revoked_by,
         {suspicious} AS \"suspicious:bool\" FROM api_keys WHERE {condition} ORDER BY api_keys.id"
    )
}

/// All sessions, without their tokens.
pub(crate) fn sessions(work: &Work<'_>) -> Result<Vec<Value>, Failure> {
    Ok(rows::list(work.control, &session_sql("1"), [])?)
}

fn session_sql(condition: &str) -> String {
    let suspicious = suspicious_session();
    format!(
        "SELECT printf('SES-%04d', id) AS id, user, account, opened_at, opened_from, status,
         status = 'active' AS \"active:bool\", revoked_at,
         CASE WHEN revoked_by IS NULL THEN NULL ELSE printf('LCK-%04d', revoked_by) END AS revoked_by,
         {suspicious} AS \"suspicious:bool\" FROM sessions WHERE {condition} ORDER BY sessions.id"
    )
}

/// What a new key is for.
#[derive(Debug, Clone)]
pub(crate) struct NewKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) scopes: &'a str,
    pub(crate) issued_by: &'a str,
    pub(crate) issued_from: &'a str,
    pub(crate) change_ref: Option<&'a str>,
}

/// Issues a key. The answer holds its secret, this once.
pub(crate) fn issue_key(work: &Work<'_>, new: &NewKey<'_>) -> Result<Value, Failure> {
    if new.name.is_empty() || new.scopes.is_empty() {
        return Err(Failure::invalid("`name` and `scopes` must not be empty"));
    }
    if let Some(unknown) = new.scopes.split(' ').find(|scope| !SCOPES.contains(scope)) {
        let known = SCOPES.join(", ");
        return Err(Failure::invalid(format!("unknown scope `{unknown}`; there are {known}")));
    }
    let key = secret::random_token("key_")?;
    work.control.execute(
        "INSERT INTO api_keys (name, account, scopes, secret_sha256, issued_at, issued_by, issued_from, change_ref, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'active')",
        params![
            new.name, new.account, new.scopes, secret::sha256(key.as_bytes()), work.at(), new.issued_by,
            new.issued_from, new.change_ref
        ],
    )?;
    let mut answer = show_key(work, work.control.last_insert_rowid())?;
    answer["secret"] = json!(key);
    Ok(answer)
}

/// Opens a session for a user. The answer holds its token, this once.
pub(crate) fn open_session(work: &Work<'_>, user: &str, account: &str, from: &str) -> Result<Value, Failure> {
    if user.is_empty() {
        return Err(Failure::invalid("`user` must not be empty"));
    }
    let token = secret::random_token("ses_")?;
    work.control.execute(
        "INSERT INTO sessions (user, account, token_sha256, opened_at, opened_from, status)
         VALUES (?1, ?2, ?3, ?4, ?5, 'active')",
        params![user, account, secret::sha256(token.as_bytes()), work.at(), from],
    )?;
    let mut answer = show_session(work, work.control.last_insert_rowid())?;
    answer["token"] = json!(token);
    Ok(answer)
}

pub(crate) fn show_key(work: &Work<'_>, id: i64) -> Result<Value, Failure> {
    rows::first(work.control, &key_sql("api_keys.id = ?1"), params![id])?
        .ok_or_else(|| Failure::not_found("API key", &format!("KEY-{id:04}")))
}

fn show_session(work: &Work<'_>, id: i64) -> Result<Value, Failure> {
    rows::first(work.control, &session_sql("sessions.id = ?1"), params![id])?
        .ok_or_else(|| Failure::not_found("session", &format!("SES-{id:04}")))
}

/// Revokes or reactivates one key.
pub(crate) fn set_key(work: &Work<'_>, id: &str, active: bool) -> Result<Value, Failure> {
    let number = number_in("KEY", id).ok_or_else(|| Failure::not_found("API key", id))?;
    set(work, "api_keys", number, active)?;
    show_key(work, number)
}

/// Revokes or reactivates one session.
pub(crate) fn set_session(work: &Work<'_>, id: &str, active: bool) -> Result<Value, Failure> {
    let number = number_in("SES", id).ok_or_else(|| Failure::not_found("session", id))?;
    set(work, "sessions", number, active)?;
    show_session(work, number)
}

fn set(work: &Work<'_>, table: &str, id: i64, active: bool) -> Result<(), Failure> {
    // Nothing happens to one that is in that state already: the time of its revocation stays.
    let sql = if active {
        format!(
            "UPDATE {table} SET status = 'active', revoked_at = NULL, revoked_by = NULL
             WHERE id = ?1 AND status = 'revoked' AND ?2 IS NOT NULL"
        )
    } else {
        format!("UPDATE {table} SET status = 'revoked', revoked_at = ?2 WHERE id = ?1 AND status = 'active'")
    };
    work.control.execute(&sql, params![id, work.at()])?;
    Ok(())
}
