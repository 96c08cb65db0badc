//! `runbook bundle`: one archive with all that is to be kept of a run.

use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use runbook_runtime::bundle::{self, Lacking, Made};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;

use crate::context::Context;
use crate::failure::Failure;
use crate::output;

/// Packs all that is to be kept of a run into one archive, which can be verified anywhere
///
/// In it: the record with its signatures, what the commands printed, the status, the report of a run that has ended, the environment as it was pinned at the
/// start, and `MANIFEST` with the SHA-256 of each file; the same of its child runs, under `children`. Secrets are in none of these; the logs of services, in which secrets
/// that a service makes itself are not masked, stay out. The same run gives the same bytes.
///
/// Of a run that has not ended, what is there is packed, and `runbook verify` says `not sealed`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook bundle last\n  runbook bundle 01KB3 -o incident-42.tar.gz")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The archive to write, which must not exist [default: the run's id with `.tar.gz`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let path = args.output.unwrap_or_else(|| PathBuf::from(format!("{}.tar.gz", folder.id())));
    let failed = |error| Failure::new(ExitCode::Precondition, format!("cannot write {}: {error}", path.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    match bundle::write(&folder, reports, BufWriter::new(&file)) {
        Ok(Lacking { unsealed, missing }) => {
            file.sync_all().map_err(failed)?;
            for run in unsealed {
                output::note(format!("warning: run {run} is not sealed: this is what there is now"));
            }
            for run in missing {
                output::note(format!("warning: of child run {run} there is nothing any more"));
            }
            output::line(path.display().to_string());
            Ok(ExitCode::Succeeded)
        }
        Err(error) => {
            // Half a bundle is none.
            let _ = std::fs::remove_file(&path);
            Err(error)
        }
    }
}

/// A report of a run that has not ended would differ each time; of one that an engine has there is none.
fn reports(run: &RunFolder) -> Result<Made, Failure> {
    let has_ended = Status::read(run).is_ok_and(|status| status.ended_at.is_some());
    if has_ended { super::report::of_ended(run) } else { Ok(Made::new()) }
}
