//! What daily operations need: figures, users and their access, keys that are replaced, settings.

use std::time::Duration;

use runbook_sandbox::{Error, Server, database, measure};
use serde_json::{Value, json};

use crate::support::{Sandbox, count, quick, rehearsal};

async fn figure(sandbox: &Sandbox, name: &str) -> Value {
    let answer = sandbox.get(&format!("/api/v1/query?query={name}")).await;
    assert_eq!((&answer["status"], &answer["data"]["resultType"]), (&json!("success"), &json!("vector")));
    answer["data"]["result"][0]["value"][1].clone()
}

#[tokio::test]
async fn figures_follow_the_state_and_are_answered_as_prometheus_does() {
    let sandbox = Sandbox::healthy().await;
    assert_eq!(figure(&sandbox, "services_not_up").await, "0");
    assert_eq!(figure(&sandbox, "trading_active").await, "1");
    assert_eq!(figure(&sandbox, "certificate_days_left").await, "87");
    assert_eq!(figure(&sandbox, "backup_age_hours").await, Value::Null, "there is none");
    assert_eq!(figure(&sandbox, "no_such_figure").await, Value::Null);
    sandbox.post("/api/services/engine/stop", json!({})).await;
    sandbox.post("/api/trading/pause", json!({})).await;
    sandbox.post("/api/backups", json!({})).await;
    sandbox.post("/api/sandbox/fault/certificate_expiring", json!({})).await;
    assert_eq!(figure(&sandbox, "services_not_up").await, "1");
    assert_eq!(figure(&sandbox, "trading_active").await, "0");
    assert_eq!(figure(&sandbox, "certificate_days_left").await, "9");
    assert_eq!(figure(&sandbox, "backup_age_hours").await, "0");
    let before = figure(&sandbox, "gross_exposure_usd").await;
    sandbox.post("/api/sandbox/fault/exposure_exceeded", json!({})).await;
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    assert!(number(&figure(&sandbox, "gross_exposure_usd").await) > number(&before) + 2_000_000);
    sandbox.post("/api/sandbox/fault/database_lost", json!({})).await;
    assert_eq!(figure(&sandbox, "gross_exposure_usd").await, Value::Null, "nobody could tell it");
    assert_eq!(figure(&sandbox, "books_damaged").await, "1");
}

#[tokio::test]
async fn access_is_given_taken_and_told() {
    let sandbox = Sandbox::healthy().await;
    let person = json!({"name": "g.novak", "full_name": "Gita Novak", "role": "trader", "team": "spot-trading"});
    sandbox.post("/api/admin/users", person.clone()).await;
    let (status, _) = sandbox.admin("POST", "/api/admin/users", Some(person)).await;
    assert_eq!(status, 409);
    sandbox.post("/api/admin/systems/trading/access/g.novak", json!({"level": "write"})).await;
    sandbox.post("/api/admin/systems/vpn/access/g.novak", json!({})).await;
    let found = sandbox.get("/api/admin/users/g.novak").await;
    assert_eq!(found["access"], json!({"trading": "write", "vpn": "read"}));
    let (status, _) = sandbox.admin("DELETE", "/api/admin/users/g.novak", None).await;
    assert_eq!(status, 409, "a user with access is not removed");
    for (system, level) in [("trading", json!("write")), ("vpn", json!("read")), ("vpn", json!(null))] {
        let path = format!("/api/admin/systems/{system}/access/g.novak");
        let (status, answer) = sandbox.admin("DELETE", &path, None).await;
        assert_eq!((status, &answer["level"]), (200, &level));
    }
    let (status, _) = sandbox.admin("DELETE", "/api/admin/users/g.novak", None).await;
    assert_eq!(status, 200);
    sandbox.post("/api/sandbox/fault/reporting_silent", json!({})).await;
    let path = "/api/admin/systems/reporting/access/d.rossi";
    assert_eq!(sandbox.admin("DELETE", path, None).await.0, 503);
    assert_eq!(sandbox.admin("POST", path, Some(json!({"level": "write"}))).await.0, 503);
    assert_eq!(sandbox.get("/api/admin/users/d.rossi").await["access"]["reporting"], "read");
}

#[tokio::test]
async fn a_user_is_locked_out_and_in_again() {
    let sandbox = Sandbox::healthy().await;
    let lock = sandbox.post("/api/security/lockdown", json!({"scope": "user:b.okafor"})).await;
    assert_eq!((count(&lock["keys_revoked"]), count(&lock["sessions_revoked"])), (1, 1), "{lock}");
    let found = sandbox.get("/api/admin/users/b.okafor").await;
    assert_eq!((&found["keys"], &found["sessions"]), (&json!(0), &json!(0)));
    let id = lock["id"].as_str().unwrap();
    sandbox.post(&format!("/api/security/lockdown/{id}/lift"), json!({})).await;
    let found = sandbox.get("/api/admin/users/b.okafor").await;
    assert_eq!((&found["keys"], &found["sessions"]), (&json!(1), &json!(1)));
    let (status, _) = sandbox.admin("POST", "/api/security/lockdown", Some(json!({"scope": "user:nobody"}))).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_key_is_replaced_and_the_old_one_comes_back() {
    let sandbox = Sandbox::healthy().await;
    let new = sandbox.post("/api/admin/api-keys/KEY-0002/rotate", json!({})).await;
    assert_eq!((&new["replaces"], &new["holder"]), (&json!("KEY-0002"), &json!("b.okafor")));
    assert!(new.get("secret").is_none(), "only the holder gets it: {new}");
    let active = async |id: &str| {
        let keys = sandbox.get("/api/admin/api-keys").await;
        keys.as_array().unwrap().iter().find(|key| key["id"] == id).unwrap()["active"].clone()
    };
    let id = new["id"].as_str().unwrap();
    assert_eq!((active("KEY-0002").await, active(id).await), (json!(false), json!(true)));
    let mail = sandbox.get("/api/notifications?channel=mail:b.okafor").await;
    assert_eq!(count(&mail), 1);
    sandbox.post(&format!("/api/admin/api-keys/{id}/rotate/undo"), json!({})).await;
    assert_eq!((active("KEY-0002").await, active(id).await), (json!(true), json!(false)));
    let (status, _) = sandbox.admin("POST", "/api/admin/api-keys/KEY-0007/rotate", Some(json!({}))).await;
    assert_eq!(status, 409, "nobody holds the key of a strategy");
    assert_eq!(active("KEY-0007").await, json!(true), "and it works as before");
}

#[tokio::test]
async fn too_few_and_too_many_connections_really_slow_requests_down() {
    let sandbox = Sandbox::healthy().await;
    let half = async || measure(&sandbox.data(), 5).await.unwrap()["p50_ms"].as_i64().unwrap();
    sandbox.post("/api/settings/gateway_pool", json!({"value": 1})).await;
    assert!(half().await >= 180, "15 too few, 12 ms each");
    sandbox.post("/api/settings/gateway_pool", json!({"value": 64})).await;
    assert!(half().await >= 192, "32 too many, 6 ms each");
    for value in [json!(0), json!(65), json!("many")] {
        let (status, _) = sandbox.admin("POST", "/api/settings/gateway_pool", Some(json!({"value": value}))).await;
        assert_eq!(status, 400);
    }
    assert_eq!(sandbox.get("/api/settings/gateway_pool").await["value"], 64);
}

#[tokio::test]
async fn a_failing_disk_damages_every_new_dump() {
    let sandbox = Sandbox::healthy().await;
    sandbox.post("/api/sandbox/fault/backup_disk_failing", json!({})).await;
    let (path, _) = database::create_backup(&sandbox.data()).unwrap();
    assert!(matches!(database::verify(&path), Err(Error::BadBackup { .. })));
    let (status, _) = sandbox.admin("DELETE", "/api/sandbox/fault/backup_disk_failing", None).await;
    assert_eq!(status, 200);
    let (path, _) = database::create_backup(&sandbox.data()).unwrap();
    database::verify(&path).unwrap();
}

#[tokio::test]
async fn a_drill_restores_beside_the_platform_and_never_over_it() {
    let sandbox = Sandbox::healthy().await;
    let (path, manifest) = database::create_backup(&sandbox.data()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().join("drill");
    database::restore_beside(&path, &beside).unwrap();
    assert!(database::compare(&manifest, &database::inspect_folder(&beside)).equal);
    assert!(matches!(database::restore_beside(&path, &sandbox.data()), Err(Error::Rejected(_))));
}

#[tokio::test]
async fn backups_of_a_rehearsal_are_as_old_as_they_say() {
    let sandbox = Sandbox::with(|config| config.rehearse = Some(rehearsal("sop-006-backup-and-recovery", None))).await;
    let found = database::backups(&sandbox.data()).unwrap();
    assert_eq!(found.len(), 8);
    for backup in found {
        assert!(backup.good, "{backup:?}");
        let made: jiff::Timestamp = backup.manifest.unwrap().created_at.parse().unwrap();
        let modified = std::fs::metadata(&backup.path).unwrap().modified().unwrap();
        let apart = jiff::Timestamp::try_from(modified).unwrap().duration_since(made).unsigned_abs();
        assert!(apart < Duration::from_secs(1), "{apart:?}");
    }
}

#[tokio::test]
async fn faults_to_start_with_are_there_once() {
    let mut sandbox = Sandbox::with(|config| config.faults = vec!["memory_leak".to_owned()]).await;
    assert_eq!(figure(&sandbox, "memory_percent").await, "93");
    sandbox.admin("DELETE", "/api/sandbox/fault/memory_leak", None).await;
    sandbox.restart(|config| config.faults = vec!["memory_leak".to_owned()]).await;
    assert_eq!(figure(&sandbox, "memory_percent").await, "65", "it was mended");
    let folder = tempfile::tempdir().unwrap();
    let mut config = quick(&folder.path().join("data"));
    config.faults = vec!["earthquake".to_owned()];
    assert!(matches!(Server::start(config).await, Err(Error::UnknownFault { .. })));
}

#[tokio::test]
async fn a_key_for_a_user_is_shown_to_nobody_and_counts_as_held() {
    let sandbox = Sandbox::healthy().await;
    let body = json!({"account": "ACC-0001", "scopes": "read trade"});
    let key = sandbox.post("/api/admin/users/a.meyer/keys", body.clone()).await;
    assert_eq!((&key["holder"], &key["suspicious"], &key["active"]), (&json!("a.meyer"), &json!(false), &json!(true)));
    assert!(!key.to_string().contains("key_"), "{key}");
    assert_eq!(sandbox.get("/api/admin/users/a.meyer").await["keys"], 2);
    assert_eq!(sandbox.admin("POST", "/api/admin/users/nobody/keys", Some(body)).await.0, 404);
    sandbox.post("/api/admin/users", json!({"name": "new", "role": "trader"})).await;
    let held = sandbox.post("/api/admin/users/new/keys", json!({"account": "ACC-0001", "scopes": "read"})).await;
    assert_eq!(sandbox.admin("DELETE", "/api/admin/users/new", None).await.0, 200);
    let keys = sandbox.get("/api/admin/api-keys").await;
    let left = keys.as_array().unwrap().iter().find(|key| key["id"] == held["id"]).unwrap();
    assert_eq!(left["active"], false, "a key does not outlive its holder: {left}");
    let wrong = json!({"account": "ACC-0001", "scopes": "everything"});
    assert_eq!(sandbox.admin("POST", "/api/admin/users/a.meyer/keys", Some(wrong)).await.0, 400);
}
