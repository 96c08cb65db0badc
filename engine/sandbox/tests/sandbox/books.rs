//! Orders, positions and money.

use serde_json::{Value, json};

use crate::support::{Sandbox, count};

fn remaining(status: &Value) -> i64 {
    status["open"].as_i64().unwrap() + status["closing"].as_i64().unwrap()
}

#[tokio::test]
async fn positions_close_one_by_one() {
    let sandbox = Sandbox::healthy().await;
    let open = count(&sandbox.get("/api/positions").await);
    assert!(open >= 6, "{open} positions to close");
    let closed_before = count(&sandbox.get("/api/positions?status=closed").await);
    let asked = sandbox.post("/api/positions/emergency-close", json!({})).await;
    assert_eq!(asked["requested"], open, "{asked}");
    let between = sandbox
        .wait_for("/api/v1/portfolio/liquidation_status", |status| (1..open as i64).contains(&remaining(status)))
        .await;
    assert_eq!(between["done"], false);
    sandbox.wait_for("/api/v1/portfolio/liquidation_status", |status| status["done"] == true).await;
    assert_eq!(count(&sandbox.get("/api/positions").await), 0);
    let closed = sandbox.get("/api/positions?status=closed").await;
    let mut moments: Vec<&str> =
        closed.as_array().unwrap().iter().skip(closed_before).map(|one| one["closed_at"].as_str().unwrap()).collect();
    assert_eq!(moments.len(), open);
    moments.sort_unstable();
    moments.dedup();
    assert_eq!(moments.len(), open, "no two closed in the same moment");
    assert_eq!(sandbox.get("/api/database").await["whole"], true, "the books still balance");
}

#[tokio::test]
async fn closing_can_be_cut_short() {
    let sandbox = Sandbox::with(|config| config.close_interval_ms = 150).await;
    sandbox.post("/api/positions/emergency-close", json!({})).await;
    let status = "/api/v1/portfolio/liquidation_status";
    let all = remaining(&sandbox.get(status).await);
    sandbox.wait_for(status, |status| remaining(status) < all).await;
    let kept = sandbox.post("/api/positions/emergency-close/cancel", json!({})).await;
    assert!(kept["kept"].as_i64().unwrap() > 0, "{kept}");
    assert_eq!((&kept["closing"], &kept["open"]), (&json!(0), &kept["kept"]));
}

#[tokio::test]
async fn market_order_is_filled_and_booked() {
    let sandbox = Sandbox::healthy().await;
    let ledger = "/api/ledger?account=ACC-0006&limit=1000";
    let before = count(&sandbox.get(ledger).await);
    let order = json!({"account": "ACC-0006", "symbol": "ETH-USD", "side": "sell", "quantity_micro": 250_000});
    let placed = sandbox.post("/api/orders", order).await;
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    sandbox.wait_for(&path, |order| order["status"] == "filled").await;
    assert_eq!(count(&sandbox.get(ledger).await), before + 2, "the trade and its fee");
    let positions = sandbox.get("/api/positions").await;
    let short = |one: &&Value| one["account"] == "ACC-0006" && one["symbol"] == "ETH-USD";
    assert_eq!(positions.as_array().unwrap().iter().find(short).unwrap()["quantity_micro"], -250_000);
    assert_eq!(sandbox.get("/api/database").await["whole"], true);
    let (status, _) = sandbox.admin("POST", &format!("{path}/cancel"), None).await;
    assert_eq!(status, 409, "a filled order cannot be cancelled");
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused() {
    let sandbox = Sandbox::healthy().await;
    let refused = |change: Value| {
        let sandbox = &sandbox;
        async move {
            let mut order = json!({"account": "ACC-0001", "symbol": "BTC-USD", "side": "buy", "quantity_micro": 1});
            order.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            sandbox.admin("POST", "/api/orders", Some(order)).await.0
        }
    };
    assert_eq!(refused(json!({"side": "hold"})).await, 400);
    assert_eq!(refused(json!({"quantity_micro": -1})).await, 400);
    assert_eq!(refused(json!({"quantity_micro": i64::MAX})).await, 400);
    assert_eq!(refused(json!({"quantity_micro": 1.5})).await, 400);
    assert_eq!(refused(json!({"type": "limit"})).await, 400);
    assert_eq!(refused(json!({"symbol": "TULIP-NLG"})).await, 404);
    assert_eq!(refused(json!({"account": "ACC-9999"})).await, 404);
    let too_much = json!({"account": "ACC-0001", "amount_cents": 99_000_000_000_i64});
    assert_eq!(sandbox.admin("POST", "/api/withdrawals", Some(too_much)).await.0, 409);
}

#[tokio::test]
async fn paused_trading_takes_no_orders_and_fills_none() {
    let sandbox = Sandbox::healthy().await;
    let paused = sandbox.post("/api/trading/pause", json!({"reason": "drill", "user_id": "operator"})).await;
    assert_eq!((&paused["mode"], &paused["changed_by"]), (&json!("paused"), &json!("operator")));
    assert_eq!(sandbox.post("/api/trading/pause", json!({})).await["changed"], false);
    let order = json!({"account": "ACC-0001", "symbol": "BTC-USD", "side": "buy", "quantity_micro": 1});
    assert_eq!(sandbox.admin("POST", "/api/orders", Some(order.clone())).await.0, 409);
    sandbox.post("/api/trading/resume", json!({})).await;
    assert_eq!(sandbox.admin("POST", "/api/orders", Some(order)).await.0, 201);
    sandbox.post("/api/trading/emergency-stop", json!({})).await;
    assert_eq!(sandbox.admin("POST", "/api/trading/pause", None).await.0, 409, "a pause must not weaken a stop");
}
