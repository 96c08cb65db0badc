//! `http`: a request that the engine makes itself. It is lost with the engine; `on_interrupt` decides what follows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use runbook_core::event::AttemptId;
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::rendered::{RenderedBody, RenderedSource};
use serde_json::{Map, Value};

use super::Driver;
use super::command::log_name;
use crate::secrets::Values;
use crate::supervisor::Masker;

/// The most of a body that is read, in bytes.
const BODY_MAX: usize = 1 << 20;

/// The most of a body that goes into the log, in bytes.
const LOGGED_MAX: usize = 64 * 1024;

/// A server that does not even accept a connection is down; the step's own `timeout` bounds the rest.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The clients that requests and readiness checks share, each made when it is first needed.
#[derive(Default)]
pub(super) struct Clients {
    /// For this very machine: a proxy would look for the service on its own.
    direct: Option<reqwest::Client>,
    /// For all others, through the proxy that the environment names.
    outward: Option<reqwest::Client>,
}

impl Clients {
    fn client_for(&mut self, url: &str) -> Result<reqwest::Client, String> {
        let is_direct = is_loopback(url);
        let place = if is_direct { &mut self.direct } else { &mut self.outward };
        if let Some(client) = place {
            return Ok(client.clone());
        }
        Ok(place.insert(client(is_direct)?).clone())
    }
}

/// Makes a client. Redirects are not followed: their statuses are results like any other.
fn client(is_direct: bool) -> Result<reqwest::Client, String> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")));
    let client = if is_direct { client.no_proxy() } else { client };
    client.build().map_err(|error| sentence(&error))
}

/// Whether a URL leads to this very machine. A redirect cannot change that, since none is followed.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let name = host.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

struct Exchange {
    request: reqwest::RequestBuilder,
    log: PathBuf,
    masker: Masker,
    wants_response: bool,
    line: String,
}

impl Driver {
    /// The client for a URL.
    pub(super) fn http_client(&mut self, url: &str) -> Result<reqwest::Client, String> {
        self.clients.client_for(url)
    }

    pub(super) fn start_request(
        &mut self,
        attempt: &AttemptId,
        method: &str,
        url: &str,
        headers: HeaderMap,
        body: Option<RenderedBody>,
    ) -> Result<(), String> {
        let client = self.http_client(url)?;
        let method = method.parse().map_err(|_| format!("`{method}` is not a method"))?;
        let line = format!("{method} {url}");
        let mut request = client.request(method, url);
        if let Some(RenderedBody::Json(value)) = &body {
            request = request.header("content-type", "application/json").body(value.to_string());
        }
        if let Some(RenderedBody::Text(text)) = body {
            request = request.body(text);
        }
        let known = self.secrets.known();
        let exchange = Exchange {
            request: request.headers(headers),
            log: self.engine.folder.log(&log_name(attempt), "out"),
            masker: Masker::new(&known).map_err(|error| error.to_string())?,
            wants_response: self.locals_of(attempt).contains("response"),
            line,
        };
        let (tell, attempt_of_task) = (self.finished.0.clone(), attempt.clone());
        let task = tokio::spawn(async move {
            let result = exchange.run().await;
            // Nobody listens any more when the engine is leaving.
            let _ = tell.send((attempt_of_task, result));
        });
        self.requests.insert(attempt.clone(), task);
        Ok(())
    }

    /// What is sent, with the secrets in it.
    pub(super) fn headers(
        &self,
        headers: &BTreeMap<String, RenderedSource>,
        printed: &Values,
    ) -> Result<HeaderMap, String> {
        let mut map = HeaderMap::new();
        for (name, source) in headers {
            let (value, is_secret) = match source {
                RenderedSource::Value(value) => (value.clone(), false),
                RenderedSource::Secret { name, prefix } => {
                    let value = self.secrets.resolve(name, printed).map_err(|error| error.to_string())?;
                    (format!("{prefix}{}", value.expose()), true)
                }
            };
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header"))?;
            let value = HeaderValue::from_str(&value);
            let mut value = value.map_err(|_| format!("the value of header `{name}` cannot be sent"))?;
            value.set_sensitive(is_secret);
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl Exchange {
    async fn run(self) -> AttemptResult {
        let started = std::time::Instant::now();
        let response = match self.request.send().await {
            Ok(response) => response,
            Err(error) => {
                let reason = self.masker.mask(&sentence(&error));
                write_log(&self.log, &format!("{}\n{reason}\n", self.masker.mask(&self.line)));
                return AttemptResult { exit: Exit::Error(reason), ..AttemptResult::default() };
            }
        };
        let status = response.status().as_u16();
        let headers = headers_of(response.headers(), &self.masker);
        let (body, is_whole) = match read_body(response).await {
            Ok(read) => read,
            Err(error) => {
                let reason = self.masker.mask(&sentence(&error));
                write_log(&self.log, &format!("{}\nHTTP {status}, then: {reason}\n", self.masker.mask(&self.line)));
                return AttemptResult { exit: Exit::Error(reason), ..AttemptResult::default() };
            }
        };
        let body = self.masker.mask(&String::from_utf8_lossy(&body));
        let ms = started.elapsed().as_millis();
        let shown = &body[..body.floor_char_boundary(LOGGED_MAX)];
        write_log(&self.log, &format!("{}\nHTTP {status} in {ms} ms\n{shown}\n", self.masker.mask(&self.line)));
        let mut result = AttemptResult { exit: Exit::Status(status), ..AttemptResult::default() };
        if !self.wants_response {
            return result;
        }
        if !is_whole {
            result.unusable = Some("the response is longer than 1 MiB, and an expression reads it".to_owned());
        }
        let mut response = Map::new();
        response.insert("status".to_owned(), status.into());
        response.insert("headers".to_owned(), Value::Object(headers));
        if let Ok(json) = serde_json::from_str(&body) {
            // What was escaped in a way that nobody foresaw is plain now.
            response.insert("json".to_owned(), self.masker.mask_value(json));
        }
        response.insert("body".to_owned(), Value::String(body));
        result.locals.insert("response".to_owned(), Value::Object(response));
        result
    }
}

/// The headers for expressions, and so for the journal: a server may send a secret back.
fn headers_of(headers: &HeaderMap, masker: &Masker) -> Map<String, Value> {
    let text = |value: &HeaderValue| Value::String(masker.mask(&String::from_utf8_lossy(value.as_bytes())));
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// The body up to a bound, and whether that is all.
async fn read_body(mut response: reqwest::Response) -> reqwest::Result<(Vec<u8>, bool)> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_MAX - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body, false));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, true))
}

/// The log is for people: that it cannot be written does not fail the step.
fn write_log(path: &PathBuf, text: &str) {
    let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        tracing::warn!(%error, path = %path.display(), "cannot write the log of a request");
    }
}

/// An error with its causes as one sentence: what the library says first hides why.
fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts = BTreeSet::new();
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if parts.insert(part.clone()) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;
    use crate::supervisor::Secret;

    const SECRET: &str = "hunter2secret";

    /// Serves one request with this answer; its address.
    fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![];
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    #[test]
    fn a_secret_that_comes_back_in_a_header_or_the_body_is_not_kept() {
        let url = serve(
            "HTTP/1.1 200 OK\r\nx-token: Bearer hunter2secret\r\nx-hex: 68756e74657232736563726574\r\nx-plain: as it is\r\n\
             content-length: 15\r\nconnection: close\r\n\r\n\"hunter2secret\"",
        );
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let exchange = Exchange {
            request: Clients::default().client_for(&url).unwrap().get(&url),
            log: log.clone(),
            masker: Masker::new(&[Secret::new(SECRET)]).unwrap(),
            wants_response: true,
            line: format!("GET {url}?{SECRET}"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(exchange.run());
        assert_eq!(result.exit, Exit::Status(200));
        let response = &result.locals["response"];
        assert_eq!(response["headers"]["x-token"], "Bearer ***");
        assert_eq!(response["headers"]["x-hex"], "***");
        assert_eq!(response["headers"]["x-plain"], "as it is");
        assert_eq!(response["json"], "***");
        assert!(!std::fs::read_to_string(log).unwrap().contains(SECRET));
    }

    #[test]
    fn this_very_machine_is_known_by_all_its_names() {
        for url in [
            "http://127.0.0.1:80/x",
            "http://127.9.9.9",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]/",
            "https://localhost/",
            "http://LOCALHOST.:1/",
            "http://api.localhost/",
            "http://2130706433/",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in
            ["http://10.0.0.1/", "http://localhost.example.org/", "http://128.0.0.1/", "http://[::2]/", "127.0.0.1", ""]
        {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
