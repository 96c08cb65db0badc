//! Help: every command says what it does and shows how, with options that exist.

use std::process::Command;

use runbook_runtime::exit_code::ExitCode;

use crate::kit::Home;

/// The help of a command.
fn help(home: &Home, path: &[String]) -> String {
    let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let output = home.run(&args);
    assert_eq!(output.status.code(), Some(0), "{path:?}");
    assert!(output.stderr.is_empty(), "{path:?}: help goes to standard output");
    String::from_utf8(output.stdout).expect("text")
}

/// The names under `Commands:`.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let name = |line: &str| {
        line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next().map(str::to_owned)
    };
    listed.filter_map(name).collect()
}

/// All commands there are, by their paths.
fn all(home: &Home) -> Vec<(Vec<String>, String)> {
    let (mut found, mut left) = (vec![], vec![vec![]]);
    while let Some(path) = left.pop() {
        let text = help(home, &path);
        left.extend(subcommands(&text).into_iter().map(|name| [path.clone(), vec![name]].concat()));
        found.push((path, text));
    }
    assert!(found.len() > 25, "the commands are found: {}", found.len());
    found
}

/// The commands that stand under `Example:` or `Examples:`, each on one line.
fn examples(help: &str) -> Vec<String> {
    let after = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
    let lines: Vec<&str> = after.take_while(|line| line.starts_with("  ")).map(str::trim).collect();
    let whole = lines.join("\n").replace("\\\n", "");
    // At the top, a few words behind each command explain it.
    whole.lines().map(|line| line.split("  ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_command_has_an_example_of_itself() {
    let home = Home::new();
    for (path, text) in all(&home) {
        let itself = [vec!["runbook".to_owned()], path.clone()].concat().join(" ");
        let found = examples(&text);
        assert!(found.iter().any(|line| line.contains(&itself)), "{itself} shows no example of itself:\n{text}");
    }
}

/// Whether a line would be taken: in a shell where the program parses its arguments and then only shows its help.
fn is_taken(home: &Home, line: &str) -> bool {
    let script = format!("set -eu\nfile=dump\nrunbook() {{ \"$BINARY\" \"$@\" --help; }}\n{line}\n");
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).env("BINARY", env!("CARGO_BIN_EXE_runbook")).env("HOME", home.path());
    shell.current_dir(home.path()).output().expect("bash").status.success()
}

#[test]
fn the_options_of_examples_exist() {
    let home = Home::new();
    for (path, text) in all(&home) {
        for line in examples(&text) {
            // What reads the output is no matter of this.
            let line = line.split(" | ").next().unwrap_or_default();
            assert!(is_taken(&home, line), "{path:?} shows `{line}`");
        }
    }
    assert!(!is_taken(&home, "runbook plan x --fully"), "the check above can fail");
}

#[test]
fn the_exit_codes_are_listed() {
    let text = help(&Home::new(), &[]);
    let listed: Vec<&str> = text.lines().skip_while(|line| *line != "Exit codes:").skip(1).collect();
    for (code, meaning) in ExitCode::ALL {
        assert!(listed.contains(&format!("  {:>3}  {meaning}", code as u8).as_str()), "{meaning}\n{text}");
    }
}

#[test]
fn a_word_that_is_no_command_is_a_matter_of_usage() {
    let home = Home::new();
    for args in [&["exce"][..], &[], &["exec"], &["exec", "x", "--output", "xml"], &["runs", "--limit", "few"]] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    let told = String::from_utf8_lossy(&home.run(&["exce"]).stderr).into_owned();
    assert!(told.contains("'exec'"), "{told}");
}
