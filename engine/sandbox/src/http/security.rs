//! Keys, sessions, lock-downs.

use rusqlite::params;
use serde_json::json;

use super::Access;
use super::call::Call;
use super::route::Route;
use crate::control::credentials::{self, Credential, NewKey};
use crate::control::{lockdown, rotation};
use crate::platform::Work;
use crate::reply::{Failure, Reply};
use crate::rows;

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/whoami", "Who the credential of this request is", whoami).for_access(Access::Trader),
    Route::get("/api/admin/api-keys", "All API keys, without their secrets", keys).for_access(Access::Admin),
    Route::post("/api/admin/api-keys", "Issue a key: `name`, `account`, `scopes`; its secret is shown once", issue)
        .secret(),
    Route::post("/api/admin/api-keys/{id}/revoke", "Revoke a key", revoke_key),
    Route::post("/api/admin/api-keys/{id}/reactivate", "Make a revoked key work again", reactivate_key),
    Route::post("/api/admin/api-keys/{id}/rotate", "Replace a key by a new one, which only its holder gets", rotate),
    Route::post("/api/admin/api-keys/{id}/rotate/undo", "Take a new key back: the one before works again", rotate_back),
    Route::get("/api/admin/sessions", "All sessions", sessions).for_access(Access::Admin),
    Route::post("/api/admin/sessions", "Open a session: `user`, `account`; its token is shown once", open).secret(),
    Route::post("/api/admin/sessions/{id}/revoke", "End a session", revoke_session),
    Route::post("/api/admin/sessions/{id}/reactivate", "Let an ended session go on", reactivate_session),
    Route::get("/api/admin/security-events", "Newest security events first (`?severity=`, `?limit=`)", events)
        .for_access(Access::Admin),
    Route::post(
        "/api/security/lockdown",
        "Revoke `suspicious` or `all` keys and sessions, or those of `user:NAME` (`scope`), under an id",
        lock_down,
    ),
    Route::get("/api/security/lockdown/{id}", "A lock-down and what it still holds", locked).for_access(Access::Admin),
    Route::post("/api/security/lockdown/{id}/lift", "Undo a lock-down, except for what is suspicious", lift),
];

fn whoami(_: &Work<'_>, call: &Call) -> Answer {
    let account = match &call.credential {
        Credential::Trader { account, .. } => Some(account),
        _ => None,
    };
    Ok(Reply::ok(json!({"name": call.credential.name(), "account": account})))
}

fn keys(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(credentials::keys(work)?))
}

fn issue(work: &Work<'_>, call: &Call) -> Answer {
    let new = NewKey {
        name: call.required("name")?,
        account: call.required("account")?,
        scopes: call.text_or("scopes", "read")?,
        issued_by: call.by()?,
        issued_from: &call.origin,
        change_ref: call.text("change_ref")?,
    };
    Ok(Reply::created(credentials::issue_key(work, &new)?))
}

fn revoke_key(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(credentials::set_key(work, call.path("id"), false)?))
}

fn reactivate_key(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(credentials::set_key(work, call.path("id"), true)?))
}

fn rotate(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::created(rotation::rotate(work, call.path("id"), call.by()?)?))
}

fn rotate_back(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(rotation::undo(work, call.path("id"))?))
}

fn sessions(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(credentials::sessions(work)?))
}

fn open(work: &Work<'_>, call: &Call) -> Answer {
    let (user, account) = (call.required("user")?, call.required("account")?);
    Ok(Reply::created(credentials::open_session(work, user, account, &call.origin)?))
}

fn revoke_session(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(credentials::set_session(work, call.path("id"), false)?))
}

fn reactivate_session(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(credentials::set_session(work, call.path("id"), true)?))
}

fn events(work: &Work<'_>, call: &Call) -> Answer {
    let sql = "SELECT id, at, severity, kind, user, ip, detail FROM security_events
        WHERE ?1 IS NULL OR severity = ?1 ORDER BY at DESC, id DESC LIMIT ?2";
    let params = params![call.query("severity"), call.limit()?];
    Ok(Reply::ok(rows::list(work.control, sql, params)?))
}

fn lock_down(work: &Work<'_>, call: &Call) -> Answer {
    let scope = call.text_or("scope", "suspicious")?;
    let reason = call.text_or("reason", "security incident")?;
    Ok(Reply::created(lockdown::begin(work, scope, reason)?))
}

fn locked(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(lockdown::show(work, call.path("id"))?))
}

fn lift(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(lockdown::lift(work, call.path("id"))?))
}
