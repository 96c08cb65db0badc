//! `runbook schema`: the JSON Schemas that editors use, and the same for people.

use runbook_language::SchemaKind;
use runbook_runtime::exit_code::ExitCode;

use crate::failure::Failure;

/// Prints the JSON Schema of a kind of document, for editors and programs, or its keys for people
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook schema runbook > runbook.schema.json\n  runbook schema runbook --format md | less"
)]
pub(crate) struct Args {
    /// The kind of document
    #[arg(value_enum)]
    kind: Kind,
    /// The schema itself, or a page with all keys
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// JSON Schema
    Json,
    /// Markdown
    Md,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// `runbook/v1`
    Runbook,
    /// `environment/v1`
    Environment,
    /// `plugin/v1`
    Plugin,
    /// `report/v1`, what `runbook report --format json` writes
    Report,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let text = match (args.kind, args.format) {
        (Kind::Report, Format::Json) => runbook_report::schema(),
        (Kind::Report, Format::Md) => {
            return Err(Failure::new(ExitCode::Usage, "of a report there is the JSON Schema only: programs read it")
                .hint("runbook schema report"));
        }
        (Kind::Runbook, format) => text(SchemaKind::Runbook, format),
        (Kind::Environment, format) => text(SchemaKind::Environment, format),
        (Kind::Plugin, format) => text(SchemaKind::Plugin, format),
    };
    crate::output::line(text.trim_end());
    Ok(ExitCode::Succeeded)
}

fn text(kind: SchemaKind, format: Format) -> String {
    match format {
        Format::Json => runbook_language::schema(kind),
        Format::Md => runbook_language::reference(kind),
    }
}
