//! Chance that a seed fixes, and a seed that is told when a test fails.

use std::time::{SystemTime, UNIX_EPOCH};

/// Names a seed, to see the same moments again.
const SEED: &str = "RUNBOOK_TEST_SEED";

/// SplitMix64.
pub(crate) struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// From the seed in the environment, or another one each time.
    pub(crate) fn new() -> Self {
        let named = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed = named.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::from(since.subsec_nanos()) ^ since.as_secs() << 32
        });
        Self { seed, state: seed }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }
}

impl Drop for Chance {
    #[expect(clippy::print_stderr, reason = "whoever reads why a test failed must learn the seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the same chances again: {SEED}={}", self.seed);
        }
    }
}
