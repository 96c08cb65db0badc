//! Pages about names in expressions.

use super::Page;

pub(super) const EXPRESSION_SYNTAX: Page = Page {
    title: "not an expression",
    explanation: r#"Expressions are those of Jinja: comparisons, `and`, `or`, `not`, `in`, filters after `|`. In `if`, `until`, `switch`
and `assert` they stand without braces; in other texts between `{{` and `}}`. Statements (`{% … %}`) are not
supported."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    if: params.loud ==
    run: echo hello
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  loud: {type: boolean, default: false}
steps:
  - id: greet
    if: params.loud == true
    run: echo hello
"#,
};

pub(super) const UNKNOWN_NAME: Page = Page {
    title: "unknown name",
    explanation: r#"The name does not exist where it is used. Everywhere there are `params`, `environment`, `run` (`id`, `runbook`,
`started_by`) and `steps`. `stdout`, `stderr`, `exit_code` and `outputs` exist in `until` and `outputs` of `run` and
`argv`, `response` in those of `http`, `outputs` in a rollback. `failure()` and `always()` can be asked in `if` only.
A text needs quotes."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - id: greet
    run: echo "$GREETED"
    env: {GREETED: "{{ params.nmae }}"}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - id: greet
    run: echo "$GREETED"
    env: {GREETED: "{{ params.name }}"}
"#,
};

pub(super) const UNKNOWN_STEP: Page = Page {
    title: "unknown step in an expression",
    explanation: r#"`steps.<id>` names a step of the same runbook. The id must be written out, so that what a step reads is known before
the run."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: "true", on_failure: continue}
  - {id: mend, if: steps.lok.failed, run: echo mending}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: "true", on_failure: continue}
  - {id: mend, if: steps.look.failed, run: echo mending}
"#,
};

pub(super) const READ_TOO_EARLY: Page = Page {
    title: "a step that may not have ended yet",
    explanation: r#"An expression may read only steps that have certainly ended before it is evaluated: those that the step needs, the
steps that these need, and so on, those that the blocks around it need included. In `always`, all other steps have
ended."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
parallel: true
steps:
  - {id: look, run: echo "state=up" >> "$RUNBOOK_OUTPUT", outputs: [state]}
  - id: tell
    run: echo "$STATE"
    env: {STATE: "{{ steps.look.outputs.state }}"}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
parallel: true
steps:
  - {id: look, run: echo "state=up" >> "$RUNBOOK_OUTPUT", outputs: [state]}
  - id: tell
    needs: [look]
    run: echo "$STATE"
    env: {STATE: "{{ steps.look.outputs.state }}"}
"#,
};

pub(super) const UNKNOWN_OUTPUT: Page = Page {
    title: "unknown output",
    explanation: r#"A step hands on only what it declares: `outputs: [name]` for what its script writes to `$RUNBOOK_OUTPUT`, `outputs:
{name: "{{ … }}"}` for what is computed from its result, and the values of `set`."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: echo "state=up" >> "$RUNBOOK_OUTPUT"}
  - {id: tell, run: echo "$STATE", env: {STATE: "{{ steps.look.outputs.state }}"}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: echo "state=up" >> "$RUNBOOK_OUTPUT", outputs: [state]}
  - {id: tell, run: echo "$STATE", env: {STATE: "{{ steps.look.outputs.state }}"}}
"#,
};

pub(super) const UNCERTAIN_OUTPUT: Page = Page {
    title: "an output that may be missing",
    explanation: r#"The step has ended, but perhaps not well: it may have been skipped by its own `if` or that of a block around it, lie
in a branch that was not taken, have failed under `on_failure: continue` or in a block with a `rescue`, or the reader may
run after a failure (`failure()`, `always()`, `rescue:`, `always:`, `when: [succeeded, failed]`). Say what holds then: `| default(…)`, or a guard
such as `x if steps.look.succeeded else y`, or `if: steps.look.succeeded` on the reader."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: echo "state=up" >> "$RUNBOOK_OUTPUT", outputs: [state], on_failure: continue}
  - {id: tell, run: echo "$STATE", env: {STATE: "{{ steps.look.outputs.state }}"}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: echo "state=up" >> "$RUNBOOK_OUTPUT", outputs: [state], on_failure: continue}
  - {id: tell, run: echo "$STATE", env: {STATE: "{{ steps.look.outputs.state | default('unknown') }}"}}
"#,
};

pub(super) const BRACELESS: Page = Page {
    title: "a reference without braces",
    explanation: r#"A warning: a text holds values in `{{ … }}` only, so this is the text itself and not the value that it names. In `if`,
`until`, `switch` and `assert`, which are expressions as a whole, there are no braces."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - {id: greet, run: echo "$WHOM", env: {WHOM: params.name}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - {id: greet, run: echo "$WHOM", env: {WHOM: "{{ params.name }}"}}
"#,
};
