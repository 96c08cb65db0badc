//! A security incident: the intruder is out, the evidence has its hashes, the keys of the people concerned are new ones.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use super::room::{Room, all, list, shown};

const SECURITY: &str = "sop-004-security-incident";
/// The keys of those whose sessions were taken over.
const CONCERNED: [&str; 3] = ["KEY-0001", "KEY-0002", "KEY-0005"];

fn key<'v>(platform: &'v Value, id: &str) -> &'v Value {
    list(&platform["keys"]).iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no key {id}"))
}

fn suspicious_work(platform: &Value) -> bool {
    let works = |one: &Value| one["active"] == true && one["suspicious"] == true;
    list(&platform["keys"]).iter().chain(list(&platform["sessions"])).any(works)
}

#[test]
fn the_intruder_is_out_and_the_keys_of_the_people_concerned_are_new() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[SECURITY, "-p", "summary=Odd transfers"]);
    let before = room.platform();
    assert_eq!(before["faults"], json!(["security_breach"]));
    assert!(suspicious_work(&before));
    for part in
        ["suspicious keys      svc-report-export", "a.meyer, b.okafor, ops-desk", "KEY-0001, KEY-0002, KEY-0005"]
    {
        assert!(shown(&asked).contains(part), "{part}: {}", shown(&asked));
    }
    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_eq!((&after["faults"], &after["containment"]["security_breach"]), (&json!([]), &json!(true)));
    assert!(!suspicious_work(&after));
    for id in CONCERNED {
        assert_eq!(key(&after, id)["active"], false, "{id}");
        let new = list(&after["keys"]).iter().find(|one| one["replaces"] == id).expect("another key");
        assert_eq!((&new["active"], &new["holder"]), (&json!(true), &key(&before, id)["holder"]));
    }
    assert_eq!(key(&after, "KEY-0003")["active"], true, "nobody took that over");
    assert_eq!(
        (&after["trading"]["mode"], &list(&after["incidents"])[0]["status"]),
        (&json!("active"), &json!("resolved"))
    );

    let folder = room.step("save_evidence")["outputs"]["folder"].as_str().expect("a folder").to_owned();
    let check = || Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&folder).output();
    assert!(check().expect("sha256sum").status.success());
    let file = std::path::Path::new(&folder).join("requests-from-outside.json");
    assert_eq!(std::fs::metadata(&file).expect("evidence").permissions().mode() & 0o777, 0o400);
    let found: Value = serde_json::from_slice(&std::fs::read(&file).expect("evidence")).expect("JSON");
    assert!(all(&found, "ip").iter().all(|ip| *ip == "203.0.113.66"));
    std::fs::remove_file(&file).expect("evidence");
    std::fs::write(&file, "[]\n").expect("another file");
    assert!(!check().expect("sha256sum").status.success(), "what was altered does not have its hash");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_failure_brings_the_old_keys_back_and_never_the_intruder() {
    let room = Room::new();
    room.limit("sop/sop-004-security-incident.yaml", "healthy", "3m", "1s");
    let asked = room.exec_until_asked(&[SECURITY]);
    let before = room.platform();
    // Another incident comes while somebody thinks: the platform cannot become healthy.
    room.run(&["sandbox", "fault", "system_down", "--run", "last"], 0);
    let end = room.answer("approve", 2);
    assert_eq!(room.step("contained")["state"], "succeeded");
    assert_eq!(room.step("healthy")["state"], "failed");
    let after = room.platform();
    for id in CONCERNED {
        assert_eq!(key(&after, id)["active"], true, "{id} works again");
        let new = list(&after["keys"]).iter().find(|one| one["replaces"] == id).expect("another key");
        assert_eq!(new["active"], false, "its successor does not");
    }
    assert!(suspicious_work(&before) && !suspicious_work(&after), "what is suspicious stays revoked");
    assert_eq!(
        (&after["trading"]["mode"], &list(&after["incidents"])[0]["status"]),
        (&json!("active"), &json!("withdrawn"))
    );
    assert_eq!(room.record("SHA256SUMS").lines().count(), 3, "the evidence stays");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_rejection_leaves_everything_as_it_is() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[SECURITY]);
    let end = room.answer("reject", 7);
    let after = room.platform();
    assert_eq!(after["faults"], json!(["security_breach"]));
    assert_eq!((list(&after["lockdowns"]).len(), &after["trading"]["mode"]), (0, &json!("active")));
    assert_eq!(all(&after["incidents"], "status"), ["withdrawn"]);
    assert!(shown(&end).contains("rejected"), "{}", shown(&end));
    room.leaves_nothing(&[&asked, &end]);
}
