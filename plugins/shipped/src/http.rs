//! What all plugins that send requests share.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Url, redirect};
use serde_json::Value;

use crate::session::{Failed, Session};

/// The most that is read of an answer, in bytes.
const BODY_MAX: u64 = 1 << 20;

/// How long a request may take where nothing bounds the step.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// The most of an answer that is shown in a message, in characters.
const SHOWN_MAX: usize = 200;

/// A client for a URL: this very machine is never asked through a proxy. The URL may be a secret: it is in no message.
pub(crate) fn client(url: &str, session: &Session<'_>) -> Result<(Client, Url), Failed> {
    let url = Url::parse(url).map_err(|error| Failed::new(format!("the URL cannot be used: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failed::new("the URL does not begin with `https://` or `http://`"));
    }
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(session.time_left(REQUEST_MAX))
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")));
    let client = if is_loopback(&url) { client.no_proxy() } else { client };
    Ok((client.build().map_err(|error| Failed::new(sentence(&error)))?, url))
}

/// A place under a URL, whatever its path ends with.
pub(crate) fn under(base: &Url, path: &[&str]) -> Result<Url, Failed> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(path),
        Err(()) => return Err(Failed::new("nothing can lie under the URL")),
    };
    Ok(url)
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The answer, where its status is a success.
    pub(crate) fn success(self) -> Result<Self, Failed> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let message = format!("the server answered {}: {}", self.status, self.shown());
        let is_for_now = self.status == 429 || self.status >= 500;
        Err(if is_for_now { Failed::for_now(message) } else { Failed::new(message) })
    }

    /// As much of the body as fits into a message.
    pub(crate) fn shown(&self) -> String {
        let line = self.body.trim().replace(['\n', '\r'], " ");
        let short: String = line.chars().take(SHOWN_MAX).collect();
        if short.is_empty() { "(an empty body)".to_owned() } else { short }
    }
}

/// Sends a request and reads the answer. A URL may hold a secret, as those of webhooks do: it is in no message.
pub(crate) fn send(request: RequestBuilder) -> Result<Answer, Failed> {
    let response = request.send().map_err(|error| unsent(&error.without_url()))?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: read(response)? })
}

/// Sends a value as the JSON body of a POST.
pub(crate) fn post_json(client: &Client, url: Url, body: &Value) -> Result<Answer, Failed> {
    send(client.post(url).header("Content-Type", "application/json").body(body.to_string()))
}

fn read(response: Response) -> Result<String, Failed> {
    use std::io::Read as _;
    let mut bytes = vec![];
    let read = response.take(BODY_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failed::for_now(format!("the answer was cut off: {error}")))?;
    if bytes.len() as u64 > BODY_MAX {
        return Err(Failed::new("the answer is longer than 1 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Why a request was not answered. A server that nobody vouches for will be no other one a little later.
fn unsent(error: &reqwest::Error) -> Failed {
    if error.is_builder() || is_about_tls(error) {
        return Failed::new(sentence(error));
    }
    Failed::for_now(sentence(error))
}

/// Whether TLS itself is why something failed.
pub(crate) fn is_about_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // What an error of input and output wraps is not among its causes.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || wrapped.is_some_and(|error| is_about_tls(error)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The whole chain of causes in one sentence.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

/// Whether a URL leads to this very machine.
fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_name)
}

/// Whether a name or an address is this very machine.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}
