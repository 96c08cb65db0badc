//! `kubernetes`: restarts, takes back, scales and waits for a workload, by kubectl.

use std::process::Command;
use std::time::Duration;

use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::duration::Length;
use crate::program::{plain, run as started};
use crate::session::{Failed, Outcome, Session, object};

/// How long kubectl may take to ask for something.
const ASKING_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Inputs {
    action: String,
    workload: String,
    namespace: Option<String>,
    context: Option<String>,
    replicas: Option<u64>,
    revision: Option<u64>,
    #[serde(default = "yes")]
    wait: bool,
    #[serde(default = "wait_max")]
    wait_max: Length,
}

/// What the call that is undone handed back.
#[derive(Deserialize)]
struct Outputs {
    replicas_before: Option<u64>,
    revision_before: Option<String>,
}

fn yes() -> bool {
    true
}

fn wait_max() -> Length {
    Length(Duration::from_secs(300))
}

/// What a workload was like.
struct State {
    replicas: Option<u64>,
    revision: Option<String>,
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let kubectl = Kubectl { inputs: &inputs, session };
    plain("workload", &inputs.workload)?;
    if session.is_undo() {
        return undo(&kubectl);
    }
    let before = kubectl.state()?;
    match inputs.action.as_str() {
        "restart" => kubectl.rollout("restart", &[])?,
        "undo" => kubectl.undo_to(inputs.revision.map(|revision| revision.to_string()))?,
        "scale" => {
            let replicas = inputs.replicas.ok_or_else(|| Failed::new("`scale` needs `replicas`"))?;
            kubectl.scale(replicas)?;
        }
        _ => kubectl.wait()?,
    }
    if inputs.wait && inputs.action != "wait" {
        kubectl.wait()?;
    }
    Ok(object(json!({"replicas_before": before.replicas, "revision_before": before.revision})))
}

fn undo(kubectl: &Kubectl<'_, '_>) -> Outcome {
    let (inputs, session) = (kubectl.inputs, kubectl.session);
    let outputs: Outputs = session.outputs()?;
    match inputs.action.as_str() {
        "scale" => {
            let before = outputs.replicas_before;
            kubectl.scale(before.ok_or_else(|| Failed::new("nobody knows how many replicas there were"))?)?;
        }
        "undo" => {
            let before = outputs.revision_before;
            let before = before.ok_or_else(|| Failed::new("nobody knows which revision there was"))?;
            // It is at its end: the revision before has a new number, and what was undone keeps its own.
            kubectl.undo_to(Some(before))?;
        }
        action => {
            session.log(Level::Info, format!("`{action}` has nothing to undo"));
            return Ok(Map::new());
        }
    }
    if inputs.wait {
        kubectl.wait()?;
    }
    Ok(Map::new())
}

struct Kubectl<'i, 's> {
    inputs: &'i Inputs,
    session: &'i Session<'s>,
}

impl Kubectl<'_, '_> {
    fn call(&self, what: &str, args: &[&str], most: Duration) -> Result<String, Failed> {
        let mut command = Command::new("kubectl");
        for (option, value) in [("--context", &self.inputs.context), ("--namespace", &self.inputs.namespace)] {
            if let Some(value) = value {
                command.arg(format!("{option}={value}"));
            }
        }
        command.args(args);
        started(&mut command, b"", most, self.session)?.success(what)
    }

    fn state(&self) -> Result<State, Failed> {
        let found = self.call("`kubectl get`", &["get", &self.inputs.workload, "--output=json"], ASKING_MAX)?;
        let found: Value = serde_json::from_str(&found)
            .map_err(|error| Failed::new(format!("what `kubectl get` printed is no JSON: {error}")))?;
        let revision = found["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
        Ok(State { replicas: found["spec"]["replicas"].as_u64(), revision: revision.map(str::to_owned) })
    }

    fn rollout(&self, verb: &str, more: &[&str]) -> Result<(), Failed> {
        let args = [&["rollout", verb, self.inputs.workload.as_str()], more].concat();
        self.call(&format!("`kubectl rollout {verb}`"), &args, ASKING_MAX).map(drop)
    }

    fn undo_to(&self, revision: Option<String>) -> Result<(), Failed> {
        let to = revision.map(|revision| format!("--to-revision={revision}"));
        let more: Vec<&str> = to.iter().map(String::as_str).collect();
        self.rollout("undo", &more)
    }

    fn scale(&self, replicas: u64) -> Result<(), Failed> {
        let replicas = format!("--replicas={replicas}");
        self.call("`kubectl scale`", &["scale", &self.inputs.workload, &replicas], ASKING_MAX).map(drop)
    }

    /// Until all replicas are there and ready.
    fn wait(&self) -> Result<(), Failed> {
        let most = self.inputs.wait_max.0;
        self.session.log(Level::Info, format!("waiting for {}", self.inputs.workload));
        let timeout = format!("--timeout={}s", most.as_secs());
        // It ends by itself at its timeout, and says then how far it was.
        let args = ["rollout", "status", &self.inputs.workload, "--watch=true", &timeout];
        self.call("`kubectl rollout status`", &args, most + ASKING_MAX).map(drop)
    }
}
