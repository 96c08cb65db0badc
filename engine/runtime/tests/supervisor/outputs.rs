//! Where output goes, and that no secret gets there.

use runbook_runtime::supervisor::{Exit, StartRequest};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::rig::{Rig, Test, block_on, code, secret, wait_for};

pub(crate) const TESTS: &[Test] = &[
    ("outputs::a_secret_in_two_writes_is_masked", a_secret_in_two_writes_is_masked),
    ("outputs::no_secret_is_written_anywhere", no_secret_is_written_anywhere),
    ("outputs::the_last_line_is_there_when_the_command_is_over", the_last_line_is_there),
    ("outputs::one_that_holds_the_pipe_delays_nothing", one_that_holds_the_pipe_delays_nothing),
    ("outputs::one_that_writes_without_end_delays_nothing", one_that_writes_without_end_delays_nothing),
    ("outputs::a_full_disk_is_told_to_the_command", a_full_disk_is_told_to_the_command),
    ("outputs::much_output_needs_no_memory", much_output_needs_no_memory),
    ("outputs::much_masked_output_needs_no_memory", much_masked_output_needs_no_memory),
];

const SECRET: &str = "hunter2-and-more";

fn masked(mut request: StartRequest) -> StartRequest {
    request.env_secret.insert("SECRET".into(), secret(SECRET));
    request.mask.push(secret(SECRET));
    request
}

fn fifo(rig: &Rig, name: &str) {
    mknodat(CWD, rig.folder.join(name), FileType::Fifo, Mode::RWXU, 0).expect("fifo");
}

fn a_secret_in_two_writes_is_masked() {
    block_on(async {
        let mut rig = Rig::new().await;
        let script = r#"
            printf 'a hunter2'; sleep 0.05; printf -- '-and-more b\n'; sleep 0.05
            printf '%s' "$SECRET" | base64; printf '<%s>\n' "$SECRET" "$SECRET" >&2
            printf 'user:%s' "$SECRET" | base64; printf '%s' "$SECRET" | od -An -tx1 | tr -d ' \n'"#;
        let request = masked(rig.sh("a", script));
        assert_eq!(code(&rig.run(&request).await), 0);
        let out = rig.text("a.out");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3]), ("a *** b", "***==", "***"), "{out}");
        assert!(lines[2].starts_with("dXNlc") && lines[2].contains("***") && lines[2].len() < 14, "{out}");
        assert_eq!(rig.text("a.err"), "<***>\n<***>\n");
    });
}

fn no_secret_is_written_anywhere() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = masked(rig.sh("a", "env; echo \"$SECRET\" >&2; exec sleep 300"));
        let root = rig.started(&request).await.process;
        // A command that cannot start, and a broken request, must not put it into a message.
        let mut failing = masked(rig.sh("b", "true"));
        failing.dir = "/missing".into();
        rig.run(&failing).await;
        wait_for(|| rig.text("a.err").contains("***").then_some(()));
        let seen = |text: &[u8]| text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        // The command has it; while a shell becomes another program there is nothing to be read for a moment.
        wait_for(|| seen(&std::fs::read(format!("/proc/{}/environ", root.pid)).expect("environ")).then_some(()));
        for process in [root.pid, rig.welcome.identity.process.pid] {
            assert!(!seen(&std::fs::read(format!("/proc/{process}/cmdline")).expect("cmdline")));
        }
        rig.signal("a", true);
        rig.ended("a").await;
        let mut files = 0;
        for folder in [rig.folder.clone(), rig.folder.join("attempts")] {
            for entry in std::fs::read_dir(folder).expect("folder").flatten().filter(|entry| entry.path().is_file()) {
                files += 1;
                assert!(!seen(&std::fs::read(entry.path()).expect("file")), "{}", entry.path().display());
            }
        }
        assert!(files > 6);
        assert!(!format!("{request:?}").contains("hunter2"));
    });
}

fn the_last_line_is_there() {
    block_on(async {
        let mut rig = Rig::new().await;
        for (at, text) in ["x hun", "x", "hunter2-and-more", "no newline"].into_iter().enumerate() {
            let key = format!("a{at}");
            let request = masked(rig.argv(&key, "/usr/bin/printf", &["%s", text]));
            let ended = rig.run(&request).await;
            let written = rig.text(&format!("{key}.out"));
            assert_eq!(written, text.replace(SECRET, "***"));
            assert_eq!(ended.stdout.to, written.len() as u64);
        }
    });
}

fn one_that_holds_the_pipe_delays_nothing() {
    block_on(async {
        let mut rig = Rig::new().await;
        fifo(&rig, "gate");
        let request = masked(rig.sh("a", "(read line < gate; echo \"late $SECRET\"; echo bye) & printf 'first hu'"));
        let ended = rig.run(&request).await;
        assert_eq!(code(&ended), 0);
        assert_eq!(rig.text("a.out"), "first hu", "what was there is there");
        std::fs::write(rig.folder.join("gate"), "go\n").expect("fifo");
        wait_for(|| rig.text("a.out").contains("bye").then_some(()));
        assert_eq!(rig.text("a.out"), "first hulate ***\nbye\n", "and what comes later is masked too");
    });
}

fn one_that_writes_without_end_delays_nothing() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = masked(rig.sh("a", "yes \"$SECRET\" & echo $! > pid"));
        assert_eq!(code(&rig.run(&request).await), 0);
        let writer = rig.process_in("pid");
        crate::rig::kill(i32::try_from(writer.pid).expect("pid"));
        assert!(!rig.text("a.out").contains("hunter2"));
    });
}

fn a_full_disk_is_told_to_the_command() {
    block_on(async {
        let mut rig = Rig::new().await;
        let mut request = masked(rig.sh("a", "exec yes"));
        request.stdout = "/dev/full".into();
        assert_eq!(rig.run(&request).await.exit, Exit::Signal(13));
        let other = masked(rig.sh("b", "exit 3"));
        assert_eq!(code(&rig.run(&other).await), 3);
    });
}

fn much_output_needs_no_memory() {
    much_output(|request| request, 200_000_000);
}

fn much_masked_output_needs_no_memory() {
    much_output(masked, 200_000_000);
}

fn much_output(change: impl Fn(StartRequest) -> StartRequest, bytes: u64) {
    block_on(async {
        let mut rig = Rig::new().await;
        let warm = change(rig.sh("warm", "head -c 1000000 /dev/zero"));
        rig.run(&warm).await;
        let before = peak_kib(&rig);
        let request = change(rig.sh("a", &format!("head -c {bytes} /dev/zero")));
        let ended = rig.run(&request).await;
        assert_eq!((code(&ended), ended.stdout.to), (0, bytes));
        let grown = peak_kib(&rig) - before;
        assert!(grown < 8 * 1024, "{grown} KiB more");
    });
}

/// Peak resident memory of the supervisor.
fn peak_kib(rig: &Rig) -> u64 {
    let path = format!("/proc/{}/status", rig.welcome.identity.process.pid);
    let status = std::fs::read_to_string(path).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
