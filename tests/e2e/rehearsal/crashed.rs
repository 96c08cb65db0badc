//! The engine is killed in the middle of a response: it goes on, and nothing is done twice.

use std::process::Child;

use rustix::process::{Pid, Signal};
use serde_json::json;

use super::room::{Room, all, list, service, shown};
use crate::kit::wait_for;

/// Kills the engine as soon as it is seen that a step has begun.
fn kill_at(room: &Room, mut engine: Child, step: &str) {
    room.wait_for_attempt(step);
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
}

#[test]
fn an_engine_killed_while_it_restarts_services_restarts_each_once() {
    // The pause is as long as it is shipped: on a busy machine it has to be seen before it is over.
    let room = Room::as_shipped();
    let engine = room.home.start(&["exec", "p0-response", "-p", "incident_type=system_down"]);
    room.wait_for_question("restart_engine");
    let services = room.home.processes().into_iter().filter(|process| process.command.contains("sandbox serve"));
    let platform: Vec<_> = services.map(|process| process.pid).collect();
    assert_eq!(platform.len(), 1);
    room.run(&["approve", "last"], 0);
    kill_at(&room, engine, "engine_up");
    kill_at(&room, room.home.start(&["resume", "last"]), "contained");
    kill_at(&room, room.home.start(&["resume", "last"]), "settle");
    let still: Vec<_> = room.home.processes().into_iter().filter(|one| one.command.contains("sandbox serve")).collect();
    assert_eq!(still.iter().map(|process| process.pid).collect::<Vec<_>>(), platform, "the platform lives through it");

    let end = room.run(&["resume", "last"], 0);
    assert!(!shown(&end).contains("took effect"), "nobody is asked: {}", shown(&end));
    let after = room.platform();
    assert_eq!(after["faults"], json!([]));
    assert_eq!(service(&after, "engine")["restarts"], 1);
    assert_eq!(service(&after, "gateway")["restarts"], 1);
    assert_eq!(all(&after["incidents"], "status"), ["resolved"]);
    assert_eq!(list(&after["incidents"][0]["timeline"]).len(), 5, "{}", after["incidents"]);
    assert_eq!(list(&after["notices"]).len(), 5, "{}", after["notices"]);
    assert_eq!(room.record("incidents.log").lines().count(), 1);
    room.leaves_nothing(&[&end]);
}

#[test]
fn an_engine_killed_around_a_request_has_it_done_once() {
    // At every step that changes the platform, as early as it can be seen.
    let room = Room::new();
    let params = ["exec", "p0-response", "-p", "incident_type=trading_halted", "-p", "close_positions=true"];
    let mut engine = room.home.start(&params);
    room.wait_for_question("emergency_stop");
    room.run(&["approve", "last"], 0);
    for step in
        ["emergency_stop", "cancel_orders", "renew_engine", "liquidate", "note_containment", "resolve", "announce_team"]
    {
        kill_at(&room, engine, step);
        engine = room.home.start(&["resume", "last"]);
    }
    engine.wait().expect("an end");
    let end = room.run(&["resume", "last"], 0);
    let after = room.platform();
    assert_eq!(service(&after, "engine")["restarts"], 1);
    assert_eq!(room.step("cancel_orders")["outputs"]["cancellation"], "CXL-0001");
    assert_eq!(after["orders"]["open"], json!(null));
    assert_eq!(all(&after["incidents"], "status"), ["resolved"]);
    assert_eq!(list(&after["incidents"][0]["timeline"]).len(), 5, "{}", after["incidents"]);
    // Nobody can know of a message that was cut off whether it arrived: that one may be told a second time.
    let told = list(&after["notices"]).len();
    assert!(told == 5 || told == 6, "{}", after["notices"]);
    room.leaves_nothing(&[&end]);
}

#[test]
fn an_engine_killed_while_the_platform_starts_on_a_restored_database_restores_once() {
    let room = Room::new();
    let engine = room.home.start(&["exec", "dr-restore"]);
    room.wait_for_question("restore");
    room.run(&["approve", "last"], 0);
    kill_at(&room, engine, "services_up");
    let end = room.run(&["resume", "last"], 0);
    assert_eq!(room.step("restore")["attempts"], 1);
    let after = room.platform();
    assert_eq!((&after["faults"], &after["database"]["whole"]), (&json!([]), &json!(true)));
    assert_eq!(list(&after["notices"]).len(), 1);
    room.leaves_nothing(&[&end]);
}

/// Whether a server on loopback has something to read that it has not read yet.
fn has_unread(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("sockets");
    let local = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Established, with bytes in the queue of received ones.
        let unread = words[4].split_once(':').is_some_and(|(_, received)| !received.trim_start_matches('0').is_empty());
        words[1].ends_with(&local) && words[3] == "01" && unread
    })
}

#[test]
fn a_request_that_nobody_saw_answered_is_not_done_twice() {
    let room = Room::new();
    let mut engine = room.home.start(&["exec", "p0-response", "-p", "incident_type=system_down"]);
    room.wait_for_question("restart_engine");
    let address = std::fs::read_to_string(room.data().join("address")).expect("an address");
    let port = address.trim().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let platform =
        room.home.processes().into_iter().find(|one| one.command.contains("sandbox serve")).expect("it runs");
    platform.send(Signal::STOP);
    room.run(&["approve", "last"], 0);
    wait_for("the request", || has_unread(port).then_some(()));
    // The platform answers an engine that is there and never gets to read it.
    rustix::process::kill_process(Pid::from_child(&engine), Signal::STOP).expect("it lives");
    platform.send(Signal::CONT);
    wait_for("the restart", || (service(&room.platform(), "engine")["restarts"] == 1).then_some(()));
    engine.kill().expect("a kill");
    engine.wait().expect("an end");

    let end = room.run(&["resume", "last"], 0);
    assert_eq!(room.step("restart_engine")["attempts"], 2, "the engine could not know, and asked again");
    assert_eq!(service(&room.platform(), "engine")["restarts"], 1, "the platform knew");
    room.leaves_nothing(&[&end]);
}
