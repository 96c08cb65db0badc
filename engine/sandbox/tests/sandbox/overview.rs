//! A look at a platform from its folder alone.

use runbook_sandbox::{Error, is_platform, overview};
use serde_json::json;

use crate::support::{Sandbox, count, rehearsal};

#[tokio::test]
async fn it_tells_what_the_routes_tell_and_still_does_after_the_end() {
    let mut sandbox = Sandbox::rehearsing("security_breach").await;
    sandbox.wait_for("/api/trades/suspicious", |found| count(found) > 0).await;
    let before = overview(&sandbox.data()).unwrap();
    assert_eq!(before["faults"], json!(["security_breach"]));
    assert_eq!(before["containment"]["security_breach"], false);
    assert_eq!(before["containment"]["system_down"], true);
    assert!(before["outside"]["accepted"].as_i64().unwrap() > 0);

    sandbox.post("/api/security/lockdown", json!({"scope": "suspicious"})).await;
    sandbox.wait_contained("security_breach").await;
    let keys = sandbox.get("/api/admin/api-keys").await;
    sandbox.end().await;
    let after = overview(&sandbox.data()).unwrap();
    assert_eq!(after["faults"], json!([]));
    assert_eq!(after["containment"]["security_breach"], true);
    assert_eq!(after["keys"], keys);
    assert_eq!(count(&after["lockdowns"]), 1);
    assert_eq!(after["database"]["whole"], true);
}

#[tokio::test]
async fn lost_books_do_not_hide_the_rest() {
    let sandbox = Sandbox::with(|config| config.rehearse = Some(rehearsal("dr-restore", None))).await;
    let found = overview(&sandbox.data()).unwrap();
    assert_eq!(found["faults"], json!(["database_lost"]));
    assert_eq!(found["database"]["whole"], false);
    assert_eq!(found["orders"], json!(null));
    assert_eq!(found["containment"]["trading_halted"], json!(null), "it cannot be told");
    assert_eq!(found["containment"]["database_lost"], false);
    assert_eq!(count(&found["services"]), 3);
}

#[test]
fn looking_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!is_platform(folder.path()));
    assert!(matches!(overview(folder.path()), Err(Error::NotAPlatform(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
