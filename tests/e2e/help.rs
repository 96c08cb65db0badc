//! Help: every command says what it does and shows how, with options that exist.

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
    let name = |line: &str| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next().map(str::to_owned);
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

/// The commands that stand under `Example:` or `Examples:`.
fn examples(help: &str) -> Vec<String> {
    let after = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
    let lines = after.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned());
    // At the top a few words explain each.
    lines.map(|line| line.split("   ").next().unwrap_or_default().split("  ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_command_has_an_example_of_itself() {
    let home = Home::new();
    for (path, text) in all(&home) {
        let itself = [vec!["runbook".to_owned()], path.clone()].concat().join(" ");
        let found = examples(&text);
        assert!(found.iter().any(|line| line.starts_with(&itself)), "{itself} shows no example of itself:\n{text}");
        assert!(found.iter().all(|line| line.starts_with("runbook ")), "{itself}: {found:?}");
    }
}

#[test]
fn the_options_of_examples_exist() {
    let home = Home::new();
    for (path, text) in all(&home) {
        for line in examples(&text) {
            let mut args: Vec<&str> = line.split(" | ").next().unwrap_or_default().split_whitespace().skip(1).collect();
            // Parsed up to here, and then not run.
            args.push("--help");
            let output = home.run(&args);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{path:?} shows `{line}`: {told}");
        }
    }
    let unknown = home.run(&["plan", "x", "--fully", "--help"]);
    assert_eq!(unknown.status.code(), Some(64), "the check above can fail");
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
