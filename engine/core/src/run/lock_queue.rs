//! Who of one run waits for whom because of a lock: steps with one name run one after the other, and none is refused because
//! of the other.

use std::collections::BTreeMap;

use super::{LockKey, LockState, Locks, Run};
use crate::event::Phase;
use crate::units::{StepId, StepIx};

/// A step, or its undo, that has locks.
type Holder = (StepIx, Phase);

/// Whose turn is first among those that do not hold theirs: what had them before, then what another run keeps waiting, then
/// what lies in a block that holds others.
type Rank = (bool, bool, bool, Holder);

impl Run {
    /// Those that wait for others of the same run, each with these: who holds one of its locks, else who is to ask for one
    /// before it. Whoever is in nobody's way asks.
    pub(crate) fn waits_within(&self) -> BTreeMap<Holder, Vec<Holder>> {
        let mut held: BTreeMap<&str, Holder> = BTreeMap::new();
        let mut first: BTreeMap<&str, Rank> = BTreeMap::new();
        let all = || self.locks.iter().filter_map(|(key, locks)| Some(((*key)?, locks)));
        for (holder, locks) in all().filter(|(_, locks)| locks.state == LockState::Held) {
            held.extend(locks.names().map(|name| (name, holder)));
        }
        // What was held before a crash is as good as held: who waited for it then waits for it until it is held again.
        for (holder, locks) in all().filter(|(_, locks)| locks.was_held) {
            locks.names().for_each(|name| {
                held.entry(name).or_insert(holder);
            });
        }
        let open: Vec<(Rank, &Locks)> =
            all().filter_map(|(holder, locks)| Some((self.rank(holder, locks)?, locks))).collect();
        let holder_of = |name: &str, of: Holder| held.get(name).copied().filter(|holder| *holder != of);
        for (rank, locks) in &open {
            if locks.names().any(|name| holder_of(name, rank.3).is_some()) {
                continue;
            }
            for name in locks.names() {
                let best = first.entry(name).or_insert(*rank);
                *best = (*best).min(*rank);
            }
        }
        let mut waits = BTreeMap::new();
        for (rank, locks) in open {
            let holders = || locks.names().filter_map(|name| holder_of(name, rank.3));
            let before = || locks.names().filter_map(|name| first.get(name)).filter(|it| **it < rank).map(|it| it.3);
            let mut others: Vec<Holder> = holders().collect();
            if others.is_empty() {
                others = before().collect();
            }
            if !others.is_empty() {
                waits.insert(rank.3, others);
            }
        }
        waits
    }

    /// None for what holds its locks, and for what does not ask because its item waits for room in its loop: it would hold
    /// what the items before it need.
    fn rank(&self, holder: Holder, locks: &Locks) -> Option<Rank> {
        let is_open = locks.state != LockState::Held && !self.is_parked(self.plan()?, holder.0);
        let holds_none = !self.lock_places(holder.0, holder.1).any(|place| place != holder.0);
        is_open.then_some((!locks.had, locks.state == LockState::Asked, holds_none, holder))
    }

    /// The lock of the same run that a step waits for, and the step that goes first with it.
    pub fn lock_ahead(&self, step: &StepId) -> Option<(&str, &StepId)> {
        let key = (self.at_of(step)?, Phase::Do);
        let (at, phase) = *self.waits_within().get(&key)?.first()?;
        let own = self.locks.get(&Some(key))?;
        let other = self.locks.get(&Some((at, phase)))?;
        let name = own.names().find(|name| other.names().any(|it| it == *name))?;
        Some((name, &self.plan()?.step(at).id))
    }

    /// Whether it is not the turn of these locks yet.
    pub(crate) fn is_kept_waiting(&self, key: LockKey, waits: &BTreeMap<Holder, Vec<Holder>>) -> bool {
        key.is_some_and(|holder| {
            waits.contains_key(&holder) || self.plan().is_some_and(|plan| self.is_parked(plan, holder.0))
        })
    }
}
