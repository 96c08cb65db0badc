//! Plugins that tell somebody, against a server that looks at what it gets.

use ring::hmac;
use serde_json::json;

use crate::kit::sink::Sink;
use crate::kit::{KEY, Refused, refused, run, undo};

const SECRET: &str = "s3cr3t-of-the-test";

#[test]
fn a_webhook_is_signed_over_exactly_what_is_sent() {
    let sink = Sink::new(201, r#"{"id":7}"#);
    let inputs = json!({
        "url": sink.url("/hook?x=1"), "json": {"text": "räum auf", "n": [1, 2.5]}, "secret": SECRET,
        "token": "a-token", "headers": {"X-Source": "runbook"}, "method": "PUT",
    });
    let outputs = run("webhook", inputs).expect("it is taken");
    assert_eq!(outputs, json!({"status": 201, "json": {"id": 7}}));
    let got = sink.one();
    assert_eq!(got.what, "PUT /hook?x=1");
    assert_eq!(got.json(), json!({"text": "räum auf", "n": [1, 2.5]}));
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.headers["idempotency-key"], KEY);
    assert_eq!(got.headers["authorization"], "Bearer a-token");
    assert_eq!(got.headers["x-source"], "runbook");
    let signature = got.headers["x-signature-256"].strip_prefix("sha256=").expect("what it was made with");
    let signature = data_encoding::HEXLOWER.decode(signature.as_bytes()).expect("hex");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, &got.body, &signature).expect("the signature is of this body");
}

#[test]
fn a_webhook_is_signed_only_with_a_secret_and_where_it_should_be() {
    let sink = Sink::new(204, "");
    let outputs = run("webhook", json!({"secret_url": sink.url("/"), "json": "x"})).expect("it is taken");
    assert_eq!(outputs, json!({"status": 204, "json": null}));
    let got = sink.one();
    assert_eq!(got.what, "POST /");
    assert!(!got.headers.contains_key("x-signature-256") && !got.headers.contains_key("authorization"));
    let inputs = json!({"url": sink.url("/"), "json": "x", "secret": SECRET, "signature_header": "X-Hub-Signature"});
    run("webhook", inputs).expect("it is taken");
    // Made with `printf '"x"' | openssl dgst -sha256 -hmac s3cr3t-of-the-test`.
    let made = "sha256=709701884940256688aa1cd2159beb1656b9c40f4563050de18754eb8eb59a31";
    assert_eq!(sink.one().headers["x-hub-signature"], made);
}

#[test]
fn what_a_webhook_cannot_send_is_refused_before_anything_is_sent() {
    let sink = Sink::new(200, "");
    let url = sink.url("/");
    for (inputs, part) in [
        (json!({"json": 1}), "either `url` or `secret_url`"),
        (json!({"json": 1, "url": url, "secret_url": url}), "not both"),
        (json!({"json": 1, "url": url, "headers": {"a b": "x"}}), "`a b` is no name of a header"),
        (
            json!({"json": 1, "url": url, "headers": {"a": "hidden\nX: y"}}),
            "the value of the header `a` cannot be sent",
        ),
        (json!({"json": 1, "url": "ftp://secret-host/"}), "does not begin with"),
        (json!({"json": 1, "url": "/secret-path"}), "the URL cannot be used"),
    ] {
        let message = refused("webhook", inputs);
        assert!(message.contains(part), "{message}");
        assert!(!message.contains("hidden") && !message.contains("secret-"), "{message}");
    }
    assert!(sink.taken().is_empty());
}

#[test]
fn a_failure_for_now_has_a_code_of_its_own_and_no_url_is_in_a_message() {
    for (status, code) in [(400, 1), (404, 1), (302, 1), (429, 75), (503, 75)] {
        let sink = Sink::new(status, "no_service");
        for (id, inputs) in [
            ("slack", json!({"url": sink.url("/T0/hidden"), "text": "x"})),
            ("webhook", json!({"secret_url": sink.url("/T0/hidden"), "json": "x"})),
        ] {
            let message = format!("the server answered {status}: no_service");
            assert_eq!(run(id, inputs), Err(Refused { code, message }));
        }
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let inputs = json!({"url": format!("http://{nobody}/T0/hidden"), "text": "x"});
    let Err(Refused { code, message }) = run("slack", inputs) else { panic!("nobody is there") };
    assert_eq!(code, 75);
    assert!(message.contains("refused") && !message.contains("hidden"), "{message}");
}

#[test]
fn a_message_calls_nobody_unless_it_is_markup() {
    let sink = Sink::new(200, "ok");
    let text = "<!channel> a & b";
    run("slack", json!({"url": sink.url("/T0"), "text": text})).expect("it is taken");
    assert_eq!(sink.one().json(), json!({"text": "&lt;!channel&gt; a &amp; b"}));
    let blocks = json!([{"type": "divider"}]);
    let inputs = json!({"url": sink.url("/T0"), "text": text, "markup": true, "channel": "#ops", "blocks": blocks});
    run("slack", inputs).expect("it is taken");
    let got = sink.one();
    assert_eq!(got.what, "POST /T0");
    assert_eq!(got.json(), json!({"text": text, "channel": "#ops", "blocks": [{"type": "divider"}]}));
}

#[test]
fn an_alert_is_known_by_the_key_of_its_call_and_resolved_by_an_undo() {
    let sink = Sink::new(202, r#"{"status":"success"}"#);
    let inputs = json!({
        "url": sink.url("/v2/enqueue"), "routing_key": SECRET, "summary": "x".repeat(2000), "severity": "error",
        "source": "db-1", "component": "disk", "details": {"free": 3},
    });
    let outputs = run("pagerduty", inputs.clone()).expect("it is taken");
    assert_eq!(outputs, json!({"dedup_key": KEY, "status": 202}));
    let payload = json!({
        "summary": "x".repeat(1024), "source": "db-1", "severity": "error", "component": "disk",
        "custom_details": {"free": 3},
    });
    let event = json!({"routing_key": SECRET, "event_action": "trigger", "dedup_key": KEY, "payload": payload});
    assert_eq!(sink.one().json(), event);
    undo("pagerduty", inputs, &json!({"dedup_key": "of-then", "status": 202})).expect("it is taken");
    let event = json!({"routing_key": SECRET, "event_action": "resolve", "dedup_key": "of-then"});
    assert_eq!(sink.one().json(), event);
}

#[test]
fn an_alert_is_acknowledged_and_resolved_by_name_and_neither_is_undone() {
    let sink = Sink::new(202, "{}");
    for action in ["acknowledge", "resolve"] {
        let mut inputs = json!({"url": sink.url("/"), "routing_key": SECRET, "action": action});
        let message = refused("pagerduty", inputs.clone());
        assert_eq!(message, format!("`{action}` needs the `dedup_key` of what it is about"));
        inputs["dedup_key"] = "db".into();
        let outputs = run("pagerduty", inputs.clone()).expect("it is taken");
        assert_eq!(sink.one().json(), json!({"routing_key": SECRET, "event_action": action, "dedup_key": "db"}));
        undo("pagerduty", inputs, &outputs).expect("there is nothing to do");
        assert!(sink.taken().is_empty());
    }
    let message = refused("pagerduty", json!({"url": sink.url("/"), "routing_key": SECRET}));
    assert_eq!(message, "`trigger` needs a `summary`");
}
