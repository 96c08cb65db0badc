//! `postgres` against a real server with a real dump.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::kit::authority::Authority;
use crate::kit::counterparts::{Server, port, program};
use crate::kit::{Refused, refused, run};

/// The server wants this password over the network.
const PASSWORD: &str = "right-password";

struct Database {
    server: Server,
    port: u16,
    ca: PathBuf,
}

/// The folders in which Debian keeps the programs of the server.
fn folders() -> Vec<String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut all: Vec<String> = versions.map(|it| it.path().join("bin").display().to_string()).collect();
    all.sort();
    all
}

/// The server refuses to run as root: then it runs as the owner of its folder.
fn as_owner(program: &Path, folder: &Path) -> Command {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(folder).expect("a folder");
    if owner.uid() == std::fs::metadata("/proc/self").expect("this process").uid() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={}", owner.uid()), format!("--regid={}", owner.gid()), "--clear-groups".to_owned()]);
    command.arg(program);
    command
}

fn database() -> Option<Database> {
    let folders = folders();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let (initdb, postgres) = (program("initdb", &folders)?, program("postgres", &folders)?);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let authority = Authority::new();
    let ca = path.join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let (certificate, key) = authority.sign("localhost", -1, 30).write(path);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let word = path.join("password");
    std::fs::write(&word, PASSWORD).expect("a file");
    if std::fs::metadata("/proc/self").map(|it| std::os::unix::fs::MetadataExt::uid(&it)).expect("this process") == 0 {
        // Any user but root will do, and this one every system has.
        for own in [path, &key, &certificate, &word] {
            chown(own, Some(65534), Some(65534)).expect("an owner");
        }
    }
    let data = path.join("data");
    let mut command = as_owner(&initdb, path);
    command.args(["--username=ops", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8"]);
    command.arg("--pwfile").arg(&word).arg("--pgdata").arg(&data);
    let made = command.stdin(Stdio::null()).current_dir("/").output().expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = port();
    let mut command = as_owner(&postgres, path);
    command.current_dir("/").arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    for (name, value) in [
        ("port", port.to_string()),
        ("unix_socket_directories", path.display().to_string()),
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", certificate.display().to_string()),
        ("ssl_key_file", key.display().to_string()),
    ] {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let mut server = Server::start(folder, &mut command);
    server.listens(port);
    let mut database = Database { server, port, ca };
    let inputs = database.local("postgres", json!({"sql": "SELECT 1"}));
    database.server.wait_for("its first answer", || run("postgres", inputs.clone()).ok());
    Some(database)
}

impl Database {
    /// Through the socket.
    fn local(&self, database: &str, more: Value) -> Value {
        let host = self.server.folder.path().display().to_string();
        with(json!({"host": host, "port": self.port, "database": database, "user": "ops"}), more)
    }

    /// Over TLS, with the password.
    fn remote(&self, more: Value) -> Value {
        let ca = self.ca.display().to_string();
        let inputs = json!({
            "host": "localhost", "port": self.port, "database": "postgres", "user": "ops", "password": PASSWORD, "ca_file": ca,
        });
        with(inputs, more)
    }

    fn ask(&self, sql: &str, params: Value) -> Value {
        run("postgres", self.local("postgres", json!({"sql": sql, "params": params}))).expect("it is answered")
    }
}

fn with(mut inputs: Value, more: Value) -> Value {
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        inputs[&name] = value;
    }
    inputs
}

#[test]
fn values_are_parameters_and_rows_are_what_they_are() {
    let Some(real) = database() else { return };
    assert_eq!(real.ask("CREATE TABLE t (id int PRIMARY KEY, name text, more jsonb, at date)", json!([]))["count"], 0);
    let evil = "x'); DROP TABLE t; --";
    let sql = "INSERT INTO t VALUES ($1, $2, $3, $4), ($1 + 1, NULL, NULL, NULL);";
    assert_eq!(real.ask(sql, json!([1, evil, {"a": [1, 2.5]}, "2026-07-01"]))["count"], 2);
    let found = real.ask("SELECT * FROM t WHERE name = $1 ORDER BY id -- the end", json!([evil]));
    let row = json!({"id": 1, "name": evil, "more": {"a": [1, 2.5]}, "at": "2026-07-01"});
    assert_eq!(found, json!({"rows": [row], "count": 1, "more": false}));
    let found = real.ask("UPDATE t SET name = $1 WHERE name IS NULL RETURNING id, name", json!(["two"]));
    assert_eq!(found["rows"], json!([{"id": 2, "name": "two"}]));
    let found = real.ask("SELECT $1::text IS NULL AS nothing, $2::bool AS yes", json!([null, true]));
    assert_eq!(found["rows"], json!([{"nothing": true, "yes": true}]));
    let many = json!({"sql": "SELECT generate_series(1, 5) AS n", "max_rows": 2});
    let found = run("postgres", real.local("postgres", many)).expect("it is answered");
    assert_eq!(found, json!({"rows": [{"n": 1}, {"n": 2}], "count": 2, "more": true}));

    for (more, part) in [
        (json!({"sql": "SELECT $1::int"}), "`sql` has 1 parameters, and `params` 0 values"),
        (json!({"sql": "SELECT 1; SELECT 2"}), "multiple commands"),
        (json!({"sql": "SELECT $1::int", "params": ["no number"]}), "invalid input syntax for type integer"),
        (json!({"sql": "DELETE FROM t", "read_only": true}), "read-only transaction"),
        (json!({"sql": "INSERT INTO t (id) VALUES (1)"}), "Key (id)=(1) already exists"),
        (json!({}), "`query` needs `sql`"),
    ] {
        let message = refused("postgres", real.local("postgres", more));
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_database_that_was_dropped_is_what_it_was_after_a_restore() {
    let Some(real) = database() else { return };
    real.ask("CREATE DATABASE shop", json!([]));
    let shop = |more: Value| run("postgres", real.local("shop", more));
    shop(json!({"sql": "CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 500) n"}))
        .expect("a table");
    let all = || shop(json!({"sql": "SELECT * FROM orders ORDER BY id"})).expect("the orders");
    let before = all();
    assert_eq!(before["count"], 500);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("backups/shop.dump");
    let dump = json!({"action": "dump", "file": file.display().to_string()});
    let outputs = shop(dump.clone()).expect("a dump");
    let bytes = std::fs::read(&file).expect("a file");
    let sha256 = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    assert_eq!((&outputs["bytes"], &outputs["sha256"]), (&json!(bytes.len()), &json!(sha256)));
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path().join("backups")).expect("a folder").count(), 1, "and nothing else");
    let message = shop(dump).expect_err("there is one").message;
    assert!(message.ends_with("already: `overwrite: true` replaces it"), "{message}");

    real.ask("DROP DATABASE shop WITH (FORCE)", json!([]));
    real.ask("CREATE DATABASE shop", json!([]));
    let restore = json!({"action": "restore", "file": file.display().to_string()});
    shop(restore.clone()).expect("a restore");
    assert_eq!(all(), before);
    shop(json!({"sql": "DELETE FROM orders WHERE id > 1"})).expect("most are gone");
    let message = shop(restore.clone()).expect_err("the table is there").message;
    assert!(message.contains("`pg_restore` failed") && message.contains("already exists"), "{message}");
    shop(with(restore, json!({"clean": true}))).expect("a restore over it");
    assert_eq!(all(), before);
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("a file");
    let half = json!({"action": "restore", "file": file.display().to_string(), "clean": true});
    shop(half).expect_err("half of a dump is none");
    assert_eq!(all(), before, "and changes nothing");
}

#[test]
fn a_password_goes_over_tls_to_a_server_that_proves_who_it_is() {
    let Some(real) = database() else { return };
    let sql = json!({"sql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"});
    let found = run("postgres", real.remote(sql.clone())).expect("it is answered");
    assert_eq!(found["rows"], json!([{"ssl": true}]));
    let folder = tempfile::tempdir().expect("a folder");
    let dump = json!({"action": "dump", "file": folder.path().join("a.dump").display().to_string()});
    run("postgres", real.remote(dump.clone())).expect("a dump over TLS");

    let mut unknown = real.remote(sql.clone());
    unknown.as_object_mut().expect("an object").remove("ca_file");
    let Err(Refused { code: 1, message }) = run("postgres", unknown) else { panic!("nobody vouches for it") };
    assert!(message.contains("certificate"), "{message}");
    let mut unknown = real.remote(with(dump, json!({"overwrite": true})));
    unknown.as_object_mut().expect("an object").remove("ca_file");
    let message = refused("postgres", unknown);
    assert!(message.contains("certificate"), "{message}");
    let restore = json!({"action": "restore", "file": folder.path().join("a.dump").display().to_string()});
    for action in [sql.clone(), restore] {
        let message = refused("postgres", with(real.remote(action), json!({"host": "127.0.0.1"})));
        assert!(message.contains("certificate"), "it is for another name: {message}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "the dump there was, and no half of one"
    );
    let open = with(real.remote(sql.clone()), json!({"tls": "none"}));
    let found = run("postgres", open).expect("this very machine is no other");
    assert_eq!(found["rows"], json!([{"ssl": false}]));
    let away = with(real.remote(sql.clone()), json!({"tls": "none", "host": "db.example.org"}));
    let message = refused("postgres", away);
    assert_eq!(message, "a password is not sent to another machine without TLS: remove `tls: none`");
    let wrong = with(real.remote(sql.clone()), json!({"password": "wrong-password"}));
    let message = refused("postgres", wrong);
    assert!(message.contains("password authentication failed") && !message.contains("wrong-password"), "{message}");
    let Err(Refused { code: 75, message }) = run("postgres", with(real.remote(sql), json!({"port": 1}))) else {
        panic!("nobody is there")
    };
    assert!(message.contains("refused"), "{message}");
}
