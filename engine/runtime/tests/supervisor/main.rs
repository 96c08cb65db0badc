//! The supervisor with real processes. This binary is its own supervisor: called as `… __supervise <run folder>` it serves.

mod ends;
mod load;
mod outputs;
mod recovery;
mod rig;
mod survivors;
mod trees;

use libtest_mimic::{Arguments, Failed, Trial};
use runbook_runtime::supervisor;

fn main() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == supervisor::SUBCOMMAND) {
        let folder = args.next().expect("a run folder");
        supervisor::serve(folder.as_ref()).expect("supervises");
        return;
    }
    let mut trials = Vec::new();
    let tests = [ends::TESTS, trees::TESTS, outputs::TESTS, recovery::TESTS, survivors::TESTS, load::TESTS];
    for (name, test) in tests.concat() {
        trials.push(Trial::test(name, move || {
            test();
            Ok::<(), Failed>(())
        }));
    }
    for &(name, measure) in load::MEASUREMENTS {
        let trial = Trial::test(name, move || {
            measure();
            Ok::<(), Failed>(())
        });
        trials.push(trial.with_ignored_flag(true));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
