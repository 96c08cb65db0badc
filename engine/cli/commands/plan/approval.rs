//! Who must agree before a step starts, as a plan shows it.

use runbook_core::plan::Step;
use runbook_core::units::Role;
use runbook_runtime::identity::{Roles, me, roles_of};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct ApprovalView {
    pub(super) from: Vec<RoleView>,
    /// How many people must agree.
    pub(super) min: u32,
    /// Whether the person who starts the run does not count.
    pub(super) exclude_initiator: bool,
    pub(super) timeout_ms: Option<u64>,
    /// Who may answer, too, when nobody does in that time.
    pub(super) escalate_to: Vec<Role>,
    /// Who may approve alone in an emergency.
    pub(super) break_glass: Vec<Role>,
    /// Whether the person who asks for the plan could give it.
    pub(super) you_may: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RoleView {
    pub(super) role: Role,
    /// Who holds it; none where it is not a role that is known, and so a login.
    pub(super) people: Option<Vec<String>>,
}

/// The approval of a step; none where nobody has to agree.
pub(super) fn approval(step: &Step, roles: &Roles, break_glass: &[Role]) -> Option<ApprovalView> {
    let approval = step.approval.as_ref()?;
    let you = me();
    let held = roles_of(&you, roles);
    let view = |role: &Role| RoleView { role: role.clone(), people: roles.get(role).cloned() };
    Some(ApprovalView {
        from: approval.from.iter().map(view).collect(),
        min: approval.min,
        exclude_initiator: approval.exclude_initiator,
        timeout_ms: approval.timeout_ms,
        escalate_to: approval.escalate_to.clone(),
        break_glass: break_glass.to_vec(),
        you_may: approval
            .from
            .iter()
            .chain(&approval.escalate_to)
            .chain(break_glass)
            .any(|role| held.contains(role) || role.as_str() == you.name),
    })
}
