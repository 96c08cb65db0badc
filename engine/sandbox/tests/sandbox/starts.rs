//! Starting: what is refused, what is made, what is kept.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runbook_sandbox::{Config, Error, Server};
use serde_json::{Value, json};

use crate::support::{Sandbox, count, quick, rehearsal};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn other_machines_are_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path().join("data"));
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(Server::start(config.clone()).await, Err(Error::NotLoopback(_))));
    assert!(!config.data.exists(), "refused before anything was made");
    config.allow_remote = true;
    Server::start(config).await.unwrap();
}

#[tokio::test]
async fn a_folder_is_served_once_at_a_time() {
    let sandbox = Sandbox::healthy().await;
    let error = Server::start(quick(&sandbox.data())).await.unwrap_err();
    assert!(matches!(error, Error::InUse(_)), "{error}");
}

#[tokio::test]
async fn files_are_for_the_owner_alone() {
    let sandbox = Sandbox::healthy().await;
    sandbox.post("/api/backups", json!({})).await;
    let data = sandbox.data();
    assert_eq!((mode(&data), mode(&data.join("backups"))), (0o700, 0o700));
    for folder in [data.clone(), data.join("backups")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // A journal comes and goes with each transaction, with the mode of its database.
            if path.is_file() && !path.to_string_lossy().ends_with("-journal") {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_restart_keeps_everything_and_what_was_under_way() {
    let mut sandbox = Sandbox::healthy().await;
    let token = sandbox.token.clone();
    let opened = sandbox.post("/api/incidents", json!({"type": "system_down"})).await;
    sandbox.post("/api/trading/emergency-stop", json!({"reason": "drill"})).await;
    let key = sandbox.post("/api/admin/api-keys", json!({"name": "desk", "account": "ACC-0002"})).await;
    let database = sandbox.get("/api/database").await;
    sandbox.restart(|config| config.restart_ms = 300).await;
    sandbox.post("/api/services/engine/restart", json!({})).await;
    sandbox.restart(|_| {}).await;
    assert_eq!(sandbox.token, token);
    sandbox.wait_for("/api/services/engine", |engine| engine["state"] == "up").await;
    assert_eq!(sandbox.get("/api/services/engine").await["restarts"], 1);
    assert_eq!(sandbox.get("/api/trading/status").await["reason"], "drill");
    assert_eq!(sandbox.get(&format!("/api/incidents/{}", opened["id"].as_str().unwrap())).await, opened);
    assert_eq!(sandbox.get("/api/database").await, database);
    let headers = [("x-api-key", key["secret"].as_str().unwrap())];
    assert_eq!(sandbox.send("GET", "/api/whoami", &headers, None).await.0, 200);
}

#[tokio::test]
async fn a_restart_does_not_break_the_platform_again() {
    let mut sandbox = Sandbox::rehearsing("system_down").await;
    sandbox.post("/api/services/all/restart", json!({})).await;
    sandbox.wait_contained("system_down").await;
    sandbox
        .restart(|config| config.rehearse = Some(rehearsal("p0-response", Some(("incident_type", "system_down")))))
        .await;
    assert!(sandbox.contained("system_down").await);
}

#[tokio::test]
async fn an_incident_goes_on_after_a_restart() {
    let mut sandbox = Sandbox::rehearsing("security_breach").await;
    sandbox.restart(|_| {}).await;
    let suspicious = "/api/trades/suspicious?limit=1000";
    let before = count(&sandbox.get(suspicious).await);
    sandbox.wait_for(suspicious, |list| count(list) > before).await;
}

#[tokio::test]
async fn a_rehearsal_of_nothing_known_is_refused_or_quiet() {
    let folder = tempfile::tempdir().unwrap();
    for params in [None, Some(("incident_type", "earthquake"))] {
        let mut config = quick(&folder.path().join("data"));
        config.rehearse = Some(rehearsal("p0-response", params));
        let error = Server::start(config).await.unwrap_err();
        assert!(error.to_string().contains("system_down, security_breach, trading_halted"), "{error}");
    }
    assert!(!folder.path().join("data").exists());
    let sandbox = Sandbox::with(|config| config.rehearse = Some(rehearsal("daily-checks", None))).await;
    sandbox.wait_for("/health", |health| health["status"] == "healthy").await;
    assert_eq!(sandbox.get("/ready").await["rehearsal"], "daily-checks");
}

#[tokio::test]
async fn two_new_platforms_hold_the_same_business() {
    let business = |entries: Value| -> Vec<(Value, Value, Value)> {
        let all = entries.as_array().unwrap().iter();
        all.map(|entry| (entry["account"].clone(), entry["kind"].clone(), entry["amount_cents"].clone())).collect()
    };
    let one = business(Sandbox::healthy().await.get("/api/ledger?limit=1000").await);
    let other = business(Sandbox::healthy().await.get("/api/ledger?limit=1000").await);
    assert_eq!(one, other);
    assert!(one.len() > 500, "{} ledger entries", one.len());
}

#[tokio::test]
async fn a_client_that_never_finishes_asking_does_not_keep_the_platform_up() {
    let mut sandbox = Sandbox::healthy().await;
    let mut idle = std::net::TcpStream::connect(&sandbox.address).unwrap();
    idle.write_all(b"POST /api/trading/pause HTTP/1.1\r\nhost: x\r\n").unwrap();
    sandbox.get("/health").await;
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, sandbox.end()).await.expect("the platform ends");
    drop(idle);
    assert!(!sandbox.data().join("address").exists(), "an orderly end removes the address");
}
