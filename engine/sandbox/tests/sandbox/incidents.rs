//! The three critical incidents: what breaks, what contains it, what undoes the containment.

use crate::support::{Sandbox, count};
use serde_json::json;

#[tokio::test]
async fn system_down_is_down_until_restarted() {
    let sandbox = Sandbox::rehearsing("system_down").await;
    assert_eq!(sandbox.anonymous("GET", "/ready").await.0, 200);
    let (status, health) = sandbox.anonymous("GET", "/health").await;
    assert_eq!((status, &health["status"]), (503, &json!("down")), "{health}");
    let (status, body) = sandbox.anonymous("GET", "/api/positions").await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("service_down")));
    let errors = sandbox.get("/api/errors").await;
    let codes: Vec<_> = errors.as_array().unwrap().iter().map(|line| &line["code"]).collect();
    assert!(codes.contains(&&json!("crashed")) && codes.contains(&&json!("service_down")), "{errors}");
    assert!(!sandbox.contained("system_down").await);

    let answer = sandbox.post("/api/services/all/restart", json!({})).await;
    assert_eq!(answer["services"]["engine"], "restarting", "{answer}");
    sandbox.wait_contained("system_down").await;
    assert_eq!(sandbox.anonymous("GET", "/health").await.0, 200);
    assert_eq!(sandbox.anonymous("GET", "/api/positions").await.0, 200);

    let answer = sandbox.post("/api/services/gateway/stop", json!({})).await;
    assert_eq!(answer["services"]["gateway"], "stopped", "a restart can be undone");
    assert!(!sandbox.contained("system_down").await);
}

#[tokio::test]
async fn intruder_acts_until_every_credential_is_revoked() {
    let sandbox = Sandbox::rehearsing("security_breach").await;
    let active = |list: &serde_json::Value| {
        let all = list.as_array().unwrap();
        let rogue = all.iter().filter(|one| one["suspicious"] == true && one["active"] == true);
        let trusted = all.iter().filter(|one| one["suspicious"] == false && one["active"] == true);
        (rogue.count(), trusted.count())
    };
    let (rogue_keys, trusted_keys) = active(&sandbox.get("/api/admin/api-keys").await);
    let (rogue_sessions, trusted_sessions) = active(&sandbox.get("/api/admin/sessions").await);
    assert_eq!((rogue_keys, rogue_sessions), (1, 3));
    let suspicious = "/api/trades/suspicious?limit=1000";
    sandbox.wait_for(suspicious, |list| count(list) >= 8).await;
    let stolen = sandbox.get("/api/ledger?limit=1000").await;
    let by_intruder = |entry: &&serde_json::Value| entry["reference"].as_str().unwrap().contains("svc-report-export");
    assert!(stolen.as_array().unwrap().iter().any(|entry| by_intruder(&entry)), "money really left");

    // Half a lock-down is none: the sessions go on.
    let keys = sandbox.get("/api/admin/api-keys").await;
    let rogue = keys.as_array().unwrap().iter().find(|key| key["suspicious"] == true).unwrap();
    let id = rogue["id"].as_str().unwrap();
    sandbox.post(&format!("/api/admin/api-keys/{id}/revoke"), json!({})).await;
    let before = count(&sandbox.get(suspicious).await);
    sandbox.wait_for(suspicious, |list| count(list) > before + 3).await;
    assert!(!sandbox.contained("security_breach").await);

    let lockdown = sandbox.post("/api/security/lockdown", json!({"scope": "all"})).await;
    assert_eq!(count(&lockdown["keys_revoked"]), trusted_keys, "{lockdown}");
    assert_eq!(count(&lockdown["sessions_revoked"]), trusted_sessions + 3);
    assert!(sandbox.contained("security_breach").await);
    let after = count(&sandbox.get(suspicious).await);
    let denied =
        |list: &serde_json::Value| list.as_array().unwrap().iter().filter(|line| line["ip"] == "203.0.113.66").count();
    let log = "/api/admin/access-log?outcome=denied&limit=1000";
    let tried = denied(&sandbox.get(log).await);
    sandbox.wait_for(log, |list| denied(list) > tried + 8).await;
    assert_eq!(count(&sandbox.get(suspicious).await), after, "nothing got through after the lock-down");
    assert!(sandbox.contained("security_breach").await);

    let lift = format!("/api/security/lockdown/{}/lift", lockdown["id"].as_str().unwrap());
    let lifted = sandbox.post(&lift, json!({})).await;
    assert_eq!(lifted["keys_restored"], trusted_keys, "{lifted}");
    assert_eq!(lifted["sessions_restored"], trusted_sessions);
    assert_eq!(active(&sandbox.get("/api/admin/api-keys").await), (0, trusted_keys));
    assert_eq!(active(&sandbox.get("/api/admin/sessions").await), (0, trusted_sessions));
    assert!(sandbox.contained("security_breach").await, "undoing the lock-down does not let the intruder in");
}

#[tokio::test]
async fn exposure_grows_until_trading_is_stopped_and_orders_are_cancelled() {
    let sandbox = Sandbox::rehearsing("trading_halted").await;
    assert_eq!(sandbox.get("/api/trading/status").await["mode"], "active", "active by name");
    let before = sandbox.get("/api/risk/summary").await;
    assert!(before["stuck_orders"].as_i64().unwrap() >= 14, "{before}");
    sandbox
        .wait_for("/api/risk/summary", |risk| {
            risk["stuck_orders"].as_i64() > before["stuck_orders"].as_i64().map(|stuck| stuck + 3)
                && risk["pending_exposure_cents"].as_i64() > before["pending_exposure_cents"].as_i64()
        })
        .await;
    assert_eq!(sandbox.get("/health").await["status"], "degraded");

    // Cancelling without stopping does not hold: new orders come.
    sandbox
        .post("/api/orders", json!({"account": "ACC-0007", "symbol": "BTC-USD", "side": "buy", "quantity_micro": 1}))
        .await;
    sandbox.wait_for("/api/risk/summary", |risk| risk["open_orders"].as_i64() > Some(20)).await;

    let stopped = sandbox.post("/api/v1/emergency/kill_switch", json!({"reason": "exposure"})).await;
    assert_eq!((&stopped["mode"], &stopped["trading_active"]), (&json!("emergency_stopped"), &json!(false)));
    assert!(!sandbox.contained("trading_halted").await, "orders are still open");
    let resting = sandbox.get("/api/orders?status=open&limit=1000").await;
    let resting = resting.as_array().unwrap().iter().filter(|order| order["type"] == "limit").count();
    let cancelled = sandbox.post("/api/orders/cancel-all", json!({})).await;
    assert_eq!(cancelled["open"], 0);
    assert!(sandbox.contained("trading_halted").await);
    let (status, body) = sandbox
        .admin(
            "POST",
            "/api/orders",
            Some(json!({"account": "ACC-0007", "symbol": "BTC-USD", "side": "buy", "quantity_micro": 1})),
        )
        .await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("trading_not_active")));

    let undo = format!("/api/orders/cancel-all/{}/undo", cancelled["id"].as_str().unwrap());
    let undone = sandbox.post(&undo, json!({})).await;
    assert_eq!(undone["restored"], resting, "resting orders are back, stuck ones are not: {undone}");
    let resumed = sandbox.post("/api/trading/resume", json!({})).await;
    assert_eq!((&resumed["mode"], &resumed["previous"]), (&json!("active"), &json!("emergency_stopped")));
    assert!(!sandbox.contained("trading_halted").await);
}

#[tokio::test]
async fn restarted_engine_fills_again() {
    let sandbox = Sandbox::rehearsing("trading_halted").await;
    sandbox.post("/api/services/engine/restart", json!({})).await;
    sandbox.wait_for("/health", |health| health["status"] == "healthy").await;
    let orders = sandbox.get("/api/orders?status=filled&limit=1").await;
    assert_eq!(orders[0]["account"], "ACC-0007", "the backlog was filled: {orders}");
}
