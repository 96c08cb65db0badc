//! `compose`: starts, restarts and stops services of a Compose project.

use std::process::Command;
use std::time::Duration;

use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Map, json};

use crate::duration::Length;
use crate::program::{plain, run as started};
use crate::session::{Failed, Outcome, Session, object};

/// How long Compose may take to ask for something.
const ASKING_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Inputs {
    action: String,
    service: String,
    file: Option<String>,
    project: Option<String>,
    #[serde(default = "wait_max")]
    wait_max: Length,
}

/// What the call that is undone handed back.
#[derive(Deserialize)]
struct Outputs {
    was_running: Option<bool>,
}

fn wait_max() -> Length {
    Length(Duration::from_secs(300))
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let service = plain("service", &inputs.service)?;
    let compose = |args: &[&str], most: Duration| {
        let mut command = Command::new("docker");
        command.arg("compose");
        command.args(inputs.file.iter().map(|file| format!("--file={file}")));
        command.args(inputs.project.iter().map(|project| format!("--project-name={project}")));
        command.args(args);
        started(&mut command, b"", most, session)?.success(&format!("`docker compose {}`", args[0]))
    };
    let seconds = inputs.wait_max.0.as_secs().to_string();
    let most = inputs.wait_max.0 + ASKING_MAX;
    let up = || compose(&["up", "--detach", "--no-deps", "--wait", "--wait-timeout", &seconds, service], most);
    let stop = || compose(&["stop", service], most);
    if session.is_undo() {
        let outputs: Outputs = session.outputs()?;
        let was_running = outputs.was_running.ok_or_else(|| Failed::new("nobody knows whether the service ran"))?;
        match (inputs.action.as_str(), was_running) {
            ("up", false) => drop(stop()?),
            ("stop", true) => drop(up()?),
            (action, _) => session.log(Level::Info, format!("`{action}` has nothing to undo")),
        }
        return Ok(Map::new());
    }
    let running = compose(&["ps", "--status=running", "--services"], ASKING_MAX)?;
    let was_running = running.lines().any(|line| line.trim() == service);
    match inputs.action.as_str() {
        "up" => drop(up()?),
        "stop" => drop(stop()?),
        _ => {
            compose(&["restart", "--no-deps", service], most)?;
            // A restart does not wait until the service is healthy, and this does.
            up()?;
        }
    }
    Ok(object(json!({"was_running": was_running})))
}
