//! Terminals: what is asked at one, what happens when it is closed, and what others show.

use crate::kit::Home;
use crate::kit::pty::Terminal;

const APPROVAL: &str = "schema: runbook/v1\nid: gate\ntitle: Gate\nsteps:\n  \
    - {id: before, run: echo before >> lines}\n  \
    - {id: open, run: echo open >> lines, approval: {from: [anyone]}}\n";

#[test]
fn a_question_is_answered_where_it_is_asked() {
    let home = Home::new();
    home.write("r.yaml", APPROVAL);
    let mut terminal = Terminal::open(home.command(&["exec", "r.yaml"]));
    terminal.until("approve / reject [reason] / later: ");
    assert_eq!(home.lines("lines"), ["before"]);
    terminal.type_line("yes");
    terminal.until("please type one of the words");
    terminal.until("approve / reject [reason] / later: ");
    terminal.type_line("approve");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_eq!(home.lines("lines"), ["before", "open"]);
}
