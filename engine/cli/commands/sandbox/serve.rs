//! `runbook sandbox serve` and `routes`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use runbook_runtime::exit_code::ExitCode;
use runbook_sandbox::{Config, Rehearsal, Server};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Shown;
use crate::failure::Failure;

/// Runs the platform until it is told to end
///
/// Its whole state is in the data folder: a restart changes nothing, and what was under way goes on.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox serve --data /tmp/platform\n  \
    runbook sandbox serve --data /tmp/platform --port 8000 --rehearse p0-response \\\n      \
    --params '{\"incident_type\": \"system_down\"}'")]
pub(super) struct Args {
    /// The data folder; made when it is not there
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; 0 takes a free port, which is printed and written to `<data>/address`
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Permits an address that other machines can reach
    #[arg(long)]
    allow_remote: bool,
    /// The id of the runbook that will be rehearsed: what it is there to mend is broken, once for each data folder
    #[arg(long, value_name = "RUNBOOK")]
    rehearse: Option<String>,
    /// The params of that runbook, as a JSON object
    #[arg(long, value_name = "JSON", requires = "rehearse", value_parser = parse_params)]
    params: Option<BTreeMap<String, String>>,
    /// What to break besides, by the names of faults, once for each data folder
    ///
    /// The variable reaches the platform that a rehearsal starts: `RUNBOOK_SANDBOX_FAULTS=memory_leak runbook exec …`
    #[arg(long = "fault", value_name = "NAME", env = "RUNBOOK_SANDBOX_FAULTS", value_delimiter = ',')]
    faults: Vec<String>,
}

/// Texts as they are, other values as JSON.
fn parse_params(text: &str) -> Result<BTreeMap<String, String>, String> {
    let params: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?;
    let as_text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(params.into_iter().map(|(name, value)| (name, as_text(value))).collect())
}

pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut config = Config::new(args.data);
    config.listen = SocketAddr::new(args.listen, args.port);
    config.allow_remote = args.allow_remote;
    // A variable that is set to nothing names no fault.
    config.faults = args.faults.into_iter().filter(|name| !name.is_empty()).collect();
    config.rehearse = args.rehearse.map(|runbook| Rehearsal { runbook, params: args.params.unwrap_or_default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Internal, error))?;
    runtime.block_on(async {
        let told = ends().map_err(|error| Failure::new(ExitCode::Internal, error))?;
        runbook_sandbox::serve(config, announce, told).await?;
        Ok(ExitCode::Succeeded)
    })
}

/// The first line is for programs, the rest for people.
fn announce(server: &Server) {
    crate::output::line(format!("http://{}", server.address()));
    crate::output::note(format!("data folder: {}", server.data().display()));
    crate::output::note(format!("admin token: {}", server.token_file().display()));
}

/// Ready at the first TERM or INT. The handlers are there from now on, so that none is missed while it starts.
fn ends() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate: Signal = signal(SignalKind::terminate())?;
    let mut interrupt: Signal = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Lists what the platform answers
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox routes\n  runbook sandbox routes --output json")]
pub(super) struct RoutesArgs {
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Shown,
}

pub(super) fn routes(args: &RoutesArgs) -> Result<ExitCode, Failure> {
    let routes = runbook_sandbox::routes();
    match args.output {
        Shown::Json => {
            let one = |route: &runbook_sandbox::Route| json!({"method": route.method, "path": route.path, "needs_token": route.needs_token(), "what": route.what});
            crate::output::json(&routes.iter().map(one).collect::<Vec<Value>>());
        }
        Shown::Text => {
            for route in routes {
                let token = if route.needs_token() { "token" } else { "" };
                crate::output::line(format!("{:6} {:43} {:5}  {}", route.method, route.path, token, route.what));
            }
        }
    }
    Ok(ExitCode::Succeeded)
}
