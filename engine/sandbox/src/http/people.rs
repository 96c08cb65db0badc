//! Users, and what they may do in the systems.

use super::Access;
use super::call::Call;
use super::route::Route;
use crate::control::{people, rotation};
use crate::platform::Work;
use crate::reply::{Failure, Reply};

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/admin/users", "All users, and what each may do in which system", list).for_access(Access::Admin),
    Route::get("/api/admin/users/{name}", "One user, with access, keys and sessions", show).for_access(Access::Admin),
    Route::post("/api/admin/users", "Make a user: `name`, `full_name`, `role`, `team`", create),
    Route::delete("/api/admin/users/{name}", "Remove a user who has no access left; keys end", remove),
    Route::post("/api/admin/users/{name}/disable", "Let a user in no more", disable),
    Route::post("/api/admin/users/{name}/enable", "Let a disabled user in again", enable),
    Route::post("/api/admin/users/{name}/keys", "Issue a key, which only the user gets: `account`, `scopes`", issue),
    Route::get("/api/admin/systems", "The systems, and whether each answers", systems).for_access(Access::Admin),
    Route::post("/api/admin/systems/{system}/access/{user}", "Give a user a `level` in a system", grant),
    Route::delete("/api/admin/systems/{system}/access/{user}", "Take a user's access to a system away", revoke),
];

fn list(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(people::list(work)?))
}

fn show(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(people::show(work, call.path("name"))?))
}

fn create(work: &Work<'_>, call: &Call) -> Answer {
    let name = call.required("name")?;
    let (full_name, team) = (call.text_or("full_name", name)?, call.text_or("team", "")?);
    Ok(Reply::created(people::create(work, name, full_name, call.required("role")?, team)?))
}

fn remove(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(people::remove(work, call.path("name"))?))
}

fn disable(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(people::set_enabled(work, call.path("name"), false)?))
}

fn enable(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(people::set_enabled(work, call.path("name"), true)?))
}

fn issue(work: &Work<'_>, call: &Call) -> Answer {
    let (account, scopes) = (call.required("account")?, call.required("scopes")?);
    Ok(Reply::created(rotation::issue_for(work, call.path("name"), account, scopes, call.by()?)?))
}

fn systems(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(people::systems(work)?))
}

fn grant(work: &Work<'_>, call: &Call) -> Answer {
    let level = call.text_or("level", "read")?;
    Ok(Reply::created(people::grant(work, call.path("system"), call.path("user"), level)?))
}

fn revoke(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(people::revoke(work, call.path("system"), call.path("user"))?))
}
