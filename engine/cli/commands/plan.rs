//! `runbook plan`: what a run would do, without starting anything.

mod approval;
mod beside;
mod done;
mod known;
mod loops;
mod model;
mod order;
mod text;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use runbook_core::plan::Part;
use runbook_language::{Environment, Loaded, load_runbook_with};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::identity::Roles;
use serde_json::{Value, json};

use super::validate::Format;
use crate::context::{Context, invalid, read_source};
use crate::failure::Failure;
use crate::library::{Shelves, find_environment, find_runbook};
use crate::output;
use crate::params::Given;
use crate::view::paint::Paint;

/// Shows what a run would do, in order, without starting anything
///
/// The runbook and the environment are checked as `exec` checks them, and the params that are given too. Params that are
/// missing are shown as missing and are not asked for. No service is started, no secret is read and no run is created; only
/// with `--probe` the scripts of `done_when` run, and get the secrets that they name.
///
/// With the params that are known, the branch of a `switch` that will be taken and conditions that hold or not are marked.
///
/// The digest is that of the runbook as it is lowered: it changes with the meaning of the file, not with its comments.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook plan deploy.yaml -p version=1.4\n  runbook plan p0-response --env sandbox --full\n  \
    runbook plan deploy.yaml -p version=1.4 --probe\n  \
    runbook plan deploy --output json | jq '.steps[] | select(.approval) | .id'\n\n\
    JSON: one object with `runbook`, `title`, `file`, `digest`, `environment`, `params`, `secrets` and `steps`, the steps in\n\
    order, parents before their children. Durations are milliseconds. Steps of one list with the same `wave` may run at\n\
    the same time. Keys may be added, and none changes its meaning."
)]
pub(crate) struct Args {
    /// The id of a runbook, or a file
    runbook: String,
    /// A param; may be given more than once
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// The environment [default: that of runbook.toml]
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Ask each `done_when` what is done already. Its scripts run, and must only look; nothing else does
    #[arg(long)]
    probe: bool,
    /// Show scripts, requests and rollbacks in full; JSON always does
    #[arg(long)]
    full: bool,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let file = find_runbook(&args.runbook, context)?;
    let environment = find_environment(args.env.as_deref(), context)?;
    let source = read_source(&file)?;
    let loaded = load_runbook_with(&source, environment.as_ref().map(|(_, it)| it), &Shelves(context));
    let loaded = loaded.map_err(|found| invalid(&found))?;
    let given = Given::read(&loaded.plan, &args.param)?;
    let (_, project) = context.project()?;
    let facts = model::Facts {
        file: &file,
        environment: environment.as_ref().map(|(file, it)| (file.as_path(), it)),
        project_roles: &project.roles,
        given: given.names(),
        values: given.so_far(&loaded.plan)?,
        settled: json!({}),
        part: None,
    };
    let mut view = model::PlanView::of(&loaded, &facts);
    if args.probe {
        let environment = environment.as_ref().map(|(_, it)| it);
        done::ask(&mut view, &loaded.plan, &facts.values, environment)?;
    }
    print(&view, &loaded, args.full, args.output);
    Ok(ExitCode::Succeeded)
}

fn print(view: &model::PlanView, loaded: &Loaded, full: bool, format: Format) {
    match format {
        Format::Json => output::json(view),
        Format::Text => {
            let terminal = console::Term::stdout();
            let width = if terminal.is_term() { usize::from(terminal.size().1) } else { 80 };
            output::line(text::lines(view, &loaded.plan.once(), full, width, Paint::stdout()).join("\n"));
        }
    }
}

/// What is known of a run that could be started now.
pub(super) struct Foreseen<'a> {
    pub(super) file: &'a Path,
    pub(super) environment: Option<(&'a Path, &'a Environment)>,
    pub(super) project_roles: &'a Roles,
    pub(super) given: BTreeSet<String>,
    pub(super) values: BTreeMap<String, Value>,
    /// The values of the environment that do not depend on the run.
    pub(super) settled: Value,
    /// Of the plan as it is written.
    pub(super) digest: String,
    pub(super) part: Option<&'a Part>,
}

/// Prints, in full, a plan whose known names are filled in.
pub(super) fn print_foreseen(loaded: &Loaded, known: Foreseen<'_>, format: Format) {
    let Foreseen { file, environment, project_roles, given, values, settled, digest, part } = known;
    let facts = model::Facts { file, environment, project_roles, given, values, settled, part };
    let view = model::PlanView { digest, ..model::PlanView::of(loaded, &facts) };
    print(&view, loaded, true, format);
}
