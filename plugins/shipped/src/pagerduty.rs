//! `pagerduty`: an event of version 2 of the Events API.

use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::http::{client, post_json};
use crate::session::{Failed, Outcome, Session, object};

/// The longest summary that the API takes, in characters.
const SUMMARY_MAX: usize = 1024;

#[derive(Deserialize)]
struct Inputs {
    routing_key: String,
    #[serde(default = "trigger")]
    action: String,
    summary: Option<String>,
    #[serde(default = "source")]
    source: String,
    #[serde(default = "severity")]
    severity: String,
    component: Option<String>,
    group: Option<String>,
    class: Option<String>,
    details: Option<Map<String, Value>>,
    dedup_key: Option<String>,
    #[serde(default = "url")]
    url: String,
}

/// What the call that is undone handed back.
#[derive(Deserialize)]
struct Outputs {
    dedup_key: Option<String>,
}

fn trigger() -> String {
    "trigger".to_owned()
}

fn source() -> String {
    "runbook".to_owned()
}

fn severity() -> String {
    "critical".to_owned()
}

fn url() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let event = match (session.is_undo(), inputs.action.as_str()) {
        (true, "trigger") => resolve(&inputs, session)?,
        (true, action) => {
            session.log(Level::Info, format!("`{action}` has nothing to undo"));
            return Ok(Map::new());
        }
        (false, "trigger") => alarm(&inputs, session)?,
        (false, action) => {
            let key = inputs.dedup_key.as_ref();
            let key =
                key.ok_or_else(|| Failed::new(format!("`{action}` needs the `dedup_key` of what it is about")))?;
            json!({"routing_key": inputs.routing_key, "event_action": action, "dedup_key": key})
        }
    };
    let (client, url) = client(&inputs.url, session)?;
    let answer = post_json(&client, url, &event)?.success()?;
    Ok(object(json!({"dedup_key": event["dedup_key"], "status": answer.status})))
}

fn alarm(inputs: &Inputs, session: &Session<'_>) -> Result<Value, Failed> {
    let summary = inputs.summary.as_ref().ok_or_else(|| Failed::new("`trigger` needs a `summary`"))?;
    let payload = json!({
        "summary": summary.chars().take(SUMMARY_MAX).collect::<String>(),
        "source": inputs.source,
        "severity": inputs.severity,
        "component": inputs.component,
        "group": inputs.group,
        "class": inputs.class,
        "custom_details": inputs.details,
    });
    let payload: Map<String, Value> = object(payload).into_iter().filter(|(_, value)| !value.is_null()).collect();
    let key = inputs.dedup_key.as_deref().unwrap_or_else(|| session.idempotency_key());
    Ok(json!({"routing_key": inputs.routing_key, "event_action": "trigger", "dedup_key": key, "payload": payload}))
}

/// The end of what a call began.
fn resolve(inputs: &Inputs, session: &Session<'_>) -> Result<Value, Failed> {
    let outputs: Outputs = session.outputs()?;
    let key = outputs.dedup_key.or_else(|| inputs.dedup_key.clone());
    let key = key.ok_or_else(|| Failed::new("nobody knows the `dedup_key` of what was triggered"))?;
    Ok(json!({"routing_key": inputs.routing_key, "event_action": "resolve", "dedup_key": key}))
}
