//! `alertmanager`: silences alerts for a while, and ends a silence.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::{Method, Url};
use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::duration::Length;
use crate::http::{client, send, under};
use crate::session::{Failed, Outcome, Session, object};

#[derive(Deserialize)]
struct Inputs {
    url: String,
    #[serde(default = "silence")]
    action: String,
    #[serde(default)]
    matchers: Vec<Matcher>,
    #[serde(default = "an_hour")]
    duration: Length,
    comment: Option<String>,
    #[serde(default = "created_by")]
    created_by: String,
    silence_id: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Matcher {
    name: String,
    value: String,
    #[serde(default)]
    regex: bool,
    #[serde(default = "yes")]
    equal: bool,
}

#[derive(Deserialize)]
struct Outputs {
    silence_id: Option<String>,
}

fn silence() -> String {
    "silence".to_owned()
}

fn created_by() -> String {
    "runbook".to_owned()
}

fn an_hour() -> Length {
    Length(Duration::from_secs(3600))
}

fn yes() -> bool {
    true
}

/// The API of one Alertmanager.
struct Api<'i> {
    client: Client,
    base: Url,
    token: Option<&'i str>,
}

impl<'i> Api<'i> {
    fn of(inputs: &'i Inputs, session: &Session<'_>) -> Result<Self, Failed> {
        let (client, base) = client(&inputs.url, session)?;
        Ok(Self { client, base, token: inputs.token.as_deref() })
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, Failed> {
        let request = self.client.request(method, under(&self.base, path)?);
        Ok(match self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    fn silences(&self) -> Result<Value, Failed> {
        Ok(send(self.request(Method::GET, &["api", "v2", "silences"])?)?.success()?.json())
    }
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let api = Api::of(&inputs, session)?;
    match (session.is_undo(), inputs.action.as_str()) {
        (false, "silence") => create(&inputs, &api, session),
        (false, _) => {
            let id = inputs.silence_id.as_ref().ok_or_else(|| Failed::new("`expire` needs a `silence_id`"))?;
            expire(id, &api, session)
        }
        (true, "silence") => {
            let outputs: Outputs = session.outputs()?;
            let id = outputs.silence_id.ok_or_else(|| Failed::new("nobody knows the `silence_id` of the silence"))?;
            expire(&id, &api, session)
        }
        (true, _) => {
            session.log(Level::Info, "a silence that was ended stays so");
            Ok(Map::new())
        }
    }
}

fn create(inputs: &Inputs, api: &Api<'_>, session: &Session<'_>) -> Outcome {
    let comment = inputs.comment.as_ref().ok_or_else(|| Failed::new("`silence` needs a `comment`"))?;
    if inputs.matchers.is_empty() {
        return Err(Failed::new("`silence` needs `matchers`: without any it would silence nothing"));
    }
    // The API has no idempotency keys: a silence of this very call is known by its comment.
    let mark = format!("({})", session.idempotency_key());
    let all = api.silences()?;
    let is_own = |one: &&Value| {
        one["status"]["state"] != "expired" && one["comment"].as_str().is_some_and(|text| text.ends_with(&mark))
    };
    if let Some(own) = all.as_array().into_iter().flatten().find(is_own) {
        session.log(Level::Info, "this call had made the silence already");
        return Ok(object(json!({"silence_id": own["id"], "ends_at": own["endsAt"]})));
    }
    let now = Timestamp::now();
    let until = now.checked_add(inputs.duration.0).map_err(|error| Failed::new(format!("`duration`: {error}")))?;
    let matchers = inputs
        .matchers
        .iter()
        .map(|it| json!({"name": it.name, "value": it.value, "isRegex": it.regex, "isEqual": it.equal}));
    let body = json!({
        "matchers": matchers.collect::<Vec<_>>(),
        "startsAt": now.to_string(),
        "endsAt": until.to_string(),
        "createdBy": inputs.created_by,
        "comment": format!("{comment} {mark}"),
    });
    let request = api.request(Method::POST, &["api", "v2", "silences"])?;
    let answer = send(request.header("Content-Type", "application/json").body(body.to_string()))?.success()?;
    match answer.json()["silenceID"].as_str() {
        Some(id) => Ok(object(json!({"silence_id": id, "ends_at": until.to_string()}))),
        None => Err(Failed::new(format!("the answer names no silence: {}", answer.shown()))),
    }
}

/// Ends a silence; one that is over already is as good.
fn expire(id: &str, api: &Api<'_>, session: &Session<'_>) -> Outcome {
    let path = ["api", "v2", "silence", id];
    let found = send(api.request(Method::GET, &path)?)?;
    if found.status == 404 && session.is_undo() {
        session.log(Level::Warning, "the Alertmanager does not know the silence any more");
        return Ok(Map::new());
    }
    let found = found.success()?.json();
    if found["status"]["state"] != "expired" {
        send(api.request(Method::DELETE, &path)?)?.success()?;
    }
    Ok(object(json!({"silence_id": id, "ends_at": found["endsAt"]})))
}
