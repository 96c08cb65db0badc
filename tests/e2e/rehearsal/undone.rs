//! A response that is rejected, comes too late, or fails: what was done is undone, and nothing else is touched.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::room::{Room, all, list, service, shown, untouched};
use super::silences;

const RESPONSE: &str = "incident/p0-response.yaml";

/// The record is withdrawn, each message is retracted by one of its own, and nobody is paged any more.
fn assert_withdrawn(room: &Room) -> Value {
    let after = room.platform();
    assert_eq!(all(&after["incidents"], "status"), ["withdrawn"]);
    silences::none_holds(&after, 1);
    let of = |channel: &str| list(&after["notices"]).iter().filter(|one| one["channel"] == channel).collect::<Vec<_>>();
    for channel in ["operations", "security"] {
        let subjects: Vec<&str> = of(channel).iter().map(|one| one["subject"].as_str().expect("a subject")).collect();
        let (retracted, told): (Vec<&str>, Vec<&str>) =
            subjects.iter().partition(|subject| subject.starts_with("Retracted: "));
        let expected: Vec<String> = told.iter().map(|subject| format!("Retracted: {subject}")).collect();
        assert_eq!(retracted, expected, "{channel}");
    }
    assert_eq!(of("operations").len(), 2, "{}", after["notices"]);
    assert!(of("on-call").iter().all(|page| page["status"] == "resolved"), "{}", after["notices"]);
    let customers = of("status page");
    assert!(customers.is_empty() || customers.last().is_some_and(|last| last["severity"] == "monitoring"));
    let log = room.record("incidents.log");
    assert!(log.lines().count() == 2 && log.ends_with(": withdrawn\n"), "{log}");
    let report = room.record("post-mortem-");
    for part in [
        "Not resolved by this response; what was done and undone: runbook show ",
        "\n## Resolution\n\n_To be written._\n",
        "- [ ] The incident is not over: find another way",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    after
}

#[test]
fn a_rejected_response_leaves_the_platform_as_it_was() {
    for kind in ["system_down", "security_breach", "trading_halted"] {
        let room = Room::new();
        let asked = room.exec_until_asked(&["p0-response", "-p", &format!("incident_type={kind}")]);
        let before = room.platform();
        assert_eq!(before["faults"], json!([kind]));
        let end = room.answer("reject", 7);
        let after = assert_withdrawn(&room);
        assert_eq!(untouched(&after), untouched(&before), "{kind}");
        room.leaves_nothing(&[&asked, &end]);
    }
}

#[test]
fn an_approval_that_never_comes_is_a_rejection() {
    let room = Room::new();
    room.edit(RESPONSE, "timeout: 15m", "timeout: 300ms");
    let end = room.run(&["exec", "p0-response", "-p", "incident_type=system_down"], 7);
    let after = assert_withdrawn(&room);
    assert_eq!(after["faults"], json!(["system_down"]), "nothing was done about it");
    assert_eq!(service(&after, "engine")["restarts"], 0);
    room.leaves_nothing(&[&end]);
}

#[test]
fn an_engine_that_cannot_start_again_is_stopped() {
    let room = Room::new();
    room.limit(RESPONSE, "engine_up", "2m", "4s");
    let asked = room.exec_until_asked(&["p0-response", "-p", "incident_type=system_down"]);
    // The books are lost while the commander thinks: now no restart can help.
    room.run(&["sandbox", "fault", "database_lost", "--run", "last"], 0);
    let end = room.answer("approve", 2);
    assert_eq!(room.step("engine_up")["state"], "failed");
    let after = assert_withdrawn(&room);
    assert_eq!(
        (&service(&after, "engine")["state"], &service(&after, "engine")["restarts"]),
        (&json!("stopped"), &json!(1))
    );
    assert_eq!(
        (&service(&after, "gateway")["state"], &service(&after, "gateway")["restarts"]),
        (&json!("down"), &json!(0))
    );
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_trading_stop_that_fails_later_is_lifted_and_orders_are_put_back() {
    let room = Room::new();
    // A restart takes longer than that.
    room.limit(RESPONSE, "renewed_engine_up", "2m", "100ms");
    let asked = room.exec_until_asked(&["p0-response", "-p", "incident_type=trading_halted"]);
    let end = room.answer("approve", 2);
    assert_eq!(room.step("cancel_orders")["undo"], "undone");
    let after = assert_withdrawn(&room);
    assert_eq!(after["trading"]["mode"], "active");
    assert!(after["orders"]["open"].as_i64() > Some(0), "resting orders are back: {}", after["orders"]);
    assert!(after["orders"]["cancelled"].as_i64() >= Some(14), "waiting orders are not: {}", after["orders"]);
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_lock_down_that_fails_later_is_lifted_but_for_the_intruder() {
    let room = Room::new();
    room.limit(RESPONSE, "healthy", "3m", "1s");
    let params = ["p0-response", "-p", "incident_type=security_breach", "-p", "lockdown_scope=all"];
    let asked = room.exec_until_asked(&params);
    room.run(&["sandbox", "fault", "market_data_stale", "--run", "last"], 0);
    let end = room.answer("approve", 2);
    assert_eq!(room.step("healthy")["state"], "failed", "the platform never became healthy");
    let after = assert_withdrawn(&room);
    assert!(all(&after["notices"], "subject").contains(&"Retracted: Lock-down LCK-0001"), "{}", after["notices"]);
    for kind in ["keys", "sessions"] {
        for one in list(&after[kind]) {
            assert_eq!(one["active"] == true, one["suspicious"] == false, "{one}");
        }
    }
    assert!(list(&after["lockdowns"])[0]["lifted_at"].is_string());
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_platform_that_does_not_answer_is_a_finding() {
    let room = Room::new();
    // A port that was free a moment ago, and that nobody answers at.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let file = room.home.path().join("runbooks/environments/sandbox.yaml");
    let text = std::fs::read_to_string(&file).expect("an environment");
    let elsewhere = text
        .replace("id: sandbox\n", "id: silent\n")
        .replace("  api: \"{{ services.platform.url }}\"", &format!("  api: http://127.0.0.1:{port}"));
    assert!(elsewhere.contains(&format!("api: http://127.0.0.1:{port}")) && elsewhere.contains("id: silent"));
    std::fs::write(file.with_file_name("silent.yaml"), elsewhere).expect("a file");

    for kind in ["system_down", "security_breach", "trading_halted"] {
        let room_args = ["p0-response", "--env", "silent", "-p", &format!("incident_type={kind}")];
        let asked = room.exec_until_asked(&room_args);
        assert_eq!(room.step("assess")["state"], "succeeded");
        assert_eq!(room.step("check_health")["state"], "failed");
        let question = shown(&asked);
        assert!(question.contains("health      unreachable"), "{question}");
        assert!(question.contains("contained   not known"), "{question}");
        let end = room.answer("reject", 7);
        let after = room.platform();
        assert_eq!(all(&after["incidents"], "status"), ["withdrawn"]);
        assert_eq!(after["faults"], json!([kind]));
        drop((asked, end));
    }
    room.home.wait_until_nothing_is_left();
}

#[test]
fn a_response_that_is_over_is_undone_when_somebody_says_so() {
    let room = Room::new();
    let asked = room.exec_until_asked(&["p0-response", "-p", "incident_type=trading_halted"]);
    room.answer("approve", 0);
    assert_eq!(room.platform()["trading"]["mode"], "emergency_stopped");
    let end = room.run(&["rollback", "last", "--reason", "it was a drill"], 2);
    let after = room.platform();
    assert_eq!(after["trading"]["mode"], "active");
    assert_eq!(all(&after["incidents"], "status"), ["withdrawn"]);
    for step in ["announce_commander", "loud", "emergency_stop", "notify_team", "open_record"] {
        assert!(["undone", "none"].contains(&room.step(step)["undo"].as_str().unwrap_or("none")), "{step}");
    }
    room.leaves_nothing(&[&asked, &end]);
}
