//! The README holds what it says: its runbooks are valid, its commands exist, its links lead somewhere.

use std::path::Path;

use runbook_runtime::exit_code::ExitCode;

use crate::kit::Home;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("a README")
}

/// The contents of all code blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let parts = text.split(opening.as_str()).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// All commands in shell blocks and in backticks, without their comments.
fn commands(text: &str) -> Vec<String> {
    let in_blocks =
        blocks(text, "sh").into_iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    let prose: String = text.split("```").step_by(2).collect();
    let in_prose: Vec<String> = prose.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let all = in_blocks.chain(in_prose).map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    all.filter(|line| line.starts_with("runbook ") || line.starts_with("cargo run --release -- ")).collect()
}

#[test]
fn its_runbooks_are_valid() {
    let found = blocks(&readme(), "yaml");
    assert!(!found.is_empty());
    for text in found {
        let home = Home::new();
        home.write("it.yaml", &text);
        let output = home.run(&["validate", "it.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn its_commands_exist_with_their_options() {
    let found = commands(&readme());
    assert!(found.len() > 10, "{found:?}");
    let home = Home::new();
    for line in found {
        let line = line.replace("cargo run --release --", "runbook");
        // Words in capitals stand for something; a command named alone is asked for as such.
        let mut args: Vec<&str> = line.split_whitespace().skip(1).collect();
        args.push("--help");
        let output = home.run(&args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{line}: {told}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Usage: runbook"), "{line}");
    }
}

#[test]
fn its_exit_codes_are_all_there_are() {
    let text = readme();
    let section = text.split("## Exit codes").nth(1).and_then(|rest| rest.split("\n\n").nth(1)).expect("a section");
    let named: Vec<u8> = section
        .split([',', '.', '\n'])
        .filter_map(|part| part.split_whitespace().next().and_then(|word| word.parse().ok()))
        .collect();
    let all: Vec<u8> = ExitCode::ALL.iter().map(|(code, _)| *code as u8).collect();
    assert_eq!(named, all);
}

#[test]
fn its_links_lead_somewhere_and_its_tests_are_those_of_ci() {
    let text = readme();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http")) {
        assert!(root().join(link).exists(), "{link}");
    }
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect("a CI script");
    assert!(
        text.contains("```sh\ncargo test --workspace\n```") && ci.lines().any(|line| line == "cargo test --workspace")
    );
}
