//! `runbook exec`: runs a runbook, and stays until it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runbook_core::event::Created;
use runbook_core::units::RunId;
use runbook_language::expression::Evaluator;
use runbook_language::{Environment, ParamError, load_environment, load_runbook, parse_param, peek, resolve_params};
use runbook_runtime::Engine;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::identity::{Roles, me};
use runbook_runtime::launch::{self, Launch};
use serde_json::{Map, Value};

use crate::context::{Context, invalid, present_folder, read_source};
use crate::failure::Failure;
use crate::view::Output;

/// Runs a runbook, and stays until it ends
///
/// Every decision is durable before it is acted on: after a crash of this program, `runbook resume` goes on, and commands
/// that survived are not repeated. Ctrl-C once lets running commands finish for a while, twice ends them at once, three
/// times kills them; then the runbook's `on_failure` says what follows.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook exec deploy.yaml -p version=1.4\n  runbook exec deploy --env production --output json\n  runbook exec deploy --detach"
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
    let created = prepare(&args, context)?;
    let engine = Engine::create(&context.state()?, created, Box::new(Evaluator::new()))?;
    if !args.detach {
        return super::resume::drive_engine(engine, args.output, args.exit_when_waiting, context);
    }
    let folder = engine.folder().clone();
    // The lock goes with it: the engine in the background takes the run.
    drop(engine);
    let log = std::fs::File::create(folder.engine_log()).map_err(internal)?;
    let mut command = Command::new(std::env::current_exe().map_err(internal)?);
    command.arg("--state").arg(context.state()?.path()).arg(super::internal::ENGINE).arg(folder.id().as_str());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().map_err(internal)?;
    crate::output::line(folder.id().as_str());
    Ok(ExitCode::Succeeded)
}

fn internal(error: std::io::Error) -> Failure {
    Failure::new(ExitCode::Internal, error)
}

fn prepare(args: &Args, context: &Context) -> Result<Created, Failure> {
    let file = find_runbook(&args.runbook, context)?;
    let environment = environment(args.env.as_deref(), context)?;
    let source = read_source(&file)?;
    let loaded = load_runbook(&source, environment.as_ref().map(|(_, it)| it)).map_err(|found| invalid(&found))?;
    let mut plan = loaded.plan;
    if let Some(places) = args.max_parallel {
        plan.max_parallel = places;
    }
    let given = given(&plan, &args.param)?;
    let params = resolve_params(&plan, &given).map_err(|errors| params_failure(&errors))?;
    let (_, project) = context.project()?;
    let exe = std::env::current_exe().map_err(internal)?;
    let dir = present_folder()?;
    let launch = Launch {
        plan,
        file: &file,
        params,
        environment: environment.as_ref().map(|(_, it)| it),
        environment_file: environment.as_ref().map(|(file, _)| file.as_path()),
        project_roles: project.roles.clone(),
        dir: &dir,
        exe: &exe,
        by: me(),
        id: RunId::new(ulid::Ulid::generate().to_string()),
    };
    launch::prepare(&context.state()?, launch, &Evaluator::new())
        .map_err(|reasons| Failure::new(ExitCode::Precondition, reasons.join("\n")))
}

fn given(plan: &runbook_core::plan::Plan, params: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut given = Map::new();
    let mut wrong = vec![];
    for text in params {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::new(ExitCode::Usage, format!("`-p {text}` is not `-p name=value`")));
        };
        // An unknown name is reported with all others.
        let value = match plan.params.get(name) {
            Some(param) => parse_param(param, value),
            None => Ok(Value::from(value)),
        };
        match value {
            Ok(value) => drop(given.insert(name.to_owned(), value)),
            Err(reason) => wrong.push(format!("the param `{name}` cannot be used: {reason}")),
        }
    }
    if wrong.is_empty() { Ok(given) } else { Err(Failure::new(ExitCode::Precondition, wrong.join("\n"))) }
}

fn params_failure(errors: &[ParamError]) -> Failure {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::new(ExitCode::Precondition, lines.join("\n")).hint("give it with `-p name=value`")
}

/// A file as it is named; else the one runbook with that id in the search path.
pub(crate) fn find_runbook(text: &str, context: &Context) -> Result<PathBuf, Failure> {
    let as_file = Path::new(text);
    let is_path = text.contains('/') || as_file.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if is_path || as_file.is_file() {
        return std::path::absolute(as_file).map_err(internal);
    }
    let folders = context.runbook_folders()?;
    for folder in &folders {
        let files = super::validate::documents(folder);
        let is_it = |file: &PathBuf| {
            let text_of = std::fs::read_to_string(file).unwrap_or_default();
            let about = peek(&text_of).unwrap_or_default();
            about.schema.as_deref() == Some("runbook/v1") && about.id.as_deref() == Some(text)
        };
        let mut found: Vec<PathBuf> = files.into_iter().filter(is_it).collect();
        if found.len() > 1 {
            let files: Vec<String> = found.iter().map(|file| crate::context::shown(file)).collect();
            let message = format!("several files are the runbook `{text}`: {}", files.join(", "));
            return Err(Failure::new(ExitCode::Invalid, message));
        }
        if let Some(file) = found.pop() {
            return std::path::absolute(file).map_err(internal);
        }
    }
    let folders: Vec<String> = folders.iter().map(|folder| crate::context::shown(folder)).collect();
    Err(Failure::new(ExitCode::Usage, format!("no runbook `{text}` in {}", folders.join(", ")))
        .hint("name a file, or its folder with `--runbooks DIR`"))
}

fn environment(name: Option<&str>, context: &Context) -> Result<Option<(PathBuf, Environment)>, Failure> {
    let (_, project) = context.project()?;
    let Some(name) = name.or(project.environment.as_deref()) else { return Ok(None) };
    let folders = context.environment_folders()?;
    let file = folders.iter().map(|folder| folder.join(format!("{name}.yaml"))).find(|file| file.is_file());
    let Some(file) = file else {
        let folders: Vec<String> = folders.iter().map(|folder| crate::context::shown(folder)).collect();
        let message = format!("no environment `{name}` in {}", folders.join(", "));
        return Err(Failure::new(ExitCode::Usage, message));
    };
    let file = std::path::absolute(file).map_err(internal)?;
    let environment = load_environment(&read_source(&file)?).map_err(|found| invalid(&found))?;
    Ok(Some((file, environment)))
}

/// Reads who holds which role anew, from the file that the run's environment came from.
pub(crate) fn roles_source(
    engine: &Engine,
    context: &Context,
) -> Result<Box<dyn Fn() -> Result<Roles, String>>, Failure> {
    let (_, project) = context.project()?;
    let project = project.roles.clone();
    let created = engine.run().created();
    let file = created.and_then(|created| created.environment_file.clone());
    let at_start = created.map(|created| created.roles.clone()).unwrap_or_default();
    Ok(Box::new(move || {
        let Some(file) = &file else { return Ok(at_start.clone()) };
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let source = runbook_language::SourceFile::new(file.clone(), text);
        let environment = load_environment(&source).map_err(|_| format!("{file} is not valid any more"))?;
        Ok(launch::merge(project.clone(), environment.roles()))
    }))
}
