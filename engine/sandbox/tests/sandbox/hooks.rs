//! Chat and pager: what a team's own tools would get.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::Sandbox;

impl Sandbox {
    /// What a file of the folder `hooks` says.
    fn hook(&self, name: &str) -> String {
        let path = self.data().join("hooks").join(name);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// Sends without a credential.
    async fn tell(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, &[], Some(body)).await
    }

    async fn page(&self, key: &str, action: &str, dedup: &str) -> (u16, Value) {
        let payload = json!({"summary": "P0: down", "source": "platform", "severity": "critical",
            "custom_details": {"incident": "INC-0007", "run": "01M8"}});
        let event = json!({"routing_key": key, "event_action": action, "dedup_key": dedup, "payload": payload});
        self.tell("/v2/enqueue", event).await
    }

    async fn notices(&self, channel: &str) -> Vec<Value> {
        self.get(&format!("/api/notifications?channel={channel}")).await.as_array().unwrap().clone()
    }
}

/// The path of a URL on this machine.
fn path(url: &str) -> String {
    format!("/{}", url.splitn(4, '/').nth(3).unwrap())
}

#[tokio::test]
async fn a_message_ends_in_the_channel_that_its_url_belongs_to() {
    let sandbox = Sandbox::healthy().await;
    let url = sandbox.hook("security.url");
    assert!(url.starts_with(&format!("http://{}/hooks/chat/", sandbox.address)), "{url}");
    let text = "Lock-down LCK-0001\nkeys &lt;a&gt; &amp;amp; b\nmore";
    assert_eq!(sandbox.tell(&path(&url), json!({"text": text})).await.0, 200);
    let found = &sandbox.notices("security").await[0];
    assert_eq!((&found["subject"], &found["text"]), (&json!("Lock-down LCK-0001"), &json!("keys <a> &amp; b\nmore")));
    assert!(sandbox.notices("operations").await.is_empty());

    let (status, body) = sandbox.tell("/hooks/chat/guess", json!({"text": "x"})).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("no_service")));
    assert_eq!(sandbox.tell(&path(&url), json!({"text": "  "})).await.0, 400, "an empty message");
    // What opens one door opens no other.
    assert_eq!(
        sandbox.tell(&format!("/hooks/chat/{}", sandbox.hook("on-call.key")), json!({"text": "x"})).await.0,
        404
    );
}

#[tokio::test]
async fn an_alert_pages_once_until_it_is_resolved() {
    let sandbox = Sandbox::healthy().await;
    let key = sandbox.hook("on-call.key");
    assert_eq!(key.len(), 32);
    for _ in 0..2 {
        let (status, body) = sandbox.page(&key, "trigger", "run-1").await;
        assert_eq!((status, &body["dedup_key"]), (202, &json!("run-1")));
    }
    let open = sandbox.notices("on-call").await;
    assert_eq!(open.len(), 1, "one alert: {open:?}");
    assert_eq!((&open[0]["subject"], &open[0]["severity"]), (&json!("P0: down"), &json!("critical")));
    assert_eq!((&open[0]["incident"], &open[0]["status"]), (&json!("INC-0007"), &json!("sent")));
    assert_eq!(open[0]["text"], "incident: INC-0007\nrun: 01M8");

    for (action, status) in [("acknowledge", "acknowledged"), ("resolve", "resolved"), ("acknowledge", "resolved")] {
        assert_eq!(sandbox.page(&key, action, "run-1").await.0, 202);
        assert_eq!(sandbox.notices("on-call").await[0]["status"], status, "{action}");
    }
    // What is over can come again.
    sandbox.page(&key, "trigger", "run-1").await;
    assert_eq!(sandbox.notices("on-call").await.len(), 2);
    // The key says who is paged.
    sandbox.page(&sandbox.hook("management.key"), "trigger", "run-1").await;
    assert_eq!(sandbox.notices("management").await.len(), 1);
}

#[tokio::test]
async fn events_that_say_nothing_are_refused() {
    let sandbox = Sandbox::healthy().await;
    let key = sandbox.hook("on-call.key");
    let good = json!({"routing_key": key, "event_action": "trigger",
        "payload": {"summary": "x", "source": "y", "severity": "info"}});
    assert_eq!(sandbox.tell("/v2/enqueue", good.clone()).await.0, 202);
    for (part, value) in [
        ("routing_key", json!("guess")),
        ("event_action", json!("shout")),
        ("event_action", json!("resolve")),
        ("payload", json!({"summary": "x"})),
    ] {
        let mut event = good.clone();
        event[part] = value;
        let (status, body) = sandbox.tell("/v2/enqueue", event).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid_event")), "{part}: {body}");
    }
    assert_eq!(sandbox.notices("on-call").await.len(), 1);
}

#[tokio::test]
async fn keys_stay_and_urls_follow_the_address() {
    let mut sandbox = Sandbox::healthy().await;
    let (key, url) = (sandbox.hook("on-call.key"), sandbox.hook("operations.url"));
    sandbox.restart(|_| {}).await;
    assert_eq!(sandbox.hook("on-call.key"), key);
    let moved = sandbox.hook("operations.url");
    assert!(moved.contains(&sandbox.address) && path(&moved) == path(&url), "{url} {moved}");
}

#[tokio::test]
async fn customers_are_told_with_the_token_only() {
    let sandbox = Sandbox::healthy().await;
    let told = json!({"title": "We look into it", "state": "investigating"});
    assert_eq!(sandbox.tell("/hooks/status", told.clone()).await.0, 401);
    sandbox.post("/hooks/status", told).await;
    assert_eq!(sandbox.notices("status%20page").await[0]["severity"], "investigating");
}
