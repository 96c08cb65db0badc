//! `webhook`: sends JSON somewhere, signed where a secret is given.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::blocking::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{client, send};
use crate::session::{Failed, Outcome, Session, object};

#[derive(Deserialize)]
struct Inputs {
    url: Option<String>,
    secret_url: Option<String>,
    #[serde(default = "post")]
    method: String,
    json: Value,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    token: Option<String>,
    secret: Option<String>,
    #[serde(default = "signature_header")]
    signature_header: String,
}

fn post() -> String {
    "POST".to_owned()
}

fn signature_header() -> String {
    "X-Signature-256".to_owned()
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let url = match (&inputs.url, &inputs.secret_url) {
        (Some(url), None) | (None, Some(url)) => url,
        _ => return Err(Failed::new("either `url` or `secret_url` says where it goes, and not both")),
    };
    let (client, url) = client(url, session)?;
    let method =
        Method::from_bytes(inputs.method.as_bytes()).map_err(|error| Failed::new(format!("`method`: {error}")))?;
    let body = serde_json::to_vec(&inputs.json).map_err(|error| Failed::new(error.to_string()))?;
    let mut request = client
        .request(method, url)
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", session.idempotency_key());
    for (name, value) in &inputs.headers {
        request = header(request, name, value)?;
    }
    if let Some(token) = &inputs.token {
        request = request.bearer_auth(token);
    }
    if let Some(secret) = &inputs.secret {
        request = header(request, &inputs.signature_header, &signature(secret, &body))?;
    }
    let answer = send(request.body(body))?.success()?;
    Ok(object(json!({"status": answer.status, "json": answer.json()})))
}

/// A header that cannot be one is refused before anything is sent. Its value may be nobody's business.
fn header(request: RequestBuilder, name: &str, value: &str) -> Result<RequestBuilder, Failed> {
    let known = HeaderName::from_bytes(name.as_bytes());
    let known = known.map_err(|_| Failed::new(format!("`{name}` is no name of a header")))?;
    let value = HeaderValue::from_str(value);
    let value = value.map_err(|_| Failed::new(format!("the value of the header `{name}` cannot be sent")))?;
    Ok(request.header(known, value))
}

/// The signature of a body: what it was made with, and the number in hex.
fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", data_encoding::HEXLOWER.encode(hmac::sign(&key, body).as_ref()))
}
