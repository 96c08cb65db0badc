//! The filters, tests and functions that there are. The reference in `docs/` is generated from these tables.

/// A filter, test or function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// How it is called.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
}

const fn named(name: &'static str) -> Named {
    Named { name, about: "" }
}

pub(super) const FILTERS: &[Named] = &[named("default"), named("int"), named("upper"), named("map"), named("first"), named("last"), named("min"), named("max")];
pub(super) const TESTS: &[Named] = &[named("defined"), named("undefined"), named("none")];
pub(super) const FUNCTIONS: &[Named] = &[named("failure"), named("always")];

/// Filters whose answer may be nothing, when what they look through is empty.
pub(super) fn may_find_nothing(name: &str) -> bool {
    matches!(name, "first" | "last" | "min" | "max")
}
