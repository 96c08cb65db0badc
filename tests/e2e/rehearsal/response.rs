//! The response to a critical incident, approved: it was real, and it is over.

use serde_json::{Value, json};

use super::room::{Room, all, list, service, shown};
use super::silences;
use crate::kit::{end_of, wait_for};

/// The notices that a response leaves: who was told what.
fn told(platform: &Value) -> Vec<(&str, &str)> {
    let mut told: Vec<_> =
        all(&platform["notices"], "channel").into_iter().zip(all(&platform["notices"], "subject")).collect();
    // Those of the beginning are sent side by side.
    told.sort_unstable();
    told
}

fn assert_open(platform: &Value, kind: &str) {
    assert_eq!(platform["faults"], json!([kind]), "the incident is real");
    assert_eq!(platform["containment"][kind], false);
    assert_eq!(all(&platform["incidents"], "status"), ["acknowledged"]);
    let told: Vec<&str> = told(platform).into_iter().map(|(channel, _)| channel).collect();
    let customers: &[&str] = if kind == "security_breach" { &[] } else { &["status page"] };
    assert_eq!(told, [&["on-call", "operations"], customers].concat(), "told before anything is asked");
    silences::all_is_quiet(platform);
}

fn assert_over(platform: &Value, kind: &str) {
    assert_eq!(platform["faults"], json!([]), "the incident is over");
    assert_eq!(platform["containment"][kind], true);
    silences::none_holds(platform, 1);
    let incidents = list(&platform["incidents"]);
    assert_eq!(incidents.len(), 1);
    assert_eq!((&incidents[0]["status"], &incidents[0]["type"]), (&json!("resolved"), &json!(kind)));
    let timeline = all(&incidents[0]["timeline"], "text");
    let beginnings = ["incident opened", "acknowledged", "contained: ", "resolved: contained and verified: ", "run "];
    assert_eq!(timeline.len(), beginnings.len(), "{timeline:#?}");
    assert!(timeline.iter().zip(beginnings).all(|(text, beginning)| text.starts_with(beginning)), "{timeline:#?}");
    for notice in list(&platform["notices"]) {
        let is_page = ["on-call", "management"].contains(&notice["channel"].as_str().expect("a channel"));
        assert_eq!(notice["status"], if is_page { "resolved" } else { "sent" }, "{notice}");
    }
}

fn assert_recorded(room: &Room, kind: &str) {
    let log = room.record("incidents.log");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains(&format!("P0 {kind}")), "{log}");
    let report = room.record("post-mortem-");
    let parts = [
        "# Post-mortem: P0 ",
        "- Incident: INC-0001\n",
        "- Duration: 0 h 0 min\n",
        "\nContained, verified, resolved.\n",
        ": resolved: contained and verified: ",
        "- [ ] Find the root cause\n",
    ];
    for part in parts {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert_eq!(report.contains("- [ ] Resume trading"), kind == "trading_halted", "{report}");
    assert_eq!(report.contains("- [ ] Give those new keys"), kind == "security_breach", "{report}");
}

#[test]
fn a_platform_that_is_down_is_up_again() {
    let room = Room::new();
    let asked = room.exec_until_asked(&["p0-response", "-p", "incident_type=system_down"]);
    let before = room.platform();
    assert_open(&before, "system_down");
    assert_eq!(service(&before, "engine")["state"], "down");
    assert_eq!(service(&before, "gateway")["state"], "down");
    assert_eq!(room.step("check_health")["outputs"]["health"], "down", "it was broken before the first step looked");
    let question = shown(&asked);
    for part in ["INC-0001: P0 system down", "engine is down", "Approve: the engine is restarted", "Reject: "] {
        assert!(question.contains(part), "{part}: {question}");
    }

    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_over(&after, "system_down");
    assert!(all(&after["services"], "state").iter().all(|state| *state == "up"));
    assert_eq!(service(&after, "engine")["restarts"], 1);
    assert_eq!(service(&after, "gateway")["restarts"], 1);
    assert_eq!(service(&after, "market_data")["restarts"], 0, "it was up");
    assert_eq!(after["trading"]["mode"], "active");
    let expected = [
        ("on-call", "P0 system down: your approval is needed"),
        ("operations", "P0: system down"),
        ("operations", "Resolved: P0 system down"),
        ("status page", "The platform does not work as it should"),
        ("status page", "The platform works again"),
    ];
    assert_eq!(told(&after), expected);
    assert_recorded(&room, "system_down");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn an_intruder_is_out_and_everybody_else_still_in() {
    let room = Room::new();
    let asked =
        room.exec_until_asked(&["p0-response", "-p", "incident_type=security_breach", "-p", "summary=Odd transfers"]);
    let before = room.platform();
    assert_open(&before, "security_breach");
    let question = shown(&asked);
    for part in ["P0 security breach. Odd transfers", "keys svc-report-export; sessions of a.meyer, b.okafor, ops-desk"]
    {
        assert!(question.contains(part), "{part}: {question}");
    }
    crate::kit::wait_for("the intruder", || (room.platform()["outside"]["accepted"].as_i64() > Some(0)).then_some(()));

    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_over(&after, "security_breach");
    for kind in ["keys", "sessions"] {
        for one in list(&after[kind]) {
            assert_eq!(one["active"] == true, one["suspicious"] == false, "{one}");
        }
    }
    assert_eq!(all(&after["lockdowns"], "scope"), ["suspicious"]);
    assert!(told(&after).contains(&("security", "Lock-down LCK-0001")));
    let evidence: Value = serde_json::from_str(&room.record("evidence-")).expect("evidence in JSON");
    assert!(!list(&evidence["suspicious_trades"]).is_empty());
    assert!(all(&evidence["security_events"], "kind").contains(&"key_issued"));
    assert_recorded(&room, "security_breach");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_full_lock_down_revokes_every_key_and_session() {
    let room = Room::new();
    let params = ["p0-response", "-p", "incident_type=security_breach", "-p", "lockdown_scope=all"];
    let asked = room.exec_until_asked(&params);
    assert!(shown(&asked).contains("all 8 keys and 10 sessions are revoked"), "{}", shown(&asked));
    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_over(&after, "security_breach");
    assert_eq!((list(&after["keys"]).len(), list(&after["sessions"]).len()), (8, 10));
    for kind in ["keys", "sessions"] {
        assert!(list(&after[kind]).iter().all(|one| one["active"] == false), "{}", after[kind]);
    }
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn trading_is_stopped_and_no_order_is_open() {
    let room = Room::new();
    let asked = room.exec_until_asked(&["p0-response", "-p", "incident_type=trading_halted"]);
    let before = room.platform();
    assert_open(&before, "trading_halted");
    assert_eq!(before["trading"]["mode"], "active");
    assert!(before["orders"]["open"].as_i64() >= Some(14), "{}", before["orders"]);

    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_over(&after, "trading_halted");
    assert_eq!(after["trading"]["mode"], "emergency_stopped");
    assert_eq!(after["trading"]["reason"], "INC-0001");
    assert_eq!(after["orders"]["open"], Value::Null, "{}", after["orders"]);
    assert!(after["orders"]["cancelled"].as_i64() >= before["orders"]["open"].as_i64(), "{}", after["orders"]);
    assert_eq!(after["positions"]["open"], before["positions"]["open"], "nobody asked for them to be closed");
    assert_eq!(service(&after, "engine")["restarts"], 1);
    assert_recorded(&room, "trading_halted");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn every_position_is_closed_when_that_is_asked_for() {
    let room = Room::new();
    let params = ["p0-response", "-p", "incident_type=trading_halted", "-p", "close_positions=true"];
    let asked = room.exec_until_asked(&params);
    assert!(shown(&asked).contains("every position is closed"), "{}", shown(&asked));
    let open = room.platform()["positions"]["open"].as_i64();
    assert!(open > Some(0));
    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_over(&after, "trading_halted");
    assert_eq!(after["positions"].as_object().expect("counts").keys().collect::<Vec<_>>(), ["closed"]);
    assert!(after["positions"]["closed"].as_i64() >= open);
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn scripts_need_bash_and_nothing_else() {
    let room = Room::new();
    let bin = room.home.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let path = std::env::var_os("PATH").expect("a PATH");
    let bash = std::env::split_paths(&path).map(|folder| folder.join("bash")).find(|file| file.exists()).expect("bash");
    std::os::unix::fs::symlink(bash, bin.join("bash")).expect("a link");
    let run = |args: &[&str]| room.home.command(args).env("PATH", &bin).output().expect("the program starts");
    for params in [&["p0-response", "-p", "incident_type=security_breach"][..], &["dr-restore"]] {
        let exec: Vec<&str> = ["exec"].iter().chain(params).copied().chain(["--exit-when-waiting"]).collect();
        let asked = run(&exec);
        assert_eq!(asked.status.code(), Some(6), "{}", shown(&asked));
        assert_eq!(run(&["approve", "last"]).status.code(), Some(0));
        let end = run(&["resume", "last"]);
        assert_eq!(end.status.code(), Some(0), "{}", shown(&end));
    }
    room.home.wait_until_nothing_is_left();
}

#[test]
fn an_incident_that_is_not_resolved_in_time_escalates_by_itself() {
    let room = Room::new();
    room.edit("environments/sandbox.yaml", "escalate_after: 5m", "escalate_after: 2s");
    let mut engine = room.home.start(&["exec", "p0-response", "-p", "incident_type=system_down"]);
    room.wait_for_question("restart_engine");
    let escalated = ("management", "P0 system down: not resolved after 2s");
    wait_for("the escalation", || told(&room.platform()).contains(&escalated).then_some(()));
    room.run(&["approve", "last"], 0);
    assert_eq!(end_of(&mut engine), Some(0));
    let after = room.platform();
    assert_over(&after, "system_down");
    assert_eq!(told(&after).into_iter().filter(|notice| *notice == escalated).count(), 1, "once");
    let at = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time");
    let notice = list(&after["notices"]).iter().find(|one| one["channel"] == "management").expect("the escalation");
    assert_eq!((&notice["severity"], &notice["incident"]), (&json!("critical"), &json!("INC-0001")));
    let waited = at(&notice["at"]).duration_since(at(&room.home.status()["started_at"]));
    assert!(waited.as_millis() >= 2_000, "not before its time: {waited:?}");
    room.leaves_nothing(&[]);
}

#[test]
fn a_response_that_takes_long_tells_the_team_and_customers() {
    let room = Room::new();
    room.edit("environments/sandbox.yaml", "overdue_after: 30m", "overdue_after: 500ms");
    let mut engine = room.home.start(&["exec", "p0-response", "-p", "incident_type=trading_halted"]);
    let overdue = [
        ("operations", "P0 trading halted: still not resolved after 500ms"),
        ("status page", "It takes longer than we thought"),
    ];
    wait_for("the word", || {
        let platform = room.home.run(&["sandbox", "show", "--run", "last", "--output", "json"]);
        let platform: Value = serde_json::from_slice(&platform.stdout).ok()?;
        overdue.iter().all(|notice| told(&platform).contains(notice)).then_some(())
    });
    room.wait_for_question("emergency_stop");
    room.run(&["reject", "last"], 0);
    assert_eq!(end_of(&mut engine), Some(7));
    assert!(!told(&room.platform()).iter().any(|(channel, _)| *channel == "management"), "that is another deadline");
    room.leaves_nothing(&[]);
}

#[test]
fn customers_are_told_of_a_breach_when_that_is_wanted_and_never_when_it_is_not() {
    for (wanted, kind, count) in [("yes", "security_breach", 1), ("no", "system_down", 0)] {
        let room = Room::new();
        let params = ["-p", &format!("incident_type={kind}"), "-p", &format!("tell_customers={wanted}")];
        room.exec_until_asked(&[&["p0-response"][..], &params].concat());
        let told = told(&room.platform()).into_iter().filter(|(channel, _)| *channel == "status page").count();
        assert_eq!(told, count, "{wanted}");
        room.answer("reject", 7);
    }
}

#[test]
fn the_commander_learns_what_was_changed_last() {
    let room = Room::new();
    room.edit(
        "environments/sandbox.yaml",
        "  escalate_after: 5m",
        "  recent_changes: echo a1b2c3 raise the pool; echo d4e5f6 new feed\n  escalate_after: 5m",
    );
    let asked = room.exec_until_asked(&["p0-response", "-p", "incident_type=system_down"]);
    let line = "changes     a1b2c3 raise the pool; d4e5f6 new feed\n";
    assert!(shown(&asked).contains(line), "{}", shown(&asked));
    room.answer("reject", 7);
}
