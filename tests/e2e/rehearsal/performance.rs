//! A setting is changed and measured: kept when the platform is quicker with it, put back when it is not.

use serde_json::{Value, json};

use super::room::{Room, all, list, shown};

const PERFORMANCE: &str = "sop-005-performance";

fn pool(platform: &Value) -> &Value {
    &list(&platform["settings"])[0]["value"]
}

#[test]
fn a_change_that_makes_it_quicker_stays() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[PERFORMANCE, "-p", "value=24"]);
    let before = room.platform();
    assert_eq!((&before["faults"], pool(&before)), (&json!(["gateway_starved"]), &json!(4)));
    assert!(shown(&asked).contains("gateway_pool becomes 24"), "{}", shown(&asked));
    let measured = room.step("before")["outputs"]["p95"].as_i64();
    assert!(measured >= Some(144), "twelve connections too few really cost that: {measured:?}");
    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_eq!((&after["faults"], pool(&after)), (&json!([]), &json!(24)));
    assert!(room.step("after")["outputs"]["p95"].as_i64() < measured);
    assert_eq!(all(&after["notices"], "subject"), ["gateway_pool is 24 now"]);
    assert!(room.record("performance-").contains("Outcome: kept."));
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_change_that_makes_it_worse_is_put_back() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[PERFORMANCE, "-p", "value=64"]);
    let end = room.answer("approve", 2);
    assert!(shown(&end).contains("not 10 % quicker"), "{}", shown(&end));
    let after = room.step("after")["outputs"]["p95"].as_i64();
    assert!(after >= Some(192), "it had been changed, and measured: {after:?}");
    assert_eq!(room.step("change")["undo"], "undone");
    let platform = room.platform();
    assert_eq!((&platform["faults"], pool(&platform)), (&json!(["gateway_starved"]), &json!(4)));
    assert!(list(&platform["notices"]).is_empty());
    assert!(room.record("performance-").contains("Outcome: as it was."));
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_value_that_the_platform_refuses_changes_nothing() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[PERFORMANCE, "-p", "value=500"]);
    let end = room.answer("approve", 2);
    assert!(shown(&end).contains("must be from 1 to 64"), "{}", shown(&end));
    assert_eq!(*pool(&room.platform()), json!(4));
    room.leaves_nothing(&[&asked, &end]);
}
