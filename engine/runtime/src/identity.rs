//! Who somebody is: what the operating system says, never what a flag says.

use std::collections::{BTreeMap, BTreeSet};

use nix::unistd::{Uid, User};
use runbook_core::event::Identity;
use runbook_core::units::Role;

/// The holder of a role that everybody holds.
pub const ANYONE: &str = "anyone";

/// Who holds which role, by login name or [`ANYONE`].
pub type Roles = BTreeMap<Role, Vec<String>>;

/// The user of this process.
pub fn me() -> Identity {
    identity_of(rustix::process::geteuid().as_raw())
}

/// The user with an id; where the system knows no name, the number stands for it.
pub fn identity_of(uid: u32) -> Identity {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    Identity { uid, name: user.map_or_else(|| uid.to_string(), |user| user.name) }
}

/// The roles that a person holds; everybody holds [`ANYONE`].
pub fn roles_of(person: &Identity, roles: &Roles) -> BTreeSet<Role> {
    let holds = |names: &Vec<String>| names.iter().any(|name| *name == person.name || name == ANYONE);
    let held = roles.iter().filter(|(_, names)| holds(names)).map(|(role, _)| role.clone());
    held.chain([Role::new(ANYONE)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_held_by_name_or_by_anyone() {
        let roles = Roles::from([
            (Role::new("commander"), vec!["mia".to_owned()]),
            (Role::new("helper"), vec!["anyone".to_owned()]),
            (Role::new("auditor"), vec![]),
        ]);
        let held = |name: &str| roles_of(&Identity { uid: 7, name: name.to_owned() }, &roles);
        assert_eq!(held("mia"), ["anyone", "commander", "helper"].map(Role::new).into());
        assert_eq!(held("tom"), ["anyone", "helper"].map(Role::new).into());
    }

    #[test]
    fn root_has_a_name_and_an_unknown_user_a_number() {
        assert_eq!(identity_of(0).name, "root");
        assert_eq!(identity_of(4_000_000_123).name, "4000000123");
    }
}
