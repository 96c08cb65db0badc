//! Speaks to a platform that is being served, found by its data folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::Error;
use crate::faults::{FAULTS, unknown};
use crate::folder::Folder;

/// Loopback answers at once; a degraded gateway within a second.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client with the address and the admin token of one platform.
#[derive(Clone)]
pub struct Client {
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
        Ok(Self::new(read(folder.address())?, read(folder.token())?))
    }

    /// A client for a platform that is known by its address, such as `127.0.0.1:8000`, and its admin token.
    pub fn new(address: impl Into<String>, token: impl Into<String>) -> Self {
        Self { address: address.into(), token: token.into() }
    }

    /// Where the platform listens, such as `127.0.0.1:8000`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes a request with the admin token. Any status is an answer.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nothing answers, [`Error::Rejected`] when this is no possible request.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        let bearer = format!("Bearer {}", self.token);
        self.send(method, path, &[("authorization", &bearer)], body).await
    }

    /// Makes a request with these headers, without the token.
    ///
    /// # Errors
    /// As for [`Client::request`].
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let request = self.compose(method, path, headers, body)?;
        let unreachable = |why: String| Error::Unreachable { address: self.address.clone(), why };
        match tokio::time::timeout(TIMEOUT, exchange(&self.address, request)).await {
            Ok(Ok((status, bytes))) => {
                Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
            }
            Ok(Err(error)) => Err(unreachable(innermost(error.as_ref()))),
            Err(_) => Err(unreachable(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    fn compose(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Error::Rejected(format!("cannot ask `{method} {path}`: {error}")))
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

/// One connection for one request: nothing is left open when the platform ends.
async fn exchange(
    address: &str,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let asked = async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection makes progress only while it is polled, and ends by itself once the answer is here.
    let (answer, _) = tokio::join!(asked, connection);
    Ok(answer?)
}

/// The innermost cause says more than "connection error".
fn innermost(error: &(dyn std::error::Error + Send + Sync)) -> String {
    let mut cause: &dyn std::error::Error = error;
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
