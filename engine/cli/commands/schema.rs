//! `runbook schema`: the JSON Schemas that editors use.

use runbook_language::SchemaKind;
use runbook_runtime::exit_code::ExitCode;

use crate::failure::Failure;

/// Prints the JSON Schema of a kind of document, for editors and programs
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook schema runbook > runbook.schema.json")]
pub(crate) struct Args {
    /// The kind of document
    #[arg(value_enum)]
    kind: Kind,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// `runbook/v1`
    Runbook,
    /// `environment/v1`
    Environment,
    /// `report/v1`, what `runbook report --format json` writes
    Report,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let schema = match args.kind {
        Kind::Runbook => runbook_language::schema(SchemaKind::Runbook),
        Kind::Environment => runbook_language::schema(SchemaKind::Environment),
        Kind::Report => runbook_report::schema(),
    };
    crate::output::line(schema.trim_end());
    Ok(ExitCode::Succeeded)
}
