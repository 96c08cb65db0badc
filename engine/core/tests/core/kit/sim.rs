//! A whole run in virtual time: an engine in a world.

use std::rc::Rc;

use runbook_core::event::{AttemptId, Cause, ChildEnd, EndState, Failure};
use runbook_core::input::Input;
use runbook_core::run::{Stage, StepState, UndoState};
use runbook_core::units::RunId;
use serde_json::Value;

use super::book::{Book, host};
use super::engine::{Batch, Checks, Engine};
use super::fate::Fate;
use super::world::World;

/// More inputs than any run of the tests needs, and more engines.
const INPUTS_MAX: u32 = 20_000;

/// An engine in a world.
#[derive(Clone)]
pub(crate) struct Sim {
    pub(crate) engine: Engine,
    pub(crate) world: World,
    engines: u32,
    /// How often the engine was told something.
    inputs: u32,
}

/// What a run came to, as far as a crash must not change it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) state: EndState,
    pub(crate) cause: Cause,
    pub(crate) irreversible: Vec<String>,
    pub(crate) steps: Vec<StepEnding>,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepEnding {
    pub(crate) id: String,
    pub(crate) state: StepState,
    pub(crate) undo: UndoState,
    pub(crate) outputs: Value,
    pub(crate) exit_code: Option<i32>,
    pub(crate) attempts: (u32, u32),
}

impl Ending {
    /// All attempts that were made.
    pub(crate) fn attempts(&self) -> u32 {
        self.steps.iter().map(|step| step.attempts.0 + step.attempts.1).sum()
    }

    /// Fails unless the other end is the same, and says where it is not.
    #[track_caller]
    pub(crate) fn must_be(&self, other: &Self, when: &str) {
        let steps = self.steps.iter().zip(&other.steps).filter(|(one, other)| one != other);
        let steps: String = steps.map(|(one, other)| format!("\n  {one:?}\n  {other:?}")).collect();
        let end = |ending: &Self| format!("{:?} {:?} {:?}", ending.state, ending.cause, ending.irreversible);
        assert!(self == other, "another end {when}:\n  {}\n  {}{steps}", end(self), end(other));
    }

    /// The same but for how often was tried.
    pub(crate) fn without_attempts(mut self) -> Self {
        self.steps.iter_mut().for_each(|step| step.attempts = (0, 0));
        self
    }
}

/// Which run it was differs with how often was tried.
fn without_child(state: &StepState) -> StepState {
    match state {
        StepState::Failed(Failure::Child(end)) => {
            StepState::Failed(Failure::Child(ChildEnd { run: RunId::new("child"), ..end.clone() }))
        }
        other => other.clone(),
    }
}

impl Sim {
    /// Launches a run, and takes it.
    pub(crate) fn launch(book: &Book, fate: Fate, checks: Checks) -> Self {
        let mut sim = Self::created(book, fate, checks);
        sim.start_engine();
        sim
    }

    /// A run that no engine has taken yet.
    pub(crate) fn created(book: &Book, fate: Fate, checks: Checks) -> Self {
        let mut sim =
            Self { engine: Engine::new(checks), world: World::new(fate, &book.plan()), engines: 0, inputs: 0 };
        let _ = sim.engine.tell(Input::Launched(Box::new(book.created())));
        sim
    }

    /// An engine takes the run.
    pub(crate) fn start_engine(&mut self) -> Rc<Batch> {
        self.engines += 1;
        self.engine.tell(Input::EngineStarted(host(self.engines)))
    }

    /// Makes it so, then tells the engine the next thing. None when the run has ended.
    pub(crate) fn step(&mut self) -> Option<Rc<Batch>> {
        self.inputs += 1;
        assert!(self.inputs.max(self.engines) < INPUTS_MAX, "the run does not end: {}", self.story());
        if self.engine.run.stage() == Stage::Ended {
            while self.world.operators.may_come_back() {
                if let Some(input) = self.world.come_back(&self.engine.run, self.engine.now) {
                    return Some(self.engine.tell(input));
                }
            }
            return None;
        }
        if self.engine.run.host().is_none() {
            return Some(self.start_engine());
        }
        self.world.reconcile(&self.engine.run, self.engine.now);
        let Some((at, next)) = self.world.next(&self.engine.run, self.engine.now) else {
            panic!("nothing will happen any more and the run has not ended: {}", self.story())
        };
        self.engine.now = at;
        let input = self.world.tell(&self.engine.run, next, at);
        Some(self.engine.tell(input))
    }

    /// Whether it has ended, and nobody comes back to it.
    pub(crate) fn is_over(&self) -> bool {
        self.engine.run.end().is_some() && !self.world.operators.may_come_back()
    }

    /// Goes on to the end.
    pub(crate) fn finish(&mut self) -> Ending {
        while self.step().is_some() {}
        self.ending()
    }

    /// The engine dies and another one takes the run; the supervisor and all commands live on.
    pub(crate) fn resumed(&self, journal: &[Rc<Batch>], checks: Checks) -> Self {
        let mut engine = Engine::recovered(journal, self.engine.now, checks);
        engine.last.clone_from(&self.engine.last);
        let mut world = self.world.clone();
        world.engine_lost(&engine.run);
        let mut sim = Self { engine, world, engines: self.engines, inputs: 0 };
        let _ = sim.start_engine();
        sim
    }

    /// The same with its own whole journal.
    pub(crate) fn reborn(&self) -> Self {
        self.resumed(&self.engine.journal, self.engine.checks)
    }

    /// How it came to where it is, for people who look for a bug.
    fn story(&self) -> String {
        let run = &self.engine.run;
        let steps = run.steps().map(|(_, step, run)| format!("{} {:?} undo {:?}", step.id, run.state, run.undo.state));
        let batches = self.engine.journal.iter().skip(1).map(|batch| format!("{:?} {:?}", batch.at, batch.events));
        let lines: Vec<String> = steps.chain(batches).collect();
        format!("{:?}, paused {:?}\n{}", run.stage(), run.paused(), lines.join("\n"))
    }

    /// What it came to.
    pub(crate) fn ending(&self) -> Ending {
        let run = &self.engine.run;
        let end = run.end().expect("an end");
        let steps = run.steps().map(|(_, step, run)| StepEnding {
            id: step.id.to_string(),
            state: without_child(&run.state),
            undo: run.undo.state.clone(),
            outputs: serde_json::to_value(&run.outputs).expect("values"),
            exit_code: run.exit_code,
            attempts: (run.attempts, run.undo.attempts),
        });
        Ending {
            state: end.state,
            cause: end.cause.clone(),
            irreversible: end.irreversible.iter().map(ToString::to_string).collect(),
            steps: steps.collect(),
        }
    }

    /// The commands that were started, each once; without the looks of guards, as one that is not wanted any more as soon
    /// as it is decided need not begin.
    pub(crate) fn started(&self) -> Vec<AttemptId> {
        let is_look =
            |attempt: &AttemptId| self.engine.run.step_plan(&attempt.step).is_some_and(|it| it.guard().is_some());
        let mut started: Vec<AttemptId> = self.world.started.iter().filter(|it| !is_look(it)).cloned().collect();
        started.sort();
        started
    }
}
