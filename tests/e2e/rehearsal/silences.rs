//! The alerts that a procedure sets off by itself are silenced while it works, and no longer.

use serde_json::{Value, json};

use super::room::{Room, all, list, service};

const P1: &str = "incident/p1-response.yaml";

/// The alerts of `name` among those that fire or ever did, by the services that they are about.
fn of<'v>(platform: &'v Value, part: &str, name: &str) -> Vec<(&'v str, &'v Value)> {
    let named = list(&platform[part]).iter().filter(|one| one["labels"]["alertname"] == name);
    named.map(|one| (one["labels"]["service"].as_str().unwrap_or_default(), one)).collect()
}

/// One silence holds, and holds back every service that is down and nothing else.
pub(super) fn one_holds_back_what_is_stopped(platform: &Value) {
    let silences = list(&platform["silences"]);
    assert_eq!(silences.len(), 1, "{silences:#?}");
    assert_eq!(silences[0]["status"]["state"], "active");
    for alert in list(&platform["alerts"]) {
        let is_down = alert["labels"]["alertname"] == "ServiceDown";
        let by = if is_down { json!([silences[0]["id"]]) } else { json!([]) };
        assert_eq!(alert["status"]["silencedBy"], by, "{alert}");
    }
    assert_eq!(of(platform, "alerts", "ServiceDown").len(), 3, "{}", platform["alerts"]);
    assert_eq!(of(platform, "alerts", "BooksDamaged").len(), 1, "what is wrong with the books is not silenced");
}

/// One silence holds, and nothing that fires is heard.
pub(super) fn all_is_quiet(platform: &Value) {
    let silences = list(&platform["silences"]);
    assert_eq!(silences.iter().map(|one| &one["status"]["state"]).collect::<Vec<_>>(), ["active"], "{silences:#?}");
    let alerts = list(&platform["alerts"]);
    assert!(!alerts.is_empty(), "an incident is heard");
    assert!(alerts.iter().all(|alert| alert["status"]["state"] == "suppressed"), "{alerts:#?}");
}

/// So many silences were made, and none holds any more.
pub(super) fn none_holds(platform: &Value, made: usize) {
    let states: Vec<&Value> = list(&platform["silences"]).iter().map(|one| &one["status"]["state"]).collect();
    assert_eq!(states, vec!["expired"; made], "{}", platform["silences"]);
}

/// Nobody ever heard that these services were down, and that they were is over.
pub(super) fn went_down_unheard(platform: &Value, services: &[&str]) {
    for name in services {
        let of_it: Vec<&Value> = of(platform, "alert_log", "ServiceDown")
            .into_iter()
            .filter_map(|(service, alert)| (service == *name).then_some(alert))
            .collect();
        assert_eq!(of_it.len(), 1, "{name}: {}", platform["alert_log"]);
        assert_eq!(of_it[0]["heard_at"], Value::Null, "{name}: {}", of_it[0]);
        let (alert, silence) = (of_it[0], &list(&platform["silences"])[0]);
        assert!(silence["startsAt"].as_str() <= alert["starts_at"].as_str(), "{silence}\n{alert}");
        assert!(alert["ends_at"].is_string(), "{alert}");
    }
}

#[test]
fn what_goes_wrong_after_the_work_is_heard_again() {
    let room = Room::new();
    // The gateway goes down when all is verified: the last step that looks at it has been.
    room.edit(
        P1,
        "  - id: resolve\n",
        "  - id: break_again\n    run: runbook sandbox fault system_down --data \"$DATA\"\n  - id: resolve\n",
    );
    room.exec_until_asked(&["p1-response"]);
    room.answer("approve", 0);
    let after = room.platform();
    none_holds(&after, 1);
    let heard: Vec<bool> = of(&after, "alert_log", "ServiceDown")
        .into_iter()
        .filter_map(|(service, alert)| (service == "gateway").then_some(alert["heard_at"].is_string()))
        .collect();
    assert_eq!(heard, [false, true], "the restart was silenced, the crash is not: {}", after["alert_log"]);
    room.home.wait_until_nothing_is_left();
}

#[test]
fn without_an_alertmanager_the_work_is_done_all_the_same() {
    let room = Room::new();
    // A port where nobody listens, and no pauses between the attempts.
    room.edit(
        "environments/sandbox.yaml",
        "alertmanager: \"{{ services.platform.url }}\"",
        "alertmanager: http://127.0.0.1:9",
    );
    let retry = "        retry: {max_attempts: 2, delay: 1s}\n        on_failure: continue\n";
    room.edit(P1, retry, "        on_failure: continue\n");
    room.exec_until_asked(&["p1-response"]);
    room.answer("approve", 0);
    let after = room.platform();
    assert_eq!(room.step("quiet-1")["state"], "failed");
    assert_eq!(all(&after["incidents"], "status"), ["resolved"]);
    assert_eq!(service(&after, "gateway")["restarts"], 1);
    none_holds(&after, 0);
    let heard = of(&after, "alert_log", "ServiceDown");
    assert!(heard.iter().all(|(_, alert)| alert["heard_at"].is_string()), "{heard:?}");
    room.home.wait_until_nothing_is_left();
}
