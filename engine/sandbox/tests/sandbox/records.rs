//! Incidents, notices, and requests made twice.

use serde_json::{Value, json};

use crate::support::{Sandbox, count};

#[tokio::test]
async fn an_incident_goes_through_its_states_and_back() {
    let sandbox = Sandbox::healthy().await;
    let opened = sandbox.post("/api/incidents", json!({"type": "system_down", "severity": "P0", "by": "anna"})).await;
    let path = format!("/api/incidents/{}", opened["id"].as_str().unwrap());
    assert_eq!(opened["status"], "open");
    let acknowledged = sandbox.post(&format!("{path}/acknowledge"), json!({"by": "anna"})).await;
    assert_eq!((&acknowledged["status"], &acknowledged["acknowledged_by"]), (&json!("acknowledged"), &json!("anna")));
    sandbox.post(&format!("{path}/timeline"), json!({"text": "gateway restarted", "by": "anna"})).await;
    let resolved = sandbox.post(&format!("{path}/resolve"), json!({"resolution": "restarted"})).await;
    assert_eq!((&resolved["status"], &resolved["resolution"]), (&json!("resolved"), &json!("restarted")));
    assert_eq!(sandbox.admin("POST", &format!("{path}/withdraw"), None).await.0, 409);
    let again = sandbox.post(&format!("{path}/resolve"), json!({"resolution": "twice"})).await;
    assert_eq!(again, resolved, "repeating changes nothing");
    let reopened = sandbox.post(&format!("{path}/reopen"), json!({"reason": "it is back"})).await;
    assert_eq!((&reopened["status"], &reopened["resolved_at"]), (&json!("open"), &Value::Null));
    let withdrawn = sandbox.post(&format!("{path}/withdraw"), json!({"reason": "false alarm"})).await;
    assert_eq!(withdrawn["withdrawn_because"], "false alarm");
    let timeline = sandbox.get(&format!("{path}/timeline")).await;
    let texts: Vec<&str> = timeline.as_array().unwrap().iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    let expected = [
        "incident opened",
        "acknowledged",
        "gateway restarted",
        "resolved: restarted",
        "open: it is back",
        "withdrawn: false alarm",
    ];
    assert_eq!(texts, expected);
    assert_eq!(count(&sandbox.get("/api/incidents?status=open").await), 0);
}

#[tokio::test]
async fn the_sink_keeps_what_it_got_and_what_was_retracted() {
    let sandbox = Sandbox::healthy().await;
    let notice =
        json!({"channel": "ops", "severity": "P0", "subject": "down", "text": "we look", "incident": "INC-0001"});
    let sent = sandbox.post("/api/notifications", notice.clone()).await;
    for (name, value) in notice.as_object().unwrap() {
        assert_eq!(&sent[name], value, "{name}");
    }
    let path = format!("/api/notifications/{}/retract", sent["id"].as_str().unwrap());
    let first = sandbox.post(&path, json!({"reason": "rolled back"})).await;
    let second = sandbox.post(&path, json!({"reason": "rolled back"})).await;
    assert_eq!((&first["retracts"], &first), (&sent["id"], &second));
    let kept = sandbox.get("/api/notifications?channel=ops").await;
    assert_eq!((count(&kept), &kept[0]["status"], &kept[1]["channel"]), (2, &json!("retracted"), &json!("ops")));
}

#[tokio::test]
async fn a_request_repeated_under_its_key_is_answered_again_and_done_once() {
    let sandbox = Sandbox::healthy().await;
    let bearer = format!("Bearer {}", sandbox.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "run-1/open")];
    for (path, list, body) in [
        ("/api/incidents", "/api/incidents", json!({"type": "system_down"})),
        ("/api/notifications", "/api/notifications", json!({"channel": "ops", "subject": "down"})),
        ("/api/backups", "/api/backups", json!({})),
    ] {
        let first = sandbox.send("POST", path, &headers, Some(body.clone())).await;
        let again = sandbox.send("POST", path, &headers, Some(body)).await;
        assert_eq!((first.0, &first), (201, &again), "{path}");
        assert_eq!(count(&sandbox.get(list).await), 1, "{path}");
        let other =
            sandbox.send("POST", path, &headers, Some(json!({"type": "x", "channel": "y", "subject": "z"}))).await;
        assert_eq!(other.0, 422, "{path}: {}", other.1);
    }
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_behind() {
    let sandbox = Sandbox::healthy().await;
    let (status, _) = sandbox.admin("POST", "/api/incidents", Some(json!({"type": "x", "severity": "bad"}))).await;
    assert_eq!(status, 400);
    assert_eq!(count(&sandbox.get("/api/incidents").await), 0);
}
