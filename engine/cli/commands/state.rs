//! `runbook state`: the folder that keeps the runs.

use std::path::PathBuf;

use clap::Subcommand;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::group::{self, ShareError};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::note;
use crate::view::hint::quoted;

/// Sets up the folder that keeps the runs
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook state init --group ops /var/lib/runbook")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Makes a state folder that a group shares
    ///
    /// Each member of the group sees how the runs of the others stand, answers what they ask as far as their own roles go, and
    /// can cancel them. All else of a run, its record and logs, stays its owner's alone. The folder's owner, best root, can
    /// take away runs of all. A folder that is there is shared as it is; runs in it stay private until their engine starts
    /// again.
    #[command(after_help = "Examples:\n  runbook state init --group ops /var/lib/runbook\n  \
        RUNBOOK_STATE=/var/lib/runbook runbook exec deploy --env production")]
    Init {
        /// The group, by name
        #[arg(long, value_name = "GROUP")]
        group: String,
        /// The folder [default: the state folder]
        dir: Option<PathBuf>,
    },
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let What::Init { group: name, dir } = args.what;
    let state = match dir {
        None => context.state()?.path().to_owned(),
        Some(dir) => std::path::absolute(dir).map_err(|error| Failure::new(ExitCode::Internal, error))?,
    };
    group::init(&state, &name).map_err(|error| {
        let failure = Failure::new(ExitCode::Precondition, &error);
        match error {
            ShareError::Unsafe(..) => {
                failure.hint("name a folder such as /var/lib/runbook, where only root can put one")
            }
            ShareError::NotMember(_) | ShareError::NotYours(_) => failure.hint("as root: `sudo runbook state init …`"),
            ShareError::NoGroup(_) | ShareError::Io(..) => failure,
        }
    })?;
    let state = quoted(&state.display().to_string());
    note(format!(
        "{state} is shared by the group `{name}`; its members name it with --state {state}, or RUNBOOK_STATE"
    ));
    Ok(ExitCode::Succeeded)
}
