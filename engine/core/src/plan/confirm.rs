//! A run that a person goes through step by step: the plan asks before each step that acts on something outside.

use std::collections::BTreeMap;

use super::{Action, Approval, Body, Plan, Step, Template};
use crate::digest_of;
use crate::units::{Digest, Role};

impl Plan {
    /// Has each step that runs a command or sends a request ask this person before, unless it asks for an approval anyway;
    /// those of loops and child runs too. What sets values, checks, waits or asks acts on nothing, a child run is asked
    /// about step by step, and what runs beside the steps is there because people may not be.
    pub fn confirm_each(&mut self, by: &Role, message: &str) {
        let mut renamed = BTreeMap::new();
        let mut plans = std::mem::take(&mut self.runbooks);
        // Those first that call none that is still to come: the digest of a plan depends on those of its calls.
        while let Some(digest) = next(&plans, &renamed) {
            let Some(mut plan) = plans.remove(&digest) else { break };
            plan.confirm_own(by, message, &renamed);
            let confirmed = digest_of(&plan);
            renamed.insert(digest, confirmed.clone());
            self.runbooks.insert(confirmed, plan);
        }
        self.confirm_own(by, message, &renamed);
    }

    fn confirm_own(&mut self, by: &Role, message: &str, renamed: &BTreeMap<Digest, Digest>) {
        visit(&mut self.steps, &mut |step| match &mut step.body {
            Body::Action(Action::Runbook(call)) => {
                if let Some(confirmed) = renamed.get(&call.plan) {
                    call.plan = confirmed.clone();
                }
            }
            Body::Action(Action::Run(_) | Action::Argv(_) | Action::Http(_) | Action::Plugin(_))
                if step.beside.is_none() =>
            {
                step.approval.get_or_insert_with(|| Approval {
                    from: vec![by.clone()],
                    min: 1,
                    exclude_initiator: false,
                    timeout_ms: None,
                    escalate_to: vec![],
                    message: Some(Template::text(message)),
                    step_by_step: true,
                });
            }
            Body::Action(_) | Body::Block { .. } | Body::Switch { .. } | Body::ForEach(_) => {}
        });
    }
}

/// A plan that calls only plans that were dealt with.
fn next(plans: &BTreeMap<Digest, Plan>, renamed: &BTreeMap<Digest, Digest>) -> Option<Digest> {
    let is_next = |plan: &Plan| plan.calls().all(|call| renamed.contains_key(&call.plan));
    plans.iter().find(|(_, plan)| is_next(plan)).map(|(digest, _)| digest.clone())
}

fn visit(steps: &mut [Step], change: &mut impl FnMut(&mut Step)) {
    for step in steps {
        if let Body::ForEach(each) = &mut step.body {
            visit(&mut each.body, change);
        }
        change(step);
    }
}
