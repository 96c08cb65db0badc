//! The hooks of chat, pager and status page.

use super::call::Call;
use super::route::{Access, Route};
use crate::control::hooks::{self, PagerEvent};
use crate::control::notifications::{self, Notice};
use crate::platform::Work;
use crate::reply::{Failure, Reply};

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::post("/hooks/chat/{key}", "Post a message (`text`) as to an incoming webhook of Slack", chat)
        .for_access(Access::Open),
    Route::post("/v2/enqueue", "Take an event as PagerDuty's Events API v2 does", page).for_access(Access::Open),
    Route::post("/hooks/status", "Tell customers: `title`, `text`, `state`", status),
];

fn chat(work: &Work<'_>, call: &Call) -> Answer {
    Ok(Reply::ok(hooks::chat(work, call.path("key"), call.required("text")?)?))
}

fn page(work: &Work<'_>, call: &Call) -> Answer {
    let event = PagerEvent {
        routing_key: call.required("routing_key")?,
        action: call.required("event_action")?,
        dedup_key: call.text("dedup_key")?,
        payload: call.value("payload"),
    };
    Ok(Reply::new(202, hooks::page(work, &event)?))
}

fn status(work: &Work<'_>, call: &Call) -> Answer {
    let notice = Notice {
        channel: "status page",
        severity: call.required("state")?,
        subject: call.required("title")?,
        text: call.text_or("text", "")?,
        incident: call.text("incident")?,
    };
    Ok(Reply::created(notifications::send(work, &notice)?))
}
