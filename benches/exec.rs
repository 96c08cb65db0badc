//! What a run costs beyond its commands: `cargo bench --bench exec`.
//!
//! The floors are measured in the same minute on the same disk: a machine is not the same at noon and at night. A step
//! cannot cost less than starting its process and waiting for the disk once for each decision. The second column is the
//! quickest tenth: on a machine that others use too, it comes nearest to what the program itself takes.
//!
//! Measure more than once, and not within six minutes of a build or a test: an ext4 without a journal does not give out the
//! inodes of files that were deleted lately, and looks through all of them for each new file. The same binary took 0.6 ms
//! for a step in one minute, and 3.7 ms in another. For that reason the runs of a benchmark are left in the build folder.
#![expect(clippy::print_stdout, reason = "figures are for the person who runs this")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark may say so in any way")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of each kind; one after the other in turn, so that a slow minute is everybody's.
const ROUNDS: usize = 40;
/// Steps of the chain that one more step is worked out from.
const CHAIN: usize = 100;
/// Times that a process is started, and a file synced, in each round.
const FLOOR_TIMES: usize = 20;

struct Bench {
    dir: PathBuf,
}

impl Bench {
    /// Writes a runbook of so many steps.
    fn runbook(&self, name: &str, head: &str, step: &str, count: usize) -> PathBuf {
        let mut text = format!("schema: runbook/v1\nid: {name}\ntitle: Bench\n{head}");
        for number in 0..count {
            writeln!(text, "{}", step.replace('#', &number.to_string())).unwrap();
        }
        let path = self.dir.join(format!("{name}.yaml"));
        fs::write(&path, text).unwrap();
        path
    }

    fn chain(&self, count: usize) -> PathBuf {
        self.runbook(&format!("chain_{count}"), "steps:\n", "  - {id: s#, argv: [\"true\"]}", count)
    }

    fn wide(&self, count: usize) -> PathBuf {
        let head = "max_parallel: 8\nsteps:\n  - id: all\n    parallel: true\n    steps:\n";
        self.runbook(&format!("wide_{count}"), head, "      - {id: s#, argv: [\"true\"]}", count)
    }

    /// The command that runs a runbook with an environment of its own, and its state on the disk of the build.
    fn exec(&self, before: &[&str], runbook: &Path) -> Command {
        let binary = env!("CARGO_BIN_EXE_runbook");
        let (program, args) = before.split_first().map_or((binary, &[][..]), |(program, args)| (*program, args));
        let mut command = Command::new(program);
        command.args(args);
        if !before.is_empty() {
            command.arg(binary);
        }
        command.args(["exec", "--output", "plain", "--state"]).arg(self.dir.join("state")).arg(runbook);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(&self.dir);
        command
    }

    fn time_exec(&self, runbook: &Path) -> Duration {
        time(&mut self.exec(&[], runbook))
    }

    /// Calls of `fdatasync` in a run; none where there is no strace.
    fn syncs(&self, runbook: &Path) -> Option<usize> {
        let log = self.dir.join("strace");
        let strace = ["strace", "-f", "-e", "trace=fdatasync", "-o", log.to_str()?];
        let traced = self.exec(&strace, runbook).stdout(Stdio::null()).stderr(Stdio::null()).status();
        traced.ok().filter(|status| status.success())?;
        Some(fs::read_to_string(&log).ok()?.matches("fdatasync(").count())
    }

    /// The peak memory of the engine in a run, in MiB; none where there is no GNU time.
    fn peak_mib(&self, runbook: &Path) -> Option<usize> {
        let out = self.exec(&["/usr/bin/time", "-f", "peak %M"], runbook).output().ok()?;
        let text = String::from_utf8(out.stderr).ok()?;
        let kib: usize = text.lines().rev().find_map(|line| line.strip_prefix("peak "))?.parse().ok()?;
        Some(kib / 1024)
    }
}

fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let took = start.elapsed();
    assert!(status.success(), "{command:?} ended with {status}");
    took
}

/// Starts `true` and waits for it, as the supervisor does it: by its whole path, which is the quick way.
fn spawn_true() -> Duration {
    time(&mut Command::new("/bin/true"))
}

/// Appends as many bytes as a decision has, and waits for the disk.
fn sync_growing(file: &mut File) -> Duration {
    let start = Instant::now();
    file.write_all(&[7; 1500]).unwrap();
    file.sync_data().unwrap();
    start.elapsed()
}

/// The median and the quickest tenth, in milliseconds.
fn typical(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [times[times.len() / 2], times[times.len() / 10]].map(|time| time.as_secs_f64() * 1e3)
}

fn row(what: &str, [median, quick]: [f64; 2], note: &str) {
    println!("{what:<52} {median:>9.3} ms {quick:>9.3} ms  {note}");
}

fn exec_costs(bench: &Bench) {
    let (one, chain) = (bench.chain(1), bench.chain(CHAIN + 1));
    bench.time_exec(&one);
    let mut growing = File::create(bench.dir.join("growing")).unwrap();
    let (mut bash, mut exec, mut more, mut spawn, mut sync) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        bash.push(time(Command::new("bash").args(["-c", "true"])));
        exec.push(bench.time_exec(&one));
        more.push(bench.time_exec(&chain));
        spawn.extend((0..FLOOR_TIMES).map(|_| spawn_true()));
        sync.extend((0..FLOOR_TIMES).map(|_| sync_growing(&mut growing)));
    }
    let [bash, exec, more, spawn, sync] = [bash, exec, more, spawn, sync].map(typical);
    let both = |figure: &dyn Fn(usize) -> f64| [0, 1].map(figure);
    let counted = bench.syncs(&one).zip(bench.syncs(&chain));
    let syncs = counted.map_or(1.0, |(one, chain)| (chain - one) as f64 / CHAIN as f64);
    let per_step = both(&|at| (more[at] - exec[at]) / CHAIN as f64);
    println!("{:<52} {:>12} {:>12}", "", "median", "quickest");
    row("bash -c true", bash, "");
    row("runbook exec, one step", exec, "");
    row("  beyond bash -c true", both(&|at| exec[at] - bash[at]), "wanted: < 25");
    row("spawn of `true`, and waiting for it", spawn, "");
    row("fdatasync of a growing file", sync, "");
    row(&format!("one more step of a chain of {CHAIN}"), per_step, "");
    let note = if counted.is_some() { "counted by strace" } else { "no strace here: taken for 1" };
    println!("{:<52} {syncs:>9.2}                  {note}", "  times it waits for the disk");
    row("  beyond spawn + fdatasync", both(&|at| per_step[at] - spawn[at] - syncs * sync[at]), "wanted: < 1");
}

/// Whether a step of a large runbook costs what one of a small runbook costs.
fn growth(bench: &Bench) {
    for (name, runbook, count) in [
        ("chain of 1,000 steps", bench.chain(1_000), 1_000),
        ("chain of 10,000 steps", bench.chain(10_000), 10_000),
        ("1,000 steps side by side, 8 at once", bench.wide(1_000), 1_000),
        ("10,000 steps side by side, 8 at once", bench.wide(10_000), 10_000),
    ] {
        let took = bench.time_exec(&runbook);
        let peak = bench.peak_mib(&runbook).map_or_else(String::new, |mib| format!("peak {mib} MiB"));
        println!("{:<52} {:>9.3} ms  {peak}", format!("{name}: each"), took.as_secs_f64() * 1e3 / f64::from(count));
    }
}

fn main() {
    // On the disk of the build: a temporary folder may be in memory, where a sync costs nothing.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("exec-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    // A project of its own: the one around it would have it start the sandbox.
    fs::write(dir.join("runbook.toml"), "").unwrap();
    let bench = Bench { dir };
    exec_costs(&bench);
    // `cargo bench --bench exec -- growth` takes some minutes more.
    if std::env::args().any(|arg| arg == "growth") {
        growth(&bench);
    }
    println!("its runs are left in {}, for `cargo clean`", bench.dir.display());
}
