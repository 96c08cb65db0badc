//! `runbook explain`: more about one code of a diagnostic.

use runbook_language::code::{Code, explain};
use runbook_runtime::exit_code::ExitCode;

use crate::failure::Failure;

/// Explains a diagnostic: what it means, with an example of wrong and right
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook explain RB0101")]
pub(crate) struct Args {
    /// The code, such as `RB0101`
    code: String,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let wanted = args.code.to_ascii_uppercase();
    match Code::ALL.iter().find(|code| code.as_str() == wanted) {
        Some(code) => {
            crate::output::line(explain(*code).trim_end());
            Ok(ExitCode::Succeeded)
        }
        None => {
            let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
            Err(Failure::new(ExitCode::Usage, format!("there is no code `{}`", args.code))
                .hint(format!("the codes are {}", codes.join(", "))))
        }
    }
}
