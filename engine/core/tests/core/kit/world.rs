//! All that is not the engine: the supervisor with its commands, services, and people. It outlives an engine.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::Effect;
use runbook_core::event::{AttemptId, Cause, EndState, LockScope, Phase, QuestionId, QuestionKind, Timer};
use runbook_core::input::{Answer, Answered, AttemptResult, Exit, Input};
use runbook_core::plan::OnInterrupt;
use runbook_core::rendered::Rendered;
use runbook_core::run::{Doing, LockState, Run, ServiceState, Stage};
use runbook_core::units::{Role, ServiceName, StepId, Timestamp};

use super::book::person;
use super::fate::{Fate, Kind};
use super::operator::Operators;

/// A command that was started.
#[derive(Clone, Debug)]
struct Command {
    ends_at: u64,
    result: AttemptResult,
    term_ms: Option<u64>,
    termed: bool,
    told: bool,
}

#[derive(Clone, Debug)]
struct Service {
    ready_at: u64,
    comes_up: bool,
    told: bool,
    stopped: bool,
}

#[derive(Clone, Debug)]
struct Letter {
    read_at: u64,
    /// The lost attempt that it is about.
    about: Option<AttemptId>,
    answered: Answered,
    read: bool,
}

/// The world of one run.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) fate: Fate,
    commands: BTreeMap<AttemptId, Command>,
    services: BTreeMap<ServiceName, Service>,
    /// The locks that this run's supervisor holds.
    locks: BTreeMap<LockScope, Vec<String>>,
    asked: BTreeSet<QuestionId>,
    letters: Vec<Letter>,
    cancels: Vec<(u64, u8)>,
    pub(crate) operators: Operators,
    /// When a command that was lost would have ended, and whether well.
    lost: BTreeMap<(StepId, Phase), (u64, bool)>,
    /// Each command that was started.
    pub(crate) started: Vec<AttemptId>,
}

/// Something that the engine will be told; the order in which this is declared breaks ties.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Next {
    Lock(LockScope, Option<String>),
    Service(ServiceName),
    /// How it ended: as the supervisor says, or a person in this letter.
    Ended(AttemptId, Option<usize>),
    Letter(usize),
    Cancel(u8),
    /// Whether it is one that was to be said at this moment.
    Verb(bool),
    Stopped(ServiceName),
    Timer(Timer),
}

impl World {
    pub(crate) fn new(fate: Fate, plan: &runbook_core::plan::Plan) -> Self {
        Self {
            fate,
            commands: BTreeMap::new(),
            services: BTreeMap::new(),
            locks: BTreeMap::new(),
            asked: BTreeSet::new(),
            letters: vec![],
            cancels: fate.cancels(),
            operators: Operators::new(fate.seed, fate.verbs, plan),
            lost: BTreeMap::new(),
            started: vec![],
        }
    }

    /// Makes it so: starts what should run and does not, ends what should end, lets people see the questions.
    pub(crate) fn reconcile(&mut self, run: &Run, now: u64) {
        self.operators.look(run, now);
        let wanted = run.wanted();
        for effect in &wanted {
            match effect {
                Effect::Service(name) => self.start_service(name, now),
                Effect::Execute(attempt) if run.is_equipped_for(attempt) => self.execute(run, attempt, now),
                Effect::Stop { attempt, force } => self.stop(attempt, *force, now),
                Effect::EndChild { attempt, level, .. } => self.end_child(attempt, *level, now),
                Effect::Ask(id) => self.ask(run, id, now),
                // What is held ends later, as any command may.
                Effect::Execute(_) | Effect::Timer { .. } | Effect::Locks(_) | Effect::HoldChild { .. } => {}
            }
        }
        self.locks.retain(|scope, _| wanted.contains(&Effect::Locks(scope.clone())));
        for (name, service) in &mut self.services {
            service.stopped |= !wanted.contains(&Effect::Service(name.clone()));
        }
    }

    fn start_service(&mut self, name: &ServiceName, now: u64) {
        let (after, comes_up) = self.fate.service(name.as_str());
        let new = || Service { ready_at: now + after, comes_up, told: false, stopped: false };
        self.services.entry(name.clone()).or_insert_with(new);
    }

    fn execute(&mut self, run: &Run, attempt: &AttemptId, now: u64) {
        if self.commands.contains_key(attempt) {
            return;
        }
        assert!(run.action_of(attempt).is_some_and(|it| it.is_external()), "{attempt} is nothing to execute");
        let step = run.step(&attempt.step).expect("a step");
        let failures = if attempt.phase == Phase::Undo { step.undo.failures } else { step.failures };
        let plan = run.step_plan(&attempt.step).expect("a step");
        let kind = Kind {
            is_http: matches!(run.action_of(attempt), Some(Rendered::Http { .. })),
            polls: (plan.until.is_some() || plan.guard().is_some()) && attempt.phase == Phase::Do,
            child: run.child_of(attempt).map(|child| child.run.clone()),
        };
        let lost = self.lost.remove(&(attempt.step.clone(), attempt.phase));
        let failures = (step.resets + run.reopened(), failures);
        let job = match attempt.phase {
            Phase::Probe => {
                let interrupted =
                    run.live().any(|live| live.attempt.step == attempt.step && live.doing == Doing::Interrupted);
                let own = self.lost.get(&(attempt.step.clone(), Phase::Do)).copied().filter(|_| interrupted);
                self.fate.look(attempt, failures.1, now, own)
            }
            Phase::Do | Phase::Undo => self.fate.job(attempt, failures, &kind, now, lost.map(|(ends_at, _)| ends_at)),
        };
        self.started.push(attempt.clone());
        // A look that was never begun and one that is ended at once are over at the same time.
        let term_ms = if plan.guard().is_some() { Some(0) } else { job.term_ms };
        let command = Command { ends_at: job.ends_at, result: job.result, term_ms, termed: false, told: false };
        self.commands.insert(attempt.clone(), command);
    }

    /// The engine of a child run is told to end it: at once from the second time on.
    fn end_child(&mut self, attempt: &AttemptId, level: u8, now: u64) {
        let Some(command) = self.commands.get_mut(attempt) else { return };
        let ends_at = if level > 1 { now } else { now + 300 };
        if std::mem::replace(&mut command.termed, true) && level == 1 || ends_at >= command.ends_at {
            return;
        }
        command.ends_at = ends_at;
        if let Some(child) = command.result.child.as_mut() {
            (child.state, child.cause, command.result.exit) = match attempt.phase {
                Phase::Undo => (EndState::Stuck, Cause::Undo("x".into()), Exit::Done),
                _ => (EndState::Cancelled, Cause::Cancelled, Exit::Code(10)),
            };
        }
    }

    fn stop(&mut self, attempt: &AttemptId, force: bool, now: u64) {
        let never = AttemptResult { exit: Exit::Error("never started".to_owned()), ..AttemptResult::default() };
        let new = || Command { ends_at: now, result: never, term_ms: None, termed: true, told: false };
        let command = self.commands.entry(attempt.clone()).or_insert_with(new);
        if command.told {
            // Lost, and what it left running is to end: the supervisor says when nothing of it is left.
            (command.told, command.ends_at) = (false, now + command.term_ms.unwrap_or_default());
            command.result = AttemptResult { exit: Exit::Error("it is gone".to_owned()), ..AttemptResult::default() };
            return;
        }
        let first = !std::mem::replace(&mut command.termed, true);
        let end = match (force, command.term_ms) {
            (true, _) => Some((now, Exit::Signal(9))),
            (false, Some(after)) if first => Some((now + after, Exit::Signal(15))),
            _ => None,
        };
        if let Some((at, exit)) = end.filter(|(at, _)| *at < command.ends_at) {
            command.ends_at = at;
            command.result = AttemptResult { exit, ..AttemptResult::default() };
        }
    }

    fn ask(&mut self, run: &Run, id: &QuestionId, now: u64) {
        let question = &run.questions()[id];
        if question.kind == QuestionKind::Failure || !self.asked.insert(id.clone()) {
            return;
        }
        if let QuestionKind::Interrupted { attempt } = &question.kind
            && let Some((ends_at, fine)) = self.lost.get(&(attempt.step.clone(), attempt.phase)).copied()
        {
            // Somebody finds out when it would have ended.
            let reason = None;
            let answer = if fine { Answer::TookEffect { reason } } else { Answer::DidNot { reason } };
            self.write(id, answer, ends_at.max(now), 0);
            self.letters.iter_mut().rev().take(1).for_each(|letter| letter.about = Some(attempt.clone()));
            return;
        }
        for reply in self.fate.replies(question) {
            let place = self.letters.len();
            self.write(id, reply.answer, now + reply.after_ms, reply.read_ms);
            let answered = &mut self.letters[place].answered;
            answered.by = person(&reply.by);
            answered.roles = reply.roles.into_iter().map(Role::new).collect();
            if let QuestionKind::Approval { digest, .. } = &question.kind {
                let digest = if reply.wrong_digest { "other".into() } else { digest.clone() };
                answered.digest = Some(digest);
            }
        }
    }

    fn write(&mut self, question: &QuestionId, answer: Answer, written_at: u64, read_ms: u64) {
        let answered = Answered {
            question: question.clone(),
            answer,
            by: person("ann"),
            roles: BTreeSet::new(),
            digest: None,
            written_at: Timestamp(written_at),
        };
        self.letters.push(Letter { read_at: written_at + read_ms, about: None, answered, read: false });
    }

    /// What the engine is told next, and when.
    pub(crate) fn next(&self, run: &Run, now: u64) -> Option<(u64, Next)> {
        let locks = self.next_locks(run, now);
        let services = self.services.iter().filter(|(_, it)| !it.told && !it.stopped);
        let services = services.map(|(name, it)| (it.ready_at, Next::Service(name.clone())));
        let stopped = run.services().iter().filter(|(name, state)| {
            // One that nobody had to start again is gone, too.
            let is_gone = self.services.get(*name).is_none_or(|service| service.stopped);
            is_gone && run.stage() >= Stage::Stopping && **state != ServiceState::Stopped
        });
        let stopped = stopped.map(|(name, _)| name);
        let stopped = stopped.map(|name| (now, Next::Stopped(name.clone())));
        let commands = self.commands.iter().filter(|(_, it)| !it.told);
        let commands = commands.map(|(attempt, it)| (it.ends_at, Next::Ended(attempt.clone(), None)));
        let letters = self.letters.iter().enumerate().filter(|(_, it)| !it.read);
        let letters = letters.map(|(place, it)| match &it.about {
            Some(attempt) => (it.read_at, Next::Ended(attempt.clone(), Some(place))),
            None => (it.read_at, Next::Letter(place)),
        });
        let cancels = self.cancels.first().map(|(at, level)| (*at, Next::Cancel(*level)));
        let timers = run.wanted().into_iter().filter_map(|effect| match effect {
            Effect::Timer { at, timer } => Some((at.0, Next::Timer(timer))),
            _ => None,
        });
        let verbs = self.operators.next().map(|(at, by_time)| (at, Next::Verb(by_time)));
        let all = locks
            .into_iter()
            .chain(services)
            .chain(stopped)
            .chain(commands)
            .chain(letters)
            .chain(cancels)
            .chain(verbs)
            .chain(timers);
        all.map(|(at, next)| (at.max(now), next)).min()
    }

    /// Locks are taken as soon as neither another run nor another step holds one of them; that one does each engine is
    /// told once.
    fn next_locks(&self, run: &Run, now: u64) -> Vec<(u64, Next)> {
        let wanted = run.wanted();
        let mut found = vec![];
        for (scope, locks) in run.locks().filter(|(scope, _)| wanted.contains(&Effect::Locks(scope.clone()))) {
            let is_ours = |name: &String| self.locks.iter().any(|(other, it)| *other != scope && it.contains(name));
            let names = || locks.wishes.iter().map(|wish| &wish.name);
            let is_foreign = |name: &&String| self.fate.lock_free_at(name) > now && !self.locks.contains_key(&scope);
            let held = names().find(|name| is_foreign(name) || is_ours(name));
            match (&locks.state, held) {
                (LockState::Held, _) => {}
                (_, None) => found.push((now, Next::Lock(scope, None))),
                (_, Some(name)) if !locks.told => found.push((now, Next::Lock(scope, Some(name.clone())))),
                (_, Some(_)) if names().any(is_ours) => {}
                (_, Some(_)) => {
                    let free_at = names().map(|name| self.fate.lock_free_at(name)).max();
                    found.push((free_at.unwrap_or(now), Next::Lock(scope, None)));
                }
            }
        }
        found
    }

    /// The words for what the engine is told.
    pub(crate) fn tell(&mut self, run: &Run, next: Next, now: u64) -> Input {
        if let Next::Lock(scope, None) = &next {
            let (_, locks) = run.locks().find(|(it, _)| it == scope).expect("locks");
            let names: Vec<String> = locks.wishes.iter().map(|wish| wish.name.clone()).collect();
            let taken = |name: &String| self.locks.iter().any(|(other, it)| other != scope && it.contains(name));
            assert!(!names.iter().any(taken), "{names:?} are held by another step");
            self.locks.insert(scope.clone(), names);
        }
        match next {
            Next::Verb(by_time) => self.operators.tell(by_time, now),
            Next::Lock(scope, Some(name)) => Input::LockHeld { scope, name, holder: None },
            Next::Lock(scope, None) => Input::LocksTaken(scope),
            Next::Service(service) => {
                let known = self.services.get_mut(&service).expect("a service");
                known.told = true;
                match known.comes_up {
                    true => Input::ServiceReady { service, pid: 7 },
                    false => Input::ServiceFailed { service, reason: "it ended".to_owned() },
                }
            }
            Next::Ended(attempt, None) => {
                let command = self.commands.get_mut(&attempt).expect("a command");
                command.told = true;
                Input::Ended { attempt, result: Box::new(command.result.clone()) }
            }
            Next::Letter(place) | Next::Ended(_, Some(place)) => {
                self.letters[place].read = true;
                // The fate of that attempt is known now: the next one is a new one.
                if let Some(about) = &self.letters[place].about {
                    self.lost.remove(&(about.step.clone(), about.phase));
                }
                Input::Answered(Box::new(self.letters[place].answered.clone()))
            }
            Next::Cancel(level) => {
                self.cancels.remove(0);
                Input::CancelAsked { level, by: person("ann"), reason: None, message: None }
            }
            Next::Stopped(service) => Input::ServiceStopped(service),
            Next::Timer(timer) => Input::Due(timer),
        }
    }

    /// The engine is gone, the supervisor lives: the next engine is told again how what it holds for running ended.
    pub(crate) fn engine_lost(&mut self, run: &Run) {
        for live in run.live() {
            if let Some(command) = self.commands.get_mut(&live.attempt) {
                command.told = false;
            }
        }
        self.services.values_mut().for_each(|service| service.told = false);
    }

    /// Somebody comes back to a run that has ended: what was stopped may start again.
    pub(crate) fn come_back(&mut self, run: &Run, now: u64) -> Option<Input> {
        let input = self.operators.come_back(run, now)?;
        self.services.clear();
        Some(input)
    }

    /// The supervisor and all commands are gone too; statuses that were written are still there. Gives the attempts of
    /// which nobody knows how they ended, and those among them about which a person is to be asked.
    pub(crate) fn all_lost(&mut self, run: &Run, now: u64) -> Vec<(AttemptId, OnInterrupt)> {
        self.locks.clear();
        let mut lost = vec![];
        for live in run.live().filter(|live| matches!(live.doing, Doing::Executing | Doing::Stopping { .. })) {
            let Some(command) = self.commands.get_mut(&live.attempt) else { continue };
            // One that ends at this very moment has just not written its status.
            if command.ends_at < now || command.told {
                continue;
            }
            command.told = true;
            let good = matches!(command.result.exit, Exit::Code(0) | Exit::Status(200));
            let fine = good && command.result.unusable.is_none();
            let key = (live.attempt.step.clone(), live.attempt.phase);
            self.lost.insert(key, (command.ends_at, fine));
            let plan = run.step_plan(&live.attempt.step).expect("a step");
            let then = match (live.attempt.phase, &plan.rollback) {
                (Phase::Undo, Some(undo)) => undo.on_interrupt,
                _ => plan.on_interrupt,
            };
            lost.push((live.attempt.clone(), then));
        }
        lost
    }
}
