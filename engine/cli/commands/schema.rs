//! `runbook schema`: the JSON Schemas that editors use.

use runbook_language::SchemaKind;
use runbook_runtime::exit_code::ExitCode;

use crate::failure::Failure;

/// Prints the JSON Schema of a kind of document, for editors
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
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let kind = match args.kind {
        Kind::Runbook => SchemaKind::Runbook,
        Kind::Environment => SchemaKind::Environment,
    };
    crate::output::line(runbook_language::schema(kind).trim_end());
    Ok(ExitCode::Succeeded)
}
