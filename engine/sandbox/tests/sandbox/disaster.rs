//! The rehearsal of a restore: lost books, three backups, of which the newest is corrupt.

use runbook_sandbox::database::{backups, check, compare, newest_good, restore};
use serde_json::json;

use crate::support::{Sandbox, rehearsal};

#[tokio::test]
async fn the_newest_good_backup_is_the_one_to_restore() {
    let mut sandbox = Sandbox::with(|config| config.rehearse = Some(rehearsal("dr-restore", None))).await;
    let data = sandbox.data();
    assert_eq!(sandbox.anonymous("GET", "/ready").await.0, 200);
    assert_eq!(sandbox.anonymous("GET", "/health").await.0, 503);
    assert!(check(&data).is_err());
    let found = backups(&data).unwrap();
    let good: Vec<bool> = found.iter().map(|backup| backup.good).collect();
    assert_eq!(good, [false, true, true], "newest first: {found:?}");
    assert!(found[0].problem.as_deref().unwrap().contains("SHA-256"), "{:?}", found[0].problem);
    let rows = |index: usize| found[index].manifest.as_ref().unwrap().contents.tables["trades"].rows;
    assert!(rows(1) > rows(2), "the older one would lose trades");
    let newest = newest_good(&data).unwrap();
    assert_eq!(newest, found[1]);
    let listed = sandbox.get("/api/backups").await;
    assert_eq!((&listed[1]["name"], &listed[1]["good"]), (&json!(newest.name), &json!(true)));

    sandbox.post("/api/services/all/stop", json!({})).await;
    let manifest = restore(&newest.path, &data, false).unwrap();
    sandbox.post("/api/services/all/start", json!({})).await;
    sandbox.wait_contained("database_lost").await;
    assert!(compare(&manifest, &check(&data).unwrap()).equal);

    sandbox.restart(|config| config.rehearse = Some(rehearsal("dr-restore", None))).await;
    assert!(compare(&manifest, &check(&data).unwrap()).equal, "a restart does not lose the books again");
    assert_eq!(backups(&data).unwrap(), found);
}

#[tokio::test]
async fn a_restore_keeps_revoked_keys_revoked() {
    let sandbox = Sandbox::healthy().await;
    let data = sandbox.data();
    let key = sandbox.post("/api/admin/api-keys", json!({"name": "desk", "account": "ACC-0002"})).await;
    let backup = sandbox.post("/api/backups", json!({})).await;
    sandbox.post(&format!("/api/admin/api-keys/{}/revoke", key["id"].as_str().unwrap()), json!({})).await;
    sandbox.post("/api/services/all/stop", json!({})).await;
    restore(std::path::Path::new(backup["path"].as_str().unwrap()), &data, false).unwrap();
    let headers = [("x-api-key", key["secret"].as_str().unwrap())];
    assert_eq!(sandbox.send("GET", "/api/whoami", &headers, None).await.0, 401);
}
