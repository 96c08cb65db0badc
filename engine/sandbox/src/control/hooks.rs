//! Chat and pager of the operations team, as the services that a real team uses take messages: incoming webhooks as
//! Slack has them, and events as PagerDuty's Events API takes them in its version 2.
//!
//! What comes in ends among the notices. Who may send is said by a URL or a key that nobody can guess: they lie in
//! `<data>/hooks`, for the owner alone, and are worked out from the admin token, so that a restart changes none.

use std::net::SocketAddr;

use rusqlite::params;
use serde_json::{Value, json};

use super::notifications::{self, Notice};
use crate::error::Error;
use crate::folder::Folder;
use crate::platform::Work;
use crate::reply::Failure;
use crate::rows;
use crate::secret;

/// The chat's channels; each has a webhook of its own.
const CHATS: [&str; 2] = ["operations", "security"];
/// Who can be paged; each has a routing key of its own.
const PAGERS: [&str; 2] = ["on-call", "management"];
/// As long as PagerDuty's keys are, in characters.
const KEY_LENGTH: usize = 32;

/// The key of a channel or a pager.
fn key(token: &str, kind: &str, name: &str) -> String {
    let mut key = secret::sha256(format!("{token}\n{kind}\n{name}").as_bytes());
    key.truncate(KEY_LENGTH);
    key
}

/// Which of `names` a key belongs to.
fn owner(token: &str, kind: &str, names: &[&'static str], given: &str) -> Option<&'static str> {
    names.iter().copied().find(|name| secret::same(given, &key(token, kind, name)))
}

/// Writes what a runbook needs to reach the hooks of a platform that listens at `address`.
pub(crate) fn publish(folder: &Folder, token: &str, address: SocketAddr) -> Result<(), Error> {
    for name in CHATS {
        let url = format!("http://{address}/hooks/chat/{}\n", key(token, "chat", name));
        folder.write_hook(&format!("{name}.url"), &url)?;
    }
    for name in PAGERS {
        folder.write_hook(&format!("{name}.key"), &format!("{}\n", key(token, "pager", name)))?;
    }
    Ok(())
}

/// Takes a message for the channel that the key of the URL belongs to. Its first line becomes the subject.
pub(crate) fn chat(work: &Work<'_>, key: &str, text: &str) -> Result<Value, Failure> {
    let channel = owner(&work.platform.token, "chat", &CHATS, key);
    let channel = channel.ok_or_else(|| Failure::new(404, "no_service", "no webhook has this URL"))?;
    let text = unescaped(text.trim());
    let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
    notifications::send(
        work,
        &Notice { channel, severity: "info", subject: subject.trim(), text: text.trim(), incident: None },
    )
}

/// Slack's three entities, read back.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// An event for a pager.
#[derive(Debug)]
pub(crate) struct PagerEvent<'a> {
    pub(crate) routing_key: &'a str,
    pub(crate) action: &'a str,
    pub(crate) dedup_key: Option<&'a str>,
    /// Of `trigger`: what is the matter, where, how bad, and whatever else helps.
    pub(crate) payload: &'a Value,
}

/// Takes an event: a trigger pages, unless an alert of the same key is open; the rest changes an alert that is.
pub(crate) fn page(work: &Work<'_>, event: &PagerEvent<'_>) -> Result<Value, Failure> {
    let invalid = |why: &str| Failure::new(400, "invalid_event", why.to_owned());
    let pager = owner(&work.platform.token, "pager", &PAGERS, event.routing_key);
    let pager = pager.ok_or_else(|| invalid("`routing_key` belongs to no service"))?;
    let dedup = match (event.action, event.dedup_key) {
        (_, Some(key)) => key.to_owned(),
        ("trigger", None) => secret::random_token("")?,
        _ => return Err(invalid("`dedup_key` is missing")),
    };
    let status = match event.action {
        "trigger" => {
            trigger(work, pager, &dedup, event.payload)?;
            None
        }
        "acknowledge" => Some("acknowledged"),
        "resolve" => Some("resolved"),
        _ => return Err(invalid("`event_action` must be `trigger`, `acknowledge` or `resolve`")),
    };
    if let Some(status) = status {
        work.control.execute(
            "UPDATE notifications SET status = ?3 WHERE channel = ?1 AND dedup = ?2 AND status <> 'resolved'",
            params![pager, dedup, status],
        )?;
    }
    Ok(json!({"status": "success", "message": "Event processed", "dedup_key": dedup}))
}

fn trigger(work: &Work<'_>, pager: &str, dedup: &str, payload: &Value) -> Result<(), Failure> {
    let field = |name: &str| match payload[name].as_str() {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Failure::new(400, "invalid_event", format!("`payload.{name}` is missing"))),
    };
    let (subject, severity, _) = (field("summary")?, field("severity")?, field("source")?);
    let open = "SELECT count(*) FROM notifications WHERE channel = ?1 AND dedup = ?2 AND status <> 'resolved'";
    if rows::number(work.control, open, params![pager, dedup])? > 0 {
        return Ok(());
    }
    let details = &payload["custom_details"];
    let text = details.as_object().into_iter().flatten().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    });
    let text = text.collect::<Vec<_>>().join("\n");
    let notice = Notice { channel: pager, severity, subject, text: &text, incident: details["incident"].as_str() };
    notifications::send(work, &notice)?;
    let sent = work.control.last_insert_rowid();
    work.control.execute("UPDATE notifications SET dedup = ?2 WHERE id = ?1", params![sent, dedup])?;
    Ok(())
}
