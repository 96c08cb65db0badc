//! The incident protocol: the severity decides which response runs, as a child run.

use serde_json::{Value, json};

use super::room::{Room, all, files, list, service, shown};
use super::silences;

const PROTOCOL: &str = "sop-002-incident-response";

fn outcome(platform: &Value) -> (&str, &str) {
    let incidents = list(&platform["incidents"]);
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    (incidents[0]["severity"].as_str().unwrap_or_default(), incidents[0]["status"].as_str().unwrap_or_default())
}

#[test]
fn p0_runs_the_critical_response_and_passes_its_question_on() {
    let room = Room::new();
    let params = [PROTOCOL, "-p", "severity=P0", "-p", "incident_type=trading_halted", "-p", "summary=No fills"];
    let asked = room.exec_until_asked(&params);
    assert_eq!(room.platform()["faults"], json!(["trading_halted"]));
    assert!(shown(&asked).contains("P0 trading halted. No fills"), "{}", shown(&asked));
    room.answer("approve", 0);
    let after = room.platform();
    assert_eq!((outcome(&after), &after["faults"]), (("P0", "resolved"), &json!([])));
    assert_eq!(after["trading"]["mode"], "emergency_stopped");
    room.home.wait_until_nothing_is_left();
}

#[test]
fn a_p0_of_no_kind_is_refused_before_anybody_is_told() {
    let room = Room::new();
    let end = room.run(&["exec", PROTOCOL, "-p", "severity=P0"], 2);
    assert!(shown(&end).contains("a P0 needs its kind: -p incident_type="), "{}", shown(&end));
    let after = room.platform();
    assert!(list(&after["incidents"]).is_empty() && list(&after["notices"]).is_empty());
}

#[test]
fn a_rejected_p0_is_undone_through_the_protocol() {
    let room = Room::new();
    room.exec_until_asked(&[PROTOCOL, "-p", "severity=P0", "-p", "incident_type=system_down"]);
    room.answer("reject", 7);
    let after = room.platform();
    assert_eq!((outcome(&after), &after["faults"]), (("P0", "withdrawn"), &json!(["system_down"])));
    assert_eq!(service(&after, "engine")["restarts"], 0);
    room.home.wait_until_nothing_is_left();
}

#[test]
fn p1_restarts_what_is_degraded_after_an_approval() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[PROTOCOL, "-p", "severity=P1"]);
    let before = room.platform();
    assert_eq!(
        (&before["faults"], service(&before, "gateway")["restarts"].as_i64()),
        (&json!(["degraded_gateway"]), Some(0))
    );
    assert!(shown(&asked).contains("gateway is degraded: connection pool exhausted"), "{}", shown(&asked));
    room.answer("approve", 0);
    let after = room.platform();
    assert_eq!((outcome(&after), &after["faults"]), (("P1", "resolved"), &json!([])));
    let restarts = ["gateway", "engine", "market_data"].map(|name| service(&after, name)["restarts"].as_i64());
    assert_eq!(restarts, [Some(1), Some(0), Some(0)], "only what was degraded");
    silences::went_down_unheard(&after, &["gateway"]);
    silences::none_holds(&after, 1);
    assert_eq!(
        (all(&after["notices"], "channel"), all(&after["notices"], "status")),
        (vec!["on-call"], vec!["resolved"])
    );
    // The record lies with the platform, in the folder of the run that started it.
    let kept = files(room.home.path()).into_iter().find(|path| path.to_string_lossy().contains("/diagnostics-"));
    let kept = std::fs::read_to_string(kept.expect("diagnostics")).expect("a text");
    assert!(kept.contains("not up: gateway"), "kept before anything was touched: {kept}");
    room.home.wait_until_nothing_is_left();
}

#[test]
fn a_p1_that_stays_slow_is_withdrawn() {
    let room = Room::new();
    let params = ["exec", PROTOCOL, "-p", "severity=P1", "--exit-when-waiting"];
    room.run_broken("gateway_starved", &params, 6);
    // A restart cures what the process suffers from, and not a setting.
    assert!(list(&room.platform()["silences"]).is_empty(), "nothing is silenced that nobody has approved");
    room.answer("approve", 2);
    let after = room.platform();
    silences::went_down_unheard(&after, &["gateway"]);
    silences::none_holds(&after, 1);
    assert_eq!((outcome(&after), &after["faults"]), (("P1", "withdrawn"), &json!(["gateway_starved"])));
    assert_eq!(all(&after["notices"], "status"), ["resolved"], "nobody is paged any more");
    room.home.wait_until_nothing_is_left();
}

#[test]
fn p2_asks_nobody_and_mends_what_does_not_work() {
    let room = Room::new();
    room.run(&["exec", PROTOCOL, "-p", "severity=P2"], 0);
    let after = room.platform();
    assert_eq!((outcome(&after), &after["faults"]), (("P2", "resolved"), &json!([])));
    assert_eq!(service(&after, "market_data")["restarts"], 1);
    assert_eq!(all(&after["notices"], "channel"), ["operations"], "nobody is paged");
    room.home.wait_until_nothing_is_left();
}

#[test]
fn a_p2_that_stays_slow_is_withdrawn() {
    let room = Room::new();
    room.run_broken("gateway_starved", &["exec", PROTOCOL, "-p", "severity=P2"], 2);
    let after = room.platform();
    assert_eq!((outcome(&after), &after["faults"]), (("P2", "withdrawn"), &json!(["gateway_starved"])));
    let told = ["P2: the platform is degraded", "Retracted: P2: the platform is degraded"];
    assert_eq!(all(&after["notices"], "subject"), told);
    room.home.wait_until_nothing_is_left();
}

#[test]
fn p3_is_recorded_and_nothing_touched() {
    let room = Room::new();
    room.run(&["exec", PROTOCOL, "-p", "severity=P3", "-p", "summary=A wrong label"], 0);
    let after = room.platform();
    assert_eq!(outcome(&after), ("P3", "open"));
    assert_eq!(list(&after["incidents"])[0]["description"], "A wrong label");
    assert_eq!(all(&after["notices"], "channel"), ["operations"]);
    assert!(all(&after["services"], "state").iter().all(|state| *state == "up"));
    room.home.wait_until_nothing_is_left();
}

#[test]
fn a_p3_that_nobody_can_be_told_of_is_withdrawn() {
    let room = Room::new();
    // The chat is elsewhere: at a port where nobody listens.
    let webhook = room.home.path().join("chat.url");
    std::fs::write(&webhook, "http://127.0.0.1:9/hooks/chat").expect("a file");
    room.edit(
        "environments/sandbox.yaml",
        "{file: \"{{ services.platform.data }}/hooks/operations.url\"}",
        &format!("{{file: {}}}", webhook.display()),
    );
    room.run(&["exec", PROTOCOL, "-p", "severity=P3"], 2);
    let after = room.platform();
    assert_eq!(outcome(&after), ("P3", "withdrawn"));
    assert!(list(&after["notices"]).is_empty());
    room.home.wait_until_nothing_is_left();
}

#[test]
fn a_p2_that_is_not_resolved_in_time_escalates_and_calls_those_back_at_its_end() {
    let room = Room::new();
    room.edit("environments/sandbox.yaml", "escalate_p2_after: 4h", "escalate_p2_after: 10ms");
    room.run(&["exec", PROTOCOL, "-p", "severity=P2"], 0);
    let after = room.platform();
    let escalated = list(&after["notices"]).iter().find(|notice| notice["channel"] == "management").expect("a page");
    assert_eq!(
        (&escalated["subject"], &escalated["severity"], &escalated["status"]),
        (&json!("P2: not resolved after 10ms"), &json!("warning"), &json!("resolved"))
    );
}
