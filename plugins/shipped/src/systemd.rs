//! `systemd`: starts, stops and restarts a unit.

use std::process::Command;
use std::time::{Duration, Instant};

use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Map, json};

use crate::duration::Length;
use crate::program::{plain, run as started};
use crate::session::{Failed, Outcome, Session, object};

/// How long systemctl may take to ask for something.
const ASKING_MAX: Duration = Duration::from_secs(60);

/// How long it is waited between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Inputs {
    action: String,
    unit: String,
    #[serde(default)]
    user: bool,
    #[serde(default = "wait_max")]
    wait_max: Length,
}

/// What the call that is undone handed back.
#[derive(Deserialize)]
struct Outputs {
    state_before: Option<String>,
}

fn wait_max() -> Length {
    Length(Duration::from_secs(90))
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    plain("unit", &inputs.unit)?;
    let systemctl = Systemctl { inputs: &inputs, session };
    if session.is_undo() {
        let outputs: Outputs = session.outputs()?;
        let before = outputs.state_before.ok_or_else(|| Failed::new("nobody knows how the unit stood"))?;
        match (inputs.action.as_str(), was_up(&before)) {
            ("start", false) => systemctl.reach("stop")?,
            ("stop", true) => systemctl.reach("start")?,
            (action, _) => session.log(Level::Info, format!("`{action}` has nothing to undo")),
        }
        return Ok(Map::new());
    }
    let before = systemctl.state()?;
    systemctl.reach(&inputs.action)?;
    Ok(object(json!({"state_before": before, "state": systemctl.state()?})))
}

fn was_up(state: &str) -> bool {
    matches!(state, "active" | "activating" | "reloading")
}

struct Systemctl<'i, 's> {
    inputs: &'i Inputs,
    session: &'i Session<'s>,
}

impl Systemctl<'_, '_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("systemctl");
        if self.inputs.user {
            command.arg("--user");
        }
        command.args(args).args(["--", &self.inputs.unit]);
        command
    }

    /// `active`, `inactive`, `failed` and the like.
    fn state(&self) -> Result<String, Failed> {
        let mut command = self.command(&["show", "--property=LoadState,ActiveState"]);
        let said = started(&mut command, b"", ASKING_MAX, self.session)?.success("`systemctl show`")?;
        let of = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        if of("LoadState") == Some("not-found") {
            return Err(Failed::new(format!("there is no unit `{}`", self.inputs.unit)));
        }
        let state =
            of("ActiveState").ok_or_else(|| Failed::new("`systemctl show` does not say how the unit stands"))?;
        Ok(state.to_owned())
    }

    /// Does something to the unit, and waits until it stands as it should.
    fn reach(&self, action: &str) -> Result<(), Failed> {
        let wanted = if action == "stop" { "inactive" } else { "active" };
        let most = self.inputs.wait_max.0;
        let until = Instant::now() + self.session.time_left(most);
        if action != "wait" {
            let ended = started(&mut self.command(&[action]), b"", most + ASKING_MAX, self.session)?;
            ended.success(&format!("`systemctl {action}`"))?;
        }
        loop {
            let state = self.state()?;
            // A service that was killed because it did not stop has stopped all the same.
            if state == wanted || (wanted == "inactive" && state == "failed") {
                return Ok(());
            }
            let is_over = Instant::now() >= until;
            if is_over || (wanted == "active" && state == "failed" && action != "wait") {
                let message = format!("`{}` is {state}, and should be {wanted}", self.inputs.unit);
                return Err(if is_over { Failed::for_now(message) } else { Failed::new(message) });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}
