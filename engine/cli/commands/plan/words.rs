//! The parts of a step in words.

use runbook_core::plan::{Action, Body, FailuresMax, Lock, OnInterrupt, Retry, RetryOn, Wait};
use runbook_core::units::format_duration;

use super::approval::{ApprovalView, RoleView};
use super::loops::ForEachView;
use crate::view::action::{command_line, short_digest, template};
use crate::view::text::visible_line;

/// What kind of step it is, by the key that makes it one.
pub(super) fn kind(body: &Body) -> &'static str {
    match body {
        Body::Action(action) => action_kind(action),
        Body::Block { .. } => "steps",
        Body::Switch { .. } => "switch",
        Body::ForEach(_) => "for_each",
    }
}

/// What a loop runs for, and how: `each item of params.hosts, one after the other; the first failure ends it`.
pub(super) fn for_each(each: &ForEachView) -> String {
    let pace = match each.max_parallel {
        Some(1) => "one after the other".to_owned(),
        Some(most) => format!("{most} at once"),
        None => "at once, as many as the runbook may".to_owned(),
    };
    let failures = match each.max_failures {
        FailuresMax::Count(0) => "after a failed one no other begins".to_owned(),
        FailuresMax::Count(most) => format!("{most} of them may fail"),
        FailuresMax::Percent(most) => format!("{most} % of them may fail"),
    };
    format!("{} of {}: {pace}; {failures}", each.name, visible_line(&each.over))
}

/// What the undo of a child run does.
const WAY_BACK: &str = "rolls back its child run";

/// The key of an action.
pub(super) fn action_kind(action: &Action) -> &'static str {
    match action {
        Action::Run(_) => "run",
        Action::Argv(_) => "argv",
        Action::Http(_) => "http",
        Action::Assert(_) => "assert",
        Action::Set(_) => "set",
        Action::Wait(_) => "wait",
        Action::Manual(_) => "manual",
        Action::Ask(_) => "ask",
        Action::Runbook(_) | Action::UndoRunbook => "runbook",
        Action::Plugin(_) => "uses",
    }
}

/// A lock and how long is waited for it.
pub(super) fn lock(lock: &Lock) -> String {
    let name = visible_line(&template(&lock.name));
    match lock.wait_ms {
        None => format!("{name}, or not at all"),
        Some(ms) => format!("{name}, waits up to {}", format_duration(ms)),
    }
}

/// The text of a script, as written.
pub(super) fn script(action: &Action) -> Option<String> {
    match action {
        Action::Run(script) => Some(script.text.clone()),
        _ => None,
    }
}

/// What an action does, in one line, and how many lines of it are left out.
pub(super) fn short(action: &Action) -> (String, usize) {
    let text = match action {
        Action::Run(script) => return first_line(&script.text),
        Action::Manual(text) => return first_line(&template(text)),
        Action::Ask(ask) => return first_line(&template(&ask.prompt)),
        Action::Argv(argv) => {
            let words: Vec<String> = argv.argv.iter().map(template).collect();
            command_line(words.iter().map(String::as_str))
        }
        Action::Http(http) => format!("{} {}", http.method, visible_line(&template(&http.url))),
        Action::Assert(checks) => {
            let all: Vec<String> = checks.iter().map(|check| visible_line(&check.that.source)).collect();
            all.join("; ")
        }
        Action::Set(values) => values.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        Action::Runbook(call) => visible_line(&call.name),
        Action::Plugin(call) => format!("{} ({})", visible_line(&call.name), short_digest(&call.plugin)),
        Action::UndoRunbook => WAY_BACK.to_owned(),
        Action::Wait(Wait::For(time)) => visible_line(&template(time)),
        Action::Wait(Wait::Until(time)) => format!("until {}", visible_line(&template(time))),
    };
    (text, 0)
}

/// The first line that does something, and how many such lines follow.
fn first_line(text: &str) -> (String, usize) {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    (visible_line(lines.next().unwrap_or_default()), lines.count())
}

/// What bounds and repeats the attempts of an action, and what an interruption does. The last is left out where an action
/// has no effect that could be in doubt, and where a request that only reads is made again, which goes without saying.
pub(super) fn limits(
    action: &Action,
    timeout_ms: Option<u64>,
    retry: Option<&Retry>,
    on_interrupt: OnInterrupt,
) -> Vec<String> {
    let mut parts = vec![];
    parts.extend(timeout_ms.map(|ms| format!("within {}", format_duration(ms))));
    parts.extend(retry.filter(|retry| retry.attempts_max > 1).map(attempts));
    let is_doubtful = match action {
        Action::Http(http) => on_interrupt != OnInterrupt::Rerun || !matches!(http.method.as_str(), "GET" | "HEAD"),
        Action::Run(_) | Action::Argv(_) | Action::Plugin(_) => true,
        Action::Assert(_)
        | Action::Set(_)
        | Action::Wait(_)
        | Action::Manual(_)
        | Action::Ask(_)
        | Action::Runbook(_)
        | Action::UndoRunbook => false,
    };
    parts.extend(is_doubtful.then(|| interrupted(on_interrupt).to_owned()));
    parts
}

fn attempts(retry: &Retry) -> String {
    let mut text = format!("{} attempts, {} apart", retry.attempts_max, format_duration(retry.delay_ms));
    if retry.exponential {
        text.push_str(", doubling");
    }
    if let Some(most) = retry.delay_max_ms {
        text.push_str(&format!(" to {}", format_duration(most)));
    }
    if let Some(on) = &retry.on {
        text.push_str(&format!(", {}", repeated(on)));
    }
    text
}

/// Which failures are repeated.
fn repeated(on: &RetryOn) -> String {
    let codes: Vec<String> = on.exit_codes.iter().map(ToString::to_string).collect();
    let codes = (!codes.is_empty()).then(|| format!("after exit code {}", codes.join(", ")));
    let condition = on.condition.as_ref().map(|condition| format!("if {}", visible_line(&condition.source)));
    let all: Vec<String> = codes.into_iter().chain(condition).collect();
    format!("only {}", all.join(" or "))
}

fn interrupted(on_interrupt: OnInterrupt) -> &'static str {
    match on_interrupt {
        OnInterrupt::Rerun => "again if interrupted",
        OnInterrupt::Ask => "asks if interrupted",
        OnInterrupt::Fail => "fails if interrupted",
    }
}

/// Who may approve.
pub(super) fn approval(approval: &ApprovalView) -> String {
    let one = |role: &RoleView| match &role.people {
        None => role.role.to_string(),
        Some(people) => format!("{} ({})", role.role, people.join(", ")),
    };
    let who: Vec<String> = approval.from.iter().map(one).collect();
    let people = if approval.min > 1 { format!("{} people: ", approval.min) } else { String::new() };
    let mut text = format!("by {people}{}", who.join(" or "));
    if approval.exclude_initiator {
        text.push_str(", not who starts the run");
    }
    if let Some(ms) = approval.timeout_ms {
        let names: Vec<&str> = approval.escalate_to.iter().map(runbook_core::units::Role::as_str).collect();
        let then = if names.is_empty() { "rejected".to_owned() } else { format!("also by {}", names.join(" or ")) };
        text.push_str(&format!(", within {}, else {then}", format_duration(ms)));
    }
    if !approval.break_glass.is_empty() {
        let names: Vec<&str> = approval.break_glass.iter().map(runbook_core::units::Role::as_str).collect();
        text.push_str(&format!("; in an emergency by {} alone (--break-glass)", names.join(" or ")));
    }
    if !approval.you_may {
        text.push_str("; not you, so that `exec` would refuse");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_shows_its_first_line_that_does_something() {
        assert_eq!(first_line("# why\n\n  rm -- \"$X\"\n"), ("rm -- \"$X\"".to_owned(), 0));
        assert_eq!(first_line("a\n# b\nc\nd"), ("a".to_owned(), 2));
        assert_eq!(first_line(""), (String::new(), 0));
    }

    #[test]
    fn attempts_say_their_delays() {
        let retry =
            |exponential, delay_max_ms| Retry { attempts_max: 3, delay_ms: 2_000, exponential, delay_max_ms, on: None };
        assert_eq!(attempts(&retry(false, None)), "3 attempts, 2s apart");
        assert_eq!(attempts(&retry(true, Some(30_000))), "3 attempts, 2s apart, doubling to 30s");
        let on = RetryOn { exit_codes: [7, 75].into(), condition: None };
        let some = Retry { on: Some(on), ..retry(false, None) };
        assert_eq!(attempts(&some), "3 attempts, 2s apart, only after exit code 7, 75");
    }
}
