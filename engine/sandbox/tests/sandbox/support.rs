//! A platform on a free port for each test, quick enough to wait for, and a client without patience.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runbook_sandbox::{Client, Config, Error, Rehearsal, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a state may take to come. Far more than it needs: only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// One platform that is being served.
pub(crate) struct Sandbox {
    folder: TempDir,
    pub(crate) address: String,
    pub(crate) token: String,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<Result<(), Error>>>,
}

/// A configuration whose moments are short.
pub(crate) fn quick(data: &Path) -> Config {
    let mut config = Config::new(data);
    config.restart_ms = 60;
    config.close_interval_ms = 60;
    config.fill_interval_ms = 20;
    config.feed_interval_ms = 40;
    config.activity_interval_ms = 30;
    config.watch_interval_ms = 150;
    config.stall_ms = 60;
    config.slow_ms = 30;
    config
}

/// A rehearsal with at most one parameter.
pub(crate) fn rehearsal(runbook: &str, param: Option<(&str, &str)>) -> Rehearsal {
    Rehearsal {
        runbook: runbook.to_owned(),
        params: param.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
    }
}

impl Sandbox {
    /// A new, healthy platform.
    pub(crate) async fn healthy() -> Self {
        Self::with(|_| {}).await
    }

    /// A new platform that rehearses an incident.
    pub(crate) async fn rehearsing(incident: &str) -> Self {
        Self::with(|config| {
            config.rehearse = Some(rehearsal("p0-response", Some(("incident_type", incident))));
        })
        .await
    }

    /// A new platform with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sandbox = Self { folder, address: String::new(), token: String::new(), stop: None, served: None };
        let mut config = quick(&sandbox.data());
        change(&mut config);
        sandbox.start(config).await;
        sandbox
    }

    async fn start(&mut self, config: Config) {
        let server = Server::start(config).await.unwrap();
        self.address = server.address().to_string();
        self.token = std::fs::read_to_string(server.token_file()).unwrap().trim().to_owned();
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        self.served = Some(tokio::spawn(server.run(async {
            let _ = stopped.await;
        })));
    }

    /// Ends the platform and serves its folder again.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Config)) {
        self.end().await;
        let mut config = quick(&self.data());
        change(&mut config);
        self.start(config).await;
    }

    /// Ends the platform; its folder stays.
    pub(crate) async fn end(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.served.take().unwrap().await.unwrap().unwrap();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A request with these headers; gives status and body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (u16, Value) {
        let client = Client::new(self.address.clone(), self.token.clone());
        let answer = client.send(method, path, headers, body.as_ref()).await.unwrap();
        assert!(!answer.body.is_null(), "{path} answered {} without JSON", answer.status);
        (answer.status, answer.body)
    }

    /// A request without a credential.
    pub(crate) async fn anonymous(&self, method: &str, path: &str) -> (u16, Value) {
        self.send(method, path, &[], None).await
    }

    /// A request with the admin token.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token);
        self.send(method, path, &[("authorization", &bearer)], body).await
    }

    /// What an admin gets, which must be success.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.admin("GET", path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// What an admin's change answers, which must be success.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.admin("POST", path, Some(body)).await;
        assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
        answer
    }

    /// Asks `path` until `wanted` holds for its body; gives that body.
    pub(crate) async fn wait_for(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, body) = self.admin("GET", path, None).await;
            if wanted(&body) {
                return body;
            }
            assert!(Instant::now() < deadline, "{path} stayed at {body}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn contained(&self, kind: &str) -> bool {
        let report = self.get(&format!("/api/incident/containment?type={kind}")).await;
        report["contained"].as_bool().unwrap()
    }

    pub(crate) async fn wait_contained(&self, kind: &str) {
        let path = format!("/api/incident/containment?type={kind}");
        self.wait_for(&path, |report| report["contained"] == true).await;
    }
}

/// The number of elements of a JSON list.
pub(crate) fn count(list: &Value) -> usize {
    list.as_array().unwrap().len()
}
