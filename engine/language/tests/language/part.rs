//! A run of a part of the steps: what is read of those that are left out.

use std::collections::BTreeSet;

use runbook_core::plan::PartKind;
use runbook_language::{Look, NoLibrary, SourceFile, load_part};

use crate::load;

const BOOK: &str = "schema: runbook/v1
id: test
title: Test
steps:
  - {id: a, run: x, outputs: [x]}
  - {id: each, for_each: '[1]', run: x, env: {X: '{{ steps.a.outputs.x }}'}}
  - {id: b, run: x, env: {X: '{{ steps.a.outputs.x }}'}, outputs: [y]}
  - {id: c, run: x, if: steps.b.succeeded, env: {Y: '{{ steps.b.outputs.y }}'}}
  - {id: d, run: x, env: {X: \"{{ steps.a.outputs.x | default('') }}\", N: '{{ steps.b.succeeded }}'}}
always:
  - {id: z, run: x, env: {X: \"{{ steps.a.outputs.x | default('') }}\"}}
outputs: {x: '{{ steps.a.outputs.x }}'}
";

/// What is wrong with a part, as it is shown.
fn wrong(kind: PartKind, step: &str) -> Vec<String> {
    let part = load(BOOK).expect("it is valid").plan.part(kind, step).expect("a part");
    let file = SourceFile::new("r.yaml", BOOK);
    let found = load_part(&file, None, &NoLibrary, &part.left_out).err();
    let look = Look { colour: false, unicode: true, width: 100 };
    found.map(|found| found.to_text(look).split("\n\n").map(str::to_owned).collect()).unwrap_or_default()
}

#[test]
fn only_what_runs_is_held_against_what_is_left_out() {
    let none: [&str; 0] = [];
    assert_eq!(wrong(PartKind::From, "c"), none, "a guard, a default, and what does not run");
    assert_eq!(wrong(PartKind::Only, "a"), none);
    assert_eq!(wrong(PartKind::From, "a"), none, "nothing is left out");
    for step in ["each", "b"] {
        let text = wrong(PartKind::Only, step).join("\n");
        assert!(text.contains("the output may be missing: `a` is left out of this run"), "{step}: {text}");
    }
    let text = wrong(PartKind::From, "each").join("\n");
    assert_eq!(text.matches("is left out of this run").count(), 2, "all at once: {text}");
}

#[test]
fn nothing_left_out_is_the_whole() {
    let file = SourceFile::new("r.yaml", BOOK);
    assert!(load_part(&file, None, &NoLibrary, &BTreeSet::new()).is_ok());
}
