//! `runbook list`: the runbooks that can be named by their id.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{ContentArrangement, Table, presets};
use runbook_core::plan::{Param, ParamKind};
use runbook_language::diagnostic::DiagnosticJson;
use runbook_language::{Loaded, Severity, SourceFile, load_runbook_with};
use runbook_runtime::exit_code::ExitCode;
use serde::Serialize;
use serde_json::Value;

use super::validate::Format;
use crate::context::{Context, shown};
use crate::failure::Failure;
use crate::library::{Entry, Shelves, runbooks_in};
use crate::menu::wrapped;
use crate::output;
use crate::view::paint::Paint;
use crate::view::text::{count, pad, visible_line};

/// Lists the runbooks of the search path: those of `--runbooks`, then those of runbook.toml
///
/// Params that need not be given are in brackets. A file that cannot be run is listed as broken; `runbook validate` says
/// what is wrong with it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook list\n  runbook list --tag incident --severity P0\n  \
    runbook list --runbooks ./procedures --output json | jq -r '.[].id'\n\n\
    JSON: a list of objects with `id`, `title`, `description`, `severity`, `owner`, `tags`, `params`, `file`, `valid` and\n\
    `diagnostics` (as those of `runbook validate`). Keys may be added, and none changes its meaning.")]
pub(crate) struct Args {
    /// Only those with this tag; given more than once, those with all of them
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only those of this severity
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// One runbook in the list.
#[derive(Debug, Serialize)]
struct Row {
    id: Option<String>,
    title: Option<String>,
    description: Option<String>,
    severity: Option<String>,
    owner: Option<String>,
    tags: Vec<String>,
    /// In the order written; empty when the file is broken.
    params: Vec<ParamRow>,
    file: String,
    valid: bool,
    diagnostics: Vec<DiagnosticJson>,
    /// Why the file cannot be read at all.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct ParamRow {
    name: String,
    #[serde(rename = "type")]
    kind: ParamKind,
    required: bool,
    choices: Vec<Value>,
    default: Option<Value>,
    description: Option<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folders = context.runbook_folders()?;
    let mut seen = BTreeSet::new();
    let mut rows: Vec<Row> = vec![];
    for entry in folders.iter().flat_map(|folder| runbooks_in(folder)) {
        // Folders of the search path may lie within each other.
        let place = entry.file.canonicalize().unwrap_or_else(|_| entry.file.clone());
        if seen.insert(place) {
            rows.push(row(&entry, context));
        }
    }
    warn_of_namesakes(&rows);
    let is_wanted = |row: &Row| {
        args.tag.iter().all(|tag| row.tags.contains(tag))
            && args.severity.as_ref().is_none_or(|severity| row.severity.as_ref() == Some(severity))
    };
    // What a file that cannot be read would be tagged with is not known, and to hide it would hide the fault.
    rows.retain(|row| is_wanted(row) || (row.id.is_none() && !row.valid));
    match args.output {
        Format::Json => output::json(&rows),
        Format::Text if rows.is_empty() => {
            let folders: Vec<String> = folders.iter().map(|folder| shown(folder)).collect();
            output::note(format!("no such runbook in {}", folders.join(", ")));
            if seen.is_empty() {
                output::note(format!("hint: {}", crate::library::nowhere(context)));
            }
        }
        Format::Text => output::line(text(&rows, Paint::stdout())),
    }
    for row in rows.iter().filter(|row| !row.valid) {
        output::note(format!("warning: {} is broken: {}", row.file, trouble(row)));
    }
    if rows.iter().any(|row| !row.valid) {
        output::note("hint: `runbook validate FILE` says more");
    }
    Ok(ExitCode::Succeeded)
}

fn row(entry: &Entry, context: &Context) -> Row {
    let about = entry.about.clone().unwrap_or_default();
    let mut row = Row {
        id: about.id,
        title: about.title,
        description: about.description,
        severity: about.severity,
        owner: None,
        tags: about.tags,
        params: vec![],
        file: shown(&entry.file),
        valid: false,
        diagnostics: vec![],
        error: None,
    };
    match std::fs::read_to_string(&entry.file) {
        Ok(text) => match load_runbook_with(&SourceFile::new(shown(&entry.file), text), None, &Shelves(context)) {
            Ok(loaded) => fill(&mut row, &loaded),
            Err(found) => row.diagnostics = found.to_json(),
        },
        Err(error) => row.error = Some(error.to_string()),
    }
    row
}

fn fill(row: &mut Row, loaded: &Loaded) {
    let param = |(name, param): (&String, &Param)| ParamRow {
        name: name.clone(),
        kind: param.kind,
        required: param.required && param.default.is_none(),
        choices: param.choices.clone(),
        default: param.default.clone(),
        description: param.description.clone(),
    };
    let written = loaded.document.params.iter().flat_map(|params| &params.items).map(|entry| &entry.key.value);
    row.params = written.filter_map(|name| loaded.plan.params.get_key_value(name)).map(param).collect();
    row.owner = loaded.plan.about.owner.clone();
    row.valid = true;
    row.diagnostics = loaded.warnings.to_json();
}

/// What is wrong with a broken file: the first thing, and how many more there are.
fn trouble(row: &Row) -> String {
    let mut errors = row.diagnostics.iter().filter(|one| one.severity == Severity::Error);
    let first = match (&row.error, errors.next()) {
        (Some(error), _) => error.clone(),
        (None, Some(first)) => format!("{} (line {})", first.message, first.line),
        (None, None) => "nobody knows why".to_owned(),
    };
    match errors.count() {
        0 => visible_line(&first),
        more => format!("{}, and {} more", visible_line(&first), count(more, "error")),
    }
}

/// A name that stands for several files is no name.
fn warn_of_namesakes(rows: &[Row]) {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        if let Some(id) = &row.id {
            files.entry(id).or_default().push(&row.file);
        }
    }
    for (id, files) in files.iter().filter(|(_, files)| files.len() > 1) {
        output::note(format!("warning: several files are the runbook `{}`: {}", visible_line(id), files.join(", ")));
    }
}

/// One line for each where that fits the terminal, or nobody looks; else a paragraph for each.
fn text(rows: &[Row], paint: Paint) -> String {
    let table = table(rows);
    let terminal = console::Term::stdout();
    let widest = table.iter().map(|line| console::measure_text_width(line)).max().unwrap_or_default();
    if terminal.is_term() && widest > usize::from(terminal.size().1) {
        return rows
            .iter()
            .map(|row| paragraph(row, usize::from(terminal.size().1), paint))
            .collect::<Vec<_>>()
            .join("\n");
    }
    let (header, body) = table.split_first().map_or(("", &table[..]), |(header, body)| (header.as_str(), body));
    std::iter::once(paint.bold(header)).chain(body.iter().cloned()).collect::<Vec<_>>().join("\n")
}

fn table(rows: &[Row]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["ID", "TITLE", "SEVERITY", "TAGS", "PARAMS", "FILE"]);
    for row in rows {
        let filled = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let severity = row.severity.as_deref().map(visible_line).unwrap_or_default();
        let cells = [id(row), title(row), severity, tags(row), params(row), visible_line(&row.file)];
        table.add_row(cells.map(filled));
    }
    // The style puts a space before each line.
    table.lines().map(|line| line.trim_end().strip_prefix(' ').map_or(line.clone(), str::to_owned)).collect()
}

fn paragraph(row: &Row, width: usize, paint: Paint) -> String {
    let severity = row.severity.as_deref().map(|severity| format!("  {}", visible_line(severity))).unwrap_or_default();
    let mut lines = vec![format!("{}{severity}  {}", paint.bold(&id(row)), title(row))];
    for (label, text) in [("tags", tags(row)), ("params", params(row)), ("file", visible_line(&row.file))] {
        let mut label = label;
        for line in wrapped(&text, width.saturating_sub(10)) {
            lines.push(format!("  {}{line}", paint.dim(&pad(label, 8))));
            label = "";
        }
    }
    lines.join("\n")
}

fn id(row: &Row) -> String {
    row.id.as_deref().map_or_else(|| "-".to_owned(), visible_line)
}

fn title(row: &Row) -> String {
    if row.valid { row.title.as_deref().map(visible_line).unwrap_or_default() } else { "broken".to_owned() }
}

fn tags(row: &Row) -> String {
    visible_line(&row.tags.join(", "))
}

/// The params, in brackets those that need not be given.
fn params(row: &Row) -> String {
    let name = |param: &ParamRow| if param.required { param.name.clone() } else { format!("[{}]", param.name) };
    row.params.iter().map(name).collect::<Vec<_>>().join(" ")
}
