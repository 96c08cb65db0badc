//! An engine in the hands of a test, which says what happens and reads what follows.

use std::collections::BTreeMap;

use runbook_core::Effect;
use runbook_core::event::{AttemptId, Event, Phase, QuestionId, QuestionKind, Survivor, Verb};
use runbook_core::input::{Answer, Answered, AttemptResult, Exit, Input, Lost, VerbAsked};
use runbook_core::run::{Run, StepState};
use runbook_core::units::{Role, ServiceName, StepId, Timestamp};
use serde_json::{Value, json};

use super::book::{Book, host, person};
use super::engine::{Checks, Engine};
use super::fate::agreement;

/// An engine in the hands of a test.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    engines: u32,
}

impl Desk {
    /// Launches a run, and takes it.
    pub(crate) fn start(book: &Book) -> Self {
        let mut desk = Self { engine: Engine::new(Checks::All), engines: 0 };
        desk.tell(Input::Launched(Box::new(book.created())));
        desk.engine_starts();
        desk
    }

    pub(crate) fn tell(&mut self, input: Input) -> Vec<Event> {
        self.engine.tell(input).events.clone()
    }

    pub(crate) fn run(&self) -> &Run {
        &self.engine.run
    }

    pub(crate) fn engine_starts(&mut self) {
        self.engines += 1;
        self.tell(Input::EngineStarted(host(self.engines)));
    }

    /// The engine dies, and another one takes the run.
    pub(crate) fn crash(&mut self) {
        self.engine = Engine::recovered(&self.engine.journal, self.engine.now, Checks::All);
        self.engine_starts();
    }

    /// The attempt of a step, of its undo (`undo x`), or of its `done_when` (`look x`), that runs now.
    pub(crate) fn live(&self, name: &str) -> AttemptId {
        let (step, phase) = match (name.strip_prefix("undo "), name.strip_prefix("look ")) {
            (Some(step), _) => (step, Phase::Undo),
            (_, Some(step)) => (step, Phase::Probe),
            (None, None) => (name, Phase::Do),
        };
        let mut live = self.run().live().map(|live| live.attempt.clone());
        let found = live.find(|attempt| attempt.step.as_str() == step && attempt.phase == phase);
        found.unwrap_or_else(|| panic!("`{name}` does not run: {}", self.states()))
    }

    pub(crate) fn is_live(&self, name: &str) -> bool {
        self.run().live().any(|live| live.attempt.step.as_str() == name && live.attempt.phase == Phase::Do)
    }

    pub(crate) fn exits(&mut self, name: &str, exit: Exit) -> Vec<Event> {
        let result = AttemptResult { exit, ..AttemptResult::default() };
        self.ends(name, result)
    }

    pub(crate) fn ends(&mut self, name: &str, result: AttemptResult) -> Vec<Event> {
        let attempt = self.live(name);
        assert!(self.run().wanted().contains(&Effect::Execute(attempt.clone())), "`{name}` is no command");
        self.tell(Input::Ended { attempt, result: Box::new(result) })
    }

    /// Commands end well, one after the other.
    pub(crate) fn ok(&mut self, names: &[&str]) -> &mut Self {
        names.iter().for_each(|name| drop(self.exits(name, Exit::Code(0))));
        self
    }

    /// A command ends with code 1.
    pub(crate) fn fail(&mut self, name: &str) -> &mut Self {
        self.exits(name, Exit::Code(1));
        self
    }

    /// A command ends well and hands values back.
    pub(crate) fn ok_with(&mut self, name: &str, outputs: Value) -> &mut Self {
        let outputs = outputs.as_object().expect("an object").clone().into_iter().collect();
        self.ends(name, AttemptResult { exit: Exit::Code(0), outputs, ..AttemptResult::default() });
        self
    }

    /// An attempt was lost with engine, supervisor and all.
    pub(crate) fn lose(&mut self, name: &str) -> Vec<Event> {
        let attempt = self.live(name);
        self.tell(Input::Lost(Box::new(attempt.into())))
    }

    /// The same; these processes of it live on, and this is what it handed back.
    pub(crate) fn lose_with(&mut self, name: &str, survivors: &[&str], outputs: Result<Value, &str>) -> Vec<Event> {
        let survivor = |(pid, command): (u32, &&str)| Survivor { pid, command: (*command).to_owned() };
        let lost = Lost {
            attempt: self.live(name),
            survivors: (100..).zip(survivors).map(survivor).collect(),
            outputs: outputs
                .map(|outputs| outputs.as_object().expect("an object").clone().into_iter().collect())
                .map_err(str::to_owned),
        };
        self.tell(Input::Lost(Box::new(lost)))
    }

    /// An attempt that may have ended long ago is told to be lost.
    pub(crate) fn lose_again(&mut self, attempt: AttemptId) -> Vec<Event> {
        self.tell(Input::Lost(Box::new(attempt.into())))
    }

    pub(crate) fn cancel(&mut self, level: u8) -> Vec<Event> {
        self.tell(Input::CancelAsked { level, by: person("ann"), reason: None, message: None })
    }

    /// The same by a message, which may be read more than once.
    pub(crate) fn cancel_by(&mut self, message: &str, level: u8) -> Vec<Event> {
        let message = Some(message.to_owned());
        self.tell(Input::CancelAsked { level, by: person("ann"), reason: None, message })
    }

    /// An operator says something.
    pub(crate) fn say(&mut self, verb: Verb) -> Vec<Event> {
        let (by, reason, written_at) = (person("starter"), "it has to be".to_owned(), Timestamp(self.engine.now));
        let message = Some(format!("message {}", self.engine.journal.len()));
        self.tell(Input::Verb(Box::new(VerbAsked { verb, by, reason, written_at, message })))
    }

    pub(crate) fn ready(&mut self, service: &str) {
        self.tell(Input::ServiceReady { service: ServiceName::new(service), pid: 7 });
    }

    pub(crate) fn unready(&mut self, service: &str) {
        self.tell(Input::ServiceFailed { service: ServiceName::new(service), reason: "it ended".to_owned() });
    }

    pub(crate) fn stopped(&mut self, service: &str) -> Vec<Event> {
        self.tell(Input::ServiceStopped(ServiceName::new(service)))
    }

    /// Time passes; what becomes due on the way is told in order.
    pub(crate) fn pass(&mut self, ms: u64) -> &mut Self {
        let until = self.engine.now + ms;
        while let Some((at, timer)) = self.timers().into_iter().find(|(at, _)| *at <= until) {
            self.engine.now = at.max(self.engine.now);
            self.tell(Input::Due(timer));
        }
        self.engine.now = until;
        self
    }

    /// The timers that are wanted, the next first.
    pub(crate) fn timers(&self) -> Vec<(u64, runbook_core::event::Timer)> {
        let mut timers: Vec<_> = self
            .run()
            .wanted()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Timer { at, timer } => Some((at.0, timer)),
                _ => None,
            })
            .collect();
        timers.sort();
        timers
    }

    /// The open question about a step.
    pub(crate) fn question(&self, step: &str) -> QuestionId {
        let found = self.run().questions().values().find(|question| question.step.as_str() == step);
        found.unwrap_or_else(|| panic!("nobody is asked about `{step}`: {}", self.states())).id.clone()
    }

    /// The answer that agrees, now, by the person who may.
    pub(crate) fn letter(&self, step: &str) -> Answered {
        let question = &self.run().questions()[&self.question(step)];
        let digest = match &question.kind {
            QuestionKind::Approval { digest, .. } => Some(digest.clone()),
            _ => None,
        };
        Answered {
            question: question.id.clone(),
            answer: agreement(&question.kind),
            by: person("ann"),
            roles: [Role::new("chief")].into(),
            digest,
            written_at: Timestamp(self.engine.now),
        }
    }

    pub(crate) fn answer_with(&mut self, step: &str, change: impl FnOnce(&mut Answered)) -> Vec<Event> {
        let mut letter = self.letter(step);
        change(&mut letter);
        self.tell(Input::Answered(Box::new(letter)))
    }

    pub(crate) fn answer(&mut self, step: &str, answer: Answer) -> Vec<Event> {
        self.answer_with(step, |letter| letter.answer = answer)
    }

    /// Each step with its state, in the order written.
    pub(crate) fn states(&self) -> String {
        let words = self.run().steps().map(|(_, step, run)| format!("{}:{}", step.id, run.state.word()));
        words.collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn state(&self, step: &str) -> &StepState {
        &self.run().step(&StepId::new(step)).expect("a step").state
    }

    pub(crate) fn outputs(&self, step: &str) -> Value {
        json!(self.run().step(&StepId::new(step)).expect("a step").outputs)
    }

    /// How the run ended, as `{state} {cause}`.
    pub(crate) fn end(&self) -> String {
        let end = self.run().end().unwrap_or_else(|| panic!("the run goes on: {}", self.states()));
        let word = |value: Value| value.to_string().replace(['"', '{', '}'], "");
        format!("{} {}", word(json!(end.state)), word(json!(end.cause)))
    }

    /// The undos in the order in which they ended well.
    pub(crate) fn undone(&self) -> Vec<String> {
        let events = self.engine.journal.iter().flat_map(|batch| &batch.events);
        let undone = events.filter_map(|event| match event {
            Event::StepUndone { step } => Some(step.to_string()),
            _ => None,
        });
        undone.collect()
    }

    /// How many attempts started of each step.
    pub(crate) fn attempts(&self) -> BTreeMap<String, u32> {
        self.run().steps().map(|(_, step, run)| (step.id.to_string(), run.attempts)).collect()
    }
}
