//! Nothing happens before it is written down: seen from outside, by what the processes of a run ask of the kernel.
//!
//! `strace` writes one line when a call begins (and a second one when others came in between), so the order of the lines is the order
//! of what happened: whoever waits for a call to return cannot do anything before its end is in the trace.

use std::process::Command;

use crate::kit::Home;

/// The calls that write, make durable, tell others, and make processes.
const CALLS: &str = "pwrite64,write,fdatasync,fsync,sendto,sendmsg,clone,clone3,vfork,fork,execve";

/// One call: the lines in which it begins and ends.
struct Call {
    pid: String,
    name: String,
    /// Its arguments, without the backslashes before quotes.
    args: String,
    begins: usize,
    /// The line of its end, with what it returned; none when it never did.
    ends: Option<(usize, String)>,
}

impl Call {
    fn is_of_journal(&self, name: &str) -> bool {
        self.name == name && self.args.split(['<', '>']).nth(1).is_some_and(|file| file.ends_with("/journal/db"))
    }

    fn ends_before(&self, line: usize) -> bool {
        self.ends.as_ref().is_some_and(|(end, _)| *end < line)
    }

    /// Whether the start of an attempt is among the events that it writes.
    fn writes_start_of(&self, phase: &str, step: &str) -> bool {
        let attempt = [format!("\"phase\":\"{phase}\""), format!("\"step\":\"{step}\"")];
        let mut events = self.args.split("{\"seq\":").skip(1);
        self.is_of_journal("pwrite64")
            && events.any(|event| {
                event.contains("\"type\":\"attempt_started\"") && attempt.iter().all(|part| event.contains(part))
            })
    }
}

/// Runs the program under `strace`; its exit code, and every call in the order in which they began.
fn traced(home: &Home, args: &[&str]) -> (Option<i32>, Vec<Call>) {
    let program = home.command(args);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-ttt", "-y", "-s", "65536", "-o", "trace", "-e", &format!("trace={CALLS}")]);
    strace.arg(program.get_program()).args(program.get_args()).current_dir(home.path());
    strace.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().unwrap_or_else(|error| {
        panic!("this test needs `strace` ({error}): apt-get install strace, dnf install strace, or apk add strace")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("PTRACE"), "this test needs the right to trace its own processes: {said}");
    (output.status.code(), calls(&home.lines("trace")))
}

fn calls(lines: &[String]) -> Vec<Call> {
    let mut calls: Vec<Call> = vec![];
    for (at, line) in lines.iter().enumerate() {
        // `PID TIME CALL`, with as many spaces as make columns of them.
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Some((_, rest)) = rest.trim_start().split_once(' ') else { continue };
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let name = resumed.split(' ').next().unwrap_or_default();
            let open = calls.iter_mut().rev().find(|call| call.pid == pid && call.name == name && call.ends.is_none());
            if let Some(call) = open {
                call.ends = Some((at, returned(resumed)));
            }
        } else if let Some((name, args)) =
            rest.split_once('(').filter(|(name, _)| CALLS.split(',').any(|it| it == *name))
        {
            let ends = (!args.ends_with("<unfinished ...>")).then(|| (at, returned(args)));
            let (pid, name, args) = (pid.to_owned(), name.to_owned(), args.replace("\\\"", "\""));
            calls.push(Call { pid, name, args, begins: at, ends });
        }
    }
    calls
}

fn returned(text: &str) -> String {
    text.rsplit_once(" = ").map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// Checks that the start of an attempt is durable before there is a process for it.
fn assert_durable_before_spawned(calls: &[Call], supervisor: &str, phase: &str, step: &str) {
    let what = format!("{phase} {step}");
    let find = |what: &str, it: &dyn Fn(&&Call) -> bool| {
        calls.iter().find(it).unwrap_or_else(|| panic!("no {what} in the trace"))
    };
    let written = find(&format!("event that starts {what}"), &|call| call.writes_start_of(phase, step));
    let (written_at, _) = written.ends.as_ref().expect("it is written");
    let synced =
        find(&format!("fdatasync of {what}"), &|call| call.is_of_journal("fdatasync") && call.begins > *written_at);
    let (synced_at, result) = synced.ends.as_ref().unwrap_or_else(|| panic!("the fdatasync of {what} never ended"));
    assert_eq!(result, "0", "the fdatasync of {what}");
    let in_flight = |call: &&Call| call.is_of_journal("pwrite64") && call.begins < synced.begins;
    for write in calls.iter().filter(in_flight) {
        assert!(
            write.ends_before(synced.begins),
            "{what}: a part of the batch was still being written at the fdatasync"
        );
    }
    let argument = format!("\"{phase}-{step}\"]");
    let executed = find(&format!("execve of {what}"), &|call| call.name == "execve" && call.args.contains(&argument));
    let made = |call: &&Call| {
        let makes = ["clone", "clone3", "vfork", "fork"].contains(&call.name.as_str());
        makes && call.pid == supervisor && call.begins < executed.begins
    };
    let made = calls.iter().rev().find(made).unwrap_or_else(|| panic!("nobody made the process of {what}"));
    assert!(
        *synced_at < made.begins,
        "the process of {what} is made in line {}, and its start is durable only in line {}",
        made.begins + 1,
        synced_at + 1
    );
}

#[test]
fn every_start_is_durable_before_its_process_is_made() {
    const CHAIN: usize = 12;
    const PARALLEL: usize = 8;
    let home = Home::new();
    let step = |id: &str| format!("{{id: {id}, argv: [echo, do-{id}], rollback: {{argv: [echo, undo-{id}]}}}}");
    let mut text = "schema: runbook/v1\nid: order\ntitle: Order\non_failure: rollback\nsteps:\n".to_owned();
    let chain: Vec<String> = (0..CHAIN).map(|number| format!("s{number}")).collect();
    let parallel: Vec<String> = (0..PARALLEL).map(|number| format!("p{number}")).collect();
    chain.iter().for_each(|id| text.push_str(&format!("  - {}\n", step(id))));
    text.push_str("  - id: all\n    parallel: true\n    steps:\n");
    parallel.iter().for_each(|id| text.push_str(&format!("      - {}\n", step(id))));
    text.push_str("  - {id: broken, argv: ['false', do-broken]}\n");
    home.write("r.yaml", &text);

    let (code, calls) = traced(&home, &["exec", "r.yaml", "--output", "plain"]);
    assert_eq!(code, Some(2), "it fails at its end and rolls back");
    let supervisor = calls.iter().find(|call| call.name == "execve" && call.args.contains("\"__supervise\""));
    let supervisor = &supervisor.expect("a supervisor").pid;
    for step in chain.iter().chain(&parallel) {
        assert_durable_before_spawned(&calls, supervisor, "do", step);
        assert_durable_before_spawned(&calls, supervisor, "undo", step);
    }
    assert_durable_before_spawned(&calls, supervisor, "do", "broken");
    let spawned = calls.iter().filter(|call| call.name == "execve" && &call.pid != supervisor).count();
    assert!(spawned > 2 * (CHAIN + PARALLEL), "{spawned} programs were started");
}

/// The folder or file that a successful `fsync` is about, in the order of their ends.
fn synced(calls: &[Call]) -> Vec<(usize, String)> {
    let done = |call: &Call| {
        let (end, result) = call.ends.as_ref().filter(|_| call.name == "fsync")?;
        Some((*end, call.args.split(['<', '>']).nth(1).filter(|_| result == "0")?.to_owned()))
    };
    calls.iter().filter_map(done).collect()
}

#[test]
fn a_run_and_an_answer_are_on_the_disk_with_all_that_names_them() {
    let home = Home::new();
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, manual: Turn the key.}]\n");
    let (code, calls) = traced(&home, &["exec", "r.yaml", "--output", "plain", "--exit-when-waiting"]);
    assert_eq!(code, Some(6), "it waits for a person");
    let created = calls.iter().find(|call| call.is_of_journal("pwrite64") && call.args.contains("\"run_created\""));
    let created = created.expect("the first event").begins;
    let run = home.run_folder().expect("a run");
    let runs = run.parent().expect("its folder");
    let state = runs.parent().expect("its folder");
    for folder in [&*run, runs, state, state.parent().expect("its folder")] {
        let folder = folder.canonicalize().expect("it is there");
        let is_synced = synced(&calls).iter().any(|(end, path)| *end < created && **path == *folder);
        assert!(is_synced, "`{}` is not on the disk when the run begins", folder.display());
    }

    let (code, calls) = traced(&home, &["answer", "last", "a", "--done"]);
    assert_eq!(code, Some(0));
    let inbox = run.canonicalize().expect("it is there").join("inbox").display().to_string();
    let paths = synced(&calls).into_iter().map(|(_, path)| path);
    let synced: Vec<String> = paths.filter(|path| path.starts_with(&inbox)).collect();
    let [file, folder] = &synced[..] else { panic!("a file and its folder: {synced:?}") };
    assert!(file.starts_with(&format!("{inbox}/")), "{file}");
    assert_eq!(*folder, inbox, "after the name is in it");
}
