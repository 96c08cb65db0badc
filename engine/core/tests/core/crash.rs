//! The engine dies after every batch of the journal; the end is the same.

use crate::kit::engine::Checks;
use crate::kit::fate::Fate;
use crate::kit::sim::Sim;
use crate::random::{Style, outline, random};

const STYLE: Style = Style { size: 9, rich: true, on_interrupt: None };

fn fate(seed: u64) -> Fate {
    Fate { seed, failing: 15, cancels: true, moody: true, service_fails: true }
}

/// Whatever happens in a test says which seed it was.
fn with_seed(style: Style, seeds: std::ops::Range<u64>, one: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds {
        if let Err(cause) = std::panic::catch_unwind(|| one(seed)) {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
            panic!("seed {seed}: {text}\n{}", outline(&random(seed, style)));
        }
    }
}

#[test]
fn every_random_run_ends_and_every_decision_holds() {
    with_seed(STYLE, 0..1_000, |seed| {
        let mut sim = Sim::launch(&random(seed, STYLE), fate(seed), Checks::All);
        let _ = sim.finish();
    });
}
