//! Which question is asked in the terminal, and what a typed line means for it. Decides nothing about the run: an answer
//! goes to the inbox like one from anywhere else.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::event::{QuestionId, Verb};
use runbook_core::input::Answer;
use runbook_core::units::Digest;
use runbook_runtime::inbox::Message;
use runbook_runtime::status::{Asker, QuestionStatus, Status};

use super::question::Kind;
use super::typing::{Typed, Typing};

/// Why an empty line is no answer to the question for a reason.
const REASON_NEEDED: &str = "a reason is needed: it is kept in the record";

/// A question as it was shown: with another digest it is another one.
type Key = (String, Option<String>, Option<Asker>);

fn key(question: &QuestionStatus) -> Key {
    (question.id.clone(), question.digest.clone(), question.asker.clone())
}

/// What is asked now, and what was asked before.
#[derive(Default)]
pub(crate) struct Prompt {
    asked: Option<Asked>,
    /// Left open on purpose.
    later: BTreeSet<Key>,
    /// Answered, and not taken yet; with the time.
    answered: BTreeMap<Key, u64>,
}

struct Asked {
    question: QuestionStatus,
    /// A refusal whose reason is asked for.
    refusing: bool,
    /// The values so far, of an `ask`.
    typing: Typing,
    /// What may be said besides answers, by its word; the step that the question is about is meant.
    offers: Vec<(&'static str, Offer)>,
    /// What was chosen of these; its reason is asked for.
    chosen: Option<Offer>,
}

/// What may follow on a failure, or be said in place of an approval.
#[derive(Clone, Debug, PartialEq)]
enum Offer {
    Verb(Verb),
    Cancel,
}

/// What a person may type of it here. A step that hands something on is marked as done by the command, which takes that.
fn offers(question: &QuestionStatus) -> Vec<(&'static str, Offer)> {
    let fits = |verb: &&Verb| match verb {
        Verb::Retry { step, .. } => step.is_none(),
        Verb::Skip { step } => step.as_str() == question.step,
        Verb::MarkDone { step, outputs } => step.as_str() == question.step && outputs.is_empty(),
        Verb::Rollback { .. } => true,
        Verb::Pause | Verb::Continue | Verb::Take => false,
    };
    let verbs = question.verbs.iter().filter(fits).map(|verb| (verb.word(), Offer::Verb(verb.clone())));
    let cancel = (Kind::of(question) == Some(Kind::Failure)).then_some(("cancel", Offer::Cancel));
    verbs.chain(cancel).collect()
}

/// What changed about what is asked.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The question that was asked is closed: answered elsewhere, expired or withdrawn.
    Gone,
    /// This one is to be asked now.
    Opened(Box<QuestionStatus>),
}

/// What a typed line means.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// Nothing that makes sense: ask again, and say this.
    Again(String),
    /// The question stays open.
    Later(Box<QuestionStatus>),
    /// An answer to store, for the child run that asks where it is one.
    Answer(Message, Option<Asker>),
}

impl Prompt {
    /// Whether a question is being asked.
    pub(crate) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Follows a snapshot. Call it again after [`Change::Gone`].
    pub(crate) fn follow(&mut self, status: &Status) -> Change {
        let open: BTreeSet<Key> = status.questions.iter().map(key).collect();
        self.later.retain(|key| open.contains(key));
        self.answered.retain(|key, _| open.contains(key));
        if let Some(asked) = &self.asked {
            if open.contains(&key(&asked.question)) {
                return Change::None;
            }
            self.asked = None;
            return Change::Gone;
        }
        let is_new = |question: &&QuestionStatus| {
            let key = key(question);
            Kind::of(question).is_some() && !self.later.contains(&key) && !self.answered.contains_key(&key)
        };
        let Some(question) = status.questions.iter().find(is_new).cloned() else { return Change::None };
        let offers = offers(&question);
        let typing = Typing::default();
        self.asked = Some(Asked { question: question.clone(), refusing: false, typing, offers, chosen: None });
        Change::Opened(Box::new(question))
    }

    /// The answer to a question did not count: it is asked again. Whether it was answered here.
    pub(crate) fn refused(&mut self, id: &str) -> bool {
        let before = self.answered.len();
        self.answered.retain(|(question, ..), _| question != id);
        before != self.answered.len()
    }

    /// The questions that were answered before a moment and are open all the same.
    pub(crate) fn unanswered_since(&self, before: u64) -> Vec<String> {
        self.answered.iter().filter(|(_, at)| **at < before).map(|((id, ..), _)| id.clone()).collect()
    }

    /// No question is asked any more; the one that was.
    pub(crate) fn give_up(&mut self) -> Option<QuestionStatus> {
        self.asked.take().map(|asked| asked.question)
    }

    /// What stands before the place to type at.
    pub(crate) fn label(&self) -> String {
        let words = |asked: &Asked| asked.offers.iter().map(|(word, _)| format!("{word} / ")).collect::<String>();
        let label = match &self.asked {
            None => "",
            Some(Asked { refusing: true, .. }) => "reason (Enter for none): ",
            Some(Asked { chosen: Some(_), .. }) => "reason: ",
            Some(asked) => match Kind::of(&asked.question) {
                Some(Kind::Approval) => return format!("approve / reject [reason] / {}later: ", words(asked)),
                Some(Kind::Manual) => "done / reject [reason] / later: ",
                Some(Kind::Values) => return asked.typing.label(&asked.question.fields),
                Some(Kind::Interrupted) => "took-effect / did-not / run-again / later: ",
                Some(Kind::Failure) => return format!("{}later: ", words(asked)),
                None => "",
            },
        };
        label.to_owned()
    }

    /// Takes a typed line.
    pub(crate) fn typed(&mut self, line: &str, now: u64) -> Reply {
        let Some(asked) = &mut self.asked else { return Reply::Again(String::new()) };
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let reason = Some(rest.trim().to_owned()).filter(|reason| !reason.is_empty());
        if asked.refusing {
            let reason = Some(line.trim().to_owned()).filter(|reason| !reason.is_empty());
            return self.answer(Answer::Reject { reason }, now);
        }
        if let Some(offer) = asked.chosen.clone() {
            let typed = line.trim();
            return if typed.is_empty() { Reply::Again(REASON_NEEDED.to_owned()) } else { self.say(offer, typed, now) };
        }
        // A value may be any word: what is none begins with a stroke.
        let word = match (Kind::of(&asked.question), word) {
            (Some(Kind::Values), "/later" | "/reject") => word.trim_start_matches('/').to_owned(),
            (Some(Kind::Values), _) => return self.typed_value(line, now),
            _ => word.to_ascii_lowercase(),
        };
        if matches!(word.as_str(), "l" | "later") {
            let question = Box::new(asked.question.clone());
            self.later.insert(key(&question));
            self.asked = None;
            return Reply::Later(question);
        }
        let is_failure = Kind::of(&asked.question) == Some(Kind::Failure);
        // After a failure two of them begin with the same letter.
        let is_meant = |offer: &str| offer == word || (!is_failure && word.len() == 1 && offer.starts_with(&word));
        let offered = asked.offers.iter().find(|(offer, _)| is_meant(offer)).map(|(_, offer)| offer.clone());
        if is_failure && offered.is_none() {
            return Reply::Again("please type one of the words".to_owned());
        }
        if let Some(offer) = offered {
            if let Some(reason) = reason {
                return self.say(offer, &reason, now);
            }
            asked.chosen = Some(offer);
            return Reply::Again(String::new());
        }
        let answer = match (Kind::of(&asked.question), word.as_str()) {
            (Some(Kind::Approval), "a" | "approve") => Answer::Approve { reason },
            (Some(Kind::Manual), "d" | "done") => Answer::Confirm { reason },
            (Some(Kind::Approval | Kind::Manual | Kind::Values), "r" | "reject") => {
                if reason.is_none() {
                    asked.refusing = true;
                    return Reply::Again(String::new());
                }
                Answer::Reject { reason }
            }
            (Some(Kind::Interrupted), "t" | "took-effect") => Answer::TookEffect { reason },
            (Some(Kind::Interrupted), "d" | "did-not") => Answer::DidNot { reason },
            (Some(Kind::Interrupted), "r" | "run-again") => Answer::RunAgain { reason },
            _ => return Reply::Again("please type one of the words, or the first letter of it".to_owned()),
        };
        self.answer(answer, now)
    }

    fn typed_value(&mut self, line: &str, now: u64) -> Reply {
        let Some(asked) = &mut self.asked else { return Reply::Again(String::new()) };
        match asked.typing.typed(&asked.question.fields, line) {
            Typed::Wrong(reason) => Reply::Again(reason),
            Typed::Next => Reply::Again(String::new()),
            Typed::Whole(answer) => self.answer(answer, now),
        }
    }

    fn say(&mut self, offer: Offer, reason: &str, now: u64) -> Reply {
        let Some(asked) = self.asked.take() else { return Reply::Again(String::new()) };
        self.answered.insert(key(&asked.question), now);
        let reason = reason.to_owned();
        let message = match offer {
            Offer::Verb(verb) => Message::Verb { verb, reason },
            Offer::Cancel => Message::Cancel { level: 1, reason: Some(reason) },
        };
        Reply::Answer(message, asked.question.asker)
    }

    fn answer(&mut self, answer: Answer, now: u64) -> Reply {
        let Some(asked) = self.asked.take() else { return Reply::Again(String::new()) };
        self.answered.insert(key(&asked.question), now);
        Reply::Answer(message(&asked.question, answer), asked.question.asker)
    }
}

/// The message that answers a question, bound to what was shown.
pub(crate) fn message(question: &QuestionStatus, answer: Answer) -> Message {
    let digest = question.digest.as_ref().map(|digest| Digest::new(digest.as_str()));
    Message::Answer { question: QuestionId(question.id.clone()), answer, digest }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn asking() -> (Prompt, Status) {
        let (mut prompt, status) = (Prompt::default(), samples::waiting());
        assert_eq!(prompt.follow(&status), Change::Opened(Box::new(status.questions[0].clone())));
        (prompt, status)
    }

    #[test]
    fn an_approval_takes_a_word_and_carries_the_digest_that_was_shown() {
        let (mut prompt, status) = asking();
        for nothing in ["", "   ", "y", "yes", "ok", "approved", "aa"] {
            assert!(matches!(prompt.typed(nothing.trim(), 1), Reply::Again(_)), "{nothing:?}");
        }
        let Reply::Answer(Message::Answer { question, answer, digest }, None) =
            prompt.typed("Approve checked by hand", 1)
        else {
            panic!("no answer")
        };
        assert_eq!(question.0, "approve:contain");
        assert_eq!(answer, Answer::Approve { reason: Some("checked by hand".to_owned()) });
        assert_eq!(digest.map(|digest| digest.to_string()), status.questions[0].digest);
        assert_eq!(prompt.follow(&status), Change::None, "it is not asked twice");
    }

    #[test]
    fn a_refusal_asks_for_a_reason_once() {
        let (mut prompt, _) = asking();
        assert_eq!(prompt.typed("r", 1), Reply::Again(String::new()));
        assert_eq!(prompt.label(), "reason (Enter for none): ");
        let Reply::Answer(Message::Answer { answer, .. }, None) = prompt.typed("a bad moment", 1) else {
            panic!("no answer")
        };
        assert_eq!(answer, Answer::Reject { reason: Some("a bad moment".to_owned()) });
    }

    #[test]
    fn a_question_that_is_closed_elsewhere_goes_away() {
        let (mut prompt, mut status) = asking();
        assert_eq!(prompt.follow(&status), Change::None);
        status.questions.clear();
        assert_eq!(prompt.follow(&status), Change::Gone);
        assert_eq!(prompt.follow(&status), Change::None);
        assert!(matches!(prompt.typed("approve", 1), Reply::Again(_)), "nothing is asked");
    }

    #[test]
    fn other_content_is_another_question() {
        let (mut prompt, mut status) = asking();
        status.questions[0].digest = Some("0".repeat(64));
        assert_eq!(prompt.follow(&status), Change::Gone);
        assert!(matches!(prompt.follow(&status), Change::Opened(_)));
    }

    #[test]
    fn later_leaves_it_open_and_a_refused_answer_asks_again() {
        let (mut prompt, status) = asking();
        assert!(matches!(prompt.typed("later", 1), Reply::Later(_)));
        assert_eq!(prompt.follow(&status), Change::None);
        let (mut prompt, status) = asking();
        assert!(matches!(prompt.typed("a", 7), Reply::Answer(..)));
        assert_eq!(prompt.unanswered_since(8), ["approve:contain"]);
        assert!(prompt.unanswered_since(7).is_empty());
        assert!(prompt.refused("approve:contain"));
        assert!(matches!(prompt.follow(&status), Change::Opened(_)));
    }

    #[test]
    fn on_a_failure_exactly_the_verbs_that_apply_are_offered_and_need_a_reason() {
        let mut status = samples::waiting();
        (status.questions[0].kind, status.questions[0].digest) = ("failure".to_owned(), None);
        let step = "contain".into();
        status.questions[0].verbs = vec![
            Verb::Retry { step: None, downstream: false },
            Verb::Skip { step: "verify".into() },
            Verb::MarkDone { step, outputs: BTreeMap::from([("id".to_owned(), "VALUE".into())]) },
            Verb::Rollback { to: None },
            Verb::Pause,
        ];
        let mut prompt = Prompt::default();
        prompt.follow(&status);
        assert_eq!(prompt.label(), "retry / rollback / cancel / later: ");
        for nothing in ["", "r", "skip", "mark-done", "pause"] {
            assert!(matches!(prompt.typed(nothing, 1), Reply::Again(_)), "{nothing:?}");
        }
        assert_eq!(prompt.typed("retry", 1), Reply::Again(String::new()));
        assert_eq!(prompt.label(), "reason: ");
        assert_eq!(prompt.typed("  ", 1), Reply::Again(REASON_NEEDED.to_owned()));
        let retry = Verb::Retry { step: None, downstream: false };
        let reason = "it has room".to_owned();
        assert_eq!(prompt.typed("it has room", 1), Reply::Answer(Message::Verb { verb: retry, reason }, None));
        let mut prompt = Prompt::default();
        prompt.follow(&status);
        let reason = Some("enough".to_owned());
        assert_eq!(prompt.typed("cancel enough", 1), Reply::Answer(Message::Cancel { level: 1, reason }, None));
    }

    #[test]
    fn step_by_step_a_step_can_be_passed_over_with_a_reason() {
        let (step, mut status) = (runbook_core::units::StepId::new("contain"), samples::waiting());
        let outputs = BTreeMap::from([("id".to_owned(), "VALUE".into())]);
        status.questions[0].verbs =
            vec![Verb::Skip { step: step.clone() }, Verb::MarkDone { step: step.clone(), outputs }];
        let asked = || {
            let mut prompt = Prompt::default();
            prompt.follow(&status);
            prompt
        };
        assert_eq!(asked().label(), "approve / reject [reason] / skip / later: ");
        assert!(matches!(asked().typed("a", 1), Reply::Answer(Message::Answer { .. }, None)));
        for (first, reason) in [("skip not today", None), ("s", Some("not today"))] {
            let mut prompt = asked();
            let mut reply = prompt.typed(first, 1);
            if let Some(reason) = reason {
                assert_eq!((reply, prompt.label()), (Reply::Again(String::new()), "reason: ".to_owned()));
                reply = prompt.typed(reason, 1);
            }
            let verb = Verb::Skip { step: step.clone() };
            assert_eq!(reply, Reply::Answer(Message::Verb { verb, reason: "not today".to_owned() }, None));
        }
        for nothing in ["m", "mark-done", "c", "cancel", "sk"] {
            assert!(matches!(asked().typed(nothing, 1), Reply::Again(text) if !text.is_empty()), "{nothing:?}");
        }
    }

    #[test]
    fn the_other_kinds_have_their_words() {
        let answer = |kind: &str, line: &str| {
            let mut status = samples::waiting();
            (status.questions[0].kind, status.questions[0].digest) = (kind.to_owned(), None);
            let mut prompt = Prompt::default();
            prompt.follow(&status);
            match prompt.typed(line, 1) {
                Reply::Answer(Message::Answer { answer, .. }, None) => Some(answer),
                _ => None,
            }
        };
        assert_eq!(answer("manual", "done"), Some(Answer::Confirm { reason: None }));
        assert_eq!(answer("manual", "approve"), None);
        assert_eq!(answer("manual", "reject no"), Some(Answer::Reject { reason: Some("no".to_owned()) }));
        assert_eq!(answer("interrupted", "t"), Some(Answer::TookEffect { reason: None }));
        assert_eq!(answer("interrupted", "did-not"), Some(Answer::DidNot { reason: None }));
        assert_eq!(answer("interrupted", "run-again"), Some(Answer::RunAgain { reason: None }));
        assert_eq!(answer("approval", "run-again"), None);
    }
}
