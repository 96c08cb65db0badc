//! Batches are atomic, and must be: a journal that ends in the middle of one leads elsewhere. And the tests would see it.

use std::rc::Rc;

use runbook_core::run::Run;

use crate::case::{Case, History};
use crate::crash::{self, rich_fate};
use crate::kit::engine::{Batch, Checks};
use crate::random::Style;

/// Of a run that does not end a guard would look on for ever.
const RICH: Style = Style { guards: false, ..crash::RICH };

/// What became of runs whose journals ended somewhere.
#[derive(Debug, Default)]
struct Seen {
    points: usize,
    other_end: usize,
    /// The run did not end, or its journal is refused.
    no_end: usize,
}

/// Crashes `seeds` runs at points chosen by `cut`, which says how many events of a batch of so many survive.
fn crash(seeds: std::ops::Range<u64>, cut: impl Fn(usize) -> std::ops::Range<usize>) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        let History { points, ending, .. } = Case::of(seed, RICH, rich_fate(seed)).history(Checks::Few);
        for point in &points[1..points.len() - 1] {
            let (last, whole) = point.engine.journal.split_last().expect("a journal");
            for kept in cut(last.events.len()) {
                let mut journal = whole.to_vec();
                journal.push(Rc::new(Batch { at: last.at, events: last.events[..kept].to_vec() }));
                seen.points += 1;
                let torn = std::panic::AssertUnwindSafe(|| point.resumed(&journal, Checks::Few).finish());
                match std::panic::catch_unwind(torn) {
                    Ok(again) => seen.other_end += usize::from(again != ending),
                    Err(_) => seen.no_end += 1,
                }
            }
        }
    }
    seen
}

#[test]
fn a_torn_batch_leads_elsewhere_and_a_whole_one_never() {
    let torn = crash(0..300, |events| 1..events);
    assert!(torn.points > 3_000, "{torn:?}");
    // Measured: of 6,038 torn points 203 end differently and 1,896 never; the rest is made good by deciding the same again.
    assert!(torn.other_end > 100 && torn.no_end > 1_000, "nobody would notice: {torn:?}");
    let whole = crash(0..300, |events| events..events + 1);
    assert!(whole.points > 1_500 && whole.other_end == 0 && whole.no_end == 0, "{whole:?}");
}

#[test]
fn events_that_do_not_fit_are_refused() {
    // Every event of a history, told to every earlier state of the run: whatever is accepted must be what may come
    // next there, and the state says so by not being broken. What is refused names both.
    let History { whole: sim, .. } = Case::of(7, RICH, rich_fate(7)).history(Checks::Few);
    let all: Vec<_> =
        sim.engine.journal.iter().flat_map(|batch| batch.events.iter().map(|it| (it, batch.at))).collect();
    let mut run = Run::default();
    let mut refused = 0;
    for (place, (event, at)) in all.iter().enumerate() {
        for (other, at) in &all[place + 1..] {
            if let Err(illegal) = run.clone().apply(other, *at) {
                assert!(!illegal.event.is_empty() && !illegal.state.is_empty());
                refused += 1;
            }
        }
        run.apply(event, *at).expect("its own history");
        // And nothing is accepted twice but what may happen twice.
        if !matches!(event, runbook_core::event::Event::EngineStarted { .. }) {
            let twice = run.clone().apply(event, *at);
            let may = format!("{event:?}");
            let repeats = [
                "AnswerRefused",
                "CancelRequested",
                "CancelGraceOver",
                "AttemptStopping",
                "VerbTaken",
                "VerbRefused",
                "StepsReset",
                "UndoPrepared",
                "LockAwaited",
            ];
            let repeats = repeats.iter().any(|it| may.starts_with(it));
            assert!(twice.is_err() || repeats, "{event:?} is accepted twice");
        }
    }
    assert!(refused > 50, "{refused}");
}
