//! Incident records and notices.

use super::call::Call;
use super::route::Route;
use crate::control::incidents::{self, NewIncident};
use crate::control::notifications::{self, Notice};
use crate::platform::Work;
use crate::reply::{Failure, Reply};

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/incidents", "Newest incidents first (`?status=`)", list),
    Route::post("/api/incidents", "Open an incident: `type`, `severity`, `title`, `description`", open),
    Route::get("/api/incidents/{id}", "One incident with its timeline", show),
    Route::post("/api/incidents/{id}/acknowledge", "Acknowledge it (`by`)", acknowledge),
    Route::post("/api/incidents/{id}/resolve", "Resolve it (`resolution`)", resolve),
    Route::post("/api/incidents/{id}/reopen", "Open it again: undoes `resolve` and `withdraw` (`reason`)", reopen),
    Route::post("/api/incidents/{id}/withdraw", "Withdraw it: undoes opening it (`reason`)", withdraw),
    Route::get("/api/incidents/{id}/timeline", "What happened, oldest first", timeline),
    Route::post("/api/incidents/{id}/timeline", "Add an entry (`text`, `by`)", add),
    Route::get("/api/notifications", "All notices, oldest first (`?channel=`, `?incident=`)", notices),
    Route::post("/api/notifications", "Send a notice: `channel`, `severity`, `subject`, `text`, `incident`", send),
    Route::post(
        "/api/notifications/{id}/retract",
        "Tell the channel that a notice no longer holds (`reason`)",
        retract,
    ),
];

fn list(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(incidents::list(work, call.query("status"))?))
}

fn open(work: &Work<'_>, call: &Call) -> Answer {
    let kind = call.required("type")?;
    let new = NewIncident {
        kind,
        severity: call.text_or("severity", "P0")?,
        title: call.text_or("title", kind)?,
        description: call.text_or("description", "")?,
        author: call.by()?,
    };
    Ok(Reply::created(incidents::open(work, &new)?))
}

fn show(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(incidents::show(work, call.path("id"))?))
}

fn acknowledge(work: &Work<'_>, call: &Call) -> Answer {
    advance(work, call, "acknowledge", "note")
}

fn resolve(work: &Work<'_>, call: &Call) -> Answer {
    advance(work, call, "resolve", "resolution")
}

fn reopen(work: &Work<'_>, call: &Call) -> Answer {
    advance(work, call, "reopen", "reason")
}

fn withdraw(work: &Work<'_>, call: &Call) -> Answer {
    advance(work, call, "withdraw", "reason")
}

fn advance(work: &Work<'_>, call: &Call, action: &str, why: &str) -> Answer {
    let why = call.text_or(why, "")?;
    Ok(Reply::ok(incidents::advance(work, call.path("id"), action, call.by()?, why)?))
}

fn timeline(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(incidents::show(work, call.path("id"))?["timeline"].clone()))
}

fn add(work: &Work<'_>, call: &Call) -> Answer {
    let incident = incidents::add(work, call.path("id"), call.by()?, call.required("text")?)?;
    Ok(Reply::created(incident))
}

fn notices(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(notifications::list(work, call.query("channel"), call.query("incident"))?))
}

fn send(work: &Work<'_>, call: &Call) -> Answer {
    let notice = Notice {
        channel: call.required("channel")?,
        severity: call.text_or("severity", "info")?,
        subject: call.required("subject")?,
        text: call.text_or("text", "")?,
        incident: call.text("incident")?,
    };
    Ok(Reply::created(notifications::send(work, &notice)?))
}

fn retract(work: &Work<'_>, call: &Call) -> Answer {
    let reason = call.text_or("reason", "this no longer holds")?;
    Ok(Reply::ok(notifications::retract(work, call.path("id"), reason)?))
}
