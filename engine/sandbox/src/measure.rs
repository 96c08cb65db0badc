//! A load of real requests through the gateway, and how long they took.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::error::Error;

/// What is asked for: it passes gateway and engine.
const ASKED: &str = "/api/risk/summary";
/// Those whose duration is given: half, and 95 of 100, were at least as quick.
const MEDIAN: usize = 50;
const P95: usize = 95;

/// Sends `requests` one after the other. Gives `requests`, `lost` (those that were not answered with 200), and
/// `p50_ms` and `p95_ms` over all of them.
///
/// # Errors
/// [`Error::NotServed`] when no platform is served there, [`Error::Unreachable`] when it does not answer any more.
pub async fn measure(data: &Path, requests: u16) -> Result<Value, Error> {
    let client = Client::open(data)?;
    let mut took: Vec<Duration> = Vec::with_capacity(usize::from(requests));
    let mut lost = 0_u16;
    for _ in 0..requests {
        let begun = Instant::now();
        let answer = client.request("GET", ASKED, None).await?;
        took.push(begun.elapsed());
        lost += u16::from(answer.status != 200);
    }
    took.sort_unstable();
    let at = |percent: usize| {
        let index = (took.len() * percent).div_ceil(100).saturating_sub(1);
        took.get(index).map_or(0, Duration::as_millis)
    };
    Ok(json!({"requests": requests, "lost": lost, "p50_ms": at(MEDIAN), "p95_ms": at(P95)}))
}
