//! `runbook validate`: checks runbooks and environments, all errors at once.

use std::path::{Path, PathBuf};

use runbook_language::diagnostic::DiagnosticJson;
use runbook_language::{Diagnostics, Look, load_environment, load_runbook, peek};
use runbook_runtime::exit_code::ExitCode;

use crate::context::{Context, read_source, shown};
use crate::failure::Failure;
use crate::library::documents;

/// Checks runbooks and environments, and reports all errors at once
///
/// A folder is searched for `.yaml` and `.yml` files; those in it that are neither runbook nor environment are passed over.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook validate runbooks/\n  runbook validate deploy.yaml --output json")]
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
    diagnostics: Vec<DiagnosticJson>,
}

pub(crate) fn run(args: Args, _context: &Context) -> Result<ExitCode, Failure> {
    let mut report = Report { valid: true, files: vec![], diagnostics: vec![] };
    for path in &args.paths {
        if !path.exists() {
            return Err(Failure::new(ExitCode::Usage, format!("there is no {}", path.display())));
        }
        let files = if path.is_dir() { documents(path) } else { vec![path.clone()] };
        for file in files {
            check(&file, !path.is_dir(), args.output, &mut report)?;
        }
    }
    if report.files.is_empty() {
        return Err(Failure::new(ExitCode::Usage, "no runbook or environment found"));
    }
    match args.output {
        Format::Json => crate::output::json(&report),
        Format::Text if report.valid => crate::output::note(format!("{} files are valid", report.files.len())),
        Format::Text => crate::output::note("error: not all files are valid\nhint: `runbook explain CODE` says more"),
    }
    Ok(if report.valid { ExitCode::Succeeded } else { ExitCode::Invalid })
}

fn check(file: &Path, is_named: bool, output: Format, report: &mut Report) -> Result<(), Failure> {
    let source = read_source(file)?;
    let schema = peek(source.text()).and_then(|about| about.schema);
    let found: Diagnostics = match schema.as_deref() {
        Some("environment/v1") => load_environment(&source).map_or_else(|found| found, |it| it.warnings),
        // A file without a schema in a folder may be anything; one that is named is meant as a runbook.
        None if !is_named => return Ok(()),
        _ => load_runbook(&source, None).map_or_else(|found| found, |it| it.warnings),
    };
    report.files.push(shown(file));
    report.valid &= !found.has_errors();
    match output {
        Format::Json => report.diagnostics.extend(found.to_json()),
        Format::Text if found.is_empty() => {}
        Format::Text => {
            let look = Look { colour: console::colors_enabled(), ..Look::default() };
            crate::output::line(found.to_text(look).trim_end());
        }
    }
    Ok(())
}
