//! What is known after the engine, the supervisor or both were lost.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use runbook_runtime::supervisor::{
    self, AttemptStatus, ClientError, CommandState, Ended, Exit, Key, Notification, ProcessId, Refusal, Request, Stop,
    SupervisorClient, read_identity, read_status,
};

use crate::rig::{Rig, Test, block_on, code, gone, kill, lives, wait_for};

pub(crate) const TESTS: &[Test] = &[
    ("recovery::a_command_outlives_the_engine", a_command_outlives_the_engine),
    ("recovery::there_is_one_engine_at_a_time", there_is_one_engine_at_a_time),
    ("recovery::a_supervisor_without_work_leaves", a_supervisor_without_work_leaves),
    ("recovery::a_second_supervisor_leaves_in_silence", a_second_supervisor_leaves_in_silence),
    ("recovery::the_next_supervisor_takes_over", the_next_supervisor_takes_over),
    ("recovery::what_was_only_starting_is_found", what_was_only_starting_is_found),
    ("recovery::a_folder_may_lie_deep", a_folder_may_lie_deep),
    ("recovery::nobody_else_is_let_in", nobody_else_is_let_in),
    ("recovery::leaving_is_clean", leaving_is_clean),
    ("recovery::a_program_that_is_no_supervisor_is_told", a_program_that_is_no_supervisor_is_told),
    ("recovery::sources_of_secrets_are_withheld", sources_of_secrets_are_withheld),
    ("recovery::asked_before_the_engine_died_is_done", asked_before_the_engine_died_is_done),
];

const WAITS: &str = "while ! [ -e go ]; do sleep 0.01; done; exit 7";

fn state(rig: &Rig, key: &str) -> CommandState {
    let known = rig.welcome.commands.iter().find(|known| known.key.as_str() == key);
    known.unwrap_or_else(|| panic!("{key} is not known: {:?}", rig.welcome)).state.clone()
}

fn over(rig: &Rig, key: &str) -> Ended {
    match state(rig, key) {
        CommandState::Ended(ended) => ended,
        running => panic!("{key} should be over: {running:?}"),
    }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("key")
}

fn go(rig: &Rig) {
    std::fs::write(rig.folder.join("go"), "").expect("file");
}

fn kill_supervisor(rig: &Rig) {
    let process = rig.welcome.identity.process;
    kill(i32::try_from(process.pid).expect("pid"));
    assert!(gone(process));
}

fn a_command_outlives_the_engine() {
    block_on(async {
        let mut rig = Rig::new().await;
        let identity = rig.welcome.identity.clone();
        assert_eq!(read_identity(&rig.folder).expect("file"), Some(identity.clone()));
        assert_eq!(identity.boot_id, supervisor::boot_id().expect("boot"));
        let request = rig.sh("a", WAITS);
        let started = rig.started(&request).await;
        rig.reconnect().await;
        assert_eq!(rig.welcome.identity, identity, "it is the same supervisor");
        assert_eq!(state(&rig, "a"), CommandState::Running(started.clone()));
        go(&rig);
        let ended = rig.ended("a").await;
        assert_eq!(code(&ended), 7, "the new engine is told");

        let second = rig.sh("b", "exit 8");
        rig.start(&second);
        rig.disconnect();
        wait_for(|| matches!(read_status(&rig.folder, &second.key), Ok(AttemptStatus::Ended(_))).then_some(()));
        rig.reconnect().await;
        assert_eq!(rig.welcome.identity, identity);
        assert_eq!(over(&rig, "a"), ended);
        assert_eq!(code(&over(&rig, "b")), 8, "it ended while nobody was there");
    });
}

fn there_is_one_engine_at_a_time() {
    block_on(async {
        let mut rig = Rig::new().await;
        let second = SupervisorClient::connect(&rig.folder).await;
        assert!(matches!(second, Err(ClientError::Refused(Refusal::Busy))), "{second:?}");
        let request = rig.sh("a", "exit 3");
        assert_eq!(code(&rig.run(&request).await), 3, "the first one is not disturbed");
    });
}

fn a_supervisor_without_work_leaves() {
    block_on(async {
        let mut rig = Rig::new().await;
        let process = rig.welcome.identity.process;
        let request = rig.sh("a", WAITS);
        rig.started(&request).await;
        let folder = rig.folder.clone();
        rig.disconnect();
        assert!(lives(process), "its command still runs");
        go(&rig);
        assert!(gone(process));
        assert!(!folder.join("supervisor.sock").exists());
        let connected = SupervisorClient::connect(&folder).await;
        assert!(matches!(connected, Err(ClientError::NotRunning)), "{connected:?}");
        rig.reconnect().await;
        assert_ne!(rig.welcome.identity.process, process);
        assert_eq!(code(&over(&rig, "a")), 7, "what ended is known for good");
        assert_eq!(code(&rig.run(&request).await), 7, "and not started again");
    });
}

fn a_second_supervisor_leaves_in_silence() {
    block_on(async {
        let mut rig = Rig::new().await;
        let exe = std::env::current_exe().expect("exe");
        let output =
            std::process::Command::new(exe).arg(supervisor::SUBCOMMAND).arg(&rig.folder).output().expect("runs");
        assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        let request = rig.sh("a", "exit 3");
        assert_eq!(code(&rig.run(&request).await), 3);
    });
}

fn the_next_supervisor_takes_over() {
    block_on(async {
        let mut rig = Rig::new().await;
        let tree = "setsid sh -c 'echo $$ > two.new; mv two.new two; exec sleep 300' & ";
        let living = rig.sh("living", &format!("{tree} sleep 300"));
        let lost = rig.sh("lost", "exec sleep 300");
        let waiting = rig.sh("waiting", WAITS);
        let done = rig.sh("done", "exit 5");
        let started = rig.started(&living).await;
        let two = rig.process_in("two");
        let lost_process = rig.started(&lost).await.process;
        rig.started(&waiting).await;
        let ended = rig.run(&done).await;
        kill_supervisor(&rig);
        assert!(rig.client().next().await.is_err(), "the engine learns that it is gone");
        kill(i32::try_from(lost_process.pid).expect("pid"));
        assert!(gone(lost_process));

        rig.reconnect().await;
        assert_eq!(over(&rig, "done"), ended);
        assert_eq!(over(&rig, "lost").exit, Exit::Unknown);
        assert_eq!(state(&rig, "living"), CommandState::Running(started.clone()));
        assert_eq!(rig.run(&lost).await.exit, Exit::Unknown, "not started again");
        go(&rig);
        assert_eq!(rig.ended("waiting").await.exit, Exit::Unknown, "its end is seen, its code is not");
        rig.signal("living", true);
        let ended = rig.ended("living").await;
        assert_eq!((ended.exit, ended.signalled), (Exit::Unknown, Some(Stop::Kill)));
        assert!(!lives(started.process) && !lives(two), "nothing of it is left");
    });
}

fn cut_to_starting(rig: &Rig, name: &str) {
    let path = format!("attempts/{name}.jsonl");
    let text = rig.text(&path);
    let first = text.lines().next().expect("a line");
    assert!(first.contains("\"starting\""), "{first}");
    // And half of what would have been the next line.
    std::fs::write(rig.folder.join(path), format!("{first}\n{}", &first[..20])).expect("file");
}

fn what_was_only_starting_is_found() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("spawned", "sleep 300; true");
        let process = rig.started(&request).await.process;
        let other = rig.sh("gone", "exit 0");
        rig.run(&other).await;
        let damaged = rig.sh("damaged", "exit 0");
        rig.run(&damaged).await;
        kill_supervisor(&rig);
        cut_to_starting(&rig, "spawned");
        cut_to_starting(&rig, "gone");
        std::fs::write(rig.folder.join("attempts/damaged.jsonl"), "{\n").expect("file");
        std::fs::write(rig.folder.join("attempts/empty.jsonl"), "").expect("file");
        let starting = read_status(&rig.folder, &key("spawned")).expect("file");
        assert!(matches!(starting, AttemptStatus::Starting { .. }), "{starting:?}");
        assert!(read_status(&rig.folder, &key("damaged")).is_err());

        rig.reconnect().await;
        assert_eq!(rig.welcome.commands.len(), 3);
        let CommandState::Running(found) = state(&rig, "spawned") else { panic!("it lives") };
        assert_eq!(found.process, process);
        assert_eq!(over(&rig, "gone").exit, Exit::Unknown);
        assert_eq!(over(&rig, "damaged").exit, Exit::Unknown);
        assert_eq!(rig.run(&damaged).await.exit, Exit::Unknown, "it may have run, so it is not started again");
        rig.signal("spawned", false);
        assert_eq!(rig.ended("spawned").await.exit, Exit::Unknown);
        assert!(!lives(process));
    });
}

fn a_folder_may_lie_deep() {
    block_on(async {
        let rig = Rig::new().await;
        let deep = rig.folder.join("d".repeat(100)).join("e".repeat(100)).join("run");
        std::fs::create_dir_all(&deep).expect("folder");
        let (mut client, welcome) = crate::rig::connect(&deep).await;
        let request = rig.sh("a", "exit 3");
        client.send(&Request::Start(Box::new(request)));
        assert!(matches!(client.next().await.expect("lives"), Notification::Started { .. }));
        let Notification::Ended { ended, .. } = client.next().await.expect("lives") else { panic!("over") };
        assert_eq!(code(&ended), 3);
        client.send(&Request::Leave);
        assert!(gone(welcome.identity.process));
    });
}

fn dial(folder: &Path) -> BufReader<UnixStream> {
    BufReader::new(UnixStream::connect(folder.join("supervisor.sock")).expect("connects"))
}

fn nobody_else_is_let_in() {
    block_on(async {
        let mut rig = Rig::new().await;
        for (said, answer) in [
            ("{\"hello\":{\"version\":99}}\n", "{\"refused\":\"version\"}\n"),
            ("{\"signal\":{\"key\":\"a\",\"force\":true}}\n", "{\"refused\":\"version\"}\n"),
            ("\"leave\"\n", "{\"refused\":\"version\"}\n"),
            ("no JSON\n", ""),
            ("{\"hello\":{\"version\":1}}\n", "{\"refused\":\"busy\"}\n"),
        ] {
            let mut stream = dial(&rig.folder);
            stream.get_mut().write_all(said.as_bytes()).expect("sent");
            let mut line = String::new();
            // Closed with something unread is an error on this side, and an end all the same.
            let _ = stream.read_line(&mut line);
            assert_eq!(line, answer, "to {said}");
        }
        let _silent = dial(&rig.folder);
        let request = rig.sh("a", "exit 3");
        assert_eq!(code(&rig.run(&request).await), 3, "the engine is not disturbed");
    });
}

fn leaving_is_clean() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", "exec sleep 300");
        let command = rig.started(&request).await.process;
        let first: ProcessId = rig.welcome.identity.process;
        rig.client().send(&Request::Leave);
        assert!(rig.client().next().await.is_err());
        rig.reconnect().await;
        assert!(gone(first));
        assert_ne!(rig.welcome.identity.process, first);
        assert!(matches!(state(&rig, "a"), CommandState::Running(_)), "what ran goes on, and is found again");
        rig.signal("a", true);
        rig.ended("a").await;
        assert!(!lives(command));
    });
}

fn a_program_that_is_no_supervisor_is_told() {
    block_on(async {
        let home = tempfile::tempdir().expect("temp");
        let started = SupervisorClient::connect_or_start(home.path(), Path::new("/bin/false"), &[]).await;
        assert!(matches!(started, Err(ClientError::NotReady)), "{started:?}");
        let started = SupervisorClient::connect_or_start(home.path(), Path::new("/no/such"), &[]).await;
        assert!(matches!(started, Err(ClientError::Spawn(_))), "{started:?}");
        let connected = SupervisorClient::connect(home.path()).await;
        assert!(matches!(connected, Err(ClientError::NotRunning)), "{connected:?}");
    });
}

fn sources_of_secrets_are_withheld() {
    block_on(async {
        assert!(std::env::var_os(crate::rig::WITHHELD).is_some(), "cargo sets it");
        let mut rig = Rig::new().await;
        let request = rig.argv("a", "/usr/bin/env", &[]);
        rig.run(&request).await;
        let has = |text: &str, name: &str| text.contains(&format!("{name}="));
        let environ = std::fs::read(format!("/proc/{}/environ", rig.welcome.identity.process.pid)).expect("environ");
        for text in [String::from_utf8_lossy(&environ).into_owned(), rig.text("a.out")] {
            assert!(has(&text, "PATH") && !has(&text, crate::rig::WITHHELD), "{text}");
        }
    });
}

fn asked_before_the_engine_died_is_done() {
    block_on(async {
        let mut rig = Rig::new().await;
        // More than is read at once, and answered while the engine is gone already.
        for at in 0..60 {
            let mut request = rig.sh(&format!("a{at}"), "exit 0");
            request.env.insert("FILLER".into(), "x".repeat(1000));
            rig.start(&request);
        }
        rig.reconnect().await;
        assert_eq!(rig.welcome.commands.len(), 60, "all were asked for before this engine said hello");
    });
}
