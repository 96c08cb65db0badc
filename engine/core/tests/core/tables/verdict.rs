//! How a run ends, and why: 5 (stuck) over 7 (rejected) over 10 (cancelled) over 2 (rolled back) over 1.

use runbook_core::input::{Answer, Exit};

use crate::kit::book::book;
use crate::kit::build::run;
use crate::kit::desk::Desk;

/// A run in which each of these things may happen.
fn end(failed: bool, rejected: bool, cancelled: bool, rolls_back: bool, stuck: bool, always: bool) -> String {
    let steps = vec![run("a").undo(), run("q").needs(&["a"]).approval(&["chief"], None), run("b").needs(&["a"])];
    let mut book = book(steps).always(vec![run("x")]);
    if rolls_back {
        book = book.rolls_back();
    }
    let mut desk = Desk::start(&book);
    desk.ok(&["a"]);
    if rejected {
        desk.answer("q", Answer::Reject { reason: None });
    }
    if cancelled {
        desk.cancel(1);
    }
    if failed {
        desk.fail("b");
    } else {
        desk.ok(&["b"]);
    }
    if !(failed || rejected || cancelled) {
        desk.answer_with("q", |_| {});
        desk.ok(&["q"]);
    } else if rolls_back {
        desk.exits("undo a", if stuck { Exit::Code(1) } else { Exit::Code(0) });
    }
    if always {
        desk.fail("x");
    } else {
        desk.ok(&["x"]);
    }
    desk.end()
}

#[test]
fn every_combination() {
    for bits in 0..64u32 {
        let is = |bit: u32| bits & (1 << bit) != 0;
        let (failed, rejected, cancelled, rolls_back, stuck, always) = (is(0), is(1), is(2), is(3), is(4), is(5));
        let broken = failed || rejected || cancelled;
        let cause = match (rejected, cancelled, failed, always) {
            (true, _, _, _) => "rejected:q",
            (false, true, _, _) => "cancelled",
            (false, false, true, _) => "step:b",
            (false, false, false, true) => "always:x",
            (false, false, false, false) => "none",
        };
        let expected = match (broken, rolls_back, stuck) {
            (true, true, true) => "stuck undo:a".to_owned(),
            (true, true, false) => format!("rolled_back {cause}"),
            (true, false, _) if cause == "cancelled" => format!("cancelled {cause}"),
            (true, false, _) => format!("failed {cause}"),
            (false, _, _) if always => format!("failed {cause}"),
            (false, _, _) => "succeeded none".to_owned(),
        };
        let got = end(failed, rejected, cancelled, rolls_back, stuck, always);
        assert_eq!(
            got, expected,
            "failed {failed} rejected {rejected} cancelled {cancelled} rolls back {rolls_back} stuck {stuck} always {always}"
        );
    }
}

#[test]
fn the_first_failure_is_the_cause() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b"), run("c")]).parallel());
    desk.fail("c").fail("a").ok(&["b"]);
    assert_eq!(desk.end(), "failed step:c");
}

#[test]
fn who_cancels_after_the_steps_does_not_change_the_verdict() {
    let mut desk = Desk::start(&book(vec![run("a")]).always(vec![run("x")]));
    desk.ok(&["a"]);
    desk.cancel(1);
    desk.ok(&["x"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn after_the_end_nothing_is_decided_any_more() {
    let mut desk = Desk::start(&book(vec![run("a")]));
    let attempt = desk.live("a");
    desk.ok(&["a"]);
    assert!(desk.cancel(3).is_empty());
    assert!(desk.lose_again(attempt).is_empty());
    let host = crate::kit::book::host(9);
    assert!(desk.tell(runbook_core::input::Input::EngineStarted(host)).is_empty());
    assert!(desk.run().wanted().is_empty());
}
