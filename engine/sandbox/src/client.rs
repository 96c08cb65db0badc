//! Speaks to a platform that is being served, found by its data folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::error::Error;
use crate::faults::{FAULTS, unknown};
use crate::folder::Folder;

/// Loopback answers at once; a degraded gateway within a second.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client with the address and the admin token of one platform.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    token: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the token.
        out.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What the platform answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; null when it had none.
    pub body: Value,
}

impl Client {
    /// Reads `address` and `admin.token` from a data folder.
    ///
    /// # Errors
    /// [`Error::NotServed`] when one of them is not there.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let folder = Folder::at(data);
        let read = |path| {
            fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|_| Error::NotServed(data.to_owned()))
        };
        Self::new(read(folder.address())?, read(folder.token())?)
    }

    /// A client for a platform that is known by its address, such as `127.0.0.1:8000`, and its admin token.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the HTTP client cannot be made.
    pub fn new(address: impl Into<String>, token: impl Into<String>) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Error::Rejected(error.to_string()))?;
        Ok(Self { http, address: address.into(), token: token.into() })
    }

    /// Where the platform listens, such as `127.0.0.1:8000`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes a request with the admin token. Any status is an answer.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nothing answers, [`Error::Rejected`] when `method` is none.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::Rejected(format!("`{method}` is not an HTTP method")))?;
        let mut request = self.http.request(method, format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let unreachable =
            |error: reqwest::Error| Error::Unreachable { address: self.address.clone(), why: innermost(&error) };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(unreachable)?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// Like [`Client::request`], where anything but success is an error.
    async fn expect(&self, method: &str, path: &str) -> Result<Value, Error> {
        let answer = self.request(method, path, None).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        let message = answer.body["error"]["message"].as_str();
        Err(Error::Refused { status: answer.status, message: message.unwrap_or("no message").to_owned() })
    }
}

/// The innermost cause says more than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Breaks the platform served from `data`. Gives the list of faults as it is then.
///
/// # Errors
/// [`Error::UnknownFault`], [`Error::NotServed`], [`Error::Unreachable`], [`Error::Refused`].
pub async fn fault(data: &Path, name: &str) -> Result<Value, Error> {
    known(name)?;
    let path = format!("/api/sandbox/fault/{name}");
    Client::open(data)?.expect("POST", &path).await
}

/// Takes a fault away from the platform served from `data`.
///
/// # Errors
/// As for [`fault`].
pub async fn mend(data: &Path, name: &str) -> Result<Value, Error> {
    known(name)?;
    let path = format!("/api/sandbox/fault/{name}");
    Client::open(data)?.expect("DELETE", &path).await
}

/// The faults and whether each is present in the platform served from `data`.
///
/// # Errors
/// As for [`fault`].
pub async fn faults(data: &Path) -> Result<Value, Error> {
    Client::open(data)?.expect("GET", "/api/sandbox/fault").await
}

fn known(name: &str) -> Result<(), Error> {
    if FAULTS.iter().any(|fault| fault.name == name) { Ok(()) } else { Err(unknown(name)) }
}
