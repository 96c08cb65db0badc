//! The report in `docs/examples`: of a real response, with an approval, a rollback that gets stuck because the chat is down, and
//! the retry of an operator that completes it.
//!
//! What differs from run to run (times, ports, paths, who runs the tests) is replaced in the records of the run, before the
//! report is made: so its times fit together.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use runbook_core::digest_of;
use runbook_core::event::Event;
use runbook_core::run::Run;
use runbook_core::units::{RunId, Timestamp};
use runbook_journal::{Journal as _, MemoryJournal, Record};
use runbook_report::{Given, LogEnd, html, markdown, report};
use runbook_runtime::folder::StateFolder;
use runbook_runtime::load;
use serde_json::{Value, json};

use super::room::Room;
use crate::kit::end_of;

/// 2025-11-18T08:42:10.250Z
const START: u64 = 1_763_455_330_250;
/// From one decision to the next, where nothing says otherwise.
const STEP_MS: u64 = 45;
/// What the commander needs to think.
const THOUGHT_MS: u64 = 161_000;
/// Until the chat is mended, and somebody says so.
const MENDING_MS: u64 = 412_000;
/// The delays between the attempts to undo are shorter by this in the test.
const HASTE: u64 = 100;
const SILENCE: &str = "3f1c9a52-7b0e-4d65-9c1e-2a8b6f40d7e3";
const RUN: &str = "01KABEYT6ASH4WD7Q9FZJ0N3XV";

/// A chat that is not well: the first message to the team gets 503, and so does each retraction before it is mended.
fn chat(is_mended: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut refused = false;
        for stream in listener.incoming().flatten() {
            let request = read_request(&stream);
            let is_first = !std::mem::replace(&mut refused, true);
            let is_down = request.contains("Retracted: ") && !is_mended.load(Ordering::Acquire);
            let (status, body) =
                if is_first || is_down { ("503 Service Unavailable", "restarting") } else { ("200 OK", "ok") };
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n", body.len());
            let _ = write!(&stream, "{head}connection: close\r\n\r\n{body}");
        }
    });
    port
}

/// A request with its body.
fn read_request(mut stream: &TcpStream) -> String {
    let (mut bytes, mut part) = (vec![], [0; 4096]);
    loop {
        let count = stream.read(&mut part).unwrap_or(0);
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let head = text.split_once("\r\n\r\n");
        let length = |head: &str| {
            let line = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            line.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0)
        };
        if count == 0 || head.is_some_and(|(head, body)| body.len() >= length(head)) {
            return text;
        }
    }
}

/// As the id of a silence is.
fn is_uuid(text: &str) -> bool {
    text.len() == SILENCE.len()
        && text
            .bytes()
            .zip(SILENCE.bytes())
            .all(|(one, like)| if like == b'-' { one == b'-' } else { one.is_ascii_hexdigit() })
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What is replaced in the texts of one run.
struct Filter {
    texts: Vec<(String, String)>,
    user: String,
    digests: Vec<String>,
    /// When a person said something, really and in the example; how many moments of the platform were told since.
    said: Vec<(u64, u64, u64)>,
}

impl Filter {
    fn value(&mut self, value: &mut Value, at: (u64, u64)) {
        match value {
            Value::Array(all) => all.iter_mut().for_each(|one| self.value(one, at)),
            Value::Object(all) => {
                // The plugins of a plan are known by their digests.
                let taken = std::mem::take(all).into_iter();
                all.extend(taken.map(|(key, one)| (if is_digest(&key) { self.text(&key) } else { key }, one)));
                let is_undo = all.get("phase").is_some_and(|phase| phase == "undo");
                for (key, one) in all.iter_mut() {
                    match key.as_str() {
                        "due" if is_undo => {
                            *one = (at.1 + (one.as_u64().expect("a moment") - at.0) * HASTE).into();
                        }
                        "due" | "next" | "kill_at" | "written_at" if one.is_u64() => {
                            *one = (one.as_u64().expect("a moment") + at.1 - at.0).into();
                        }
                        "pid" => *one = 4711.into(),
                        "port" => *one = 46403.into(),
                        "boot_id" | "supervisor" => *one = "example".into(),
                        "poll" => *one = 1.into(),
                        _ => self.value(one, at),
                    }
                }
            }
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) -> String {
        if is_digest(text) {
            let known = self.digests.iter().position(|one| one == text).unwrap_or_else(|| {
                self.digests.push(text.to_owned());
                self.digests.len() - 1
            });
            return digest_of(&known).to_string();
        }
        if is_uuid(text) {
            return SILENCE.to_owned();
        }
        let mut text = text.to_owned();
        for (from, to) in &self.texts {
            text = text.replace(from, to);
        }
        let words: Vec<String> = text.split_inclusive([' ', '\n', ';', ',']).map(|word| self.word(word)).collect();
        words.concat()
    }

    /// A word that is a moment or the name of the user, with what ends it.
    fn word(&mut self, word: &str) -> String {
        let bare = word.trim_end_matches([' ', '\n', ';', ',']);
        if bare == self.user {
            return word.replace(bare, "mia");
        }
        // As in `"since":"2025-11-18T08:42:10.250Z"`.
        let moment = bare.split('"').find_map(|part| Some((part, part.parse::<jiff::Timestamp>().ok()?)));
        let Some((part, moment)) = moment else { return word.to_owned() };
        let real = u64::try_from(moment.as_millisecond()).expect("a moment");
        let (_, base, told) = self.said.iter_mut().rev().find(|(said, ..)| *said <= real).expect("a beginning");
        *told += 310;
        word.replace(part, &runbook_report::text::rfc3339(*base + *told))
    }
}

/// How much later than the one before a record was decided.
fn pause(event: &Event) -> u64 {
    match event {
        Event::ServiceReady { .. } => 820,
        Event::QuestionAnswered { .. } => THOUGHT_MS,
        Event::VerbTaken { .. } => MENDING_MS,
        Event::AttemptEnded { failure: Some(runbook_core::event::Failure::Timeout(ms)), .. } => *ms,
        _ => STEP_MS,
    }
}

/// The records with what differs replaced; polls that found nothing are left out, since their number differs.
fn filtered(records: &[Record], filter: &mut Filter) -> (Run, Vec<Record>) {
    let is_poll = |event: &Event| match event {
        Event::PollMissed { .. } => true,
        Event::AttemptStarted { attempt, .. } => attempt.poll > 1,
        _ => false,
    };
    let (mut now, mut run, mut journal, mut all) = (START, Run::default(), MemoryJournal::new(), vec![]);
    let mut due = None;
    for record in records.iter().filter(|record| !is_poll(&record.event)) {
        now += pause(&record.event);
        if matches!(record.event, Event::AttemptStarted { .. }) {
            now = now.max(due.take().unwrap_or(now));
        }
        if matches!(record.event, Event::QuestionAnswered { .. } | Event::VerbTaken { .. }) {
            filter.said.push((record.at.0, now, 0));
        }
        let mut value = serde_json::to_value(&record.event).expect("JSON");
        filter.value(&mut value, (record.at.0, now));
        let by = if matches!(record.event, Event::RunCreated(_) | Event::VerbTaken { .. }) {
            json!({"uid": 1001, "name": "mia"})
        } else {
            json!({"uid": 1002, "name": "jonas"})
        };
        if value.get("by").is_some() {
            value["by"] = by;
        }
        let event: Event = serde_json::from_value(value).expect("an event");
        if let Event::RetryScheduled { due: at, .. } = &event {
            due = Some(at.0);
        }
        run.apply(&event, Timestamp(now)).expect("a legal event");
        all.extend(journal.append(all.len() as u64, Timestamp(now), &[event]).expect("a record"));
    }
    (run, all)
}

/// Rewrites the examples with `UPDATE_DOCS=1`, else compares.
#[test]
fn the_report_in_the_examples_is_what_a_real_response_gives() {
    let room = Room::new();
    let is_mended = Arc::new(AtomicBool::new(false));
    room.limit("incident/p0-response.yaml", "engine_up", "2m", "2s500ms");
    let webhook = room.home.path().join("chat.url");
    std::fs::write(&webhook, format!("http://127.0.0.1:{}/hooks/chat", chat(is_mended.clone()))).expect("a file");
    room.edit(
        "environments/sandbox.yaml",
        "{file: \"{{ services.platform.data }}/hooks/operations.url\"}",
        &format!("{{file: {}}}", webhook.display()),
    );
    let retry =
        |delay: &str| format!("retry: {{max_attempts: 5, delay: {delay}, backoff: exponential, max_delay: 30s}}");
    room.edit(
        "incident/p0-response.yaml",
        &format!("          {}\n          on_interrupt: rerun\n\n      - id: page_commander", retry("2s")),
        &format!("          {}\n          on_interrupt: rerun\n\n      - id: page_commander", retry("20ms")),
    );
    let exec = ["exec", "p0-response", "-p", "incident_type=system_down", "-p", "summary=Orders time out since 08:40"];
    let mut engine = room.home.start(&[&exec[..], &["--max-parallel", "1", "--output", "plain"]].concat());
    room.wait_for_question("restart_engine");
    // The books are lost while the commander thinks: now no restart can help.
    room.run(&["sandbox", "fault", "database_lost", "--run", "last"], 0);
    room.run(&["approve", "last", "--reason", "customers cannot trade"], 0);
    // The message to the team cannot be retracted: the rollback is stuck there, until somebody has mended the chat.
    assert_eq!(end_of(&mut engine), Some(5));
    is_mended.store(true, Ordering::Release);
    room.run(&["retry", "last", "--reason", "the chat answers again, the messages can be retracted"], 2);

    let folder = StateFolder::new(room.home.path().join("state")).find("last").expect("the run");
    let (_, records) = load(&folder).expect("its records");
    let mut filter = filter(&room, &records, folder.id());
    let (run, records) = filtered(&records, &mut filter);
    let mut log_end = |attempt: &str| -> Option<LogEnd> {
        let text = ["err", "out"].iter().find_map(|stream| {
            let text = std::fs::read_to_string(folder.log(attempt, stream)).ok()?;
            (!text.is_empty()).then_some((format!("{attempt}.{stream}"), text))
        });
        let (file, text) = text?;
        // The last poll: the request, how long it took, the answer.
        let lines: Vec<&str> = text.lines().collect();
        let lines = &lines[lines.len().saturating_sub(3)..];
        let took = |line: &str| {
            line.rsplit_once(" in ").map_or_else(|| line.to_owned(), |(first, _)| format!("{first} in 3 ms"))
        };
        let clean = |line: &&str| if line.starts_with("HTTP ") { took(line) } else { filter.text(line) };
        Some(LogEnd { file, lines: lines.iter().map(clean).collect() })
    };
    let logs: std::collections::BTreeMap<String, LogEnd> = ["notify_team.1", "engine_up.1", "notify_team.undo.5"]
        .iter()
        .filter_map(|attempt| Some(((*attempt).to_owned(), log_end(attempt)?)))
        .collect();
    let now = Timestamp(records.last().expect("a record").at.0 + 60_000);
    let given = Given { now, seal: Some(digest_of(&"seal")), log_end: &|attempt| logs.get(attempt).cloned() };
    let report = report(&run, &records, &given).expect("a report");
    assert_eq!((report.ending.state.as_str(), report.counts.retried), ("rolled_back", 4));
    compare("p0-response-report.md", &markdown(&report));
    compare("p0-response-report.html", &format!("{}\n", html(&report).expect("a page").trim_end()));
}

fn filter(room: &Room, records: &[Record], id: &RunId) -> Filter {
    let Event::RunCreated(created) = &records[0].event else { panic!("no beginning") };
    let texts = [
        (format!("{}/state", room.home.path().display()), "/var/lib/runbook".to_owned()),
        (room.home.path().display().to_string(), "/srv/trading".to_owned()),
        (env!("CARGO_BIN_EXE_runbook").to_owned(), "/usr/local/bin/runbook".to_owned()),
        (id.to_string(), RUN.to_owned()),
        (created.services[0].port.to_string(), "46403".to_owned()),
    ];
    Filter { texts: texts.into(), user: created.by.name.clone(), digests: vec![], said: vec![(0, START, 0)] }
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let changed = kept.lines().zip(text.lines()).find(|(kept, new)| kept != new);
    assert!(kept == text, "docs/examples/{name} is out of date, UPDATE_DOCS=1 writes it anew: {changed:?}");
}
