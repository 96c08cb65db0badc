//! Alerts and silences, as the API of an Alertmanager tells them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use runbook_sandbox::overview;
use serde_json::{Value, json};

use crate::support::{Sandbox, count};

const ALERTS: &str = "/api/v2/alerts";
const FIRING: &str = "/api/v1/query?query=alerts_firing";

/// `name service` of each alert, such as `ServiceDown gateway`.
fn names(alerts: &Value) -> BTreeSet<String> {
    let label = |one: &Value, name: &str| one["labels"][name].as_str().unwrap_or_default().to_owned();
    let all = alerts.as_array().unwrap().iter();
    all.map(|one| format!("{} {}", label(one, "alertname"), label(one, "service")).trim().to_owned()).collect()
}

fn in_seconds(seconds: i64) -> String {
    Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap().to_string()
}

/// A healthy platform whose quotes do not count as stale when the machine is busy for a moment.
async fn steady() -> Sandbox {
    Sandbox::with(|config| config.feed_interval_ms = 400).await
}

/// A silence for the next hour with these matchers.
fn silence(matchers: Value) -> Value {
    json!({
        "matchers": matchers, "startsAt": in_seconds(0), "endsAt": in_seconds(3600),
        "createdBy": "test", "comment": "a test",
    })
}

impl Sandbox {
    async fn silence(&self, matchers: Value) -> String {
        let made = self.post("/api/v2/silences", silence(matchers)).await;
        made["silenceID"].as_str().unwrap().to_owned()
    }

    async fn firing(&self) -> String {
        self.get(FIRING).await["data"]["result"][0]["value"][1].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn every_rule_fires_for_what_is_wrong_and_for_nothing_else() {
    let sandbox = steady().await;
    sandbox.post("/api/backups", json!({})).await;
    assert_eq!(sandbox.get(ALERTS).await, json!([]));
    assert_eq!(sandbox.firing().await, "0");
    for (fault, wanted) in [
        ("degraded_gateway", vec![("ServiceDegraded", "warning", "gateway")]),
        ("system_down", vec![("ServiceDown", "critical", "engine"), ("ServiceDown", "critical", "gateway")]),
        ("trading_halted", vec![("TradingNotFilling", "critical", "engine")]),
        ("security_breach", vec![("SuspiciousCredentials", "critical", "")]),
        (
            "market_data_stale",
            vec![("QuotesStale", "warning", "market_data"), ("ServiceDegraded", "warning", "market_data")],
        ),
        ("database_lost", vec![("BooksDamaged", "critical", ""), ("ServiceDown", "critical", "engine")]),
        ("certificate_expiring", vec![("CertificateExpiring", "warning", "gateway")]),
        ("backup_overdue", vec![("BackupOverdue", "warning", "")]),
        ("memory_leak", vec![("MemoryHigh", "warning", "")]),
        ("exposure_exceeded", vec![("ExposureHigh", "critical", "")]),
    ] {
        sandbox.post(&format!("/api/sandbox/fault/{fault}"), json!({})).await;
        let expected: BTreeSet<String> =
            wanted.iter().map(|(name, _, service)| format!("{name} {service}").trim().to_owned()).collect();
        // Quotes grow old, and the engine dies of its books, after a moment.
        let alerts = sandbox.wait_for(ALERTS, |alerts| names(alerts) == expected).await;
        for alert in alerts.as_array().unwrap() {
            let severity = wanted.iter().find(|(name, ..)| alert["labels"]["alertname"] == *name).unwrap().1;
            assert_eq!(alert["labels"]["severity"], severity, "{alert}");
            assert_eq!(alert["status"], json!({"state": "active", "silencedBy": [], "inhibitedBy": []}));
            assert!(!alert["annotations"]["summary"].as_str().unwrap().is_empty());
        }
        assert_eq!(sandbox.firing().await, wanted.len().to_string(), "{fault}");
        sandbox.admin("DELETE", &format!("/api/sandbox/fault/{fault}"), None).await;
        sandbox.post("/api/services/all/start", json!({})).await;
        sandbox.wait_for(ALERTS, |alerts| count(alerts) == 0).await;
    }
}

#[tokio::test]
async fn what_breaks_by_itself_is_seen_although_nobody_asks() {
    let sandbox = Sandbox::rehearsing("system_down").await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while names(&overview(&sandbox.data()).unwrap()["alerts"]).len() < 2 {
        assert!(Instant::now() < deadline, "nobody looks");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn backups_that_nobody_can_trust_are_overdue_by_the_last_good_one() {
    let sandbox = steady().await;
    assert_eq!(sandbox.get(ALERTS).await, json!([]), "a platform that never had a backup");
    sandbox.post("/api/sandbox/fault/backup_overdue", json!({})).await;
    sandbox.post("/api/sandbox/fault/backup_disk_failing", json!({})).await;
    sandbox.post("/api/backups", json!({})).await;
    assert_eq!(names(&sandbox.get(ALERTS).await), BTreeSet::from(["BackupOverdue".to_owned()]));
    sandbox.admin("DELETE", "/api/sandbox/fault/backup_disk_failing", None).await;
    sandbox.post("/api/backups", json!({})).await;
    assert_eq!(sandbox.get(ALERTS).await, json!([]));
}

#[tokio::test]
async fn an_alert_keeps_its_beginning_and_one_that_comes_again_is_another() {
    let mut sandbox = steady().await;
    sandbox.post("/api/services/gateway/stop", json!({})).await;
    let first = sandbox.get(ALERTS).await;
    assert_eq!((count(&first), &first[0]["labels"]["service"]), (1, &json!("gateway")));
    // FNV-1a of `alertname ServiceDown service gateway severity critical`, worked out apart from this program.
    assert_eq!(first[0]["fingerprint"], "868f182b6afe061a");
    let began = |list: &Value| list[0]["startsAt"].as_str().unwrap().to_owned();
    let seen = |list: &Value| list[0]["updatedAt"].as_str().unwrap().to_owned();
    let later = sandbox.wait_for(ALERTS, |list| seen(list) > seen(&first)).await;
    assert_eq!(began(&later), began(&first));
    sandbox.restart(|config| config.feed_interval_ms = 400).await;
    assert_eq!(began(&sandbox.get(ALERTS).await), began(&first), "a restart of the platform changes nothing");

    sandbox.post("/api/services/gateway/start", json!({})).await;
    sandbox.wait_for(ALERTS, |list| count(list) == 0).await;
    sandbox.post("/api/services/gateway/stop", json!({})).await;
    assert!(began(&sandbox.get(ALERTS).await) > began(&first));
    let log = overview(&sandbox.data()).unwrap()["alert_log"].clone();
    let of_gateway = |one: &&Value| one["labels"]["alertname"] == "ServiceDown";
    let log: Vec<&Value> = log.as_array().unwrap().iter().filter(of_gateway).collect();
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log[0]["ends_at"].is_string() && log[1]["ends_at"].is_null());
}

#[tokio::test]
async fn a_silence_holds_back_what_it_matches_while_it_holds() {
    let sandbox = steady().await;
    let id = sandbox.silence(json!([{"name": "service", "value": "gateway|engine", "isRegex": true}])).await;
    sandbox.post("/api/services/all/stop", json!({})).await;
    let of = |which: &str| format!("{ALERTS}?filter=alertname=ServiceDown&{which}");
    let silenced = sandbox.get(&of("active=false")).await;
    assert_eq!(names(&silenced), BTreeSet::from(["ServiceDown engine", "ServiceDown gateway"].map(str::to_owned)));
    assert_eq!(silenced[0]["status"], json!({"state": "suppressed", "silencedBy": [id], "inhibitedBy": []}));
    let heard = sandbox.get(&of("silenced=false")).await;
    assert_eq!(names(&heard), BTreeSet::from(["ServiceDown market_data".to_owned()]));
    assert_eq!(count(&sandbox.get(&of("active=true")).await), 3);
    let log = overview(&sandbox.data()).unwrap()["alert_log"].clone();
    for one in log.as_array().unwrap() {
        assert_eq!(one["heard_at"].is_string(), one["labels"]["service"] == "market_data", "{one}");
    }

    let (status, _) = sandbox.admin("DELETE", &format!("/api/v2/silence/{id}"), None).await;
    assert_eq!(status, 200);
    let ended = sandbox.get(&format!("/api/v2/silence/{id}")).await;
    assert_eq!(ended["status"]["state"], "expired");
    assert_eq!(count(&sandbox.get(&of("silenced=false")).await), 3, "they come through again");
    let log = overview(&sandbox.data()).unwrap()["alert_log"].clone();
    assert!(log.as_array().unwrap().iter().all(|one| one["heard_at"].is_string()), "{log}");
    sandbox.silence(json!([{"name": "alertname", "value": "ServiceDown", "isRegex": false}])).await;
    assert_eq!(sandbox.firing().await, "0");
    assert_eq!(overview(&sandbox.data()).unwrap()["alert_log"], log, "what was heard stays heard");
    sandbox.admin("DELETE", &format!("/api/v2/silence/{id}"), None).await;
    assert_eq!(sandbox.get(&format!("/api/v2/silence/{id}")).await, ended, "it ends once");
}

#[tokio::test]
async fn matchers_match_as_those_of_an_alertmanager_do() {
    let sandbox = steady().await;
    sandbox.post("/api/services/gateway/stop", json!({})).await;
    sandbox.post("/api/sandbox/fault/memory_leak", json!({})).await;
    let (down, memory) = ("ServiceDown gateway", "MemoryHigh");
    // The JSON of a silence, and the text of a filter: what they let through.
    for (matcher, text, wanted) in [
        (json!({"name": "service", "value": "gateway", "isRegex": false}), "service=gateway", vec![down]),
        (json!({"name": "service", "value": "gate", "isRegex": true}), "service=~\"gate\"", vec![]),
        (
            json!({"name": "service", "value": "gate.*", "isRegex": true, "isEqual": true}),
            "service=~gate.*",
            vec![down],
        ),
        (json!({"name": "service", "value": "x|gateway", "isRegex": true}), "service=~\"x|gateway\"", vec![down]),
        (
            json!({"name": "service", "value": "gateway", "isRegex": false, "isEqual": false}),
            "service!=gateway",
            vec![memory],
        ),
        (
            json!({"name": "alertname", "value": "Mem.*", "isRegex": true, "isEqual": false}),
            "alertname!~Mem.*",
            vec![down],
        ),
        (json!({"name": "severity", "value": ".+", "isRegex": true}), "{none}", vec![down, memory]),
    ] {
        let wanted: BTreeSet<String> = wanted.into_iter().map(str::to_owned).collect();
        let id = sandbox.silence(json!([matcher])).await;
        assert_eq!(names(&sandbox.get(&format!("{ALERTS}?active=false")).await), wanted, "{matcher}");
        sandbox.admin("DELETE", &format!("/api/v2/silence/{id}"), None).await;
        if text != "{none}" {
            let encoded = text.replace('"', "%22").replace('|', "%7C").replace('+', "%2B");
            assert_eq!(names(&sandbox.get(&format!("{ALERTS}?filter={encoded}")).await), wanted, "{text}");
        }
    }
    let both = format!("{ALERTS}?filter=severity=critical&filter=service=gateway");
    assert_eq!(count(&sandbox.get(&both).await), 1);
    let neither = format!("{ALERTS}?filter=severity=warning&filter=service=gateway");
    assert_eq!(count(&sandbox.get(&neither).await), 0, "all must match");
}

#[tokio::test]
async fn what_is_no_silence_or_no_matcher_is_refused() {
    let sandbox = steady().await;
    let gateway = || json!([{"name": "service", "value": "gateway", "isRegex": false}]);
    let mut cases = vec![
        silence(json!([])),
        silence(json!([{"name": "service", "value": "(", "isRegex": true}])),
        silence(json!([{"name": "service", "value": "a)|(b", "isRegex": true}])),
        silence(json!([{"name": "a-b", "value": "x", "isRegex": false}])),
        silence(json!([{"name": "service", "value": "gateway"}])),
        silence(json!([{"name": "service", "value": ".*", "isRegex": true}])),
        silence(json!([{"name": "service", "value": "", "isRegex": false}])),
    ];
    for (field, value) in [
        ("startsAt", json!(in_seconds(7200))),
        ("endsAt", json!(in_seconds(-5))),
        ("endsAt", json!("soon")),
        ("comment", Value::Null),
    ] {
        let mut case = silence(gateway());
        case[field] = value;
        cases.push(case);
    }
    for case in cases {
        let (status, body) = sandbox.admin("POST", "/api/v2/silences", Some(case.clone())).await;
        assert_eq!(status, 400, "{case}: {body}");
    }
    let mut unknown = silence(gateway());
    unknown["id"] = json!("6f1c8c0e-0000-4000-8000-000000000000");
    assert_eq!(sandbox.admin("POST", "/api/v2/silences", Some(unknown)).await.0, 404);
    assert_eq!(sandbox.get("/api/v2/silences").await, json!([]));
    for query in ["filter=service", "filter=%22a%22=b", "filter=a=%22b", "filter=a=~(", "active=perhaps"] {
        assert_eq!(sandbox.anonymous("GET", &format!("{ALERTS}?{query}")).await.0, 400, "{query}");
    }
    let (status, _) = sandbox.send("POST", "/api/v2/silences", &[], Some(silence(gateway()))).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_silence_is_changed_in_place_and_its_past_is_not() {
    let mut sandbox = steady().await;
    let id = sandbox.silence(json!([{"name": "service", "value": "engine", "isRegex": false}])).await;
    let path = format!("/api/v2/silence/{id}");
    let mut changed = sandbox.get(&path).await;
    changed["endsAt"] = json!(in_seconds(7200));
    assert_eq!(sandbox.post("/api/v2/silences", changed.clone()).await["silenceID"], json!(id));
    changed["matchers"][0]["value"] = json!("gateway");
    let other = sandbox.post("/api/v2/silences", changed.clone()).await["silenceID"].clone();
    assert_ne!(other, json!(id), "it was another silence until now");
    assert_eq!(sandbox.get(&path).await["status"]["state"], "expired");
    let mut coming = silence(json!([{"name": "service", "value": "engine", "isRegex": false}]));
    coming["startsAt"] = json!(in_seconds(600));
    sandbox.post("/api/v2/silences", coming).await;

    sandbox.restart(|config| config.feed_interval_ms = 400).await;
    let all = sandbox.get("/api/v2/silences").await;
    let states: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["status"]["state"]).collect();
    assert_eq!(states, ["active", "pending", "expired"]);
    assert_eq!(all[0]["id"], other);
    assert_eq!(count(&sandbox.get("/api/v2/silences?filter=service=engine").await), 2);
    sandbox.post("/api/services/engine/stop", json!({})).await;
    assert_eq!(sandbox.firing().await, "1", "neither what is over nor what is to come holds anything back");
}

/// The README names every alert there is, as the rules do.
#[test]
fn readme_lists_the_alerts() {
    let read = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (readme, rules) = (read("README.md"), read("src/control/alerts/rules.rs"));
    let words = rules.split('"').skip(1).step_by(2);
    let is_name = |word: &&str| word.starts_with(char::is_uppercase) && word.chars().all(char::is_alphabetic);
    let names: BTreeSet<&str> = words.filter(is_name).collect();
    assert_eq!(names.len(), 10, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}
