//! Many commands at once, and what one costs.

#![expect(clippy::print_stdout, reason = "measurements are for people to read")]

use std::time::{Duration, Instant};

use runbook_runtime::supervisor::Notification;

use crate::rig::{Rig, Test, block_on, code, connect_by, secret};

pub(crate) const TESTS: &[Test] = &[
    ("load::three_hundred_commands_at_once", three_hundred_commands_at_once),
    ("load::a_small_limit_on_open_files_is_enough", a_small_limit_on_open_files_is_enough),
];

/// Run by hand: `cargo test --release -p runbook-runtime --test supervisor -- --ignored --nocapture`.
pub(crate) const MEASUREMENTS: &[Test] = &[("load::latency", latency), ("load::thousand", thousand)];

fn three_hundred_commands_at_once() {
    many(300);
}

fn many(count: usize) {
    block_on(async {
        let mut rig = Rig::new().await;
        // None ends before all run: they wait for the file.
        let requests: Vec<_> = (0..count)
            .map(|at| {
                let script = format!("read line < gate; echo {at}; exit {}", at % 100);
                let mut request = rig.sh(&format!("c{at}"), &script);
                if at % 10 == 0 {
                    request.mask.push(secret("some secret"));
                }
                request
            })
            .collect();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            rig.folder.join("gate"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("fifo");
        // Held open for reading and writing, so that no `read` sees an end before its line.
        let gate = std::fs::OpenOptions::new().read(true).write(true).open(rig.folder.join("gate")).expect("fifo");
        let began = Instant::now();
        for request in &requests {
            rig.start(request);
        }
        for _ in 0..count {
            let said = rig.client().next().await.expect("lives");
            assert!(matches!(said, Notification::Started { .. }), "{said:?}");
        }
        println!("{count} started after {:?}", began.elapsed());
        let threads = std::fs::read_dir(format!("/proc/{}/task", rig.welcome.identity.process.pid)).expect("tasks");
        assert_eq!(threads.count(), 1);
        std::io::Write::write_all(&mut &gate, "go\n".repeat(count).as_bytes()).expect("fifo");
        for _ in 0..count {
            match rig.client().next().await.expect("lives") {
                Notification::Ended { key, ended } => {
                    let at: usize = key.as_str()[1..].parse().expect("a number");
                    assert_eq!(code(&ended), i32::try_from(at % 100).expect("small"));
                    assert_eq!(rig.text(&format!("c{at}.out")), format!("{at}\n"));
                }
                other => panic!("{other:?}"),
            }
        }
        println!("{count} over after {:?}", began.elapsed());
    });
}

fn a_small_limit_on_open_files_is_enough() {
    block_on(async {
        let mut rig = Rig::new().await;
        let exe = std::env::current_exe().expect("exe");
        let wrapper = rig.folder.join("wrapper");
        let text = format!("#!/bin/sh\nulimit -Sn 100\nexec '{}' \"$@\"\n", exe.display());
        std::fs::write(&wrapper, text).expect("file");
        std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("mode");
        let folder = rig.folder.join("inner");
        std::fs::create_dir(&folder).expect("folder");
        rig.client = Some(connect_by(&folder, &wrapper).await.0);
        for at in 0..120 {
            let mut request = rig.sh(&format!("c{at}"), "exec sleep 300");
            request.mask.push(secret("some secret"));
            rig.started(&request).await;
        }
        let last = rig.sh("last", "sleep 0.1; ulimit -Sn");
        assert_eq!(code(&rig.run(&last).await), 0);
        assert_eq!(rig.text("last.out"), "100\n", "commands keep the limit that they would have had");
        for at in 0..120 {
            rig.signal(&format!("c{at}"), true);
        }
        for _ in 0..120 {
            assert!(matches!(rig.client().next().await.expect("lives"), Notification::Ended { .. }));
        }
    });
}

fn latency() {
    block_on(async {
        let mut rig = Rig::new().await;
        let rounds = 500_u32;
        let began = Instant::now();
        for _ in 0..rounds {
            std::process::Command::new("/bin/true").status().expect("runs");
        }
        let bare = began.elapsed() / rounds;
        let mut total = Duration::ZERO;
        for at in 0..rounds {
            let request = rig.argv(&format!("c{at}"), "/bin/true", &[]);
            let began = Instant::now();
            rig.run(&request).await;
            total += began.elapsed();
        }
        println!("bare spawn and wait {bare:?}, through the supervisor {:?}", total / rounds);
        let on_cpu = std::fs::read_to_string(format!("/proc/{}/schedstat", rig.welcome.identity.process.pid));
        let on_cpu: u64 = on_cpu.expect("schedstat").split(' ').next().expect("a field").parse().expect("a number");
        println!("the supervisor itself computed {} µs for each", on_cpu / 1000 / u64::from(rounds));
    });
}

fn thousand() {
    many(1000);
}
