//! The page of the shipped plugins is made of their `plugin.yaml`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::kit::about;

const HEAD: &str = "# The shipped plugins

Made of `plugins/*/plugin.yaml`. `runbook plugins ID` shows the same of one. How a step uses one: [the guide](../guide/shipped-plugins.md).

Exit codes: 75 where a server was not there, answered 429 or 500 to 599, or took too long, so that `retry: {on: {exit_codes: [75]}}`
is about what may pass; 1 for everything else, unless a plugin says more.
";

/// Rewrites the page with `UPDATE_DOCS=1`, else compares.
#[test]
fn the_page_is_made_of_what_the_plugins_say() {
    let mut made = HEAD.to_owned();
    for shipped in runbook_plugins::SHIPPED {
        write!(made, "\n{}", section(&about(shipped.id))).expect("a text takes anything");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/plugins.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/reference/plugins.md is out of date; regenerate: UPDATE_DOCS=1 cargo test -p runbook-plugins page"
    );
}

#[test]
fn each_folder_is_shipped_under_its_name_and_each_value_is_described() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let entries = std::fs::read_dir(folder).expect("the plugins").flatten();
    let mut folders: Vec<String> = entries
        .filter(|entry| entry.path().join("plugin.yaml").is_file())
        .map(|entry| entry.file_name().into_string().expect("text"))
        .collect();
    folders.sort();
    let shipped: Vec<&str> = runbook_plugins::SHIPPED.iter().map(|it| it.id).collect();
    assert_eq!(folders, shipped, "in order, too");
    for id in shipped {
        let about = about(id);
        assert_eq!(about["id"], id);
        let values = ["inputs", "outputs"].map(|key| about[key]["properties"].as_object().cloned().unwrap_or_default());
        for (name, of) in values.iter().flatten() {
            assert!(of["description"].as_str().is_some_and(|text| text.ends_with('.')), "{id}: {name}");
        }
    }
}

fn section(about: &Value) -> String {
    let text = |key: &str| about[key].as_str().unwrap_or_default().trim().to_owned();
    let mut made = format!("## {}\n\n{}.\n\n{}\n\n", text("id"), text("title"), text("description"));
    let again = match about["idempotent"] == true {
        true => "A call that was interrupted is made again.",
        false => "After an interruption a person is asked, unless the step says `on_interrupt`.",
    };
    let undo = match about["undo"] == true {
        true => "A rollback of the step undoes it.",
        false => "It undoes nothing by itself.",
    };
    let _ = writeln!(made, "{again} {undo}");
    for (key, head) in [("inputs", "input"), ("outputs", "output")] {
        let Some(properties) = about[key]["properties"].as_object() else { continue };
        let _ = writeln!(made, "\n| {head} | type | what it is |\n|---|---|---|");
        let needed = |name: &str| about[key]["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
        for (name, of) in properties {
            let mut what = vec![];
            if key == "inputs" && needed(name) {
                what.push("required".to_owned());
            }
            if of["writeOnly"] == true {
                what.push("secret".to_owned());
            }
            if let Some(default) = of.get("default") {
                what.push(format!("default `{}`", default.as_str().map_or(default.to_string(), str::to_owned)));
            }
            let what = if what.is_empty() { String::new() } else { format!(" ({})", what.join(", ")) };
            let text = of["description"].as_str().unwrap_or_default().replace('|', "\\|");
            let _ = writeln!(made, "| `{name}` | {} | {text}{what} |", kind(of));
        }
    }
    made
}

fn kind(of: &Value) -> String {
    match (&of["enum"], &of["type"]) {
        (Value::Array(choices), _) => {
            choices.iter().map(|one| format!("`{}`", one.as_str().unwrap_or_default())).collect::<Vec<_>>().join(", ")
        }
        (_, Value::String(kind)) => kind.clone(),
        (_, Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}
