//! What an append costs beyond the fdatasync that it cannot do without. Run with `cargo bench -p runbook-journal`.
#![expect(clippy::print_stdout, reason = "figures are for the person who runs this")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark may say so in any way")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use runbook_core::event::{AttemptId, Event, Host, Phase};
use runbook_core::input::Exit;
use runbook_core::units::Timestamp;
use runbook_journal::{Journal, MemoryJournal, SledJournal};

const ROUNDS: u64 = 3000;

/// The events that the end of one step and the start of the next bring.
fn three_events(number: u64) -> Vec<Event> {
    let attempt = |number: u64| AttemptId {
        step: format!("step-{number}").as_str().into(),
        phase: Phase::Do,
        number: 1,
        poll: 1,
    };
    let host = Host { boot_id: "5f3ad5a3-96f0-4a9a-a4a9-0f4c2c1a9d0e".to_owned(), supervisor: "4211:88123".to_owned() };
    vec![
        Event::AttemptEnded { attempt: attempt(number), exit: Exit::Code(0), failure: None },
        Event::StepSucceeded {
            step: attempt(number).step,
            outputs: [("count".to_owned(), number.into())].into(),
            already_done: false,
        },
        Event::AttemptStarted {
            attempt: attempt(number + 1),
            due: Some(Timestamp(1_700_000_000_000)),
            host,
            child: None,
        },
    ]
}

/// Times each round and prints the median, the mean and the 99th percentile.
fn measure(name: &str, rounds: u64, mut round: impl FnMut(u64)) {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|number| {
            let start = Instant::now();
            round(number);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    let (median, high) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{name:<52} median {median:>10.1?}   mean {mean:>10.1?}   p99 {high:>10.1?}");
}

fn appends(name: &str, journal: &mut dyn Journal, rounds: u64) {
    let events: Vec<_> = (0..rounds).map(three_events).collect();
    measure(name, rounds, |number| {
        let at = Timestamp(1_700_000_000_000 + number);
        journal.append(journal.next_seq(), at, &events[usize::try_from(number).unwrap()]).unwrap();
    });
}

/// One `fdatasync` for each round, after as many bytes as three events have.
fn bare(name: &str, path: &Path, place: impl Fn(u64) -> u64) {
    let file = File::create(path).unwrap();
    file.write_all_at(&vec![1; 1 << 20], 0).unwrap();
    file.sync_all().unwrap();
    measure(name, ROUNDS, |number| {
        file.write_all_at(&[7; 1000], place(number)).unwrap();
        file.sync_data().unwrap();
    });
}

fn main() {
    // In the build's folder, since a temporary one may be in memory, where a sync costs nothing.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("append-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    bare("bare fdatasync, file does not grow", &dir.join("same"), |_| 4096);
    bare("bare fdatasync, file grows", &dir.join("grows"), |number| (1 << 20) + number * 1000);
    appends("append of 3 events in memory: JSON and SHA-256", &mut MemoryJournal::new(), ROUNDS);
    let path = dir.join("journal");
    let mut journal = SledJournal::create(&path).unwrap();
    appends("append of 3 events, durable", &mut journal, ROUNDS);
    bare("bare fdatasync, file does not grow, again", &dir.join("same"), |_| 4096);
    println!("size of the database: {} KiB", fs::metadata(path.join("db")).unwrap().len() / 1024);
    drop(journal);
    measure("open and load of 9,000 records", 5, |_| drop(SledJournal::open(&path).unwrap().load().unwrap()));
    measure("create", 50, |number| drop(SledJournal::create(dir.join(format!("new-{number}"))).unwrap()));
    let large = Event::StepSucceeded {
        step: "large".into(),
        outputs: [("out".to_owned(), "x".repeat(5_000_000).into())].into(),
        already_done: false,
    };
    let mut journal = SledJournal::create(dir.join("large")).unwrap();
    measure("append of one event of 5 MB, durable", 3, |_| {
        journal.append(journal.next_seq(), Timestamp(0), std::slice::from_ref(&large)).unwrap();
    });
    drop(journal);
    fs::remove_dir_all(&dir).unwrap();
}
