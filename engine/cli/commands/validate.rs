//! `runbook validate`: checks runbooks and environments, all errors at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use runbook_language::code::Code;
use runbook_language::diagnostic::DiagnosticJson;
use runbook_language::{
    Diagnostic, Diagnostics, Look, Severity, SourceFile, load_environment, load_plugin, load_runbook_with, peek,
};
use runbook_runtime::exit_code::ExitCode;

use crate::context::{Context, shown};
use crate::failure::Failure;
use crate::library::{Shelves, documents, is_meant_as};
use crate::plugins::{Place, read_plugin};
use crate::view::text::count;

/// Checks runbooks and environments, and reports all errors at once
///
/// A folder is searched for `.yaml` and `.yml` files; those in it that are neither runbook nor environment are passed over.
/// Exit codes: 0 when all files are valid, warnings or not; 3 when one is not; 64 when nothing was found to check.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook validate runbooks/\n  runbook validate deploy.yaml rollback.yaml\n  \
    runbook validate runbooks/ --output json | jq '.diagnostics[] | select(.severity == \"error\")'\n\n\
    JSON: one object with `valid`, `files` (each file that was checked), `unreadable` (files that could not be read, each\n\
    with `file` and `error`) and `diagnostics`, each with `code`, `severity` (`error` or `warning`), `message`, `file`,\n\
    `line`, `column`, `end_line`, `end_column` (counted from 1, columns in characters, the end behind the last character),\n\
    `text` (what is wrong, as written) and `help` or null. Keys may be added, and none changes its meaning.")]
pub(crate) struct Args {
    /// Files or folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(serde::Serialize)]
struct Report {
    valid: bool,
    files: Vec<String>,
    unreadable: Vec<Unreadable>,
    diagnostics: Vec<DiagnosticJson>,
    #[serde(skip)]
    seen: BTreeSet<(PathBuf, usize, Code, String)>,
}

/// What a diagnostic is about: the same file may be read under two names.
fn key(one: &Diagnostic) -> (PathBuf, usize, Code, String) {
    let file = Path::new(one.file.name());
    (file.canonicalize().unwrap_or_else(|_| file.to_owned()), one.span.start, one.code, one.message.clone())
}

/// A file that could not be read.
#[derive(serde::Serialize)]
struct Unreadable {
    file: String,
    error: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    if let Some(path) = args.paths.iter().find(|path| !path.exists()) {
        return Err(Failure::new(ExitCode::Usage, format!("there is no {}", path.display())));
    }
    let mut report =
        Report { valid: true, files: vec![], unreadable: vec![], diagnostics: vec![], seen: BTreeSet::new() };
    let mut seen = BTreeSet::new();
    for path in &args.paths {
        let is_folder = path.is_dir();
        let files = if is_folder { documents(path) } else { vec![path.clone()] };
        for file in files {
            // Named twice, or in a folder that is named too.
            if seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
                check(&file, !is_folder, args.output, context, &mut report);
            }
        }
    }
    if report.files.is_empty() && report.unreadable.is_empty() {
        let paths: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::new(ExitCode::Usage, format!("no runbook or environment in {}", paths.join(", ")))
            .hint("a document begins with `schema: runbook/v1` or `schema: environment/v1`"));
    }
    match args.output {
        Format::Json => crate::output::json(&report),
        Format::Text => crate::output::note(summary(&report)),
    }
    Ok(if report.valid { ExitCode::Succeeded } else { ExitCode::Invalid })
}

fn summary(report: &Report) -> String {
    let number = |severity| report.diagnostics.iter().filter(|one| one.severity == severity).count();
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let warned = if warnings == 0 { String::new() } else { format!(", with {}", count(warnings, "warning")) };
    if report.valid {
        let verb = if report.files.len() == 1 { "is" } else { "are" };
        return format!("{} {verb} valid{warned}", count(report.files.len(), "file"));
    }
    let mut wrong = vec![];
    if errors > 0 {
        wrong.push(count(errors, "error"));
    }
    if !report.unreadable.is_empty() {
        wrong.push(format!("{} that cannot be read", count(report.unreadable.len(), "file")));
    }
    let files = count(report.files.len() + report.unreadable.len(), "file");
    let hint = if errors > 0 { "\nhint: `runbook explain CODE` says more about each" } else { "" };
    format!("error: {} in {files}{warned}{hint}", wrong.join(" and "))
}

/// The folder that a file lies in.
fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn check(file: &Path, is_named: bool, output: Format, context: &Context, report: &mut Report) {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            if output == Format::Text {
                crate::output::note(format!("error: cannot read {}: {error}", file.display()));
            }
            report.unreadable.push(Unreadable { file: shown(file), error: error.to_string() });
            report.valid = false;
            return;
        }
    };
    let source = SourceFile::new(shown(file), text);
    let schema = match peek(source.text()) {
        Some(about) => about.schema,
        None => ["runbook/", "environment/", "plugin/"]
            .into_iter()
            .find(|kind| is_meant_as(kind, source.text()))
            .map(str::to_owned),
    };
    let mut found: Diagnostics = match schema.as_deref() {
        Some(schema) if schema.starts_with("environment/") => {
            load_environment(&source).map_or_else(|found| found, |it| it.warnings)
        }
        Some(schema) if schema.starts_with("plugin/") => match read_plugin(&Place::Folder(folder_of(file))) {
            Ok(plugin) => load_plugin(&plugin.found, &Shelves(context)).map_or_else(|found| found, |(_, it)| it),
            Err(error) => {
                if output == Format::Text {
                    crate::output::note(format!("error: {} is no plugin: {error}", shown(file)));
                }
                report.unreadable.push(Unreadable { file: shown(file), error });
                report.valid = false;
                return;
            }
        },
        // A file in a folder that does not say what it is may be anything; one that is named is meant as a runbook.
        None if !is_named => return,
        _ => load_runbook_with(&source, None, &Shelves(context)).map_or_else(|found| found, |it| it.warnings),
    };
    report.files.push(shown(file));
    report.valid &= !found.has_errors();
    // A runbook that others run is reported once.
    found.retain(|one| !report.seen.contains(&key(one)));
    report.seen.extend(found.iter().map(key));
    if output == Format::Text && !found.is_empty() {
        let look = Look { colour: console::colors_enabled(), ..Look::default() };
        crate::output::line(found.to_text(look).trim_end());
    }
    report.diagnostics.extend(found.to_json());
}
