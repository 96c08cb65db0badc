//! `runbook plugins`: what runbooks can use, and what each takes and hands back.

use comfy_table::{ContentArrangement, Table, presets};
use runbook_language::{PluginAbout, load_plugin};
use runbook_runtime::exit_code::ExitCode;
use serde::Serialize;
use serde_json::Value;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::library::Shelves;
use crate::output;
use crate::plugins::{Place, all_plugins, read_plugin};
use crate::view::paint::Paint;
use crate::view::text::visible_line;

/// Lists the plugins that runbooks can use, or shows what one takes and hands back
///
/// They are looked for in the folders of `--plugins`, in those of runbook.toml, in `plugins` beside it, in `runbook/plugins` of
/// the user's data folder, and in the program itself; the first of a name counts.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook plugins\n  runbook plugins slack\n  \
    runbook plugins --output json | jq -r '.[].id'\n\n\
    JSON: a list of objects with `id`, `title`, `description`, `version`, `kind` (`program` or `steps`), `idempotent`, `undo`,\n\
    `inputs` and `outputs` (JSON Schemas), `folder` and `valid`. Keys may be added, and none changes its meaning.")]
pub(crate) struct Args {
    /// Only this one, with all its inputs and outputs
    id: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// One plugin in the list.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    #[serde(flatten)]
    about: Option<About>,
    folder: String,
    valid: bool,
}

/// What a plugin says about itself, but for its id, which its folder says too.
#[derive(Debug, Serialize)]
struct About {
    title: String,
    description: Option<String>,
    version: Option<String>,
    kind: &'static str,
    idempotent: bool,
    undo: bool,
    inputs: Value,
    outputs: Value,
}

impl From<PluginAbout> for About {
    fn from(about: PluginAbout) -> Self {
        let PluginAbout { id: _, title, description, version, kind, idempotent, undo, inputs, outputs } = about;
        Self { title, description, version, kind, idempotent, undo, inputs, outputs }
    }
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let mut rows: Vec<Row> = vec![];
    for place in all_plugins(context)? {
        let row = row(&place, context);
        // Another one of that name comes first.
        if !rows.iter().any(|other| other.id == row.id) {
            rows.push(row);
        }
    }
    if let Some(id) = &args.id {
        rows.retain(|row| row.id == *id);
        if rows.is_empty() {
            return Err(Failure::new(ExitCode::Usage, format!("there is no plugin `{id}`"))
                .hint("`runbook plugins` shows those there are"));
        }
    }
    match (args.output, &args.id) {
        (Format::Json, _) => output::json(&rows),
        (Format::Text, Some(_)) => rows.iter().for_each(|row| output::line(whole(row, Paint::stdout()))),
        (Format::Text, None) => output::line(list(&rows)),
    }
    for row in rows.iter().filter(|row| !row.valid) {
        output::note(format!("warning: {} cannot be used: `runbook plugin check {}` says why", row.id, row.folder));
    }
    Ok(ExitCode::Succeeded)
}

fn row(place: &Place, context: &Context) -> Row {
    let about = read_plugin(place).ok().and_then(|it| load_plugin(&it.found, &Shelves(context)).ok());
    let about = about.map(|(about, _)| About::from(about));
    Row { id: place.id().to_owned(), folder: place.shown(), valid: about.is_some(), about }
}

fn list(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["ID", "TAKES", "HANDS BACK", "TITLE"]);
    for row in rows {
        let about = row.about.as_ref();
        let names = |schema: Option<&Value>, marks: bool| match schema {
            Some(schema) => named(schema, marks).join(" "),
            None => String::new(),
        };
        let takes = names(about.map(|about| &about.inputs), true);
        let hands_back = names(about.map(|about| &about.outputs), false);
        let title = about.map_or("(cannot be used)", |about| about.title.as_str());
        table.add_row([visible_line(&row.id), takes, hands_back, visible_line(title)]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The names of the properties of a schema; those that need not be given are in brackets.
fn named(schema: &Value, marks: bool) -> Vec<String> {
    let properties = schema["properties"].as_object();
    let name = |name: &String| if marks && !is_required(schema, name) { format!("[{name}]") } else { name.clone() };
    let (needed, others): (Vec<&String>, Vec<&String>) =
        properties.into_iter().flat_map(serde_json::Map::keys).partition(|name| is_required(schema, name));
    needed.into_iter().chain(others).map(name).collect()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|one| one == name)
}

/// All that there is to say of one.
fn whole(row: &Row, paint: Paint) -> String {
    let Some(about) = &row.about else { return format!("{}: cannot be used", row.id) };
    let mut lines = vec![format!("{}: {}", paint.bold(&row.id), visible_line(&about.title))];
    lines.extend(about.description.iter().flat_map(|text| text.trim().lines().map(|line| format!("  {line}"))));
    let mut facts = vec![match about.kind {
        "steps" => "steps, run as a child run".to_owned(),
        _ => "a program".to_owned(),
    }];
    facts.extend(about.version.iter().map(|version| format!("version {}", visible_line(version))));
    if about.kind == "program" {
        facts.push(
            match about.idempotent {
                true => "may be called again after an interruption",
                false => "after an interruption a person is asked",
            }
            .to_owned(),
        );
        facts.push(if about.undo { "undoes what it did" } else { "undoes nothing by itself" }.to_owned());
    }
    lines.extend([String::new(), format!("  {}", facts.join("; ")), format!("  in {}", row.folder)]);
    lines.extend(properties("takes", &about.inputs));
    lines.extend(properties("hands back", &about.outputs));
    lines.join("\n")
}

fn properties(head: &str, schema: &Value) -> Vec<String> {
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        return vec![];
    };
    let mut lines = vec![String::new(), format!("  {head}")];
    for (name, of) in properties {
        let mut words = vec![kind(of)];
        if is_required(schema, name) {
            words.push("required".to_owned());
        }
        if of["writeOnly"] == true {
            words.push("a secret".to_owned());
        }
        if let Some(default) = of.get("default") {
            words.push(format!("default {default}"));
        }
        lines.push(format!("    {name} ({})", words.join(", ")));
        let text = of["description"].as_str().unwrap_or_default();
        lines.extend(text.trim().lines().map(|line| format!("      {}", visible_line(line))));
    }
    lines
}

/// What a value may be, in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> =
            choices.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
        return choices.join(" | ");
    }
    match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}
