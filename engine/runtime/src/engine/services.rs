//! Services of the environment: started before the steps, waited for, stopped after the run. Supervised like a step's
//! command, so that a crash of the engine leaves them running and `resume` finds them again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook_core::event::ServicePlan;
use runbook_core::input::Input;
use runbook_core::run::{ServiceState, Stage};
use runbook_core::units::{ServiceName, Timestamp};
use tokio::sync::mpsc;

use super::{Driver, EngineError, now};
use crate::supervisor::{
    CommandKind, CommandState, Ended, Exit, Key, KnownCommand, Masker, Request, StartRequest, resolve_program,
};

/// From one look whether a service answers to the next.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One look is not to take longer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a service answered in its time.
pub(super) struct Answered {
    service: ServiceName,
    in_time: bool,
}

/// The services at work.
pub(super) struct Services {
    /// Whether the run had an engine before: then a service that does not come up leaves the run as it is.
    is_resumed: bool,
    at_work: BTreeMap<ServiceName, AtWork>,
    told: (mpsc::UnboundedSender<Answered>, mpsc::UnboundedReceiver<Answered>),
}

struct AtWork {
    key: Key,
    /// Counted from 1: each start has a key of its own.
    number: u32,
    pid: u32,
    doing: Doing,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It runs, from before this engine; nobody has looked yet whether it answers.
    Found,
    /// It was started or found, and is asked whether it answers.
    ComingUp,
    /// It answered.
    Up,
    /// It was told to end.
    Ending {
        /// When it is killed.
        kill_at: Timestamp,
    },
    /// It was killed.
    Killed,
    /// Its main process was lost with the supervisor, and others of it live on: they may hold its port and its data.
    LeftOver,
    /// These were killed.
    ClearedAway,
    /// It is gone.
    Over,
}

impl Services {
    pub(super) fn new(is_resumed: bool) -> Self {
        Self { is_resumed, at_work: BTreeMap::new(), told: mpsc::unbounded_channel() }
    }

    /// Finds what an earlier engine started.
    pub(super) fn adopt(&mut self, known: &BTreeMap<String, KnownCommand>) {
        for (key, command) in known {
            let Some((name, number)) = name_of(key) else { continue };
            let (pid, doing) = match &command.state {
                CommandState::Running(started) => (started.process.pid, Doing::Found),
                CommandState::Ended(ended) if ended.is_unseen() && !ended.survivors.is_empty() => (0, Doing::LeftOver),
                CommandState::Ended(_) => (0, Doing::Over),
            };
            if self.at_work.get(&name).is_none_or(|other| other.number <= number) {
                self.at_work.insert(name, AtWork { key: command.key.clone(), number, pid, doing });
            }
        }
    }

    pub(super) async fn next(&mut self) -> Option<Answered> {
        self.told.1.recv().await
    }

    /// A service runs as this process.
    pub(super) fn runs(&mut self, key: &Key, pid: u32) {
        if let Some(at_work) = self.at_work.values_mut().find(|at_work| at_work.key == *key) {
            at_work.pid = pid;
        }
    }

    /// The service that the supervisor knows by a key.
    pub(super) fn of_key(&self, key: &str) -> Option<ServiceName> {
        self.at_work.iter().find(|(_, at_work)| at_work.key.as_str() == key).map(|(name, _)| name.clone())
    }

    pub(super) fn until_next_kill(&self, now: Timestamp) -> Option<Duration> {
        let due = self.at_work.values().filter_map(|at_work| match at_work.doing {
            Doing::Ending { kill_at } => Some(kill_at),
            _ => None,
        });
        let due = due.min()?;
        Some(Duration::from_millis(due.0.saturating_sub(now.0)))
    }
}

/// `service-<name>.<number>`: the dash keeps it apart from the steps, whose ids have none.
fn key_of(service: &ServiceName, number: u32) -> Result<Key, EngineError> {
    Key::new(format!("service-{service}.{number}")).map_err(|error| EngineError::Precondition(vec![error.to_string()]))
}

fn name_of(key: &str) -> Option<(ServiceName, u32)> {
    let (name, number) = key.strip_prefix("service-")?.rsplit_once('.')?;
    Some((ServiceName::new(name), number.parse().ok()?))
}

impl Driver {
    pub(super) async fn reconcile_services(&mut self, wanted: BTreeSet<ServiceName>) -> Result<(), EngineError> {
        for name in &wanted {
            if matches!(self.engine.run.services().get(name), Some(ServiceState::Ready { .. })) {
                continue;
            }
            match self.services.at_work.get(name).map_or(Doing::Over, |at_work| at_work.doing) {
                Doing::Over => {
                    self.start_service(name)?;
                    self.wait_until_it_answers(name)?;
                }
                Doing::Found | Doing::Up => self.wait_until_it_answers(name)?,
                Doing::LeftOver => self.clear_away(name),
                Doing::ComingUp | Doing::Ending { .. } | Doing::Killed | Doing::ClearedAway => {}
            }
        }
        if self.engine.run.stage() == Stage::Stopping {
            let left: Vec<ServiceName> = self.engine.run.services().keys().cloned().collect();
            for name in left {
                self.stop_service(&name)?;
            }
        }
        Ok(())
    }

    fn plan_of(&self, name: &ServiceName) -> Option<ServicePlan> {
        self.engine.run.created()?.services.iter().find(|plan| plan.name == *name).cloned()
    }

    fn start_service(&mut self, name: &ServiceName) -> Result<(), EngineError> {
        let Some(plan) = self.plan_of(name) else { return Ok(()) };
        let precondition = |reason: String| EngineError::Precondition(vec![reason]);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, plan.port)).is_err() {
            let (port, name) = (plan.port, &plan.name);
            return Err(precondition(format!("port {port} of service `{name}` is taken by another process")));
        }
        crate::folder::private_folder(Path::new(&plan.data))?;
        let number = self.services.at_work.get(name).map_or(0, |at_work| at_work.number) + 1;
        let key = key_of(name, number)?;
        let request = self.service_command(&plan, &key).map_err(precondition)?;
        self.supervisor.send(&Request::Start(Box::new(request)));
        self.services.at_work.insert(name.clone(), AtWork { key, number, pid: 0, doing: Doing::ComingUp });
        Ok(())
    }

    fn service_command(&self, plan: &ServicePlan, key: &Key) -> Result<StartRequest, String> {
        let Some(created) = self.engine.run.created() else { return Err("the run is not created".to_owned()) };
        let dir = PathBuf::from(&created.dir);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let Some((program, args)) = plan.argv.split_first() else {
            return Err(format!("service `{}` has an empty `argv`", plan.name));
        };
        let mut env = super::params::export(&created.plan.params, &created.params);
        env.extend(plan.env.clone());
        env.insert("RUNBOOK_RUN".to_owned(), created.run.to_string());
        env.insert("RUNBOOK_ID".to_owned(), created.plan.about.id.clone());
        Ok(StartRequest {
            key: key.clone(),
            kind: CommandKind::Service,
            program: resolve_program(program, &path, &dir).map_err(|error| error.to_string())?,
            args: args.to_vec(),
            env,
            env_remove: self.secrets.variables(),
            env_secret: BTreeMap::new(),
            mask: self.secrets.known(),
            dir,
            stdout: self.service_log(plan, "out"),
            stderr: self.service_log(plan, "err"),
        })
    }

    fn wait_until_it_answers(&mut self, name: &ServiceName) -> Result<(), EngineError> {
        let Some(plan) = self.plan_of(name) else { return Ok(()) };
        let client = self.http_client(&plan.ready_url).map_err(|reason| EngineError::Precondition(vec![reason]))?;
        if let Some(at_work) = self.services.at_work.get_mut(name) {
            at_work.doing = Doing::ComingUp;
        }
        let tell = self.services.told.0.clone();
        tokio::spawn(async move {
            let answers = async {
                loop {
                    let answer = client.get(&plan.ready_url).timeout(LOOK_TIMEOUT).send().await;
                    if answer.is_ok_and(|answer| answer.status().is_success()) {
                        return;
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            let limit = Duration::from_millis(plan.ready_timeout_ms);
            let in_time = tokio::time::timeout(limit, answers).await.is_ok();
            // Nobody listens any more when the engine is leaving.
            let _ = tell.send(Answered { service: plan.name, in_time });
        });
        Ok(())
    }

    pub(super) async fn service_answered(&mut self, answered: Answered) -> Result<(), EngineError> {
        let Answered { service, in_time } = answered;
        let Some(at_work) = self.services.at_work.get_mut(&service) else { return Ok(()) };
        if at_work.doing == Doing::ComingUp {
            at_work.doing = Doing::Up;
        }
        if !in_time {
            return self.service_is_down(service, "it did not answer in time".to_owned());
        }
        let pid = at_work.pid;
        // What services write when they come up, such as a token, can be had once all of them have; and nothing starts
        // before that is checked.
        let mut others = self.engine.run.services().iter().filter(|(name, _)| **name != service);
        if others.all(|(_, state)| matches!(state, ServiceState::Ready { .. })) {
            self.engine.check_secrets(self.engine.run.cancel().is_some(), true).await?;
            self.hide_secrets_of_services();
        }
        self.take(Input::ServiceReady { service, pid })
    }

    pub(super) fn service_ended(&mut self, service: &ServiceName, ended: &Ended) -> Result<(), EngineError> {
        let at_work = self.services.at_work.get_mut(service);
        let did = at_work.map(|at_work| std::mem::replace(&mut at_work.doing, Doing::Over));
        self.hide_secrets_of_services();
        if self.engine.run.stage() == Stage::Stopping {
            return self.take(Input::ServiceStopped(service.clone()));
        }
        if did == Some(Doing::ClearedAway) {
            // What lived on is gone: now it can be started again.
            return Ok(());
        }
        let how = match &ended.exit {
            Exit::Code(code) => format!("it ended with exit code {code}"),
            Exit::Signal(signal) => format!("it was ended by signal {signal}"),
            Exit::SpawnError { message, .. } => format!("it could not be started: {message}"),
            Exit::Unknown => "nobody saw how it ended".to_owned(),
        };
        let log = self.engine.folder.log(&format!("service-{service}"), "err");
        let how = format!("{how}; {} says more", log.display());
        match self.engine.run.services().get(service) {
            Some(ServiceState::Starting) => self.service_is_down(service.clone(), how),
            _ => {
                tracing::warn!(%service, "a service ended while the run goes on");
                Ok(())
            }
        }
    }

    /// At first that ends the run; of a run that was going on, it leaves all as it is, to be resumed.
    fn service_is_down(&mut self, service: ServiceName, reason: String) -> Result<(), EngineError> {
        let waits = matches!(self.engine.run.services().get(&service), Some(ServiceState::Starting));
        if self.services.is_resumed && waits {
            return Err(EngineError::Precondition(vec![format!("service `{service}` is not up: {reason}")]));
        }
        self.take(Input::ServiceFailed { service, reason })
    }

    /// Takes out of the logs of services what they printed before it was known to be secret: what they write themselves,
    /// such as a token, can be read once they are up.
    fn hide_secrets_of_services(&self) {
        let Some(created) = self.engine.run.created() else { return };
        let Ok(masker) = Masker::new(&self.secrets.known()) else { return };
        let logs = created.services.iter().flat_map(|plan| ["out", "err"].map(|stream| self.service_log(plan, stream)));
        for log in logs {
            match crate::regular::open_to_change(&log).and_then(|file| masker.overwrite(&file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(%error, file = %log.display(), "a log may hold secrets");
                }
                _ => {}
            }
        }
    }

    fn service_log(&self, plan: &ServicePlan, stream: &str) -> PathBuf {
        self.engine.folder.log(&format!("service-{}", plan.name), stream)
    }

    /// Kills what a lost service left running.
    fn clear_away(&mut self, name: &ServiceName) {
        if let Some(at_work) = self.services.at_work.get_mut(name) {
            at_work.doing = Doing::ClearedAway;
            self.supervisor.send(&Request::Signal { key: at_work.key.clone(), force: true });
        }
    }

    fn stop_service(&mut self, name: &ServiceName) -> Result<(), EngineError> {
        if matches!(self.engine.run.services().get(name), None | Some(ServiceState::Stopped)) {
            return Ok(());
        }
        let grace = self.plan_of(name).map_or(0, |plan| plan.kill_grace_ms);
        let now = now();
        let at_work = self.services.at_work.get_mut(name).filter(|at_work| at_work.doing != Doing::Over);
        let Some(at_work) = at_work else {
            self.hide_secrets_of_services();
            return self.take(Input::ServiceStopped(name.clone()));
        };
        let force = match at_work.doing {
            Doing::Found | Doing::ComingUp | Doing::Up => {
                at_work.doing = Doing::Ending { kill_at: now.after(grace) };
                false
            }
            Doing::Ending { kill_at } if kill_at <= now => {
                at_work.doing = Doing::Killed;
                true
            }
            Doing::LeftOver => {
                self.clear_away(name);
                return Ok(());
            }
            Doing::Ending { .. } | Doing::Killed | Doing::ClearedAway | Doing::Over => return Ok(()),
        };
        self.supervisor.send(&Request::Signal { key: at_work.key.clone(), force });
        Ok(())
    }
}
