//! Answers given by a command: which question is meant, what is shown before, and what became of the answer.

use std::path::Path;
use std::time::{Duration, Instant};

use runbook_core::input::Answer;
use runbook_core::units::RunId;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::inbox;
use runbook_runtime::status::{QuestionStatus, Status};

use super::hint::Hints;
use super::paint::Paint;
use super::prompt::message;
use super::question::{self, Kind};
use super::seen::Seen;
use super::text::{count, moment, visible_line};
use crate::failure::Failure;
use crate::output::note;

/// How long a living engine may take to read an answer before the command stops watching.
const WATCH: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Stores the answer to the one question that is meant, and says what became of it.
pub(crate) fn answer(
    folder: &RunFolder,
    step: Option<&str>,
    kinds: &[Kind],
    answer: Answer,
) -> Result<ExitCode, Failure> {
    let alone = matches!(answer, Answer::BreakGlass { .. });
    answer_as(folder, step, kinds, alone, |_| Ok(answer))
}

/// The same with an answer that depends on the question.
pub(crate) fn answer_with(
    folder: &RunFolder,
    step: Option<&str>,
    kinds: &[Kind],
    answer: impl FnOnce(&QuestionStatus) -> Result<Answer, Failure>,
) -> Result<ExitCode, Failure> {
    answer_as(folder, step, kinds, false, answer)
}

/// `alone`: in an emergency, whoever else would have to agree.
fn answer_as(
    folder: &RunFolder,
    step: Option<&str>,
    kinds: &[Kind],
    alone: bool,
    answer: impl FnOnce(&QuestionStatus) -> Result<Answer, Failure>,
) -> Result<ExitCode, Failure> {
    let seen = Seen::look(folder)?;
    let hints = Hints::of(folder);
    let question = pick(&seen.status, step, kinds, &hints)?;
    if let Some(asker) = &question.asker {
        // It is the child run's to take.
        return answer_with(&folder.state().run(&RunId::new(&*asker.run)), Some(&question.step), kinds, answer);
    }
    if stored(folder).contains(&question.id) {
        return Err(refused(format!("an answer to the question about `{}` is stored already", question.step))
            .hint(next_step(&seen, &hints)));
    }
    may_answer(&seen, question, alone)?;
    let lines = question::full(question, &seen.status, runbook_runtime::now().0, Paint::stderr());
    note(lines.join("\n"));
    let answer = answer(question)?;
    let file = inbox::put(folder, &message(question, answer)).map_err(|error| unstored("answer", &error))?;
    if !seen.has_engine {
        note(format!("stored; no engine has this run: {}", hints.command("resume", "")));
        return Ok(ExitCode::Succeeded);
    }
    watch(folder, question, &file, &hints)
}

/// What is not written has not been said.
pub(crate) fn unstored(what: &str, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ExitCode::Precondition,
        _ => ExitCode::Internal,
    };
    Failure::new(code, format!("cannot store the {what}: {error}"))
}

fn refused(message: String) -> Failure {
    Failure::new(ExitCode::Precondition, message)
}

fn next_step(seen: &Seen, hints: &Hints) -> String {
    if seen.has_engine { hints.command("status", "") } else { hints.command("resume", "") }
}

/// The one question that is meant.
fn pick<'s>(
    status: &'s Status,
    step: Option<&str>,
    kinds: &[Kind],
    hints: &Hints,
) -> Result<&'s QuestionStatus, Failure> {
    if let Some(ended) = status.ended_at {
        let state = status.state.replace('_', " ");
        return Err(refused(format!("the run ended as {state} at {}: nothing is asked any more", moment(ended)))
            .hint(hints.command("show", "")));
    }
    if let Some(step) = step
        && !status.steps.iter().any(|known| known.id == step)
        && !status.questions.iter().any(|question| question.step == step)
    {
        return Err(Failure::new(ExitCode::Usage, format!("the run has no step `{}`", visible_line(step)))
            .hint(hints.command("show", "")));
    }
    let about = |question: &&QuestionStatus| step.is_none_or(|step| question.step == step);
    let asked: Vec<&QuestionStatus> = status.questions.iter().filter(about).collect();
    let fits = |question: &&&QuestionStatus| Kind::of(question).is_some_and(|kind| kinds.contains(&kind));
    let fitting: Vec<&QuestionStatus> = asked.iter().filter(fits).copied().collect();
    match (fitting.as_slice(), asked.as_slice()) {
        ([one], _) => Ok(one),
        ([], []) => Err(nothing_asked(status, step, hints)),
        ([], [other]) => {
            let text = format!("that is no answer to the question that is open: {}", question::headline(other));
            Err(refused(text).hint(commands(&[other], hints)))
        }
        ([], others) => {
            let text = "that is no answer to any of the questions that are open".to_owned();
            Err(refused(listed(text, others)).hint(commands(others, hints)))
        }
        (several, _) => {
            let text = format!("{} are open; name the step", count(several.len(), "question"));
            Err(Failure::new(ExitCode::Usage, listed(text, several)).hint(commands(several, hints)))
        }
    }
}

fn nothing_asked(status: &Status, step: Option<&str>, hints: &Hints) -> Failure {
    let state = step.and_then(|step| status.steps.iter().find(|known| known.id == step));
    let has_engine = status.engine_pid.is_some();
    let text = match state {
        Some(step) => {
            let word = match step.state.as_str() {
                "succeeded" | "failed" => "has",
                "skipped" | "cancelled" => "was",
                _ => "is",
            };
            format!("step `{}` asks nothing; it {word} {}", step.id, step.state)
        }
        None if has_engine => format!("nothing is asked; the run is {}", status.state.replace('_', " ")),
        None => "nothing is asked: no engine has this run".to_owned(),
    };
    // What became of a command that was lost is asked only by an engine.
    refused(text).hint(if has_engine { hints.command("status", "") } else { hints.command("resume", "") })
}

fn listed(text: String, questions: &[&QuestionStatus]) -> String {
    std::iter::once(text)
        .chain(questions.iter().map(|question| format!("  {}", question::headline(question))))
        .collect::<Vec<_>>()
        .join("\n")
}

fn commands(questions: &[&QuestionStatus], hints: &Hints) -> String {
    let all = questions.iter().flat_map(|question| question::answers(question, &hints.of_asker(question)));
    all.map(|(command, _)| format!("`{command}`")).collect::<Vec<_>>().join(", ")
}

/// Refuses what the engine would refuse, as far as that is known here: the engine decides when it reads the answer.
fn may_answer(seen: &Seen, question: &QuestionStatus, alone: bool) -> Result<(), Failure> {
    let is_over = question.due.is_some_and(|due| runbook_runtime::now().0 > due);
    let may_escalate = !question.escalates_to.is_empty() && !question.escalated;
    if is_over && !may_escalate {
        return Err(refused(format!("the question about `{}` has expired", question.step)));
    }
    if question.from.is_empty() {
        return Ok(());
    }
    if alone && question.break_glass.is_empty() {
        return Err(refused("nobody may break the glass in this environment".to_owned())
            .hint("an environment allows it with `break_glass: [ROLE]`".to_owned()));
    }
    let mut from = if alone { question.break_glass.clone() } else { question.from.clone() };
    if !alone && (question.escalated || is_over) {
        from.extend(question.escalates_to.iter().cloned());
    }
    // The roles of the start may have changed since: then the engine counts those of now.
    let Some(created) = seen.created() else { return Ok(()) };
    let me = runbook_runtime::identity::me();
    let held = runbook_runtime::identity::roles_of(&me, &created.roles);
    let holds = from.iter().any(|role| *role == me.name || held.iter().any(|held| held.as_str() == role));
    if holds {
        return Ok(());
    }
    let from = visible_line(&from.join(", "));
    if created.environment_file.is_some() || created.project_file.is_some() {
        note(format!("note: you (`{}`) held none of {from} when the run started; what holds now decides", me.name));
        return Ok(());
    }
    Err(refused(format!("you (`{}`) hold none of: {from}", me.name)))
}

/// The questions to which an answer is stored that no engine has read.
pub(crate) fn stored(folder: &RunFolder) -> Vec<String> {
    inbox::answered(folder).into_iter().map(|question| question.0).collect()
}

/// Watches for a moment what the engine makes of the answer.
fn watch(folder: &RunFolder, question: &QuestionStatus, file: &Path, hints: &Hints) -> Result<ExitCode, Failure> {
    let until = Instant::now() + WATCH;
    while Instant::now() < until {
        std::thread::sleep(LOOK_AGAIN);
        let is_alone = !folder.has_engine();
        // The engine publishes what it made of an answer before it takes the file away; it may have left after that.
        let is_read = !file.exists();
        let Some(status) = Status::read(folder).ok().filter(|_| is_read) else {
            let ended = Status::read(folder).ok().filter(|status| is_alone && status.ended_at.is_some());
            // Nobody reads it any more, so that it is ours to take back.
            if let Some(status) = ended.filter(|_| std::fs::remove_file(file).is_ok()) {
                let text = format!("the run had ended before this answer was read; {}", became(&status, question));
                return Err(refused(text).hint(hints.command("show", "")));
            }
            if is_alone {
                note(format!("stored; no engine has this run any more: {}", hints.command("resume", "")));
                return Ok(ExitCode::Succeeded);
            }
            continue;
        };
        let is_open = status.questions.iter().any(|open| open.id == question.id && open.digest == question.digest);
        let me = runbook_runtime::identity::me().name;
        let open = status.questions.iter().find(|open| open.id == question.id);
        if let Some(open) = open.filter(|open| open.approved.contains(&me) && !question.approved.contains(&me)) {
            let of = open.min.unwrap_or(1);
            note(format!("taken: {} of {of} approved; other people must, too", open.approved.len()));
            return Ok(ExitCode::Succeeded);
        }
        if inbox::late(file).exists() {
            let text =
                format!("another answer came before this one, which does not count; {}", became(&status, question));
            return Err(refused(text).hint(hints.command("show", "")));
        }
        if !is_open {
            note(format!("taken: {}", became(&status, question)));
            return Ok(ExitCode::Succeeded);
        }
        let text = "the engine did not count the answer: it came too late, or you may not give it".to_owned();
        return Err(refused(text).hint(hints.command("attach", "")));
    }
    note(format!("stored; it is not taken yet: {}", hints.command("status", "")));
    Ok(ExitCode::Succeeded)
}

/// What became of the step and the run.
fn became(status: &Status, question: &QuestionStatus) -> String {
    let step = status.steps.iter().find(|step| step.id == question.step);
    let step = step.map(|step| format!("step `{}` is {}; ", step.id, step.state)).unwrap_or_default();
    format!("{step}the run is {}", status.state.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use runbook_core::units::RunId;
    use runbook_runtime::folder::StateFolder;

    fn pick_text(status: &Status, step: Option<&str>, kinds: &[Kind]) -> Result<String, String> {
        let found = pick(status, step, kinds, &Hints::plain("01ARZ3NDEK"));
        found.map(|question| question.id.clone()).map_err(|failure| failure.text())
    }

    #[test]
    fn the_only_question_of_a_kind_needs_no_step() {
        let status = samples::waiting();
        assert_eq!(pick_text(&status, None, &[Kind::Approval]), Ok("approve:contain".to_owned()));
        assert_eq!(pick_text(&status, Some("contain"), &[Kind::Approval]), Ok("approve:contain".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_says_why() {
        let status = samples::waiting();
        let error = |status: &Status, step, kinds: &[Kind]| pick_text(status, step, kinds).unwrap_err();
        assert!(error(&status, Some("nope"), &[Kind::Approval]).contains("no step `nope`"));
        assert!(error(&status, Some("verify"), &[Kind::Approval]).contains("`verify` asks nothing; it is pending"));
        let other = error(&status, Some("contain"), &[Kind::Manual]);
        assert!(
            other.contains("that is no answer to the question that is open: may step `contain` run?")
                && other.contains("runbook approve 01ARZ3NDEK contain"),
            "{other}"
        );
        assert!(error(&samples::rolled_back(), None, &[Kind::Approval]).contains("ended as failed"));
        let mut two = status.clone();
        let mut second = two.questions[0].clone();
        (second.id, second.step) = ("approve:verify".to_owned(), "verify".to_owned());
        two.questions.push(second);
        let ambiguous = error(&two, None, &[Kind::Approval]);
        assert!(
            ambiguous.contains("2 questions are open") && ambiguous.contains("may step `verify` run?"),
            "{ambiguous}"
        );
    }

    #[test]
    fn stored_answers_are_seen_and_nothing_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let run = StateFolder::new(folder.path()).create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        let question = &samples::waiting().questions[0];
        inbox::put(&run, &message(question, Answer::Approve { reason: None })).unwrap();
        inbox::put(&run, &inbox::Message::Cancel { level: 1, reason: None }).unwrap();
        std::fs::write(run.inbox().join("x.json"), "not json").unwrap();
        std::os::unix::fs::symlink("/dev/zero", run.inbox().join("y.json")).unwrap();
        assert_eq!(stored(&run), ["approve:contain"]);
        assert_eq!(std::fs::read_dir(run.inbox()).unwrap().count(), 4);
    }
}
