//! A reader that goes away (`| head -1`) is a quiet end, and never the end of a run.

use std::process::{Output, Stdio};

use super::one_step;
use crate::kit::Home;

/// Runs a command whose standard output is a pipe that nobody reads.
fn unread(home: &Home, args: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = home.command(args);
    command.stdout(writer).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    // It holds the other end of the pipe.
    drop(command);
    child.wait_with_output().expect("it ends")
}

#[test]
fn nothing_is_said_about_a_reader_that_is_gone() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("runbooks")).expect("a folder");
    home.write("runbooks/one.yaml", &one_step("one", "run: echo out"));
    assert_eq!(home.run(&["exec", "one"]).status.code(), Some(0));
    for args in [
        &["--help"][..],
        &["exec", "--help"],
        &["--version"],
        &["list"],
        &["list", "--output", "json"],
        &["plan", "one"],
        &["plan", "one", "--output", "json"],
        &["validate", "runbooks", "--output", "json"],
        &["runs"],
        &["runs", "--output", "json"],
        &["status", "last"],
        &["show", "last"],
        &["show", "last", "--output", "json"],
        &["logs", "last"],
        &["schema", "runbook"],
        &["explain", "RB0101"],
        &["sandbox", "routes"],
        &["exec", "one", "--output", "json"],
        &["exec", "one", "--detach"],
    ] {
        let output = unread(&home, args);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {told}");
        assert!(!told.contains("panicked") && !told.contains("Broken pipe"), "{args:?}: {told}");
    }
    home.wait_until_nothing_is_left();
    let output = unread(&home, &["exec"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn a_run_goes_on_though_nobody_reads_its_progress() {
    let home = Home::new();
    home.write("one.yaml", &one_step("one", "run: sleep 0.2; touch done"));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = home.command(&["exec", "one.yaml"]);
    command.stdout(Stdio::null()).stderr(writer);
    let mut child = command.spawn().expect("the program starts");
    drop(command);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(home.path().join("done").exists());
}
