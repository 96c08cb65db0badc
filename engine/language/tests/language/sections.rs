//! `rescue` and `always` of a block: where they may stand, and what may be read across them.

use runbook_language::Look;

use crate::load;

fn runbook(steps: &str) -> String {
    format!("schema: runbook/v1\nid: test\ntitle: Test\nsteps:\n{steps}")
}

/// The codes of all that is wrong.
fn codes(steps: &str) -> Vec<String> {
    let wrong = load(&runbook(steps)).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.iter().map(|one| one.code.as_str().to_owned()).collect()
}

/// A block whose three parts each have a first step with an output; `extra` says more of a second one.
fn block(main: &str, rescue: &str, always: &str, after: &str) -> String {
    format!(
        "  - id: block
    steps:
      - {{id: a, run: x, outputs: [x]}}
      - {{id: b, run: x{main}}}
    rescue:
      - {{id: r, run: x, outputs: [x]}}
      - {{id: s, run: x{rescue}}}
    always:
      - {{id: y, run: x, outputs: [x]}}
      - {{id: z, run: x{always}}}
  - {{id: after, run: x{after}}}
"
    )
}

const NONE: [&str; 0] = [];

#[test]
fn the_parts_of_a_block_cannot_wait_for_each_other() {
    let needs = |id: &str| format!(", needs: [{id}]");
    assert_eq!(codes(&block(&needs("a"), &needs("r"), "", &needs("block"))), NONE);
    for (main, rescue, after) in
        [("r", "", ""), ("z", "", ""), ("", "a", ""), ("", "z", ""), ("", "", "r"), ("", "", "z")]
    {
        let extra = |id: &str| if id.is_empty() { String::new() } else { needs(id) };
        let found = codes(&block(&extra(main), &extra(rescue), "", &extra(after)));
        assert_eq!(found, ["RB0113"], "{main} {rescue} {after}");
    }
    // As in the runbook's own `always`, they run one after the other whatever became of the one before.
    assert_eq!(codes(&block("", "", &needs("y"), "")), ["RB0110"]);
    // A step of `steps` can be waited for from outside, one of a block within a section as well.
    assert_eq!(codes(&block("", "", "", &needs("a"))), NONE);
}

#[test]
fn a_cycle_through_the_parts_of_a_block_is_named() {
    let steps = "  - {id: block, steps: [{id: a, needs: [out], run: x}], rescue: [{id: r, run: x}]}
  - {id: out, run: x, needs: [block]}
";
    let wrong = load(&runbook(steps)).expect_err("a cycle");
    let text: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(text.len() == 1 && text[0].ends_with("block -> a -> out -> block"), "{text:?}");
}

#[test]
fn what_the_other_parts_hand_on_is_uncertain() {
    let read = |id: &str| format!(", env: {{X: \"{{{{ steps.{id}.outputs.x }}}}\"}}");
    // Within a part all is as anywhere, but that each step of `always` runs whatever the others did.
    assert_eq!(codes(&block(&read("a"), &read("r"), "", "")), NONE);
    assert_eq!(codes(&block("", "", &read("y"), "")), ["RB0120"]);
    assert_eq!(codes(&block("", &read("a"), "", "")), ["RB0120"]);
    assert_eq!(codes(&block("", "", &read("a"), "")), ["RB0120"]);
    assert_eq!(codes(&block("", "", &read("r"), "")), ["RB0120"]);
    // After the block: it may have been rescued or not; all of its `always` has succeeded.
    assert_eq!(codes(&block("", "", "", &read("a"))), ["RB0120"]);
    assert_eq!(codes(&block("", "", "", &read("r"))), ["RB0120"]);
    assert_eq!(codes(&block("", "", "", &read("y"))), NONE);
    // An earlier part cannot read a later one.
    assert_eq!(codes(&block(&read("r"), "", "", "")), ["RB0118"]);
    assert_eq!(codes(&block("", &read("y"), "", "")), ["RB0118"]);
    // A guard, a default, and what is never missing.
    let guarded = ", if: steps.a.succeeded, env: {X: \"{{ steps.a.outputs.x }}\"}";
    let defaulted = ", env: {X: \"{{ steps.a.outputs.x | default('') }}\"}";
    let state = ", if: steps.a.failed and failure()";
    for fine in [guarded, defaulted, state] {
        assert_eq!(codes(&block("", fine, fine, "")), NONE, "{fine}");
    }
}

#[test]
fn without_a_rescue_what_a_block_did_is_certain_after_it() {
    let steps = |outputs: &str, more: &str| {
        format!(
            "  - id: block
    steps: [{{id: a, run: x, outputs: [x]}}]
    always: [{{id: z, run: x}}]{more}
    outputs: {{x: \"{outputs}\"}}
  - {{id: after, run: x, env: {{X: \"{{{{ steps.a.outputs.x }}}}\"}}}}
"
        )
    };
    assert_eq!(codes(&steps("{{ steps.a.outputs.x }}", "")), NONE);
    let rescue = "\n    rescue: [{id: r, run: x}]";
    assert_eq!(codes(&steps("{{ steps.a.outputs.x }}", rescue)), ["RB0120", "RB0120"]);
}

#[test]
fn rescue_and_always_belong_to_blocks() {
    assert_eq!(codes("  - {id: a, run: x, rescue: [{id: r, run: x}]}\n"), ["RB0110"]);
    assert_eq!(codes("  - {id: a, run: x, always: [{id: r, run: x}]}\n"), ["RB0110"]);
    assert_eq!(codes("  - {id: a, steps: [{id: b, run: x}], rescue: []}\n"), ["RB0111"]);
}

#[test]
fn the_words_about_sections() {
    let steps = block(", needs: [r]", ", env: {X: \"{{ steps.a.outputs.x }}\"}", ", needs: [y]", ", needs: [z]");
    let wrong = load(&runbook(&steps)).expect_err("four mistakes");
    insta::assert_snapshot!("sections", wrong.to_text(Look::default()));
}
