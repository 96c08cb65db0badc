//! A run of very many steps still has a report that people can read.

use runbook_report::{html, markdown};

use crate::kit::{Fate, Sim};

#[test]
fn ten_thousand_steps_are_told_in_few_lines() {
    let mut yaml =
        String::from("schema: runbook/v1\nid: many\ntitle: Many\nparallel: true\nmax_parallel: 50\nsteps:\n");
    for number in 0..10_000 {
        yaml.push_str(&format!("  - {{id: s{number}, set: {{x: 1}}}}\n"));
    }
    yaml.push_str("  - {id: odd, run: ./odd, retry: {max_attempts: 2, delay: 1s}}\n");
    let report = Sim::new(&yaml).fate("odd.1", Fate::Ends(10, 4)).ended().report();
    assert_eq!((report.counts.all, report.counts.succeeded, report.steps.len()), (10_001, 10_001, 10_001));
    let text = markdown(&report);
    assert!(text.lines().count() < 300, "{} lines", text.lines().count());
    for part in
        ["attempt 1 of `odd` failed: exit code 4", "| `odd` |", "10000 steps that went as they should are not listed"]
    {
        assert!(text.contains(part), "{part}\n{}", &text[..2_000]);
    }
    assert!(html(&report).expect("a page").len() < 100_000);
}
