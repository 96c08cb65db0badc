//! How commands end, and what is told and written about it.

use std::os::unix::fs::PermissionsExt;

use runbook_runtime::supervisor::{AttemptStatus, Exit, Key, Notification, Request, Span, SpawnErrorKind, read_status};

use crate::rig::{Rig, Test, block_on, code, lives, secret};

pub(crate) const TESTS: &[Test] = &[
    ("ends::exit_codes_and_signals_are_told", exit_codes_and_signals_are_told),
    ("ends::what_cannot_be_started_says_why", what_cannot_be_started_says_why),
    ("ends::a_known_key_is_not_started_again", a_known_key_is_not_started_again),
    ("ends::the_environment_is_what_was_asked_for", the_environment_is_what_was_asked_for),
    ("ends::commands_can_be_ended_by_the_signals_the_supervisor_survives", commands_can_be_ended),
    ("ends::files_are_private", files_are_private),
    ("ends::an_unknown_key_is_said_to_be_unknown", an_unknown_key_is_said_to_be_unknown),
    ("ends::commands_inherit_nothing_but_their_output", commands_inherit_nothing_but_their_output),
];

fn exit_codes_and_signals_are_told() {
    block_on(async {
        let mut rig = Rig::new().await;
        let three = rig.sh("a.do.1.1", "echo out; echo err >&2; exit 3");
        let ended = rig.run(&three).await;
        assert_eq!(ended.exit, Exit::Code(3));
        assert_eq!((ended.stdout, ended.stderr), (Span { from: 0, to: 4 }, Span { from: 0, to: 4 }));
        assert!(ended.started_at_ms.expect("it ran") <= ended.ended_at_ms);
        assert_eq!(read_status(&rig.folder, &three.key).expect("file"), AttemptStatus::Ended(ended));

        let mut again = rig.sh("a.do.1.2", "echo more");
        again.stdout = rig.folder.join("a.do.1.1.out");
        let started = rig.started(&again).await;
        assert_eq!(started.stdout_from, 4, "the output of this poll alone can be found");
        assert_eq!(rig.ended("a.do.1.2").await.stdout, Span { from: 4, to: 9 });

        let killed = rig.sh("b.do.1.1", "kill -9 $$");
        assert_eq!(rig.run(&killed).await.exit, Exit::Signal(9));
    });
}

fn what_cannot_be_started_says_why() {
    block_on(async {
        let mut rig = Rig::new().await;
        std::fs::write(rig.folder.join("script"), "#!/no/such/interpreter\n").expect("file");
        std::fs::set_permissions(rig.folder.join("script"), PermissionsExt::from_mode(0o700)).expect("mode");
        let script = rig.folder.join("script");
        let mut no_dir = rig.sh("dir", "true");
        no_dir.dir = rig.folder.join("missing");
        let mut no_output = rig.sh("output", "true");
        no_output.stdout = rig.folder.join("missing/file");
        let cases = [
            (rig.argv("program", "/no/such/program", &[]), SpawnErrorKind::ProgramNotFound, "`/no/such/program`"),
            (rig.argv("script", script.to_str().expect("text"), &[]), SpawnErrorKind::ProgramNotFound, "interpreter"),
            (rig.argv("folder", "/tmp", &[]), SpawnErrorKind::PermissionDenied, "`/tmp`"),
            (no_dir, SpawnErrorKind::DirNotFound, "missing"),
            (no_output, SpawnErrorKind::Output, "missing/file"),
            (rig.argv("bare", "true", &[]), SpawnErrorKind::Other, "absolute"),
        ];
        for (request, expected, word) in cases {
            let ended = rig.run(&request).await;
            let Exit::SpawnError { kind, ref message } = ended.exit else { panic!("{ended:?}") };
            assert_eq!(kind, expected, "{message}");
            assert!(message.contains(word), "{message}");
            assert_eq!(ended.started_at_ms, None);
            assert_eq!(read_status(&rig.folder, &request.key).expect("file"), AttemptStatus::Ended(ended));
        }
    });
}

fn a_known_key_is_not_started_again() {
    block_on(async {
        let mut rig = Rig::new().await;
        assert_eq!(read_status(&rig.folder, &Key::new("a").expect("key")).expect("file"), AttemptStatus::NeverStarted);
        let request = rig.sh("a", "echo x >> ran; read line < gate; exit 7");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            rig.folder.join("gate"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("fifo");
        let first = rig.started(&request).await;
        let second = rig.started(&request).await;
        assert_eq!(first, second);
        let AttemptStatus::Running { started, .. } = read_status(&rig.folder, &request.key).expect("file") else {
            panic!("it runs")
        };
        assert_eq!(started, first);
        assert!(lives(started.process));
        std::fs::write(rig.folder.join("gate"), "go\n").expect("fifo");
        let ended = rig.ended("a").await;
        assert_eq!(code(&ended), 7);
        assert_eq!(rig.run(&request).await, ended, "asked again, the same end");
        assert_eq!(rig.text("ran"), "x\n");
    });
}

fn the_environment_is_what_was_asked_for() {
    block_on(async {
        let mut rig = Rig::new().await;
        let mut request = rig.sh("a", "pwd -P; echo \"$ONE/$TWO/${PATH:-no path}/$RUNBOOK_ATTEMPT\"; cat");
        request.env.insert("ONE".into(), "1".into());
        request.env_secret.insert("TWO".into(), secret("2"));
        request.env_remove.push("PATH".into());
        request.program = "/usr/bin/env".into();
        request.args.splice(0..0, ["/bin/bash".to_owned(), "--norc".to_owned()]);
        request.args[3] = request.args[3].replace("; cat", "; [ -t 0 ] || read -r x || echo 'empty input'");
        assert_eq!(code(&rig.run(&request).await), 0);
        let folder = rig.folder.canonicalize().expect("folder");
        let run = folder.file_name().expect("name").to_string_lossy();
        let text = rig.text("a.out");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], folder.to_str().expect("text"));
        assert!(lines[1].starts_with("1/2/"), "{}", lines[1]);
        assert!(lines[1].ends_with(&format!("/{run}/a")), "{}", lines[1]);
        assert_eq!(lines[2], "empty input");
        let status = rig.text("attempts/a.jsonl");
        assert!(!status.contains("TWO") && !status.contains("ONE"), "{status}");
        // bash makes a PATH of its own when it gets none, so a program without one has to say it.
        let mut bare = rig.argv("b", "/usr/bin/env", &[]);
        bare.env_remove.push("PATH".into());
        rig.run(&bare).await;
        assert!(!rig.text("b.out").lines().any(|line| line.starts_with("PATH=")));
    });
}

fn commands_can_be_ended() {
    block_on(async {
        let mut rig = Rig::new().await;
        for (name, number) in [("HUP", 1), ("INT", 2), ("TERM", 15), ("PIPE", 13)] {
            let request = rig.sh(name, &format!("kill -{name} $$; sleep 100"));
            assert_eq!(rig.run(&request).await.exit, Exit::Signal(number), "{name} must be as it is by default");
        }
        let supervisor = i32::try_from(rig.welcome.identity.process.pid).expect("pid");
        let pid = rustix::process::Pid::from_raw(supervisor).expect("pid");
        for signal in ["HUP", "INT", "TERM", "QUIT"].map(|name| match name {
            "HUP" => rustix::process::Signal::HUP,
            "INT" => rustix::process::Signal::INT,
            "TERM" => rustix::process::Signal::TERM,
            _ => rustix::process::Signal::QUIT,
        }) {
            rustix::process::kill_process(pid, signal).expect("sent");
        }
        let request = rig.sh("after", "exit 4");
        assert_eq!(code(&rig.run(&request).await), 4, "the supervisor survives them");
    });
}

fn files_are_private() {
    block_on(async {
        let mut rig = Rig::new().await;
        let mut masked = rig.sh("m", "umask; echo x");
        masked.mask.push(secret("some secret"));
        rig.run(&masked).await;
        let plain = rig.sh("p", "umask; echo x");
        rig.run(&plain).await;
        for name in [
            "m.out",
            "m.err",
            "p.out",
            "p.err",
            "attempts/m.jsonl",
            "supervisor.lock",
            "supervisor.json",
            "supervisor.log",
            "supervisor.sock",
        ] {
            let mode = std::fs::metadata(rig.folder.join(name)).expect(name).permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(umask);
        let seen = rig.text("p.out");
        let seen = u32::from_str_radix(seen.lines().next().expect("line"), 8).expect("octal");
        assert_eq!(seen, umask.as_raw_mode(), "commands keep the umask that the engine had");
    });
}

fn an_unknown_key_is_said_to_be_unknown() {
    block_on(async {
        let mut rig = Rig::new().await;
        rig.signal("nobody", true);
        let said = rig.client().next().await.expect("lives");
        assert_eq!(said, Notification::Unknown { key: Key::new("nobody").expect("key") });
        rig.client().send(&Request::Leave);
        assert!(rig.client().next().await.is_err());
        assert!(rig.client().next().await.is_err(), "and it stays lost");
    });
}

fn commands_inherit_nothing_but_their_output() {
    block_on(async {
        // Without close-on-exec, as a shell's `exec 9>file` gives it to the engine.
        let file = std::fs::File::open("/dev/null").expect("null");
        let _inherited = rustix::io::dup(&file).expect("dup");
        let mut rig = Rig::new().await;
        let supervisor = rig.welcome.identity.process;
        let sleeper = rig.sh("s", "exec sleep 100");
        let sleeper = rig.started(&sleeper).await.process;
        let mut masked = rig.sh("m", "exec sleep 100");
        masked.mask.push(secret("some secret"));
        let masked = rig.started(&masked).await.process;
        for process in [sleeper, masked] {
            let fds = std::fs::read_dir(format!("/proc/{}/fd", process.pid)).expect("fds");
            let mut fds: Vec<_> = fds.map(|fd| fd.expect("fd").file_name().into_string().expect("text")).collect();
            fds.sort();
            assert_eq!(fds, ["0", "1", "2"]);
        }
        for fd in std::fs::read_dir(format!("/proc/{}/fd", supervisor.pid)).expect("fds").flatten() {
            let target = std::fs::read_link(fd.path()).unwrap_or_default();
            let number: u32 = fd.file_name().to_string_lossy().parse().expect("a number");
            assert!(number == 0 || target != std::path::Path::new("/dev/null"), "the supervisor keeps nothing open");
        }
        rig.signal("s", true);
        rig.ended("s").await;
    });
}
