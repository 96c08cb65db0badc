//! A question to a person: what is asked, about exactly what, and the commands that answer it.

use runbook_runtime::looped::BodyStatus;
use runbook_runtime::status::{QuestionStatus, Status};
use runbook_runtime::unless::Unless;

use super::action;
use super::hint::Hints;
use super::paint::{Paint, Tone};
use super::text::{clock, count, duration, visible, visible_line};
use super::verbs;

/// The kinds of questions, by the word that the status has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// May this step run?
    Approval,
    /// Has a person done this?
    Manual,
    /// Which values?
    Values,
    /// Did this attempt take effect?
    Interrupted,
    /// What is to follow on the failure of the run?
    Failure,
}

impl Kind {
    /// The kind of a question; none for one that this program does not know.
    pub(crate) fn of(question: &QuestionStatus) -> Option<Self> {
        match question.kind.as_str() {
            "approval" => Some(Self::Approval),
            "manual" => Some(Self::Manual),
            "values" => Some(Self::Values),
            "interrupted" => Some(Self::Interrupted),
            "failure" => Some(Self::Failure),
            _ => None,
        }
    }
}

/// What is asked, in one line.
pub(crate) fn headline(question: &QuestionStatus) -> String {
    let of = question.asker.as_ref().map(|asker| format!("` of the child run `{}", visible_line(&asker.runbook)));
    let step = &format!("{}{}", question.step, of.unwrap_or_default());
    match Kind::of(question) {
        Some(Kind::Approval) => format!("may step `{step}` run?"),
        Some(Kind::Manual) => format!("step `{step}` is for a person to do: is it done?"),
        Some(Kind::Values) => format!("step `{step}` asks for {}", count(question.fields.len(), "value")),
        Some(Kind::Interrupted) => {
            let undo = if is_undo(question) { "the undo of " } else { "" };
            format!("{undo}step `{step}` was interrupted: did it take effect?")
        }
        Some(Kind::Failure) => format!("the run failed at step `{step}`: what is to follow?"),
        None => format!("step `{step}` asks something that this version does not know"),
    }
}

/// Whether the question is about an attempt to undo.
fn is_undo(question: &QuestionStatus) -> bool {
    question.attempt.as_ref().is_some_and(|attempt| attempt.starts_with(&format!("{}.undo.", question.step)))
}

/// The question in full.
pub(crate) fn full(question: &QuestionStatus, status: &Status, now: u64, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.tone(Tone::Asks, &format!("? {}", headline(question)))];
    // A child run has steps of its own.
    let own = |id: &str| status.steps.iter().find(|step| step.id == id && question.asker.is_none());
    let title = own(&question.step).map(|step| step.title.as_str());
    lines.extend(title.filter(|title| *title != question.step).map(|title| format!("  {}", visible_line(title))));
    lines.extend(question.message.iter().flat_map(|message| indented(&visible(message), "  ")));
    if Kind::of(question) == Some(Kind::Failure) {
        return lines;
    }
    // What a person is to do is the message already.
    lines.extend(action::asked_for(&question.fields).into_iter().map(|line| format!("  - {line}")));
    let is_said = matches!(Kind::of(question), Some(Kind::Manual | Kind::Values));
    if let Some(action) = question.action.as_ref().filter(|_| !is_said) {
        let verb = if Kind::of(question) == Some(Kind::Interrupted) { "what was started" } else { "what will be done" };
        lines.push(format!("  {verb}:"));
        lines.extend(action::rendered(action).into_iter().map(|line| format!("    {line}")));
        lines.extend(action::given(&question.given).into_iter().map(|line| format!("    {line}")));
        lines.extend(titles_of(action, status));
    }
    lines.extend(question.unless.iter().flat_map(|it| unless(it, "", action::rendered)));
    lines.extend(question.body.iter().flat_map(for_each_item));
    if let Some(undo) = question.undo.as_ref().filter(|_| !is_undo(question)) {
        lines.push("  how it would be undone:".to_owned());
        lines.extend(action::undo(undo).into_iter().map(|line| format!("    {line}")));
        lines.extend(action::given(&question.undo_given).into_iter().map(|line| format!("    {line}")));
    } else if Kind::of(question) == Some(Kind::Approval) && question.body.iter().all(|step| step.undo.is_none()) {
        lines.push("  there is no rollback for it".to_owned());
    }
    lines.extend(conditions(question, now));
    lines
}

/// What a step of a loop does for each item, and how that would be undone.
fn for_each_item(step: &BodyStatus) -> Vec<String> {
    let title = if step.title == step.step { String::new() } else { format!(", {}", visible_line(&step.title)) };
    let mut lines = vec![];
    let mut part = |what: &str, action: &serde_json::Value| {
        lines.push(format!("  {what} for each item (`{}`{title}):", step.step));
        lines.extend(action::undo(action).into_iter().map(|line| format!("    {line}")));
    };
    step.action.iter().for_each(|action| part("what will be done", action));
    let of_item = format!(" for each item (`{}`)", step.step);
    let unless = step.unless.iter().flat_map(|it| unless(it, &of_item, action::undo));
    let unless: Vec<String> = unless.collect();
    step.undo.iter().for_each(|action| part("how it would be undone", action));
    lines.extend(unless);
    lines
}

/// What may say that it is done already, of what.
fn unless<A>(unless: &Unless<A>, of: &str, lines_of: fn(&A) -> Vec<String>) -> Vec<String> {
    match unless {
        Unless::Holds(expression) => {
            vec![format!("  unless{of}: {} (then it counts as done)", visible_line(expression))]
        }
        Unless::Probe { action, given } => {
            let mut lines = vec![format!("  unless this ends with exit code 0{of} (then it counts as done):")];
            let with = lines_of(action).into_iter().chain(action::given(given));
            lines.extend(with.map(|line| format!("    {line}")));
            lines
        }
    }
}

/// The titles of the steps of a block that is to be approved as a whole.
fn titles_of(action: &runbook_core::rendered::Rendered, status: &Status) -> Vec<String> {
    let runbook_core::rendered::Rendered::Steps(steps) = action else { return vec![] };
    let title = |id: &str| status.steps.iter().find(|step| step.id == id).map(|step| visible_line(&step.title));
    let with_title = steps.iter().filter_map(|step| Some(format!("      {step}: {}", title(step.as_str())?)));
    with_title.collect()
}

/// Who may answer, until when, and what the answer is bound to.
fn conditions(question: &QuestionStatus, now: u64) -> Vec<String> {
    let mut lines = vec![];
    if !question.from.is_empty() {
        lines.push(format!("  who may approve: {}", visible_line(&question.from.join(", "))));
    }
    if !question.escalates_to.is_empty() {
        let to = visible_line(&question.escalates_to.join(", "));
        lines.push(match question.escalated {
            true => format!("  ESCALATED: nobody answered in time; now also: {to}"),
            false => format!("  if nobody answers in time, also: {to}"),
        });
    }
    if !question.break_glass.is_empty() {
        lines.push(format!(
            "  alone, in an emergency (--break-glass): {}",
            visible_line(&question.break_glass.join(", "))
        ));
    }
    if let Some(name) = &question.not_by {
        lines.push(format!("  not by {}, who started the run", visible_line(name)));
    }
    if let Some(min) = question.min.filter(|min| *min > 1) {
        lines.push(format!("  {}", progress(min, &question.approved)));
    }
    if let Some(due) = question.due {
        lines.push(format!("  until {} (in {})", clock(due), duration(due.saturating_sub(now))));
    }
    if let Some(digest) = &question.digest {
        let short: String = digest.chars().take(12).collect();
        lines.push(format!("  the answer holds for exactly this (sha256 {short}…)"));
    }
    lines
}

/// How many of those who must agree did: `1 of 2 approved: ann`.
fn progress(min: u32, approved: &[String]) -> String {
    let names = if approved.is_empty() { String::new() } else { format!(": {}", visible_line(&approved.join(", "))) };
    format!("{} of {min} approved{names}", approved.len())
}

fn indented(text: &str, by: &str) -> Vec<String> {
    text.lines().map(|line| format!("{by}{line}")).collect()
}

/// The commands that answer it, each with what it means.
pub(crate) fn answers(question: &QuestionStatus, hints: &Hints) -> Vec<(String, String)> {
    let step = question.step.as_str();
    let answer = |flag: &str| hints.command("answer", &format!("{step} {flag}"));
    let answers = match Kind::of(question) {
        Some(Kind::Failure) => return verbs::after_failure(&question.verbs, hints),
        Some(Kind::Approval) => vec![
            (hints.command("approve", step), "it runs"),
            (hints.command("reject", &format!("{step} --reason TEXT")), "it does not"),
        ],
        Some(Kind::Manual) => {
            vec![(answer("--done"), "it is done"), (answer("--not-done --reason TEXT"), "the step fails")]
        }
        Some(Kind::Values) => {
            let given: Vec<String> = question.fields.iter().map(|field| format!("{}=VALUE", field.name)).collect();
            vec![
                (answer(&given.join(" ")), "these are the values"),
                (hints.command("reject", &format!("{step} --reason TEXT")), "the step fails"),
            ]
        }
        Some(Kind::Interrupted) => vec![
            (answer("--took-effect"), "it counts as done"),
            (answer("--did-not"), "it counts as failed"),
            (answer("--run-again"), "it is started again"),
        ],
        None => vec![],
    };
    answers.into_iter().map(|(command, meaning)| (command, meaning.to_owned())).collect()
}

/// The commands as aligned lines.
pub(crate) fn answer_lines(question: &QuestionStatus, hints: &Hints) -> Vec<String> {
    let answers = answers(question, hints);
    let width = answers.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    answers.iter().map(|(command, meaning)| format!("  {command:width$}  # {meaning}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn an_approval_shows_what_runs_how_it_is_undone_who_may_and_until_when() {
        let status = samples::waiting();
        let lines = full(&status.questions[0], &status, samples::NOW, Paint::PLAIN).join("\n");
        for part in [
            "? may step `contain` run?",
            "  Contain the incident",
            "  Restart the gateway?",
            "      │ systemctl restart \"$SERVICE\"",
            "    with SERVICE=gateway",
            "    with UNIT=gateway.service",
            "    what it starts can also read INCIDENT_TYPE, RETRIES",
            "  unless: steps.assess.outputs.status == 200 (then it counts as done)",
            "  how it would be undone:",
            "    runs: systemctl stop gateway",
            "    with RETRIES=3",
            "  who may approve: incident-commander, mia",
            "(in 9m 58s)",
            "sha256 44136fa355b3…",
        ] {
            assert!(lines.contains(part), "{part:?} is missing in\n{lines}");
        }
    }

    #[test]
    fn an_approval_by_several_says_who_agreed_and_who_may_not() {
        let mut status = samples::waiting();
        let question = &mut status.questions[0];
        (question.min, question.approved, question.not_by) = (Some(2), vec!["ann".to_owned()], Some("bob".to_owned()));
        let lines = full(&status.questions[0], &status, samples::NOW, Paint::PLAIN);
        for line in ["  1 of 2 approved: ann", "  not by bob, who started the run"] {
            assert!(lines.contains(&line.to_owned()), "{line:?} is missing in {lines:?}");
        }
    }

    #[test]
    fn each_kind_names_its_commands() {
        let hints = Hints::plain("01ARZ3NDEK");
        let status = samples::waiting();
        let approval = answer_lines(&status.questions[0], &hints);
        assert_eq!(
            approval,
            [
                "  runbook approve 01ARZ3NDEK contain               # it runs",
                "  runbook reject 01ARZ3NDEK contain --reason TEXT  # it does not"
            ]
        );
        let of = |kind: &str| {
            let mut question = status.questions[0].clone();
            question.kind = kind.to_owned();
            answers(&question, &hints).into_iter().map(|(command, _)| command).collect::<Vec<_>>()
        };
        assert_eq!(of("manual")[0], "runbook answer 01ARZ3NDEK contain --done");
        assert_eq!(of("interrupted")[2], "runbook answer 01ARZ3NDEK contain --run-again");
        assert!(of("new kind").is_empty());
    }

    #[test]
    fn a_message_cannot_move_the_cursor() {
        let mut status = samples::waiting();
        status.questions[0].message = Some("fine\x1b[3A\nsecond".to_owned());
        let lines = full(&status.questions[0], &status, samples::NOW, Paint::PLAIN);
        assert!(lines.contains(&"  fine\\u{1b}[3A".to_owned()) && lines.contains(&"  second".to_owned()), "{lines:?}");
    }
}
