//! Plugins that call a program of a platform that cannot run in a test: stand-ins on PATH write down what they are called with.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::kit::Home;

/// A home whose PATH begins with stand-ins.
struct Platform(Home);

impl Platform {
    /// Each program writes down its arguments and then does what is written here, with `$*` for them.
    fn new(program: &str, does: &str) -> Self {
        let home = Home::new();
        std::fs::create_dir(home.path().join("bin")).expect("a folder");
        let file = format!("bin/{program}");
        home.write(&file, &format!("#!/bin/bash\necho \"$*\" >> \"$HOME/called\"\n{does}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(home.path().join(file), mode).expect("a mode");
        Self(home)
    }

    /// What it was called with since it was asked last.
    fn called(&self) -> Vec<String> {
        let lines = self.0.lines("called");
        let _ = std::fs::remove_file(self.0.path().join("called"));
        lines
    }

    /// Answers one call of a plugin, as its host does.
    fn call(&self, id: &str, operation: &str, inputs: &Value, outputs: &Value) -> Result<Value, String> {
        let mut command = self.0.command(&["plugin", "serve", id]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.0.path().join("bin").display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let call = json!({
            "type": "call", "protocol": 1, "id": "a.1", "operation": operation, "inputs": inputs, "outputs": outputs,
            "idempotency_key": "01K/a.1", "run": "01K", "step": "a", "timeout_ms": 60_000,
        });
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(format!("{call}\n").as_bytes()).expect("it reads");
        let Output { stdout, stderr, .. } = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&stdout).into_owned();
        let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
            .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&stderr)));
        match last["type"].as_str() {
            Some("result") => Ok(last["outputs"].clone()),
            _ => Err(last["message"].as_str().unwrap_or_default().to_owned()),
        }
    }

    fn run(&self, id: &str, inputs: &Value) -> Result<Value, String> {
        self.call(id, "run", inputs, &json!({}))
    }
}

#[test]
fn a_workload_is_scaled_and_goes_back_to_what_it_was() {
    let state = r#"{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "7"}}, "spec": {"replicas": 3}}"#;
    let platform = Platform::new("kubectl", &format!("case \"$*\" in *' get '*) echo '{state}';; esac"));
    let place = json!({"workload": "deployment/engine", "namespace": "trading", "context": "prod"});
    let with = |more: Value| {
        let mut inputs = place.clone();
        for (name, value) in more.as_object().cloned().unwrap_or_default() {
            inputs[&name] = value;
        }
        inputs
    };
    let at = "--context=prod --namespace=trading";
    let get = format!("{at} get deployment/engine --output=json");
    let wait = format!("{at} rollout status deployment/engine --watch=true --timeout=300s");

    let scale = with(json!({"action": "scale", "replicas": 0}));
    let outputs = platform.run("kubernetes", &scale).expect("it is scaled");
    assert_eq!(outputs, json!({"replicas_before": 3, "revision_before": "7"}));
    assert_eq!(platform.called(), [get.clone(), format!("{at} scale deployment/engine --replicas=0"), wait.clone()]);
    platform.call("kubernetes", "undo", &scale, &outputs).expect("it is undone");
    assert_eq!(platform.called(), [format!("{at} scale deployment/engine --replicas=3"), wait.clone()]);

    let back = with(json!({"action": "undo", "wait_max": "90s"}));
    let outputs = platform.run("kubernetes", &back).expect("it goes back");
    let short = format!("{at} rollout status deployment/engine --watch=true --timeout=90s");
    assert_eq!(platform.called(), [get.clone(), format!("{at} rollout undo deployment/engine"), short.clone()]);
    platform.call("kubernetes", "undo", &back, &outputs).expect("it is undone");
    assert_eq!(platform.called(), [format!("{at} rollout undo deployment/engine --to-revision=7"), short]);

    let restart = with(json!({"action": "restart", "wait": false}));
    let outputs = platform.run("kubernetes", &restart).expect("it is restarted");
    assert_eq!(platform.called(), [get.clone(), format!("{at} rollout restart deployment/engine")]);
    platform.call("kubernetes", "undo", &restart, &outputs).expect("there is nothing to do");
    assert!(platform.called().is_empty());
    platform.run("kubernetes", &with(json!({"action": "wait"}))).expect("it is ready");
    assert_eq!(platform.called(), [get, wait]);
    let error = platform.run("kubernetes", &with(json!({"action": "scale"}))).expect_err("to what");
    assert_eq!(error, "`scale` needs `replicas`");
    let error =
        platform.run("kubernetes", &with(json!({"action": "wait", "workload": "--all"}))).expect_err("an option");
    assert!(error.contains("would be read as an option"), "{error}");
}

#[test]
fn what_a_program_says_when_it_fails_is_in_the_message() {
    let platform = Platform::new("kubectl", "echo 'Error from server (Forbidden): no' >&2; exit 1");
    let inputs = json!({"action": "restart", "workload": "deployment/engine"});
    let error = platform.run("kubernetes", &inputs).expect_err("it is forbidden");
    assert_eq!(error, "`kubectl get` failed (exit status: 1): Error from server (Forbidden): no");
}

#[test]
fn a_service_of_compose_is_put_back_as_it_was() {
    let platform = Platform::new("docker", "case \"$*\" in *' ps '*) cat \"$HOME/running\";; esac");
    let home = &platform.0;
    home.write("running", "db\nengine\n");
    let inputs = |action: &str| json!({"action": action, "service": "engine", "file": "c.yaml", "project": "p"});
    let at = "compose --file=c.yaml --project-name=p";
    let ps = format!("{at} ps --status=running --services");
    let up = format!("{at} up --detach --no-deps --wait --wait-timeout 300 engine");
    let outputs = platform.run("compose", &inputs("stop")).expect("it is stopped");
    assert_eq!(
        (outputs, platform.called()),
        (json!({"was_running": true}), vec![ps.clone(), format!("{at} stop engine")])
    );
    platform.call("compose", "undo", &inputs("stop"), &json!({"was_running": true})).expect("it is undone");
    assert_eq!(platform.called(), std::slice::from_ref(&up));
    platform.call("compose", "undo", &inputs("stop"), &json!({"was_running": false})).expect("it was stopped before");
    assert!(platform.called().is_empty());

    home.write("running", "engine-2\n");
    let outputs = platform.run("compose", &inputs("up")).expect("it is up");
    assert_eq!((&outputs, platform.called()), (&json!({"was_running": false}), vec![ps.clone(), up.clone()]));
    platform.call("compose", "undo", &inputs("up"), &outputs).expect("it is undone");
    assert_eq!(platform.called(), [format!("{at} stop engine")]);
    platform.run("compose", &inputs("restart")).expect("it is restarted");
    assert_eq!(platform.called(), [ps, format!("{at} restart --no-deps engine"), up]);
}

#[test]
fn a_unit_is_waited_for_and_put_back_as_it_was() {
    let does = r#"case "$*" in
  *' show '*|'show '*) printf 'LoadState=loaded\nActiveState=%s\n' "$(head -n 1 "$HOME/states")"
    if [ "$(wc -l < "$HOME/states")" -gt 1 ]; then sed -i 1d "$HOME/states"; fi;; esac"#;
    let platform = Platform::new("systemctl", does);
    let home = &platform.0;
    let inputs = |action: &str| json!({"action": action, "unit": "engine@1.service"});
    let show = "show --property=LoadState,ActiveState -- engine@1.service";
    home.write("states", "inactive\nactivating\nactive\n");
    let outputs = platform.run("systemd", &inputs("start")).expect("it is active");
    assert_eq!(outputs, json!({"state_before": "inactive", "state": "active"}));
    assert_eq!(platform.called(), [show, "start -- engine@1.service", show, show, show]);
    home.write("states", "deactivating\nfailed\n");
    platform.call("systemd", "undo", &inputs("start"), &outputs).expect("it is stopped");
    assert_eq!(platform.called(), ["stop -- engine@1.service", show, show]);

    home.write("states", "active\n");
    platform.call("systemd", "undo", &inputs("stop"), &json!({"state_before": "active"})).expect("it is started");
    assert_eq!(platform.called(), ["start -- engine@1.service", show]);
    platform.call("systemd", "undo", &inputs("restart"), &json!({"state_before": "active"})).expect("nothing to do");
    assert!(platform.called().is_empty());

    home.write("states", "active\nfailed\n");
    let user = json!({"action": "restart", "unit": "engine.service", "user": true});
    let error = platform.run("systemd", &user).expect_err("it failed");
    assert_eq!(error, "`engine.service` is failed, and should be active");
    assert_eq!(platform.called()[1], "--user restart -- engine.service");
    home.write("states", "inactive\n");
    let late = json!({"action": "wait", "unit": "engine.service", "wait_max": 1});
    let error = platform.run("systemd", &late).expect_err("it never is");
    assert_eq!(error, "`engine.service` is inactive, and should be active");

    let none = Platform::new("systemctl", "printf 'LoadState=not-found\\nActiveState=inactive\\n'");
    let error = none.run("systemd", &inputs("start")).expect_err("there is none");
    assert_eq!(error, "there is no unit `engine@1.service`");
}

#[test]
fn a_password_is_no_argument_of_a_dump_or_a_restore() {
    let does = "env | grep ^PG | sort >> \"$HOME/env\"; for one; do last=$one; done; echo dump > \"$last\"";
    let platform = Platform::new("pg_dump", does);
    let inputs = json!({
        "action": "dump", "host": "127.0.0.1", "database": "shop", "user": "ops", "password": "hidden-word",
        "tls": "none", "file": "a.dump",
    });
    platform.run("postgres", &inputs).expect("a dump");
    let called = platform.called().join("\n");
    assert!(called.starts_with("--format=custom --no-password --file ") && !called.contains("hidden-word"), "{called}");
    let env = platform.0.lines("env");
    for wanted in ["PGPASSWORD=hidden-word", "PGHOST=127.0.0.1", "PGDATABASE=shop", "PGUSER=ops", "PGSSLMODE=disable"] {
        assert!(env.iter().any(|line| line == wanted), "{wanted}: {env:?}");
    }
}
