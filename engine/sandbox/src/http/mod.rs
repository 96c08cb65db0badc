//! The front door: one table of routes, one way in.
//!
//! ```text
//!   gateway slow? → who is it → what it needs runs? → answered before (Idempotency-Key)? → handler → logs
//! ```

mod alerts;
mod books;
mod call;
mod hooks;
mod incidents;
mod monitoring;
mod operate;
mod people;
mod route;
mod sandbox;
mod security;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, RawPathParamsRejection};
use axum::extract::{RawPathParams, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use call::{Call, Headers};
pub use route::{Access, Route, routes};

use crate::control::alerts::observe as observe_alerts;
use crate::control::{credentials, logs, machine, services};
use crate::platform::{Platform, Work};
use crate::reply::{Failure, Reply};

/// A degraded gateway loses each request whose number divides by this.
const LOSES_EVERY: u64 = 3;

/// The HTTP service over one platform.
pub(crate) fn router(platform: Arc<Platform>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let platform = Arc::clone(&platform);
        let handler = move |path: Params, query: RawQuery, headers: HeaderMap, body: Body| {
            let parts = Parts::new(path, query, &headers, body);
            async move {
                match parts {
                    Ok(parts) => answer(platform, route, parts).await,
                    Err(failure) => respond(Err(failure)),
                }
            }
        };
        let filter = match route.method {
            "GET" => MethodFilter::GET,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::POST,
        };
        router = router.route(route.path, on(filter, handler));
    }
    router
        .fallback(|| async { respond(Err(Failure::new(404, "not_found", "no such route"))) })
        .method_not_allowed_fallback(|| async {
            respond(Err(Failure::new(405, "method_not_allowed", "this route has other methods")))
        })
}

// Taken as results, so that what axum refuses is refused as JSON too.
type Params = Result<RawPathParams, RawPathParamsRejection>;
type Body = Result<Bytes, BytesRejection>;

/// A request as it came in.
struct Parts {
    path: Vec<(String, String)>,
    query: String,
    headers: Headers,
    body: Bytes,
}

impl Parts {
    fn new(path: Params, RawQuery(query): RawQuery, headers: &HeaderMap, body: Body) -> Result<Self, Failure> {
        let path = path.map_err(|refused| refusal(refused.status(), &refused.body_text()))?;
        let body = body.map_err(|refused| refusal(refused.status(), &refused.body_text()))?;
        Ok(Self {
            path: path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: query.unwrap_or_default(),
            headers: Headers::new(headers),
            body,
        })
    }
}

fn refusal(status: StatusCode, why: &str) -> Failure {
    Failure::new(status.as_u16(), "invalid_request", why)
}

async fn answer(platform: Arc<Platform>, route: &'static Route, parts: Parts) -> Response {
    if route.needs.contains(&"gateway")
        && let Err(failure) = pass_gateway(&platform).await
    {
        return respond(Err(failure));
    }
    let worked = tokio::task::spawn_blocking(move || handle(&platform, route, parts)).await;
    respond(
        worked.unwrap_or_else(|error| {
            Err(Failure::new(500, "internal_error", format!("request handler ended: {error}")))
        }),
    )
}

/// A gateway with too few connections, or too many, makes everybody wait; one without any left gives up on some too.
async fn pass_gateway(platform: &Arc<Platform>) -> Result<(), Failure> {
    let asked = Arc::clone(platform);
    let found = tokio::task::spawn_blocking(move || {
        asked.work(|work| Ok((services::get(work, "gateway")?.suffers(services::SLOW), machine::pool_wait_ms(work)?)))
    });
    // Where that cannot be told the request itself will say so.
    let (slow, wait_ms) = found.await.ok().and_then(Result::ok).unwrap_or_default();
    if wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    if !slow {
        return Ok(());
    }
    tokio::time::sleep(Duration::from_millis(platform.config.slow_ms)).await;
    let number = platform.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if !number.is_multiple_of(LOSES_EVERY) {
        return Ok(());
    }
    let failure = Failure::new(502, "bad_gateway", "gateway lost the connection to its upstream");
    let logged = failure.clone();
    let platform = Arc::clone(platform);
    let _ = tokio::task::spawn_blocking(move || {
        platform.work(|work| logs::error(work, "gateway", "error", logged.code, &logged.message))
    })
    .await;
    Err(failure)
}

fn handle(platform: &Platform, route: &Route, parts: Parts) -> Result<Reply, Failure> {
    let origin = parts.headers.origin.clone();
    let result = platform.work(|work| work_on(work, route, parts));
    match &result {
        // What a change sets off is seen at once, and a rule that cannot be told now must not make it look failed.
        Ok(_) if route.operates() => drop(platform.work(observe_alerts)),
        Ok(_) => {}
        // The work was undone; what it was refused for is written in a unit of its own.
        Err(failure) => drop(platform.work(|work| log_failure(work, route, &origin, failure))),
    }
    result
}

fn work_on(work: &Work<'_>, route: &Route, parts: Parts) -> Result<Reply, Failure> {
    let credential = parts.headers.credential(work, route.access)?;
    for service in route.needs {
        services::require(work, service)?;
    }
    let key = parts.headers.idempotency_key.clone().filter(|_| route.replays());
    let digest = crate::secret::sha256(&parts.body);
    let call = Call::new(parts, credential)?;
    let place = call.concrete(route);
    if let Some(key) = &key
        && let Some(reply) = call::answered_before(work, &place, key, &digest)?
    {
        return Ok(reply);
    }
    let reply = (route.run)(work, &call)?;
    if let Some(key) = &key {
        call::keep_answer(work, &place, key, &digest, &reply)?;
    }
    if route.access == Access::Trader {
        let name = call.credential.name();
        logs::access(work, name, &call.origin, route.path, "accepted", "")?;
    }
    Ok(reply)
}

fn log_failure(work: &Work<'_>, route: &Route, origin: &str, failure: &Failure) -> Result<(), Failure> {
    let action = format!("{} {}", route.method, route.path);
    if failure.status >= 500 {
        let service = route.needs.first().copied().unwrap_or("platform");
        let message = format!("{action}: {}", failure.message);
        return logs::error(work, service, "error", failure.code, &message);
    }
    let denied = matches!(failure.status, 401 | 403);
    if denied || route.access == Access::Trader {
        let outcome = if denied { "denied" } else { "refused" };
        let name = credentials::Credential::None;
        logs::access(work, name.name(), origin, route.path, outcome, &failure.message)?;
    }
    Ok(())
}

fn respond(result: Result<Reply, Failure>) -> Response {
    let (status, body, replayed) = match result {
        Ok(reply) => (reply.status, reply.body, reply.replayed),
        Err(failure) => (failure.status, failure.body(), false),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    if replayed {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", yes);
    }
    response
}
