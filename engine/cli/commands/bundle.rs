//! `runbook bundle`: one archive with all that is to be kept of a run.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use runbook_runtime::bundle;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;

/// Packs all that is to be kept of a run into one archive, which can be verified anywhere
///
/// In it: the record with its signatures, what the commands printed, the status, the report of a run that has ended, the environment as it was pinned at the
/// start, and `MANIFEST` with the SHA-256 of each file. Secrets are in none of these; the logs of services, in which secrets
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
    // A report of a run that has not ended would differ each time; of one that an engine has there is none.
    let has_ended = runbook_runtime::status::Status::read(&folder).is_ok_and(|status| status.ended_at.is_some());
    let more = if has_ended { super::report::of_ended(&folder) } else { Ok(BTreeMap::new()) };
    let written = more.and_then(|more| Ok(bundle::write(&folder, more, BufWriter::new(&file))?));
    match written {
        Ok(is_sealed) => {
            file.sync_all().map_err(failed)?;
            if !is_sealed {
                crate::output::note(format!("warning: run {} is not sealed: this is what there is now", folder.id()));
            }
            crate::output::line(path.display().to_string());
            Ok(ExitCode::Succeeded)
        }
        Err(error) => {
            // Half a bundle is none.
            let _ = std::fs::remove_file(&path);
            Err(error)
        }
    }
}
