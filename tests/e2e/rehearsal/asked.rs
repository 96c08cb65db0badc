//! At a terminal: which incident, may it be done, answered by typing.

use serde_json::json;

use super::room::{Room, all, untouched};
use crate::kit::pty::Terminal;

/// What `cargo run -- exec p0-response` is at a terminal, in a home where nothing is.
fn open(room: &Room) -> Terminal {
    Terminal::open(room.home.command(&["exec", "p0-response"]))
}

#[test]
fn the_incident_and_the_approval_are_asked_for_and_typed() {
    let room = Room::as_shipped();
    let mut terminal = open(&room);
    let menu = terminal.until("incident_type (`system_down`, `security_breach` or `trading_halted`): ");
    assert!(menu.contains("What is wrong: requests are not answered"), "{menu}");
    terminal.type_line("system_down");
    let question = terminal.until("approve / reject [reason] / later: ");
    assert!(question.contains("INC-0001: P0 system down"), "{question}");
    assert_eq!(room.platform()["faults"], json!(["system_down"]));
    terminal.type_line("approve");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    let after = room.platform();
    assert_eq!(after["faults"], json!([]));
    assert_eq!(all(&after["incidents"], "status"), ["resolved"]);
    room.leaves_nothing(&[]);
}

#[test]
fn a_rejection_that_is_typed_undoes_what_was_done() {
    let room = Room::as_shipped();
    let mut terminal = open(&room);
    terminal.until("incident_type (");
    terminal.type_line("trading_halted");
    terminal.until("approve / reject [reason] / later: ");
    let before = room.platform();
    terminal.type_line("reject a drill at the wrong hour");
    assert_eq!(terminal.end(), 7, "{}", terminal.text());
    let after = room.platform();
    assert_eq!(untouched(&after), untouched(&before));
    assert_eq!(all(&after["incidents"], "status"), ["withdrawn"]);
    room.leaves_nothing(&[]);
}
