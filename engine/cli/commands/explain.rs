//! `runbook explain`: more about one code of a diagnostic.

use runbook_language::code::{Code, explain};
use runbook_runtime::exit_code::ExitCode;

use crate::failure::Failure;

/// Explains a diagnostic: what it means, with an example of wrong and right
///
/// Without a code it lists all there are.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook explain RB0101\n  runbook explain")]
pub(crate) struct Args {
    /// The code, such as `RB0101`
    code: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let Some(asked) = args.code else {
        let rows = Code::ALL.iter().map(|code| format!("{code}  {}", code.page().title));
        crate::output::line(rows.collect::<Vec<_>>().join("\n"));
        return Ok(ExitCode::Succeeded);
    };
    let wanted = asked.to_ascii_uppercase();
    match Code::ALL.iter().find(|code| code.as_str() == wanted) {
        Some(code) => {
            crate::output::line(explain(*code).trim_end());
            Ok(ExitCode::Succeeded)
        }
        None => Err(Failure::new(ExitCode::Usage, format!("there is no code `{asked}`"))
            .hint("`runbook explain` lists those there are")),
    }
}
