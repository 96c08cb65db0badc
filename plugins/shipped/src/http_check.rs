//! `http-check`: whether a service answers as it should.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use crate::http::{client, send};
use crate::session::{Failed, Outcome, Session, object};

#[derive(Deserialize)]
struct Inputs {
    url: String,
    #[serde(default = "ok")]
    status: u16,
    contains: Option<String>,
    within_ms: Option<u64>,
    token: Option<String>,
}

fn ok() -> u16 {
    200
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let (client, url) = client(&inputs.url, session)?;
    let mut request = client.get(url);
    if let Some(token) = &inputs.token {
        request = request.bearer_auth(token);
    }
    let begun = Instant::now();
    let answer = send(request)?;
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if answer.status != inputs.status {
        let (status, wanted) = (answer.status, inputs.status);
        return Err(Failed::new(format!(
            "the service answered {status}, and {wanted} was expected: {}",
            answer.shown()
        )));
    }
    if let Some(wanted) = inputs.contains.as_ref().filter(|wanted| !answer.body.contains(*wanted)) {
        return Err(Failed::new(format!("the body does not hold `{wanted}`: {}", answer.shown())));
    }
    if let Some(most) = inputs.within_ms.filter(|most| took_ms > *most) {
        return Err(Failed::new(format!("the answer took {took_ms} ms, and may take {most} ms")));
    }
    Ok(object(json!({"status": answer.status, "took_ms": took_ms, "json": answer.json()})))
}
