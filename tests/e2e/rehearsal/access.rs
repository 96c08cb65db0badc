//! Users let in and out, in all systems or in none.

use serde_json::{Value, json};

use super::room::{Room, all, list, shown};

const ACCESS: &str = "sop-003-user-access";

/// One user of an overview; null when there is none.
fn user<'v>(platform: &'v Value, name: &str) -> &'v Value {
    list(&platform["users"]).iter().find(|one| one["name"] == name).unwrap_or(&Value::Null)
}

/// What is known of users, systems, keys and sessions, without the times at which something was revoked.
fn who(platform: &Value) -> Value {
    let active =
        |kind: &str| list(&platform[kind]).iter().map(|one| json!([one["id"], one["active"]])).collect::<Value>();
    json!([platform["users"], active("keys"), active("sessions")])
}

#[test]
fn a_new_colleague_gets_what_the_role_needs() {
    let room = Room::new();
    let params = ["-p", "action=onboard", "-p", "login=g.novak", "-p", "role=operator", "-p", "reason=REQ-17"];
    let asked = room.exec_until_asked(&[&[ACCESS], &params[..]].concat());
    assert!(shown(&asked).contains("write in monitoring"), "{}", shown(&asked));
    assert_eq!(*user(&room.platform(), "g.novak"), Value::Null, "nothing before the approval");
    let end = room.answer("approve", 0);
    let after = room.platform();
    let wanted = json!({"trading": "read", "monitoring": "write", "reporting": "read", "vpn": "read"});
    let found = user(&after, "g.novak");
    assert_eq!((&found["access"], &found["role"], &found["status"]), (&wanted, &json!("operator"), &json!("active")));
    let mut told = all(&after["notices"], "channel");
    told.sort_unstable();
    assert_eq!(told, ["mail:g.novak", "security"]);
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn what_was_granted_is_taken_back_when_a_system_does_not_answer() {
    let room = Room::new();
    let params = ["--exit-when-waiting", "-p", "action=onboard", "-p", "login=g.novak", "-p", "role=operator"];
    let asked = room.run_broken("reporting_silent", &[&["exec", ACCESS], &params[..]].concat(), 6);
    let before = room.platform();
    let end = room.answer("approve", 2);
    assert!(shown(&end).contains("system `reporting` does not answer"), "{}", shown(&end));
    // Two systems had granted before the third failed.
    for step in ["create_account", "grant-1", "grant-2"] {
        assert_eq!(room.step(step)["undo"], "undone", "{step}");
    }
    let after = room.platform();
    assert_eq!(*user(&after, "g.novak"), Value::Null);
    assert_eq!(who(&after), who(&before));
    assert!(list(&after["notices"]).is_empty(), "nobody was welcomed");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_new_trader_gets_a_key_which_is_revoked_when_a_system_does_not_answer() {
    for (faults, code, active) in [("", 0, true), ("reporting_silent", 2, false)] {
        let room = Room::new();
        let params = ["--exit-when-waiting", "-p", "action=onboard", "-p", "login=g.novak"];
        let asked = room.run_broken(faults, &[&["exec", ACCESS], &params[..]].concat(), 6);
        assert!(shown(&asked).contains("a key that may read and trade on ACC-0001"), "{}", shown(&asked));
        let end = room.answer("approve", code);
        let after = room.platform();
        let key = list(&after["keys"]).iter().find(|key| key["holder"] == "g.novak").expect("a key");
        assert_eq!((&key["active"], &key["scopes"]), (&json!(active), &json!("read trade")));
        let welcome = list(&after["notices"]).iter().find(|notice| notice["channel"] == "mail:g.novak");
        let id = key["id"].as_str().expect("an id");
        assert_eq!(welcome.is_some_and(|it| it["text"].as_str().is_some_and(|text| text.contains(id))), active);
        room.leaves_nothing(&[&asked, &end]);
    }
}

#[test]
fn a_colleague_who_goes_has_nothing_left() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[ACCESS, "-p", "action=offboard", "-p", "login=b.okafor"]);
    let question = shown(&asked);
    assert!(question.contains("with 1 keys, 1 sessions") && question.contains("write in trading"), "{question}");
    let end = room.answer("approve", 0);
    let after = room.platform();
    let found = user(&after, "b.okafor");
    let left = (&found["status"], &found["access"], &found["keys"], &found["sessions"]);
    assert_eq!(left, (&json!("disabled"), &json!({}), &json!(0), &json!(0)));
    let others = list(&after["users"]).iter().filter(|one| one["name"] != "b.okafor");
    assert!(others.clone().all(|one| one["status"] == "active" && one["sessions"] == 1), "nobody else is concerned");
    let copy =
        std::fs::read_to_string(room.step("archive")["outputs"]["file"].as_str().expect("a file")).expect("a copy");
    let copy: Value = serde_json::from_str(&copy).expect("JSON");
    assert_eq!(copy["access"]["trading"], "write", "what there was can be read later");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn what_was_taken_is_given_back_when_a_system_does_not_answer() {
    let room = Room::new();
    let params = ["--exit-when-waiting", "-p", "action=offboard", "-p", "login=a.meyer"];
    let asked = room.run_broken("reporting_silent", &[&["exec", ACCESS], &params[..]].concat(), 6);
    let before = room.platform();
    let end = room.answer("approve", 2);
    for step in ["disable", "end_credentials", "revoke-1"] {
        assert_eq!(room.step(step)["undo"], "undone", "{step}");
    }
    let after = room.platform();
    assert_eq!(who(&after), who(&before));
    assert_eq!(user(&after, "a.meyer")["access"]["monitoring"], "write", "as it was");
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_rejection_changes_nothing() {
    let room = Room::new();
    let asked = room.exec_until_asked(&[ACCESS, "-p", "action=offboard", "-p", "login=b.okafor"]);
    let before = room.platform();
    let end = room.answer("reject", 7);
    let after = room.platform();
    assert_eq!(who(&after), who(&before));
    assert!(list(&after["notices"]).is_empty());
    room.leaves_nothing(&[&asked, &end]);
}
