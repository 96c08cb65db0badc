//! What a caller may decide about the platform before it starts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Everything [`Server::start`](crate::Server::start) needs to know. Durations are milliseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder that holds both databases, the token, the address and the backups.
    pub data: PathBuf,
    /// What to break before the platform reports that it is ready.
    pub rehearse: Option<Rehearsal>,
    /// Names of faults to break it with besides, once in the life of the data folder.
    pub faults: Vec<String>,
    /// Permits an address other than loopback. The platform is a thing to break: keep it off networks.
    pub allow_remote: bool,
    /// How long a service takes from `restarting` or `starting` to `up`.
    pub restart_ms: u64,
    /// The pause between two positions that close.
    pub close_interval_ms: u64,
    /// How often the engine matches waiting market orders.
    pub fill_interval_ms: u64,
    /// How often the feed writes new quotes.
    pub feed_interval_ms: u64,
    /// How often the intruder and a strategy without fills act.
    pub activity_interval_ms: u64,
    /// How often monitoring looks whether an alert has to fire, besides after each change.
    pub watch_interval_ms: u64,
    /// The age from which an unfilled market order counts as stuck.
    pub stall_ms: u64,
    /// What a degraded gateway adds to each request.
    pub slow_ms: u64,
}

impl Config {
    /// A platform on a free loopback port over `data`, at the pace people can watch.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: data.into(),
            rehearse: None,
            faults: Vec::new(),
            allow_remote: false,
            restart_ms: 1_500,
            close_interval_ms: 400,
            fill_interval_ms: 200,
            feed_interval_ms: 1_000,
            activity_interval_ms: 300,
            watch_interval_ms: 1_000,
            stall_ms: 1_500,
            slow_ms: 400,
        }
    }
}

/// The runbook that will be rehearsed, as the engine tells a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The id of the runbook, such as `p0-response`.
    pub runbook: String,
    /// Its parameters, as text.
    pub params: BTreeMap<String, String>,
}
