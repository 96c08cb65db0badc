//! The shipped plugins through the real binary: used by runbooks, rolled back, and their secrets nowhere.

mod sink;
mod standins;

use std::path::Path;

use serde_json::{Value, json};

use crate::kit::Home;
use sink::Sink;

const SECRETS: [(&str, &str); 3] = [
    ("HOOK_KEY", "hook-key-0f3a9c"),
    ("PAGER_KEY", "pager-key-77b1e2"),
    ("CHAT_PATH", "/services/T0/chat-path-55d0aa"),
];

const RUNBOOK: &str = r#"
schema: runbook/v1
id: contain
title: Contain
on_failure: rollback
params: {base: {type: string, required: true}}
secrets: {hook: {env: HOOK_KEY}, pager: {env: PAGER_KEY}, chat: {env: CHAT_URL}}
steps:
  - id: quiet
    uses: alertmanager
    with:
      url: "{{ params.base }}"
      matchers: [{name: service, value: engine}]
      comment: contained by {{ run.id }}
  - id: page
    uses: pagerduty
    with: {url: "{{ params.base }}/v2/enqueue", routing_key: {secret: pager}, summary: it is down}
  - id: say
    uses: slack
    with: {url: {secret: chat}, text: "silenced as {{ steps.quiet.outputs.silence_id }}"}
  - id: tell
    uses: webhook
    with: {url: "{{ params.base }}/hook", json: {silence: "{{ steps.quiet.outputs.silence_id }}"}, secret: {secret: hook}}
  - {id: break, run: "exit 3"}
"#;

/// Answers like an Alertmanager, PagerDuty and whoever is told.
fn answers(what: &str) -> (u16, &'static str) {
    match what {
        "GET /api/v2/silences" => (200, "[]"),
        "POST /api/v2/silences" => (200, r#"{"silenceID":"of-the-sink"}"#),
        "GET /api/v2/silence/of-the-sink" => (200, r#"{"status":{"state":"active"},"endsAt":"2026-07-01T00:00:00Z"}"#),
        "DELETE /api/v2/silence/of-the-sink" => (200, ""),
        "POST /v2/enqueue" => (202, "{}"),
        what if what.starts_with("POST /services/") || what == "POST /hook" => (200, "ok"),
        _ => (404, "what is this"),
    }
}

#[test]
fn what_a_runbook_told_the_world_is_taken_back_and_no_secret_is_kept() {
    let home = Home::new();
    home.write("contain.yaml", RUNBOOK);
    let sink = Sink::new(answers);
    let mut command =
        home.command(&["exec", "contain.yaml", "--output", "plain", "-p", &format!("base={}", sink.url(""))]);
    for (name, value) in SECRETS {
        command.env(name, value);
    }
    command.env("CHAT_URL", sink.url(SECRETS[2].1));
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let got = sink.taken();
    let what: Vec<&str> = got.iter().map(|got| got.what.as_str()).collect();
    let wanted = [
        "GET /api/v2/silences",
        "POST /api/v2/silences",
        "POST /v2/enqueue",
        "POST /services/T0/chat-path-55d0aa",
        "POST /hook",
        "POST /v2/enqueue",
        "GET /api/v2/silence/of-the-sink",
        "DELETE /api/v2/silence/of-the-sink",
    ];
    assert_eq!(what, wanted, "{said}");
    let (alarm, end) = (got[2].json(), got[5].json());
    let run = home.run_folder().and_then(|it| it.file_name()?.to_str().map(str::to_owned)).expect("a run");
    assert_eq!(alarm["dedup_key"], format!("{run}/page.1"));
    assert_eq!((&end["event_action"], &end["dedup_key"]), (&json!("resolve"), &alarm["dedup_key"]));
    assert_eq!(alarm["routing_key"], SECRETS[1].1);
    assert_eq!(got[3].json()["text"], "silenced as of-the-sink");
    assert!(got[4].headers["x-signature-256"].starts_with("sha256="));
    assert_eq!(got[4].headers["idempotency-key"], format!("{run}/tell.1"));
    for (_, secret) in SECRETS {
        assert!(!said.contains(secret), "{said}");
        assert_eq!(holding(&home.path().join("state"), secret), Vec::<String>::new(), "{secret}");
    }
    assert!(!holding(&home.path().join("state"), "of-the-sink").is_empty(), "what is looked for is found");
}

/// The files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() {
            found.extend(holding(&path, text));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_step_waits_until_a_value_is_as_it_should_be() {
    let home = Home::new();
    let text = r#"
schema: runbook/v1
id: settle
title: Settle
params: {base: {type: string, required: true}}
steps:
  - id: queue
    uses: prometheus
    with: {url: "{{ params.base }}", query: queue_length, condition: {op: "<", value: 10}}
    until: "true"
    every: 10ms
    timeout: 60s
  - {id: said, assert: ["steps.queue.outputs.value == 7"]}
"#;
    home.write("settle.yaml", text);
    let sink = Sink::counting(|what, before| {
        assert_eq!(what, "POST /api/v1/query");
        match before {
            0 => (503, "not yet".to_owned()),
            before => {
                let value = 13 - 3 * before;
                let result = json!([{"metric": {"__name__": "queue_length"}, "value": [1.0, value.to_string()]}]);
                (200, json!({"status": "success", "data": {"resultType": "vector", "result": result}}).to_string())
            }
        }
    });
    let output = home.run(&["exec", "settle.yaml", "-p", &format!("base={}", sink.url(""))]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sink.taken().len(), 3, "no answer, 10, 7");
}

#[test]
fn each_of_them_can_be_used_and_is_listed() {
    let home = Home::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    let listed = home.run(&["plugins", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let mut seen = 0;
    for entry in
        std::fs::read_dir(folder).expect("the plugins").flatten().filter(|it| it.path().join("plugin.yaml").is_file())
    {
        let id = entry.file_name().into_string().expect("text");
        let output = home.run(&["plugin", "check", &entry.path().display().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{id}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{id}: {}", String::from_utf8_lossy(&output.stderr));
        let row = listed.as_array().into_iter().flatten().find(|row| row["id"] == id);
        assert_eq!(row.map(|row| &row["valid"]), Some(&json!(true)), "{id}");
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}
