//! Whether the approvals of a run can be given at all: a run that waits for people who cannot come must not begin.

use std::collections::BTreeSet;

use runbook_core::event::Identity;
use runbook_core::plan::{Action, Body, Part, Plan, Step};
use runbook_core::units::Role;

use crate::group::Group;
use crate::identity::{Roles, roles_of};

/// Checks that those who can reach the run can give each approval that it may ask for.
///
/// # Errors
/// Each is a sentence.
pub(crate) fn check(
    group: Option<Group>,
    plan: &Plan,
    part: Option<&Part>,
    by: &Identity,
    roles: &Roles,
    break_glass: &[Role],
) -> Result<(), Vec<String>> {
    let plans = parts_that_run(plan, part);
    let people = people(group, &plans, by, roles, break_glass);
    let found = plans.iter().flat_map(|(plan, part)| unanswerable(plan, *part, by, &people, group, roles, break_glass));
    let found: Vec<String> = found.collect();
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// The runbook, of which a part runs, and those that it runs as child runs.
fn parts_that_run<'p>(plan: &'p Plan, part: Option<&'p Part>) -> Vec<(&'p Plan, Option<&'p Part>)> {
    let calls = |plan: &'p Plan, part| {
        let digest = |step: &'p Step| match &step.body {
            Body::Action(Action::Runbook(call)) => Some(&call.plan),
            _ => None,
        };
        plan.written_of(part).into_iter().filter_map(digest).collect::<Vec<_>>()
    };
    let (mut found, mut seen, mut open) = (vec![(plan, part)], BTreeSet::new(), calls(plan, part));
    while let Some(next) = open.pop() {
        if let Some(child) = plan.runbooks.get(next).filter(|_| seen.insert(next)) {
            found.push((child, None));
            open.extend(calls(child, None));
        }
    }
    found
}

/// Those who can reach the run, and so answer: its own user, as the folder is private, or the group that shares it.
fn people(
    group: Option<Group>,
    plans: &[(&Plan, Option<&Part>)],
    by: &Identity,
    roles: &Roles,
    break_glass: &[Role],
) -> Vec<Identity> {
    let approvals =
        plans.iter().flat_map(|(plan, part)| plan.written_of(*part)).filter_map(|step| step.approval.as_ref());
    let asked = approvals.flat_map(|approval| approval.from.iter().chain(&approval.escalate_to)).chain(break_glass);
    let names = asked.map(Role::as_str).chain(roles.values().flatten().map(String::as_str));
    let mut people = group.map(|group| group.people(names)).unwrap_or_default();
    people.insert(by.uid, by.clone());
    people.into_values().collect()
}

/// The approvals that those who can reach the run cannot give. Who may break the glass can give all.
fn unanswerable(
    plan: &Plan,
    part: Option<&Part>,
    by: &Identity,
    people: &[Identity],
    group: Option<Group>,
    roles: &Roles,
    break_glass: &[Role],
) -> Vec<String> {
    let held: Vec<(&Identity, BTreeSet<Role>)> = people.iter().map(|one| (one, roles_of(one, roles))).collect();
    let who_fits = |wanted: &[&Role]| -> Vec<&Identity> {
        let fits = |one: &Identity, held: &BTreeSet<Role>| {
            wanted.iter().any(|role| held.contains(*role) || role.as_str() == one.name)
        };
        held.iter().filter(|(one, held)| fits(one, held)).map(|(one, _)| *one).collect()
    };
    let mut found = vec![];
    for step in plan.written_of(part) {
        let Some(approval) = &step.approval else { continue };
        if !who_fits(&break_glass.iter().collect::<Vec<_>>()).is_empty() {
            continue;
        }
        let fitting = who_fits(&approval.from.iter().chain(&approval.escalate_to).collect::<Vec<_>>());
        let counts = |one: &&&Identity| !(approval.exclude_initiator && one.uid == by.uid);
        let (id, name, min) = (&step.id, &by.name, approval.min);
        let enough = fitting.iter().filter(counts).count() >= usize::try_from(min).unwrap_or(usize::MAX);
        let who: Vec<String> = approval.from.iter().map(|role| describe(role, roles)).collect();
        let who = who.join(" or ");
        let reason = match group {
            _ if enough => continue,
            None if fitting.is_empty() => format!("step `{id}` needs the approval of {who}, and `{name}` is neither"),
            None if approval.exclude_initiator => format!(
                "step `{id}` needs the approval of somebody else than `{name}`, who starts the run, and nobody else can reach it"
            ),
            None => format!("step `{id}` needs the approval of {min} people, and only `{name}` can reach the run"),
            Some(group) => {
                let able: Vec<String> = fitting.iter().filter(counts).map(|one| format!("`{}`", one.name)).collect();
                let able = if able.is_empty() { "nobody".to_owned() } else { format!("only {}", able.join(", ")) };
                let of = if min > 1 { format!("{min} people of {who}") } else { who };
                let but = if approval.exclude_initiator {
                    format!(" (not `{name}`, who starts the run)")
                } else {
                    String::new()
                };
                format!(
                    "step `{id}` needs the approval of {of}{but}, and {able} of the group `{}` can give it",
                    group.name()
                )
            }
        };
        found.push(reason);
    }
    found
}

fn describe(role: &Role, roles: &Roles) -> String {
    match roles.get(role) {
        Some(people) => format!("`{role}` ({})", people.join(", ")),
        None => format!("`{role}`"),
    }
}
