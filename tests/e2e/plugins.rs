//! Plugins with the real binary: what reaches them, what they hand back, and that nothing they do hurts the engine.

mod broken;
mod crashed;
mod guide;

use std::os::unix::fs::PermissionsExt as _;

use crate::kit::{Home, end_of, wait_for};

/// A plugin that writes down each call; `ID` stands for its id in what follows.
const NOTE: &str = r#"schema: plugin/v1
id: note
title: Notes
inputs:
  type: object
  required: [text]
  properties: {text: {type: string}, token: {type: string, writeOnly: true}}
outputs: {type: object, required: [line], properties: {line: {type: string}, extra: {type: object}}}
argv: [./note.sh]
undo: true
"#;

/// Its program, without any tool but the shell.
const NOTE_SH: &str = r#"#!/bin/bash
echo '{"type":"hello","protocol":1}'
read -r call
[[ $call =~ \"id\":\"([^\"]*)\" ]]; id=${BASH_REMATCH[1]}
[[ $call =~ \"operation\":\"([^\"]*)\" ]]; operation=${BASH_REMATCH[1]}
[[ $call =~ \"text\":\"([^\"]*)\" ]]; text=${BASH_REMATCH[1]}
[[ $call =~ \"idempotency_key\":\"[^/]*/([^\"]*)\" ]]; key=${BASH_REMATCH[1]}
[[ $call =~ \"token\":\"([^\"]*)\" ]]; token=${#BASH_REMATCH[1]}
echo "$operation $text $key ${token}" >> lines
if [ "$operation" = undo ]; then
  [[ $call =~ \"outputs\":(\{.*\}),\"idem ]]; echo "${BASH_REMATCH[1]}" >> undone
  echo "{\"type\":\"result\",\"id\":\"$id\"}"; exit
fi
echo "{\"type\":\"result\",\"id\":\"$id\",\"outputs\":{\"line\":\"$text!\"}}"
"#;

/// A home with a plugin of a program.
fn home(id: &str, yaml: &str, program: &str) -> Home {
    let home = Home::new();
    add(&home, id, yaml, program);
    home
}

fn add(home: &Home, id: &str, yaml: &str, program: &str) {
    let folder = format!("plugins/{id}");
    std::fs::create_dir_all(home.path().join(&folder)).expect("a folder");
    home.write(&format!("{folder}/plugin.yaml"), yaml);
    let file = format!("{folder}/{id}.sh");
    home.write(&file, program);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(home.path().join(file), mode).expect("a mode");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const RUNBOOK: &str = "schema: runbook/v1
id: r
title: R
on_failure: rollback
secrets: {key: {env: KEY}}
params: {fail: {type: boolean, default: false}}
steps:
  - {id: a, uses: note, with: {text: hello, token: {secret: key}}}
  - {id: b, uses: note, with: {text: '{{ steps.a.outputs.line }}'}}
  - {id: c, assert: [not params.fail, 'steps.b.outputs.extra is none']}
";

#[test]
fn a_plugin_gets_its_inputs_hands_back_its_outputs_and_undoes_its_calls() {
    let home = home("note", NOTE, NOTE_SH);
    home.write("r.yaml", RUNBOOK);
    let mut command = home.command(&["exec", "r.yaml"]);
    let output = command.env("KEY", "hunter2222").output().expect("an end");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(home.lines("lines"), ["run hello a.1 10", "run hello! b.1 0"]);

    let mut command = home.command(&["exec", "r.yaml", "-p", "fail=true"]);
    let output = command.env("KEY", "hunter2222").output().expect("an end");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let undone: Vec<String> = home.lines("lines").split_off(4);
    assert_eq!(undone, ["undo hello! b.undo.1 0", "undo hello a.undo.1 10"]);
    assert_eq!(home.lines("undone"), [r#"{"extra":null,"line":"hello!!"}"#, r#"{"extra":null,"line":"hello!"}"#]);
    let grep = std::process::Command::new("grep").args(["-r", "hunter2222", "state"]).current_dir(home.path()).output();
    assert_eq!(text(&grep.expect("grep").stdout), "", "the secret is nowhere");
}

#[test]
fn a_wrong_input_is_found_before_anything_runs_or_before_the_call() {
    let home = home("note", NOTE, NOTE_SH);
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, uses: note, with: {text: 5}}\n");
    let output = home.run(&["validate", "r.yaml"]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stdout);
    assert!(said.contains("r.yaml:5:38") && said.contains("RB0163"), "{said}");
    // Known only in the run: the step fails, and the plugin is not called.
    home.write(
        "r.yaml",
        "schema: runbook/v1\nid: r\ntitle: R\nparams: {n: {type: integer, default: 5}}\nsteps:\n  \
         - {id: a, uses: note, with: {text: '{{ params.n }}'}}\n",
    );
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("the inputs of `note`: `text` is an integer, which is not `string`"), "{said}");
    assert!(home.lines("lines").is_empty());
}

#[test]
fn what_was_approved_is_what_runs_whatever_becomes_of_the_folder() {
    let home = home("note", NOTE, NOTE_SH);
    home.write(
        "r.yaml",
        "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  \
         - {id: a, uses: note, with: {text: hello}, approval: {from: [anyone]}}\n  \
         - {id: b, uses: note, with: {text: again}, approval: {from: [anyone]}}\n",
    );
    std::fs::write(home.path().join("runbook.toml"), "[roles]\nanyone = [\"anyone\"]\n").expect("a file");
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the run", || home.run_folder().filter(|run| run.join("status.json").exists()));
    wait_for("the question", || (home.status()["questions"][0]["step"] == "a").then_some(()));
    std::fs::remove_dir_all(home.path().join("plugins")).expect("removed");
    assert_eq!(home.run(&["approve", "last"]).status.code(), Some(0));
    wait_for("the next question", || (home.status()["questions"][0]["step"] == "b").then_some(()));
    assert_eq!(home.lines("lines"), ["run hello a.1 0"]);
    // Not even in the folder of the run can it be changed unseen.
    let kept = home.run_folder().expect("a run").join("plugins");
    let folder = std::fs::read_dir(kept).expect("plugins").next().expect("one").expect("a folder").path();
    std::fs::write(folder.join("note.sh"), "#!/bin/bash\necho other >> lines\n").expect("a file");
    assert_eq!(home.run(&["approve", "last"]).status.code(), Some(0));
    assert_eq!(end_of(&mut engine), Some(1));
    assert_eq!(home.lines("lines"), ["run hello a.1 0"]);
    let shown = text(&home.run(&["show", "last"]).stdout);
    assert!(shown.contains("the files of the plugin `note` in") && shown.contains("were changed"), "{shown}");
}

#[test]
fn plugins_are_looked_for_in_the_order_that_the_help_says() {
    let home = Home::new();
    let called = |word: &str| NOTE_SH.replace("$operation $text", word);
    let at = |folder: &str, word: &str| {
        std::fs::create_dir_all(home.path().join(folder)).expect("a folder");
        add(&home, "note", NOTE, &called(word));
        let _ = std::fs::remove_dir_all(home.path().join(folder).join("note"));
        std::fs::rename(home.path().join("plugins/note"), home.path().join(folder).join("note")).expect("moved");
    };
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, uses: note, with: {text: x}}\n");
    let ran = |args: &[&str]| {
        let all: Vec<&str> = args.iter().copied().chain(["exec", "r.yaml"]).collect();
        let output = home.run(&all);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        home.lines("lines").pop().expect("a line").split(' ').next().expect("a word").to_owned()
    };
    at(".local/share/runbook/plugins", "user");
    assert_eq!(ran(&[]), "user");
    at("spare", "here");
    std::fs::rename(home.path().join("spare/note"), home.path().join("plugins/note")).expect("moved");
    assert_eq!(ran(&[]), "here");
    std::fs::rename(home.path().join("plugins"), home.path().join("kept")).expect("moved");
    at("named", "toml");
    std::fs::remove_dir_all(home.path().join("plugins")).expect("removed");
    std::fs::rename(home.path().join("kept"), home.path().join("plugins")).expect("moved");
    home.write("runbook.toml", "plugins = [\"named\"]\n");
    assert_eq!(ran(&[]), "toml");
    std::fs::create_dir(home.path().join("given")).expect("a folder");
    std::fs::rename(home.path().join("plugins/note"), home.path().join("given/note")).expect("moved");
    assert_eq!(ran(&["--plugins", "given"]), "here");
    let none = home.run(&["--plugins", "nowhere", "validate", "r.yaml"]);
    assert!(text(&none.stdout).contains("there is no folder nowhere"), "{}", text(&none.stdout));
}

#[test]
fn the_plugins_are_listed_with_what_they_take_and_checked_by_themselves() {
    let home = home("note", NOTE, NOTE_SH);
    let listed = home.run(&["plugins", "--output", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let ids: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(ids.contains(&"note") && ids.contains(&"http-check"), "{ids:?}");
    let whole = text(&home.run(&["plugins", "note"]).stdout);
    assert!(whole.contains("token (string, a secret)") && whole.contains("text (string, required)"), "{whole}");
    assert_eq!(home.run(&["plugin", "check", "plugins/note"]).status.code(), Some(0));
    std::fs::remove_file(home.path().join("plugins/note/note.sh")).expect("removed");
    let wrong = home.run(&["plugin", "check", "plugins/note"]);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(text(&wrong.stderr).contains("the plugin has no file `note.sh`"), "{}", text(&wrong.stderr));
    let through = home.run(&["validate", "plugins"]);
    assert_eq!(through.status.code(), Some(3), "{}", text(&through.stdout));
}
