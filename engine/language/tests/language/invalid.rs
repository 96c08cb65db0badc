//! What is invalid, beyond one example for each code: all at once, and the rules with many sides.

use runbook_language::{Look, SourceFile, load_environment, load_runbook};

use crate::{environment, load};

/// `line text code`, with the underlined text, of all that is wrong with a runbook of these lines after its head.
pub(crate) fn found(body: &str) -> Vec<String> {
    let text = format!("schema: runbook/v1\nid: test\ntitle: Test\n{body}");
    let wrong = load(&text).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.to_json().iter().map(|one| format!("{} {} {}", one.line, one.text, one.code)).collect()
}

fn messages(body: &str) -> Vec<String> {
    let text = format!("schema: runbook/v1\nid: test\ntitle: Test\n{body}");
    load(&text).map_or_else(|wrong| wrong, |loaded| loaded.warnings).iter().map(ToString::to_string).collect()
}

#[test]
fn six_mistakes_are_six_diagnostics() {
    let body = "
steps:
  - {id: a, run: echo a, tiemout: 5s}
  - {id: b, run: echo b, timeout: 5}
  - {id: b, run: echo again}
  - {id: c, needs: [d], run: echo c}
  - {id: d, if: params.nope, run: echo d}
  - {id: e, run: echo e, env: {PATH: /bin}}
";
    let text = format!("schema: runbook/v1\nid: test\ntitle: Test\n{body}");
    let wrong = load(&text).expect_err("it has six mistakes");
    insta::assert_snapshot!("six", wrong.to_text(Look::default()));
    let codes: Vec<_> = wrong.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["RB0101", "RB0106", "RB0108", "RB0114", "RB0116", "RB0124"]);
    insta::assert_snapshot!("six_json", serde_json::to_string_pretty(&wrong.to_json()).unwrap());
}

#[test]
fn the_mistakes_that_people_make_most_have_a_way_out() {
    for (body, help) in [
        ("steps:\n\t- {id: a, run: 'true'}\n", "indent with spaces"),
        ("steps:\n  - id: a\n    run: echo hi: there\n", "put quotes round a text"),
        ("steps:\n  - id: a\n   run: 'true'\n", "indent this line exactly like the others"),
        ("params: {p: {type: bool}}\nsteps: [{id: a, run: 'true'}]\n", "did you mean `boolean`?"),
        ("steps: [{id: a, run: 'true', if: run.id = 'x'}]\n", "compared with `==`"),
    ] {
        let text = format!("schema: runbook/v1\nid: test\ntitle: Test\n{body}");
        let wrong = load(&text).expect_err("it is wrong");
        let helps: Vec<_> = wrong.iter().filter_map(|one| one.help.clone()).collect();
        assert!(helps.iter().any(|one| one.contains(help)), "{body}: {helps:?}");
    }
}

#[test]
fn a_reference_without_braces_is_warned_of_only_where_it_names_something() {
    let with = |value: &str| {
        found(&format!(
            "params: {{name: {{type: string, default: x}}}}\nsteps:\n  \
             - {{id: look, run: 'true', outputs: [state]}}\n  - {{id: tell, argv: [echo, {value}]}}\n"
        ))
    };
    for value in ["params.name", "steps.look.outputs.state", "steps.look.succeeded"] {
        assert_eq!(with(value), [format!("7 {value} RB0136")]);
    }
    for value in ["params.other", "steps.other.succeeded", "steps.look", "name", "'{{ params.name }}'", "run.sh"] {
        assert!(with(value).is_empty(), "{value}: {:?}", with(value));
    }
}

#[test]
fn needs_reach_siblings_outer_lists_and_blocks_but_no_other_branch() {
    let steps = |needs: &str, more: &str| {
        format!(
            "params: {{p: {{type: string, default: x}}}}
steps:
  - {{id: first, run: 'true'}}
  - id: block
    steps:
      - {{id: in_block, run: 'true'}}
      - {{id: deep, needs: [{needs}], run: 'true'}}
  - id: pick
    needs: []
    switch: params.p
    cases:
      a:
        - {{id: in_a, run: 'true'}}
        - {{id: also_a, run: 'true'{more}}}
    default: [{{id: in_default, run: 'true'}}]
always:
  - {{id: last, run: 'true'}}
"
        )
    };
    for fine in ["", "in_block", "first", "pick"] {
        assert!(found(&steps(fine, "")).is_empty(), "{fine}: {:?}", found(&steps(fine, "")));
    }
    for (wrong, code) in [
        ("in_a", "RB0113"),
        ("block", "RB0113"),
        ("last", "RB0113"),
        ("deep", "RB0114"),
        ("nobody", "RB0112"),
        ("first, first", "RB0104"),
    ] {
        let found = found(&steps(wrong, ""));
        assert!(found.len() == 1 && found[0].ends_with(code), "{wrong}: {found:?}");
    }
    // Within one branch, and from a branch to a block elsewhere.
    assert!(found(&steps("", ", needs: [in_a]")).is_empty());
    assert!(found(&steps("", ", needs: [in_block]")).is_empty());
    assert_eq!(found(&steps("", ", needs: [in_default]")).len(), 1);
}

#[test]
fn each_cycle_is_named_once() {
    let cycles = |body: &str| -> Vec<String> {
        messages(body).into_iter().filter_map(|one| one.split_once(": ").map(|(_, cycle)| cycle.to_owned())).collect()
    };
    assert_eq!(cycles("steps: [{id: a, needs: [a], run: x}]\n"), ["a -> a"]);
    let three = "parallel: true\nsteps: [{id: a, needs: [b], run: x}, {id: b, needs: [c], run: x}, {id: c, needs: [a], run: x}]\n";
    assert_eq!(cycles(three), ["a -> b -> c -> a"]);
    let two = "parallel: true\nsteps: [{id: a, needs: [b], run: x}, {id: b, needs: [a], run: x}, {id: c, needs: [d], run: x}, {id: d, needs: [c], run: x}]\n";
    assert_eq!(cycles(two), ["a -> b -> a", "c -> d -> c"]);
    let shared = "parallel: true\nsteps: [{id: a, needs: [b, c], run: x}, {id: b, needs: [a], run: x}, {id: c, needs: [a], run: x}]\n";
    assert_eq!(cycles(shared), ["a -> b -> a", "a -> c -> a"]);
    // Through a block: `outer` ends after `inner`, which waits for `next`, which waits for `outer`.
    let block = "steps: [{id: outer, steps: [{id: inner, needs: [next], run: x}]}, {id: next, run: x}]\n";
    assert_eq!(cycles(block), ["outer -> inner -> next -> outer"]);
    let descendant = "steps: [{id: outer, needs: [inner], steps: [{id: inner, run: x}]}]\n";
    assert_eq!(found(descendant), ["4 inner RB0113"]);
}

/// Steps of which the last reads an output of `maker`, by `read`.
fn reading(maker: &str, reader: &str, read: &str) -> Vec<String> {
    let codes = found(&format!(
        "steps:
  - {{id: before, run: 'true'}}
  - {{id: maker, run: 'true', outputs: [x]{maker}}}
  - {{id: reader, run: 'true', env: {{X: \"{{{{ {read} }}}}\"}}{reader}}}
"
    ));
    codes.iter().map(|one| one.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_output_that_may_be_missing_needs_a_guard() {
    let x = "steps.maker.outputs.x";
    let none: [&str; 0] = [];
    assert_eq!(reading("", "", x), none);
    assert_eq!(reading(", if: steps.before.failed", "", x), ["RB0120"]);
    assert_eq!(reading(", on_failure: continue", "", x), ["RB0120"]);
    assert_eq!(reading("", ", if: failure()", x), ["RB0120"]);
    assert_eq!(reading("", ", if: always()", x), ["RB0120"]);
    assert_eq!(reading(", if: steps.before.failed", ", if: steps.maker.succeeded", x), none);
    assert_eq!(reading("", ", if: failure() and steps.maker.succeeded", x), none);
    assert_eq!(reading(", on_failure: continue", "", &format!("{x} | default('')")), none);
    assert_eq!(reading(", on_failure: continue", "", &format!("{x} if steps.maker.succeeded else ''")), none);
    // Neither the state nor the exit code can be missing.
    assert_eq!(reading(", on_failure: continue", ", if: steps.maker.exit_code == 3", "steps.maker.failed"), none);
    assert_eq!(reading("", ", needs: [before]", x), ["RB0118"]);
    assert_eq!(reading("", "", "steps.maker.outputs.y"), ["RB0119"]);
    assert_eq!(reading("", "", "steps.maker.x"), ["RB0116"]);
    assert_eq!(reading("", "", "steps.maker"), ["RB0116"]);
    assert_eq!(reading("", "", "steps[run.id]"), ["RB0117"]);
    assert_eq!(reading("", "", "steps.reader.succeeded"), ["RB0118"]);
}

#[test]
fn blocks_branches_and_always_make_outputs_uncertain() {
    let read = "env: {X: \"{{ steps.maker.outputs.x }}\"}";
    let maker = "{id: maker, run: x, outputs: [x]}";
    let none: [&str; 0] = [];
    let params = "params: {p: {type: boolean, default: true}}\n";
    let in_block =
        format!("{params}steps:\n  - {{id: b, if: params.p, steps: [{maker}, {{id: r, run: x, {read}}}]}}\n");
    assert_eq!(found(&in_block), none, "both lie in the conditional block");
    let after_block =
        format!("{params}steps:\n  - {{id: b, if: params.p, steps: [{maker}]}}\n  - {{id: r, run: x, {read}}}\n");
    assert_eq!(found(&after_block), ["7 steps.maker.outputs.x RB0120"]);
    let plain_block = format!("steps:\n  - {{id: b, steps: [{maker}]}}\n  - {{id: r, run: x, {read}}}\n");
    assert_eq!(found(&plain_block), none);
    let branch = format!(
        "{params}steps:\n  - {{id: b, switch: params.p, cases: {{true: [{maker}, {{id: s, run: x, {read}}}]}}, default: [{{id: n, run: x}}]}}\n  - {{id: r, run: x, {read}}}\n"
    );
    assert_eq!(found(&branch), ["7 steps.maker.outputs.x RB0120"], "certain within the branch, not after it");
    let always = format!("steps: [{maker}]\nalways:\n  - {{id: r, run: x, {read}}}\n");
    assert_eq!(found(&always), ["6 steps.maker.outputs.x RB0120"]);
    let to_always = format!("steps: [{{id: r, run: x, {read}}}]\nalways: [{maker}]\n");
    assert_eq!(found(&to_always), ["4 steps.maker.outputs.x RB0118"]);
    let earlier = format!("steps: [{{id: a, run: x}}]\nalways:\n  - {maker}\n  - {{id: r, run: x, {read}}}\n");
    assert_eq!(found(&earlier), ["7 steps.maker.outputs.x RB0120"], "they run whatever became of each other");
    let block_in_always =
        format!("steps: [{{id: a, run: x}}]\nalways:\n  - {{id: b, steps: [{maker}, {{id: r, run: x, {read}}}]}}\n");
    assert_eq!(found(&block_in_always), none, "within a block, steps wait as everywhere");
    let asking_block = format!(
        "steps:\n  - {maker}\n  - {{id: b, if: failure(), steps: [{{id: in, run: x, outputs: [y]}}, {{id: r, run: x, {read}}}]}}\n"
    );
    assert_eq!(found(&asking_block).len(), 1, "the block runs after a failure");
}

#[test]
fn a_block_hands_on_what_its_steps_made() {
    let none: [&str; 0] = [];
    let block = |inner: &str, output: &str| {
        found(&format!(
            "steps:
  - id: b
    steps: [{{id: in, run: x, outputs: [x]{inner}}}]
    outputs: {{y: \"{{{{ {output} }}}}\"}}
  - {{id: r, run: x, env: {{Y: \"{{{{ steps.b.outputs.y }}}}\"}}}}
"
        ))
    };
    assert_eq!(block("", "steps.in.outputs.x"), none);
    assert_eq!(block(", on_failure: continue", "steps.in.outputs.x"), ["7 steps.in.outputs.x RB0120"]);
    assert_eq!(block("", "steps.r.succeeded"), ["7 steps.r.succeeded RB0118"]);
    assert_eq!(block("", "stdout"), ["7 stdout RB0116"]);
}

#[test]
fn one_name_has_one_value() {
    let step = |env: &str| format!("env: {{LOG_DIR: /var}}\nsteps: [{{id: a, run: x, env: {env}}}]\n");
    let none: [&str; 0] = [];
    assert_eq!(found(&step("{LOG_DIR: /tmp}")), none, "a step goes before the runbook");
    assert_eq!(found(&step("{log_dir: /tmp}")), ["5 log_dir RB0125"]);
    assert_eq!(found(&step("{A: 1, a: 2}")), ["5 a RB0125"]);
    assert_eq!(found(&step("{A: 1, A: 2}")), ["5 A RB0004"], "YAML's own doubled key, and only that");
    assert_eq!(found(&step("{ld_preload: x}")), ["5 ld_preload RB0124"]);
    assert_eq!(found("params: {home: {type: string}}\nsteps: [{id: a, run: x}]\n"), ["4 home RB0124"]);
}

#[test]
fn an_undo_sees_the_outputs_of_its_step() {
    let undo = |rollback: &str| {
        found(&format!("steps:\n  - {{id: a, run: x, outputs: [x], rollback: {{run: y, {rollback}}}}}\n"))
    };
    let none: [&str; 0] = [];
    assert_eq!(undo("env: {X: \"{{ outputs.x }}\"}"), none);
    assert_eq!(undo("env: {X: \"{{ steps.a.outputs.x }}\"}"), none);
    assert_eq!(undo("env: {X: \"{{ outputs.y }}\"}"), ["5 outputs.y RB0119"]);
    assert_eq!(undo("env: {X: \"{{ outputs.x }}\"}, when: [succeeded, failed]"), ["5 outputs.x RB0120"]);
    assert_eq!(undo("env: {X: \"{{ stdout }}\"}"), ["5 stdout RB0116"]);
    assert_eq!(undo("when: [failed]"), ["5 [failed] RB0104"]);
}

#[test]
fn places_within_texts_are_exact() {
    let none: [&str; 0] = [];
    assert_eq!(found("steps:\n  - {id: a, set: {x: 'äöü {{ params.a }}'}}\n"), ["5 params.a RB0116"]);
    assert_eq!(
        found("steps:\n  - id: a\n    manual: |\n      First\n        {{ params.a }} and\n      {{ params.b }}\n"),
        ["8 params.a RB0116", "9 params.b RB0116"]
    );
    assert_eq!(found("steps:\n  - id: a\n    manual: >\n      folded\n      {{ params.a }}\n"), ["8 params.a RB0116"]);
    assert_eq!(found("steps:\n  - id: a\n    manual: \"tab\\t{{ params.a }}\"\n"), ["6 params.a RB0116"]);
    assert_eq!(found("\r\nsteps:\r\n  - {id: a, manual: '{{ params.a }}'}\r\n"), ["6 params.a RB0116"]);
    assert_eq!(found("steps:\n  - {id: a, manual: 'all fine'}\n"), none);
    let twice = "steps:\n  - id: a\n    manual: |\n      äöü {{ params.a }}\n\n      {{ params.a }}\n";
    assert_eq!(found(twice), ["7 params.a RB0116", "9 params.a RB0116"], "each where it stands");
    let indented = "steps:\n  - id: a\n    manual: |2-\n\n        {{ params.a }}\n      {{ params.a }}\n";
    assert_eq!(found(indented), ["8 params.a RB0116", "9 params.a RB0116"], "below an empty line");
    let wrong = load("steps: [{id: a, set: {x: 'äöü {{ params.a }}'}}]\n").expect_err("no param");
    let place = wrong.iter().find(|one| one.code.as_str() == "RB0116").expect("reported").position();
    assert_eq!((place.line, place.column), (1, 34), "characters count, not bytes");
}

#[test]
fn what_yaml_makes_of_values_is_said() {
    assert_eq!(messages("owner: 0x1F\nsteps: [{id: a, run: x}]\n"), ["expected text, found the number `0x1F`"]);
    assert_eq!(messages("owner: 0123\nsteps: [{id: a, run: x}]\n"), Vec::<String>::new());
    assert_eq!(messages("owner: true\nsteps: [{id: a, run: x}]\n"), ["expected text, found `true`"]);
    assert_eq!(messages("owner:\nsteps: [{id: a, run: x}]\n"), ["`owner` has no value"]);
    assert_eq!(messages("tags: incident\nsteps: [{id: a, run: x}]\n"), ["expected a list, found the text `incident`"]);
    assert_eq!(
        messages("max_parallel: 0\nsteps: [{id: a, run: x}]\n"),
        ["expected a whole number from 1 to 4294967295"]
    );
    assert_eq!(
        messages("params: {v: {type: string, enum: [1.10]}}\nsteps: [{id: a, run: x}]\n"),
        ["`1.10` is not text"]
    );
    assert_eq!(messages("params: {v: {type: duration, default: 5}}\nsteps: [{id: a, run: x}]\n"), ["`5` has no unit"]);
    assert_eq!(
        messages("parallel: on\nsteps: [{id: a, run: x}]\n"),
        ["expected `true` or `false`, found the text `on`"]
    );
}

#[test]
fn yaml_that_would_hurt_is_refused() {
    let bomb: String =
        (1..12).map(|n| format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 9].join(", "))).collect();
    for (name, text) in [
        ("aliases", format!("x0: &x0 [a]\n{bomb}")),
        ("depth", format!("steps: {}", "[".repeat(50_000))),
        ("keys", format!("steps: {}", "{a: ".repeat(50_000))),
        ("itself", "steps: &a [*a]".to_owned()),
        ("large", "a".repeat(9 << 20)),
        ("tag", "!!binary aGVsbG8=".to_owned()),
        ("documents", "schema: runbook/v1\n---\nschema: runbook/v1\n".to_owned()),
        ("merge", "a: &a {b: 1}\nc: {<<: *a}\n".to_owned()),
        ("nul", "schema: \0\n".to_owned()),
        ("empty", String::new()),
        ("comment", "# nothing\n".to_owned()),
        ("number", "5\n".to_owned()),
        ("list", "- a\n".to_owned()),
    ] {
        let wrong = load(&text).expect_err(name);
        assert!(wrong.has_errors(), "{name}");
        assert!(!wrong.to_text(Look::default()).is_empty(), "{name}");
    }
    let wrong = load(&format!("x0: &x0 [a]\n{bomb}")).expect_err("too many values");
    assert!(wrong.iter().any(|one| one.code.as_str() == "RB0002"), "before serde_yaml follows them: {wrong}");
    let shared = "x: &x 5m\n";
    assert_eq!(
        found(&format!("{shared}steps: [{{id: a, run: y, timeout: *x}}, {{id: b, run: y, timeout: *x}}]\n")),
        ["4 x RB0101"]
    );
}

#[test]
fn the_environment_is_checked_against_the_runbook() {
    let check = |body: &str| {
        let text = format!("schema: runbook/v1\nid: test\ntitle: Test\n{body}");
        let file = SourceFile::new("r.yaml", text);
        let loaded = load_runbook(&file, Some(&environment()));
        loaded.map_or_else(|wrong| wrong, |loaded| loaded.warnings).to_string()
    };
    assert_eq!(check("steps: [{id: a, run: x, env: {T: {secret: admin_token}, A: '{{ environment.api }}'}}]\n"), "");
    let missing = check("steps: [{id: a, run: x, env: {T: {secret: other}, A: '{{ environment.other }}'}}]\n");
    assert!(missing.contains("RB0121") && missing.contains("RB0201"), "{missing}");
    assert_eq!(check("steps: [{id: a, run: x, env: {A: \"{{ environment.other | default('') }}\"}}]\n"), "");
    // Without an environment, it is a warning at most.
    let text = "schema: runbook/v1\nid: test\ntitle: Test\nsteps: [{id: a, run: x, env: {T: {secret: other}, A: '{{ environment.other }}'}}]\n";
    let loaded = load(text).expect("only a warning");
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn documents_of_the_other_kind_are_recognised() {
    let wrong = load("schema: environment/v1\nid: a\nvalues: {}\n").expect_err("no runbook");
    assert_eq!(wrong.len(), 1, "{wrong}");
    let wrong =
        load_environment(&SourceFile::new("e.yaml", "schema: runbook/v1\nid: a\nsteps: []\n")).expect_err("none");
    assert_eq!(wrong.len(), 1, "{wrong}");
}

#[test]
fn what_is_repeated_must_be_something_that_can_fail_so() {
    let run =
        |on: &str| found(&format!("steps: [{{id: a, run: x, outputs: [x], retry: {{max_attempts: 2, on: {on}}}}}]\n"));
    let http = |on: &str| {
        found(&format!("steps: [{{id: a, http: {{url: 'https://h'}}, retry: {{max_attempts: 2, on: {on}}}}}]\n"))
    };
    let none: [&str; 0] = [];
    assert_eq!(run("{exit_codes: [7], if: \"'busy' in stdout ~ stderr and exit_code != 3\"}"), none);
    assert_eq!(http("{if: response.status == 503}"), none);
    assert_eq!(run("{}"), ["4 {} RB0111"]);
    assert_eq!(run("{exit_codes: []}"), ["4 [] RB0111"]);
    assert_eq!(run("{exit_codes: [0]}"), ["4 0 RB0104"]);
    assert_eq!(run("{exit_codes: [256]}"), ["4 256 RB0104"]);
    assert_eq!(run("{if: outputs.x}"), ["4 outputs.x RB0116"]);
    assert_eq!(run("{if: response.status == 1}"), ["4 response.status RB0116"]);
    assert_eq!(run("{if: steps.a.failed}"), ["4 steps.a.failed RB0118"]);
    assert_eq!(http("{exit_codes: [7]}"), ["4 exit_codes RB0110"]);
    assert_eq!(http("{if: exit_code == 7}"), ["4 exit_code RB0116"]);
    assert_eq!(run("{exit_code: [7], if: exit_code == 7}"), ["4 exit_code RB0101"]);
    let undo = |on: &str| {
        let undo = format!("{{run: y, retry: {{max_attempts: 2, on: {on}}}}}");
        found(&format!("steps: [{{id: a, run: x, outputs: [x], rollback: {undo}}}]\n"))
    };
    assert_eq!(undo("{exit_codes: [7], if: stderr == 'busy'}"), none);
    assert_eq!(undo("{if: response.status == 1}"), ["4 response.status RB0116"]);
}

#[test]
fn what_is_asked_for_has_a_type_and_a_name() {
    let ask = |ask: &str, more: &str| {
        found(&format!("steps:\n  - {{id: a, ask: {ask}}}\n  - {{id: b, run: x, env: {{X: \"{{{{ {more} }}}}\"}}}}\n"))
    };
    let fine = "{prompt: Which?, fields: {x: {type: string, required: true}}}";
    let none: [&str; 0] = [];
    assert_eq!(ask(fine, "steps.a.outputs.x"), none);
    assert_eq!(ask(fine, "steps.a.outputs.y"), ["6 steps.a.outputs.y RB0119"]);
    assert_eq!(ask("{fields: {x: {type: string}}}", "run.id"), ["5 {fields: {x: {type: string}}} RB0102"]);
    assert_eq!(ask("{prompt: Which?}", "run.id"), ["5 {prompt: Which?} RB0102"]);
    assert_eq!(ask("{prompt: Which?, fields: {}}", "run.id"), ["5 {} RB0111"]);
    assert_eq!(ask("{prompt: Which?, fields: {x: {type: text}}}", "run.id"), ["5 text RB0104"]);
    assert_eq!(ask("{prompt: Which?, fields: {X: {type: string}}}", "run.id"), ["5 X RB0107"]);
    assert_eq!(ask("{prompt: Which?, fields: {x: {type: integer, default: a}}}", "run.id"), ["5 a RB0131"]);
    assert_eq!(ask("{prompt: '{{ nothing }}', fields: {x: {type: integer}}}", "run.id"), ["5 nothing RB0116"]);
    let with = |more: &str| found(&format!("steps: [{{id: a, ask: {fine}, {more}}}]\n"));
    assert_eq!(with("timeout: 5m, approval: {from: [anyone]}"), none);
    for (more, key) in
        [("retry: {max_attempts: 2}", "retry"), ("irreversible: true", "irreversible"), ("outputs: [y]", "outputs")]
    {
        assert_eq!(with(more), [format!("4 {key} RB0110")]);
    }
}
