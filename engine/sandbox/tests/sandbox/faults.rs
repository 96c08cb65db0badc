//! Each fault: that it breaks the platform, and that it can be taken away.

use runbook_sandbox::{Client, Error, FAULTS, fault, faults, mend};
use serde_json::json;

use crate::support::Sandbox;

#[tokio::test]
async fn every_fault_comes_and_goes() {
    let sandbox = Sandbox::healthy().await;
    sandbox.post("/api/backups", json!({})).await;
    for one in FAULTS {
        let present = |list: &serde_json::Value| {
            let all = list.as_array().unwrap();
            all.iter().find(|entry| entry["name"] == one.name).unwrap()["present"] == true
        };
        assert!(!present(&faults(&sandbox.data()).await.unwrap()), "{}", one.name);
        assert!(present(&fault(&sandbox.data(), one.name).await.unwrap()), "{}", one.name);
        assert!(present(&fault(&sandbox.data(), one.name).await.unwrap()), "{} twice", one.name);
        assert!(!present(&mend(&sandbox.data(), one.name).await.unwrap()), "{}", one.name);
        // The engine dies while its books are lost.
        sandbox.post("/api/services/all/start", json!({})).await;
        sandbox.wait_for("/health", |health| health["status"] == "healthy").await;
    }
    assert_eq!(sandbox.get("/api/database").await["whole"], true);
}

#[tokio::test]
async fn unknown_faults_name_the_valid_ones() {
    let sandbox = Sandbox::healthy().await;
    let error = fault(&sandbox.data(), "gremlins").await.unwrap_err();
    assert!(matches!(&error, Error::UnknownFault { valid, .. } if valid.len() == FAULTS.len()), "{error}");
    let (status, body) = sandbox.admin("POST", "/api/sandbox/fault/gremlins", None).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert!(status == 404 && FAULTS.iter().all(|fault| message.contains(fault.name)), "{status} {message}");
}

#[tokio::test]
async fn a_folder_that_nobody_serves_is_named() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let error = fault(&sandbox.data(), "system_down").await.unwrap_err();
    assert!(matches!(error, Error::NotServed(_)), "{error}");
    let client = Client::new(sandbox.address.clone(), sandbox.token.clone());
    let error = client.request("GET", "/health", None).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn stale_market_data_stops_quotes_until_its_restart() {
    let sandbox = Sandbox::healthy().await;
    let first = sandbox.get("/api/market-data/BTC-USD").await;
    sandbox.wait_for("/api/market-data/BTC-USD", |quote| quote["at"] != first["at"]).await;
    fault(&sandbox.data(), "market_data_stale").await.unwrap();
    let frozen = sandbox.wait_for("/api/market-data/BTC-USD", |quote| quote["stale"] == true).await;
    let health = sandbox.get("/health").await;
    assert_eq!((&health["status"], &health["services"]["market_data"]), (&json!("degraded"), &json!("degraded")));
    assert_eq!(sandbox.get("/api/market-data/BTC-USD").await["at"], frozen["at"]);
    sandbox.post("/api/services/market_data/restart", json!({})).await;
    sandbox.wait_for("/api/market-data/BTC-USD", |quote| quote["stale"] == false).await;
}

#[tokio::test]
async fn degraded_gateway_loses_every_third_request_until_its_restart() {
    let sandbox = Sandbox::healthy().await;
    fault(&sandbox.data(), "degraded_gateway").await.unwrap();
    let mut lost = 0;
    for _ in 0..6 {
        lost += usize::from(sandbox.anonymous("GET", "/api/accounts").await.0 == 502);
    }
    assert_eq!(lost, 2);
    assert_eq!(sandbox.get("/health").await["status"], "degraded");
    let errors = sandbox.get("/api/errors?service=gateway").await;
    assert_eq!(errors[0]["code"], "bad_gateway", "{errors}");
    sandbox.post("/api/services/gateway/restart", json!({})).await;
    sandbox.wait_for("/health", |health| health["status"] == "healthy").await;
    for _ in 0..4 {
        assert_eq!(sandbox.anonymous("GET", "/api/accounts").await.0, 200);
    }
}

#[tokio::test]
async fn lost_books_take_the_engine_down_but_not_the_control_plane() {
    let sandbox = Sandbox::healthy().await;
    fault(&sandbox.data(), "database_lost").await.unwrap();
    sandbox.wait_for("/api/services/engine", |engine| engine["state"] == "down").await;
    let (status, health) = sandbox.anonymous("GET", "/health").await;
    assert_eq!((status, &health["database"]), (503, &json!("damaged")), "{health}");
    assert_eq!(sandbox.anonymous("GET", "/api/accounts").await.0, 503);
    sandbox.post("/api/incidents", json!({"type": "database_lost"})).await;
    let (status, body) = sandbox.admin("DELETE", "/api/sandbox/fault/database_lost", None).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("no_backup")), "nothing to mend it with");
}

#[tokio::test]
async fn the_engine_does_not_start_over_lost_books() {
    let sandbox = Sandbox::healthy().await;
    sandbox.post("/api/services/all/stop", json!({})).await;
    fault(&sandbox.data(), "database_lost").await.unwrap();
    sandbox.post("/api/services/all/start", json!({})).await;
    let engine = sandbox.wait_for("/api/services/engine", |engine| engine["state"] != "starting").await;
    assert_eq!((&engine["state"], &engine["condition"]), (&json!("down"), &json!("start failed: books unusable")));
    let feed = sandbox.wait_for("/api/services/market_data", |feed| feed["state"] != "starting").await;
    assert_eq!(feed["state"], "up", "the feed does without them");
}

#[tokio::test]
async fn what_fails_halfway_is_undone() {
    let sandbox = Sandbox::healthy().await;
    sandbox.post("/api/services/engine/stop", json!({})).await;
    fault(&sandbox.data(), "database_lost").await.unwrap();
    let before = sandbox.get("/api/services/engine").await;
    // Wedges the engine first, and then finds no books to put the orders into.
    let (status, body) = sandbox.admin("POST", "/api/sandbox/fault/trading_halted", None).await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("database_damaged")));
    assert_eq!(sandbox.get("/api/services/engine").await, before);
}
