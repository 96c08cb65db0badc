//! Alerts and silences in the form of Alertmanager's API v2. Errors are those of the platform.

use serde_json::json;

use super::call::Call;
use super::route::Route;
use crate::control::alerts::{self, Wanted};
use crate::control::matchers::Matcher;
use crate::control::silences;
use crate::platform::Work;
use crate::reply::{Failure, Reply};

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/v2/alerts", "Alerts that fire (`?active=`, `?silenced=`, `?filter=` with matchers)", list),
    Route::get("/api/v2/silences", "All silences (`?filter=` with matchers)", all_silences),
    Route::post("/api/v2/silences", "Silence alerts: `matchers`, `startsAt`, `endsAt`, `createdBy`, `comment`", set),
    Route::get("/api/v2/silence/{id}", "One silence", silence),
    Route::delete("/api/v2/silence/{id}", "End a silence", expire),
];

fn list(work: &Work<'_>, call: &Call) -> Answer {
    let wanted =
        Wanted { active: call.flag("active", true)?, silenced: call.flag("silenced", true)?, filter: filter(call)? };
    alerts::observe(work)?;
    Ok(Reply::ok(alerts::list(work, &wanted)?))
}

fn all_silences(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(silences::list(work, &filter(call)?)?))
}

/// `?filter=` may stand there more than once, with one matcher each.
fn filter(call: &Call) -> Result<Vec<Matcher>, Failure> {
    call.queries("filter").map(Matcher::parse).collect()
}

fn set(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(json!({"silenceID": silences::set(work, &call.read()?)?})))
}

fn silence(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(silences::show(work, call.path("id"))?))
}

fn expire(work: &Work<'_>, call: &Call) -> Answer {
    silences::expire(work, call.path("id"))?;
    Ok(Reply::ok(json!({})))
}
