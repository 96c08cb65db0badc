//! Keys that nobody but their holder learns: a new one, and one that replaces another, which ends.

use rusqlite::params;
use serde_json::Value;

use crate::business::number_in;
use crate::control::credentials::{self, NewKey};
use crate::control::notifications::{self, Notice};
use crate::control::people;
use crate::platform::Work;
use crate::reply::Failure;
use crate::secret;

/// Revokes a key and issues another with the same name, account, scopes and holder. The answer does not hold the
/// secret: the holder is told to fetch it.
pub(crate) fn rotate(work: &Work<'_>, id: &str, by: &str) -> Result<Value, Failure> {
    let old = credentials::set_key(work, id, false)?;
    let Some(holder) = old["holder"].as_str() else {
        return Err(Failure::conflict(
            "no_holder",
            format!("nobody holds key `{id}`, so nobody could get the new one"),
        ));
    };
    let old_number = number_in("KEY", id).ok_or_else(|| Failure::not_found("API key", id))?;
    let key = secret::random_token("key_")?;
    work.control.execute(
        "INSERT INTO api_keys (name, account, scopes, secret_sha256, issued_at, issued_by, issued_from, change_ref,
         status, holder, replaces)
         SELECT name, account, scopes, ?2, ?3, ?4, '10.20.1.10', change_ref, 'active', holder, id
         FROM api_keys WHERE id = ?1",
        params![old_number, secret::sha256(key.as_bytes()), work.at(), by],
    )?;
    let new = credentials::show_key(work, work.control.last_insert_rowid())?;
    let name = new["id"].as_str().unwrap_or_default();
    notifications::send(
        work,
        &Notice {
            channel: &format!("mail:{holder}"),
            severity: "info",
            subject: &format!("Your key {id} is replaced"),
            text: &format!("{name} waits for you at the desk; {id} works no more."),
            incident: None,
        },
    )?;
    Ok(new)
}

/// Issues a key for a user, who is told to fetch it: the answer does not hold the secret.
pub(crate) fn issue_for(work: &Work<'_>, user: &str, account: &str, scopes: &str, by: &str) -> Result<Value, Failure> {
    let holder = people::show(work, user)?;
    let holder = holder["name"].as_str().unwrap_or(user);
    let name = format!("{holder}-desk");
    let (issued_from, change_ref) = ("10.20.1.10", None);
    let new = NewKey { name: &name, account, scopes, issued_by: by, issued_from, change_ref };
    credentials::issue_key(work, &new)?;
    let number = work.control.last_insert_rowid();
    work.control.execute("UPDATE api_keys SET holder = ?2 WHERE id = ?1", params![number, holder])?;
    credentials::show_key(work, number)
}

/// Takes a new key back: it is revoked, and the key before it works again.
pub(crate) fn undo(work: &Work<'_>, id: &str) -> Result<Value, Failure> {
    let new = credentials::set_key(work, id, false)?;
    let Some(old) = new["replaces"].as_str() else {
        return Err(Failure::conflict("no_rotation", format!("key `{id}` replaces no other")));
    };
    credentials::set_key(work, old, true)
}
