//! `runbook exec`: runs a runbook, and stays until it ends.

mod dry;
mod keyed;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use runbook_core::event::Created;
use runbook_core::plan::{NoPart, Part, PartKind, Plan};
use runbook_core::units::{Role, RunId};
use runbook_language::expression::Evaluator;
use runbook_language::{
    Environment, Loaded, SourceFile, load_environment, load_part, load_runbook_with, parse_project,
};
use runbook_runtime::Engine;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::identity::{Roles, me};
use runbook_runtime::keys::StartKey;
use runbook_runtime::launch::{self, Launch};
use serde_json::Value;

use crate::context::{Context, invalid, present_folder, read_source};
use crate::failure::Failure;
use crate::library::{Shelves, find_environment, find_runbook};
use crate::params::Given;
use crate::view::Output;
use crate::view::text::visible_line;
use keyed::Keyed;

/// Runs a runbook, and stays until it ends
///
/// A param that is needed and not given is asked for, when there is a terminal and `--output` is `human`; one with a
/// default never is. Leaving the question ends with exit code 10, and there is no run.
///
/// Every decision is durable before it is acted on: after a crash of this program, `runbook resume` goes on, and commands
/// that survived are not repeated. Ctrl-C once lets running commands finish for a while, twice ends them at once, three
/// times kills them; then the runbook's `on_failure` says what follows.
///
/// With `--key` a run is started once for each state folder, however often and by how many at once it is tried. The exit
/// code is then that of the run, or 6 while it has not ended; 8 when the key is that of a run that was asked for otherwise.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook exec deploy.yaml -p version=1.4\n  runbook exec deploy --env production --output json\n  runbook exec deploy --detach\n  runbook exec deploy -p version=1.4 --dry-run\n  runbook exec deploy -p version=1.4 --from verify\n  runbook exec deploy -p version=1.4 --step\n  runbook exec p0-response --key alert-4711 --detach"
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
    /// Most commands at once, instead of what the runbook says
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// Start a run once: with the same key again, the run that exists is shown, and nothing is started
    #[arg(long, value_name = "KEY")]
    key: Option<StartKey>,
    /// Show what would run, with its values, after all that is checked before a run; nothing is started, and no run is made
    #[arg(long, conflicts_with_all = ["key", "detach", "exit_when_waiting"])]
    dry_run: bool,
    /// Run this step alone, with the steps within it; all others are skipped, but those of `always`
    #[arg(long, value_name = "STEP", conflicts_with_all = ["from", "key"])]
    only: Option<String>,
    /// Run this step and all that are written behind it; those before it are skipped
    #[arg(long, value_name = "STEP", conflicts_with = "key")]
    from: Option<String>,
    /// Ask before each step that runs a command or sends a request, those of loops and child runs too
    #[arg(long, conflicts_with = "key")]
    step: bool,
    /// Leave the run to an engine in the background, and print its id
    #[arg(long)]
    detach: bool,
    /// Leave with exit code 6 when only questions remain
    #[arg(long, conflicts_with = "detach")]
    exit_when_waiting: bool,
    /// What is shown
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let asked = Asked::read(&args, context)?;
    if args.dry_run {
        return dry::show(asked, &args, context);
    }
    let engine = match &args.key {
        None => Engine::create(
            &context.state()?,
            asked.launch(&args, context)?,
            &context.kept_plugins(),
            Box::new(Evaluator::new()),
        )?,
        Some(key) => match keyed::start(key, asked, &args, context)? {
            Keyed::Begun(engine) => *engine,
            Keyed::There(folder) => return keyed::show(&folder, &args),
        },
    };
    if !args.detach {
        return super::resume::drive_engine(engine, args.output, args.exit_when_waiting);
    }
    let folder = engine.folder().clone();
    // The lock goes with it: the engine in the background takes the run.
    drop(engine);
    in_background(&folder, context)?;
    crate::output::line(folder.id().as_str());
    Ok(ExitCode::Succeeded)
}

/// Leaves a run to an engine in the background.
pub(crate) fn in_background(folder: &RunFolder, context: &Context) -> Result<(), Failure> {
    // What an engine says about itself may name what an incident shows.
    let log = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.engine_log());
    let log = log.map_err(internal)?;
    let mut command = Command::new(std::env::current_exe().map_err(internal)?);
    command.arg("--state").arg(context.state()?.path()).arg(super::internal::ENGINE).arg(folder.id().as_str());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().map_err(internal)?;
    Ok(())
}

fn internal(error: std::io::Error) -> Failure {
    Failure::new(ExitCode::Internal, error)
}

/// What is to be run, as far as the command line and the files say it.
struct Asked {
    file: PathBuf,
    environment: Option<(PathBuf, Environment)>,
    loaded: Loaded,
    params: Value,
    /// The params that the command line gives.
    given: BTreeSet<String>,
    part: Option<Part>,
}

impl Asked {
    fn read(args: &Args, context: &Context) -> Result<Self, Failure> {
        let file = find_runbook(&args.runbook, context)?;
        let environment = find_environment(args.env.as_deref(), context)?;
        let source = read_source(&file)?;
        let in_environment = environment.as_ref().map(|(_, it)| it);
        let loaded = load_runbook_with(&source, in_environment, &Shelves(context));
        let mut loaded = loaded.map_err(|found| invalid(&found))?;
        let part = part_of(&loaded.plan, args)?;
        if let Some(Part { step, left_out, .. }) = &part {
            let checked = load_part(&source, in_environment, &Shelves(context), left_out);
            checked.map_err(|found| {
                // It says where; the runbook itself is valid.
                let _ = invalid(&found);
                let message = format!("a part of the runbook, by `{step}`, reads what is left out; nothing was run");
                Failure::new(ExitCode::Precondition, message)
            })?;
        }
        let given = Given::read(&loaded.plan, &args.param)?;
        let names = given.names();
        let params = given.resolve(&loaded, args.output == Output::Human)?;
        if let Some(places) = args.max_parallel {
            loaded.plan.max_parallel = places;
        }
        if args.step {
            loaded.plan.confirm_each(&Role::new(me().name), "asked before each step (--step)");
        }
        Ok(Self { file, environment, loaded, params, given: names, part })
    }

    /// The first event of the run.
    fn launch(&self, args: &Args, context: &Context) -> Result<Created, Failure> {
        let (_, project) = context.project()?;
        let project_file = context.project_file()?;
        // A run that could not be signed at its end does not begin.
        super::seal::key_of(project_file.as_deref(), project.sign.as_deref())?;
        let exe = std::env::current_exe().map_err(internal)?;
        let dir = present_folder()?;
        let locks = context.locks()?;
        let launch = Launch {
            plan: self.loaded.plan.clone(),
            file: &self.file,
            params: self.params.clone(),
            environment: self.environment.as_ref().map(|(_, it)| it),
            environment_file: self.environment.as_ref().map(|(file, _)| file.as_path()),
            project_file: project_file.as_deref(),
            project_roles: project.roles.clone(),
            dir: &dir,
            exe: &exe,
            by: me(),
            locks_dir: &locks,
            id: RunId::new(ulid::Ulid::generate().to_string()),
            key: args.key.as_ref().map(|key| key.as_str().to_owned()),
            part: self.part.clone(),
        };
        launch::prepare(&context.state()?, launch, &Evaluator::new())
            .map_err(|reasons| Failure::new(ExitCode::Precondition, reasons.join("\n")))
    }
}

/// The part of the steps that is asked for.
fn part_of(plan: &Plan, args: &Args) -> Result<Option<Part>, Failure> {
    let asked = args.only.as_ref().map(|step| (PartKind::Only, step));
    let Some((kind, step)) = asked.or(args.from.as_ref().map(|step| (PartKind::From, step))) else { return Ok(None) };
    plan.part(kind, step).map(Some).map_err(|error| {
        let hint = match &error {
            NoPart::Unknown(_) => {
                let ids: Vec<&str> = plan
                    .steps
                    .iter()
                    .filter(|step| !step.always && step.beside.is_none())
                    .map(|step| step.id.as_str())
                    .collect();
                format!("the steps are {}", ids.join(", "))
            }
            NoPart::InLoop(_, around) | NoPart::Section(_, around) => format!("name `{around}`"),
            NoPart::Always(_) | NoPart::Beside(_) => "name a step of `steps`".to_owned(),
        };
        Failure::new(ExitCode::Usage, visible_line(&error.to_string())).hint(visible_line(&hint))
    })
}

/// Reads who holds which role anew, from the files that the run was started with: where one stands when one resumes or
/// cancels has no say in who may approve.
pub(crate) fn roles_source(engine: &Engine) -> Box<dyn Fn() -> Result<Roles, String>> {
    let created = engine.run().created();
    let project = created.and_then(|created| created.project_file.clone());
    let environment = created.and_then(|created| created.environment_file.clone());
    let read = |file: &str| {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        Ok::<_, String>(SourceFile::new(file.to_owned(), text))
    };
    let invalid = |file: &str| format!("{file} is not valid any more");
    Box::new(move || {
        let of_project = match &project {
            None => Roles::new(),
            Some(file) => parse_project(&read(file)?).map_err(|_| invalid(file))?.roles,
        };
        let of_environment = match &environment {
            None => Roles::new(),
            Some(file) => load_environment(&read(file)?).map_err(|_| invalid(file))?.roles(),
        };
        Ok(launch::merge(of_project, of_environment))
    })
}
