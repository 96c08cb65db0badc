//! A hunt for runs that end differently after a crash: many more seeds than the suite has time for, and runbooks that
//! are full of a few things at a time. What is found is made as small as it gets.

mod shapes;
mod shrink;

use std::ops::Range;

use crate::case::Case;
use crate::crash::trouble;
use crate::outline::outline;

use shapes::SHAPES;

/// What must hold of a case, with its name.
type Law = (&'static str, fn(&Case));

/// All of it.
const LAWS: [Law; 6] = [
    ("runs", |case| {
        case.runs();
    }),
    ("crash", |case| {
        case.survives_a_crash();
    }),
    ("crashes", |case| {
        case.survives_many_crashes();
    }),
    ("again", Case::may_be_told_again),
    ("hour", Case::ends_after_an_hour),
    ("lost", Case::ends_when_all_is_lost),
];

/// So many are shown of each shape and law.
const SHOWN_MAX: usize = 3;

/// A few of each kind, always.
#[test]
fn runbooks_that_are_full_of_a_few_things_survive_a_crash() {
    for shape in SHAPES.iter().filter(|shape| shape.moments.is_none()) {
        for seed in 0..8 {
            let case = shape.case(seed);
            let law = || {
                case.survives_a_crash();
            };
            if let Some(why) = shrink::is_sound(&case).then(|| trouble(law)).flatten() {
                panic!("{} {seed}: {why}\n{}", shape.name, outline(&case.book));
            }
        }
    }
}

/// Many more of them, for as long as one likes:
/// `RUNBOOK_HUNT_SEEDS=0..100000 cargo test --release -p runbook-core -- --ignored hunt --nocapture`; `RUNBOOK_HUNT_SHAPES` and
/// `RUNBOOK_HUNT_LAWS` name a few of them, between commas, where not all are meant.
#[test]
#[ignore = "takes as long as it is told to"]
#[expect(clippy::disallowed_methods, reason = "how long it takes is said from outside")]
#[expect(clippy::print_stdout, reason = "what is found is for whoever started it")]
fn hunt() {
    let var = |name: &str| std::env::var(name).ok();
    let seeds = seeds(&var("RUNBOOK_HUNT_SEEDS").unwrap_or_else(|| "0..1000".to_owned()));
    let (shapes, laws) = (var("RUNBOOK_HUNT_SHAPES"), var("RUNBOOK_HUNT_LAWS"));
    let is_meant =
        |names: &Option<String>, name: &str| names.as_ref().is_none_or(|names| names.split(',').any(|it| it == name));
    // Each find panics many times while it is made smaller.
    std::panic::set_hook(Box::new(|_| ()));
    let mut found = 0;
    for shape in SHAPES.iter().filter(|shape| is_meant(&shapes, shape.name)) {
        let mut shown = [0; LAWS.len()];
        let (mut tried, mut broken) = (0, 0);
        for seed in seeds.clone() {
            let case = shape.case(seed);
            if !shrink::is_sound(&case) {
                continue;
            }
            tried += 1;
            for (law, (name, holds)) in LAWS.iter().enumerate().filter(|(_, (name, _))| is_meant(&laws, name)) {
                if shown[law] < SHOWN_MAX && trouble(|| holds(&case)).is_some() {
                    (shown[law], broken) = (shown[law] + 1, broken + 1);
                    let small = shrink::shrunk(&case, *holds);
                    let why = trouble(|| holds(&small)).unwrap_or_default();
                    println!("{} {seed}, {name}: {why}\n{:?}\n{}", shape.name, small.fate, outline(&small.book));
                }
            }
        }
        println!("{}: {tried} runbooks, {broken} of them broken", shape.name);
        found += broken;
    }
    assert_eq!(found, 0, "see above");
}

fn seeds(text: &str) -> Range<u64> {
    let (from, to) = text.split_once("..").expect("seeds such as 0..1000");
    from.parse().expect("a number")..to.parse().expect("a number")
}
