//! `prometheus` and `alertmanager` against the real ones.

use std::process::Command;

use serde_json::{Value, json};

use crate::kit::counterparts::{Server, port, program};
use crate::kit::sink::Sink;
use crate::kit::{KEY, Refused, refused, run, undo};

/// A server that answers at a URL.
struct Watched {
    server: Server,
    url: String,
}

fn prometheus(scraped: &Sink) -> Option<Watched> {
    let program = program("prometheus", &[])?;
    let folder = tempfile::tempdir().expect("a folder");
    let target = scraped.url("").replace("http://", "");
    let config = json!({
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [{"job_name": "disks", "static_configs": [{"targets": [target]}]}],
    });
    let file = folder.path().join("config.yml");
    std::fs::write(&file, config.to_string()).expect("a file");
    let port = port();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut server = Server::start(folder, &mut command);
    server.listens(port);
    Some(Watched { server, url: format!("http://127.0.0.1:{port}") })
}

fn alertmanager() -> Option<Watched> {
    let program = program("prometheus-alertmanager", &[])?;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yml");
    std::fs::write(&file, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").expect("a file");
    let port = port();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    let mut server = Server::start(folder, &mut command);
    server.listens(port);
    Some(Watched { server, url: format!("http://127.0.0.1:{port}") })
}

#[test]
fn a_value_is_what_the_real_prometheus_says_of_what_it_scraped() {
    let disks = Sink::new(200, "disk_free{disk=\"a\"} 5\ndisk_free{disk=\"b\"} 7.5\n");
    let Some(mut real) = prometheus(&disks) else { return };
    // With a slash at its end the URL is the same.
    let url = format!("{}/", real.url);
    let ask = |query: &str, condition: Value| {
        let mut inputs = json!({"url": url, "query": query});
        if !condition.is_null() {
            inputs["condition"] = condition;
        }
        run("prometheus", inputs)
    };
    let is = |op: &str, value: f64| json!({"op": op, "value": value});
    // As a step with `until` does.
    let outputs = real.server.wait_for("the first samples", || ask("disk_free", is(">", 4.0)).ok());
    assert_eq!(outputs["value"], Value::Null, "there are two");
    let mut disks: Vec<(&str, f64)> = outputs["vector"].as_array().into_iter().flatten().filter_map(of_disk).collect();
    disks.sort_by(|one, other| one.0.cmp(other.0));
    assert_eq!(disks, [("a", 5.0), ("b", 7.5)]);

    let outputs = ask("disk_free{disk=\"b\"} + 1", is("==", 8.5)).expect("it holds");
    assert_eq!(outputs["value"], 8.5);
    assert_eq!(ask("scalar(disk_free{disk=\"a\"}) * 2", is("<=", 10.0)).expect("it holds")["value"], 10.0);
    let unmet = |query: &str, condition| match ask(query, condition) {
        Err(Refused { code: 2, message }) => message,
        other => panic!("{other:?}"),
    };
    let message = unmet("sum by (disk) (disk_free)", is(">", 5.0));
    assert_eq!(message, r#"`> 5` does not hold: the value is 5 ({"disk":"a"})"#);
    let message = unmet("disk_gone", is("<", 5.0));
    assert_eq!(message, "the query has no value, and `< 5` was expected");
    assert_eq!(unmet("vector(0) / 0", is("!=", 1.0)), "`!= 1` does not hold: the value is NaN");
    assert_eq!(ask("vector(0) / 0", Value::Null).expect("a value")["vector"][0]["value"], Value::Null);
    let Err(Refused { code: 1, message }) = ask("sum(", Value::Null) else { panic!("no query") };
    assert!(message.starts_with("the query failed: ") && message.contains("parse error"), "{message}");
    let Err(Refused { code: 1, message }) = ask("disk_free[5m]", Value::Null) else { panic!("no vector") };
    assert!(message.contains("no value or vector of values"), "{message}");
}

fn of_disk(sample: &Value) -> Option<(&str, f64)> {
    Some((sample["labels"]["disk"].as_str()?, sample["value"].as_f64()?))
}

/// What the Alertmanager itself says of its silences.
fn silences(url: &str) -> Vec<Value> {
    let answer = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let answer = answer.get(format!("{url}/api/v2/silences")).send().and_then(|it| it.text()).expect("an answer");
    let all: Value = serde_json::from_str(&answer).expect("JSON");
    all.as_array().cloned().expect("a list")
}

#[test]
fn a_silence_is_made_once_and_ended_by_an_undo() {
    let Some(real) = alertmanager() else { return };
    let inputs = json!({
        "url": real.url, "comment": "moving disks", "duration": "30m", "created_by": "ops",
        "matchers": [{"name": "host", "value": "db-.*", "regex": true}, {"name": "team", "value": "web", "equal": false}],
    });
    let outputs = run("alertmanager", inputs.clone()).expect("it is made");
    let made = silences(&real.url);
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["id"], outputs["silence_id"]);
    assert_eq!((&made[0]["status"]["state"], &made[0]["createdBy"]), (&json!("active"), &json!("ops")));
    assert_eq!(made[0]["comment"], format!("moving disks ({KEY})"));
    let matchers = json!([
        {"name": "host", "value": "db-.*", "isRegex": true, "isEqual": true},
        {"name": "team", "value": "web", "isRegex": false, "isEqual": false},
    ]);
    assert_eq!(made[0]["matchers"], matchers);
    let time = |value: &Value| value.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    let length = time(&made[0]["endsAt"]).duration_since(time(&made[0]["startsAt"]));
    // It begins when the Alertmanager gets it.
    assert!((1799..=1800).contains(&length.as_secs()), "{length}");

    let again = run("alertmanager", inputs.clone()).expect("it is there");
    assert_eq!(again["silence_id"], outputs["silence_id"], "the same call, made again, makes no second one");
    assert_eq!(silences(&real.url).len(), 1);

    undo("alertmanager", inputs.clone(), &outputs).expect("it is ended");
    assert_eq!(silences(&real.url)[0]["status"]["state"], "expired");
    undo("alertmanager", inputs.clone(), &outputs).expect("an undo that is made again finds it ended");
    let gone = json!({"silence_id": "00000000-0000-0000-0000-000000000000"});
    undo("alertmanager", inputs.clone(), &gone).expect("what is not there silences nothing");
    let anew = run("alertmanager", inputs).expect("it is made");
    assert_ne!(anew["silence_id"], outputs["silence_id"], "one that has ended is none");
    let expire = json!({"url": real.url, "action": "expire", "silence_id": anew["silence_id"]});
    run("alertmanager", expire.clone()).expect("it is ended");
    assert!(silences(&real.url).iter().all(|one| one["status"]["state"] == "expired"));
    undo("alertmanager", expire, &anew).expect("there is nothing to do");
}

#[test]
fn what_cannot_be_silenced_is_refused() {
    let matchers = json!([{"name": "a", "value": "b"}]);
    for (inputs, part) in [
        (json!({"url": "http://127.0.0.1:1", "matchers": matchers}), "needs a `comment`"),
        (json!({"url": "http://127.0.0.1:1", "comment": "x"}), "needs `matchers`"),
        (json!({"url": "http://127.0.0.1:1", "action": "expire"}), "needs a `silence_id`"),
        (json!({"url": "http://127.0.0.1:1", "comment": "x", "duration": "soon"}), "is no length of time"),
    ] {
        let message = refused("alertmanager", inputs);
        assert!(message.contains(part), "{message}");
    }
    let Some(real) = alertmanager() else { return };
    let broken = json!([{"name": "a", "value": "(", "regex": true}]);
    let message = refused("alertmanager", json!({"url": real.url, "comment": "x", "matchers": broken}));
    assert!(message.starts_with("the server answered 400"), "{message}");
    assert!(silences(&real.url).is_empty());
}
