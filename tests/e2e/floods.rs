//! A step that writes without end: its output is in the log to the last byte, and neither engine nor supervisor grows with it.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use crate::kit::processes::Role;
use crate::kit::pty::Terminal;
use crate::kit::{Home, wait_for};

/// What the flood is, in bytes.
const FLOOD: usize = 200_000_000;
/// What engine and supervisor may take each, in bytes.
const MEMORY_MAX: u64 = 64 * 1024 * 1024;
const LINE: &[u8] = b"all work and no play makes a dull log\n";

/// Starts a run that writes a flood and then waits, on a terminal that shows the last line of what it writes.
fn flooded(home: &Home, secrets: &str, flood: &str) -> Terminal {
    home.write("token", "swordfish-swordfish");
    home.write(
        "r.yaml",
        &format!(
            "schema: runbook/v1\nid: flood\ntitle: Flood\n{secrets}steps:\n  \
             - {{id: flood, run: '{flood}'}}\n  \
             - {{id: gate, run: 'echo at the gate >> lines; until [ -e go ]; do sleep 0.02; done'}}\n"
        ),
    );
    // `head` ends while `yes` still writes, which is no failure.
    let mut terminal = home.drawing(&["exec", "r.yaml"]);
    wait_for("the end of the flood", || {
        assert!(!terminal.has_ended(), "{}", terminal.text());
        (home.lines("lines").len() == 1).then_some(())
    });
    terminal
}

/// Checks what engine and supervisor took at most, and sees the run to its end.
fn assert_small(home: &Home, mut terminal: Terminal) {
    let processes = home.processes();
    let hosts: Vec<_> = processes.iter().filter(|process| !matches!(process.role, Role::Command(_))).collect();
    assert_eq!(hosts.len(), 2, "{hosts:#?}");
    for host in hosts {
        let peak = host.peak_memory().expect("a living process");
        assert!(peak > 1024 * 1024, "{:?} took {peak} bytes: that is no measurement", host.role);
        assert!(peak < MEMORY_MAX, "{:?} took {peak} bytes", host.role);
    }
    home.write("go", "");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
}

/// Checks that a file is a pattern again and again, cut at a length.
fn assert_is(file: &Path, pattern: &[u8], length: usize) {
    let mut reader = BufReader::new(File::open(file).expect("a log"));
    let wanted: Vec<u8> = pattern.iter().copied().cycle().take(pattern.len() * 10_000).collect();
    let mut chunk = vec![0; wanted.len()];
    let mut seen = 0;
    loop {
        let mut filled = 0;
        while filled < chunk.len() {
            match reader.read(&mut chunk[filled..]).expect("a readable log") {
                0 => break,
                count => filled += count,
            }
        }
        assert!(chunk[..filled] == wanted[..filled], "it differs after byte {seen}");
        seen += filled;
        if filled < chunk.len() {
            break;
        }
    }
    assert_eq!(seen, length);
}

fn log(home: &Home) -> std::path::PathBuf {
    home.run_folder().expect("a run").join("logs/flood.1.out")
}

fn text(line: &[u8]) -> &str {
    std::str::from_utf8(line).expect("text").trim_end()
}

#[test]
fn a_flood_of_lines_is_kept_whole_and_costs_no_memory() {
    let home = Home::new();
    let terminal = flooded(&home, "", &format!("yes \"{}\" | head -c {FLOOD} || true", text(LINE)));
    assert_small(&home, terminal);
    assert_is(&log(&home), LINE, FLOOD);
}

#[test]
fn one_line_without_end_is_kept_whole_and_costs_no_memory() {
    let home = Home::new();
    let terminal = flooded(&home, "", &format!("head -c {FLOOD} /dev/zero | tr \"\\0\" x"));
    assert_small(&home, terminal);
    assert_is(&log(&home), b"x", FLOOD);
}

#[test]
fn a_flood_that_is_masked_is_kept_whole_and_costs_no_memory() {
    let home = Home::new();
    let secrets = format!("secrets:\n  token: {{file: \"{}\"}}\n", home.path().join("token").display());
    let secret = "the token is swordfish-swordfish, do not tell";
    let masked = b"the token is ***, do not tell\n";
    let lines = FLOOD / (secret.len() + 1);
    let terminal = flooded(&home, &secrets, &format!("yes \"{secret}\" | head -n {lines} || true"));
    assert_small(&home, terminal);
    assert_is(&log(&home), masked, masked.len() * lines);
}
