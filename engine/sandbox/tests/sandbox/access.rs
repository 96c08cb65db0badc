//! Who may do what, and that the table of routes tells the truth.

use std::fmt::Write;
use std::path::Path;

use runbook_sandbox::{Access, routes};
use serde_json::json;

use crate::support::Sandbox;

#[tokio::test]
async fn every_route_is_served_and_refuses_without_the_token_it_needs() {
    let sandbox = Sandbox::healthy().await;
    for route in routes() {
        let path = route
            .path
            .replace("{id}", "none")
            .replace("{name}", "none")
            .replace("{symbol}", "none")
            .replace("{key}", "none");
        let (status, body) = sandbox.anonymous(route.method, &path).await;
        assert_eq!(status == 401, route.needs_token(), "{} {path}: {status} {body}", route.method);
        let wrong = sandbox.send(route.method, &path, &[("authorization", "Bearer guess")], None).await;
        assert_eq!(wrong.0 == 401, route.needs_token(), "{} {path} with a wrong token", route.method);
        let (status, body) = sandbox.admin(route.method, &path, None).await;
        assert!(status != 401 && status != 405 && status < 500, "{} {path}: {status} {body}", route.method);
        assert_ne!(body["error"]["message"], "no such route", "{} {path}", route.method);
    }
}

#[tokio::test]
async fn what_is_not_served_is_refused_as_json() {
    let sandbox = Sandbox::healthy().await;
    assert_eq!(sandbox.anonymous("GET", "/api/none").await.0, 404);
    let (status, body) = sandbox.anonymous("DELETE", "/health").await;
    assert_eq!((status, &body["error"]["code"]), (405, &json!("method_not_allowed")));
    let (status, body) = sandbox.admin("POST", "/api/trading/pause", Some(json!([1]))).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid_request")));
    let (status, _) = sandbox.admin("POST", "/api/trading/pause", Some(json!({"reason": 7}))).await;
    assert_eq!(status, 400);
    let (status, _) = sandbox.anonymous("GET", "/api/orders?limit=0").await;
    assert_eq!(status, 400);
    let (status, _) = sandbox.anonymous("GET", "/api/services/%FF").await;
    assert_eq!(status, 400);
    let huge = json!({"reason": "x".repeat(3 << 20)});
    assert_eq!(sandbox.admin("POST", "/api/trading/pause", Some(huge)).await.0, 413);
    assert_eq!(sandbox.get("/api/trading/status").await["mode"], "active", "none of it did anything");
}

#[tokio::test]
async fn keys_and_sessions_work_until_revoked() {
    let sandbox = Sandbox::healthy().await;
    let key = sandbox
        .post("/api/admin/api-keys", json!({"name": "desk", "account": "ACC-0002", "scopes": "read trade"}))
        .await;
    let session = sandbox.post("/api/admin/sessions", json!({"user": "b.okafor", "account": "ACC-0002"})).await;
    for (header, secret, path) in [
        ("x-api-key", &key["secret"], format!("/api/admin/api-keys/{}", key["id"].as_str().unwrap())),
        ("x-session", &session["token"], format!("/api/admin/sessions/{}", session["id"].as_str().unwrap())),
    ] {
        let headers = [(header, secret.as_str().unwrap())];
        let (status, who) = sandbox.send("GET", "/api/whoami", &headers, None).await;
        assert_eq!((status, &who["account"]), (200, &json!("ACC-0002")), "{who}");
        sandbox.post(&format!("{path}/revoke"), json!({})).await;
        let order = json!({"symbol": "BTC-USD", "side": "buy", "quantity_micro": 1000});
        let (status, body) = sandbox.send("POST", "/api/orders", &headers, Some(order.clone())).await;
        assert_eq!(status, 401, "{body}");
        sandbox.post(&format!("{path}/reactivate"), json!({})).await;
        assert_eq!(sandbox.send("POST", "/api/orders", &headers, Some(order)).await.0, 201);
    }
    let listed = sandbox.get("/api/admin/api-keys").await.to_string();
    assert!(!listed.contains(key["secret"].as_str().unwrap()), "a secret is shown once");
}

#[tokio::test]
async fn a_key_acts_within_its_scopes_and_on_its_account() {
    let sandbox = Sandbox::healthy().await;
    let key = sandbox
        .post("/api/admin/api-keys", json!({"name": "desk", "account": "ACC-0002", "scopes": "read trade"}))
        .await;
    let headers = [("x-api-key", key["secret"].as_str().unwrap())];
    let (status, _) = sandbox.send("POST", "/api/withdrawals", &headers, Some(json!({"amount_cents": 100}))).await;
    assert_eq!(status, 403, "no scope for it");
    let order = json!({"symbol": "BTC-USD", "side": "buy", "quantity_micro": 1000, "account": "ACC-0001"});
    assert_eq!(sandbox.send("POST", "/api/orders", &headers, Some(order)).await.0, 403, "another's account");
    let log = sandbox.get("/api/admin/access-log?outcome=denied").await;
    assert_eq!(log.as_array().unwrap().len(), 2, "{log}");
}

/// The table in the README is what the program serves. On failure, put the text that the test shows there.
#[test]
fn readme_lists_the_routes() {
    let mut table = String::from("| method | path | needs | what |\n|---|---|---|---|\n");
    for route in routes() {
        let needs = match route.access {
            Access::Open => "",
            Access::Trader => "key, session or token",
            Access::Admin => "token",
        };
        writeln!(table, "| {} | `{}` | {needs} | {} |", route.method, route.path, route.what).unwrap();
    }
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains(&table), "README.md should contain:\n{table}");
}
