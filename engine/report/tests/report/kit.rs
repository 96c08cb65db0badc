//! A run of a runbook without a world: the core decides, and what commands and people do is scripted.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::event::{Created, Event, Host, Identity, QuestionKind};
use runbook_core::input::{Answer, Answered, AttemptResult, Exit, Input, Lost};
use runbook_core::run::Run;
use runbook_core::units::{Role, RunId, Timestamp};
use runbook_core::{Effect, decide, digest_of};
use runbook_journal::{Journal as _, MemoryJournal, Record};
use runbook_language::expression::Evaluator;
use runbook_language::{SourceFile, load_runbook};
use runbook_report::{Given, LogEnd, Report, report};
use serde_json::{Value, json};

/// 2025-11-14T09:13:20Z
pub(crate) const START: u64 = 1_763_111_600_000;

/// What happens to an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It ends after so many milliseconds, with this exit code.
    Ends(u64, i32),
    /// It hands back outputs.
    Hands(u64, &'static str, Value),
    /// Engine and supervisor are lost while it runs.
    Lost,
}

/// A run that goes on as scripted.
pub(crate) struct Sim {
    pub(crate) run: Run,
    pub(crate) now: u64,
    journal: MemoryJournal,
    pub(crate) records: Vec<Record>,
    fates: BTreeMap<String, Fate>,
    /// What people answer, by the id of the question, and after how long.
    answers: BTreeMap<String, (u64, Answer)>,
    /// A run is cancelled when this step starts.
    pub(crate) cancel_at: Option<&'static str>,
}

pub(crate) fn person(name: &str, uid: u32) -> Identity {
    Identity { uid, name: name.to_owned() }
}

impl Sim {
    pub(crate) fn new(yaml: &str) -> Self {
        let loaded = load_runbook(&SourceFile::new("r.yaml", yaml), None);
        let plan = loaded.expect("a valid runbook").plan;
        let created = Created {
            deadlines: BTreeMap::new(),
            locks: vec![],
            locks_above: vec![],
            locks_dir: String::new(),
            run: RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            plan_digest: digest_of(&plan),
            plan,
            params: json!({"target": "db <1> | `x`"}),
            environment_name: None,
            environment_file: None,
            project_file: None,
            environment: json!({}),
            roles: BTreeMap::new(),
            break_glass: vec![],
            services: vec![],
            env: BTreeMap::new(),
            dir: "/srv".to_owned(),
            file: "/srv/r.yaml".to_owned(),
            by: person("mia", 1001),
            parent: None,
            part: None,
            key: None,
        };
        let mut sim = Self {
            run: Run::default(),
            now: START,
            journal: MemoryJournal::new(),
            records: vec![],
            fates: BTreeMap::new(),
            answers: BTreeMap::new(),
            cancel_at: None,
        };
        sim.take(Input::Launched(Box::new(created)));
        sim.take(Input::EngineStarted(Host { boot_id: "b".to_owned(), supervisor: "7:1".to_owned() }));
        sim
    }

    /// What happens to an attempt, by its name; any other succeeds after a second.
    pub(crate) fn fate(mut self, attempt: &str, fate: Fate) -> Self {
        self.fates.insert(attempt.to_owned(), fate);
        self
    }

    pub(crate) fn answer(mut self, question: &str, after_ms: u64, answer: Answer) -> Self {
        self.answers.insert(question.to_owned(), (after_ms, answer));
        self
    }

    /// Goes on until nothing more happens.
    pub(crate) fn ended(mut self) -> Self {
        while let Some((at, input)) = self.next() {
            self.now = self.now.max(at);
            self.take(input);
        }
        self
    }

    /// Goes on until a person is asked.
    pub(crate) fn stop_at_question(mut self) -> Self {
        while self.run.questions().is_empty() {
            let (at, input) = self.next().expect("something happens");
            self.now = self.now.max(at);
            self.take(input);
        }
        self
    }

    pub(crate) fn report(&self) -> Report {
        let log_end = |attempt: &str| {
            let lines = vec!["no such unit | <b>".to_owned(), "```".to_owned()];
            (attempt == "install.1").then(|| LogEnd { file: format!("{attempt}.err"), lines })
        };
        let given = Given { now: Timestamp(self.now + 60_000), seal: None, log_end: &log_end };
        report(&self.run, &self.records, &given).expect("a report")
    }

    fn take(&mut self, input: Input) {
        let run = std::mem::take(&mut self.run);
        let decision = decide(run, input, Timestamp(self.now), &Evaluator::new()).expect("a legal decision");
        self.run = decision.run;
        let seq = self.journal.next_seq();
        self.records.extend(self.journal.append(seq, Timestamp(self.now), &decision.events).expect("a journal"));
    }

    /// What happens next, and when.
    fn next(&self) -> Option<(u64, Input)> {
        let mut all: Vec<(u64, Input)> = vec![];
        for effect in self.run.wanted() {
            match effect {
                Effect::Execute(attempt) => {
                    if self.cancel_at == Some(attempt.step.as_str()) && self.run.cancel().is_none() {
                        let by = person("tom", 1002);
                        return Some((self.now, Input::CancelAsked { level: 1, by, reason: None, message: None }));
                    }
                    let result = |code, outputs| {
                        let exit = Exit::Code(code);
                        let result = AttemptResult { exit, outputs, ..AttemptResult::default() };
                        Input::Ended { attempt: attempt.clone(), result: Box::new(result) }
                    };
                    let fate = self.fates.get(&attempt.to_string()).cloned().unwrap_or(Fate::Ends(1_000, 0));
                    all.push(match fate {
                        Fate::Ends(after, code) => (self.started(&attempt) + after, result(code, BTreeMap::new())),
                        Fate::Hands(after, name, value) => {
                            (self.started(&attempt) + after, result(0, BTreeMap::from([(name.to_owned(), value)])))
                        }
                        Fate::Lost => (self.now, Input::Lost(Box::new(Lost::from(attempt.clone())))),
                    });
                }
                Effect::Timer { at, timer } => all.push((at.0, Input::Due(timer))),
                Effect::Ask(id) => {
                    let Some((after, answer)) = self.answers.get(&id.0) else { continue };
                    let question = &self.run.questions()[&id];
                    let digest = match &question.kind {
                        QuestionKind::Approval { digest, .. } => Some(digest.clone()),
                        _ => None,
                    };
                    let at = self.asked(&id.0) + after;
                    let answered = Answered {
                        question: id,
                        answer: answer.clone(),
                        by: person("ann", 1003),
                        roles: BTreeSet::from([Role::new("anyone"), Role::new("operators")]),
                        digest,
                        written_at: Timestamp(at),
                    };
                    all.push((at, Input::Answered(Box::new(answered))));
                }
                _ => {}
            }
        }
        all.into_iter().min_by_key(|(at, _)| *at)
    }

    fn started(&self, attempt: &runbook_core::event::AttemptId) -> u64 {
        let is_it =
            |record: &&Record| matches!(&record.event, Event::AttemptStarted { attempt: one, .. } if one == attempt);
        self.records.iter().rev().find(is_it).expect("a start").at.0
    }

    fn asked(&self, id: &str) -> u64 {
        let is_it =
            |record: &&Record| matches!(&record.event, Event::QuestionAsked { question } if question.id.0 == id);
        self.records.iter().rev().find(is_it).expect("a question").at.0
    }
}
