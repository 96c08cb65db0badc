//! Loops: the steps of the items, which a plan gets when a loop is entered.

use super::{Body, ItemOf, Plan, Section};
use crate::units::{StepId, StepIx};

impl Plan {
    /// Adds the steps of so many items of a loop. Their ids are those of the loop's body with the number of the item behind
    /// it, counted on from those that it has; in a loop within a loop the outer number comes first.
    pub(crate) fn grow(&mut self, at: StepIx, items: usize) {
        let behind = self.suffix(at);
        let always = self.step(at).always;
        let Body::ForEach(each) = &self.step(at).body else { return };
        let body = each.body.clone();
        let mut roots = each.roots.clone();
        let had = u32::try_from(roots.len()).unwrap_or(u32::MAX);
        self.steps.reserve(items.saturating_mul(body.len()));
        for number in (had.saturating_add(1)..).take(items) {
            let root = StepIx(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
            roots.push(root);
            let moved = |place: StepIx| StepIx(place.0.saturating_add(root.0));
            for (place, step) in body.iter().enumerate() {
                let mut step = step.clone();
                step.id = StepId::new(format!("{}{behind}-{number}", step.id));
                step.parent = if place == 0 { Some(at) } else { step.parent.map(moved) };
                step.section = if place == 0 { Section::Main } else { step.section };
                step.always = always;
                step.item = Some(ItemOf { of: at, root, number });
                step.needs.iter_mut().for_each(|need| *need = moved(*need));
                move_children(&mut step.body, moved);
                self.steps.push(step);
            }
        }
        if let Body::ForEach(each) = &mut self.steps[at.at()].body {
            each.roots = roots;
        }
    }

    /// What the ids of the steps around it end with: the numbers of the items that a step lies in.
    fn suffix(&self, at: StepIx) -> String {
        match self.step(at).item {
            None => String::new(),
            Some(item) => format!("{}-{}", self.suffix(item.of), item.number),
        }
    }

    /// Where the step stands that a name in an expression of this step means: that of the same item, or of the one around
    /// it. None where no item has a step of that name.
    pub(crate) fn in_same_item(&self, at: StepIx, name: &str) -> Option<StepIx> {
        let mut around = self.step(at).item;
        while let Some(item) = around {
            let Body::ForEach(each) = &self.step(item.of).body else { return None };
            if let Some(place) = each.body.iter().position(|step| step.id.as_str() == name) {
                return u32::try_from(place).ok().map(|place| StepIx(item.root.0 + place));
            }
            around = self.step(item.of).item;
        }
        None
    }
}

pub(super) fn move_children(body: &mut Body, moved: impl Fn(StepIx) -> StepIx) {
    let lists: Vec<&mut Vec<StepIx>> = match body {
        Body::Action(_) => vec![],
        // A loop has no steps yet; its body is placed within itself.
        Body::ForEach(_) => vec![],
        Body::Block { children, rescue, always } => vec![children, rescue, always],
        Body::Switch { cases, default, .. } => cases.iter_mut().map(|case| &mut case.children).chain(default).collect(),
    };
    lists.into_iter().flatten().for_each(|child| *child = moved(*child));
}
