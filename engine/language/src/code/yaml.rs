//! Pages about YAML itself.

use super::Page;

pub(super) const SYNTAX: Page = Page {
    title: "this is not YAML",
    explanation: r#"The text cannot be read at all, so nothing else was checked. The place is where reading stopped; the mistake may stand
a little before it: a missing quote, a tab, a line that is not indented like its neighbours."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: a, run: "echo hello}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: a, run: "echo hello"}
"#,
};

pub(super) const TOO_LARGE: Page = Page {
    title: "the file is too large or too deep",
    explanation: r#"A file may have 8 MiB, 100 levels and, with all aliases followed, a million values. This is far more than a procedure
that a person can follow, and keeps a hostile file from using up the machine."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: a, run: echo hello}
"#,
};

pub(super) const UNSUPPORTED: Page = Page {
    title: "YAML that runbooks do not use",
    explanation: r#"Tags (`!!str`), merge keys (`<<`), several documents in one file and keys that are not text are refused: each would
make a runbook mean something else than it seems to. A template that begins a value needs quotes round it, or YAML
takes its braces for a map. Anchors and aliases are fine."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: a
    run: echo "$NAME"
    env: {NAME: {{ params.name }}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - id: a
    run: echo "$VALUE"
    env: {VALUE: "{{ params.name }}"}
"#,
};

pub(super) const DOUBLED_KEY: Page = Page {
    title: "the same key twice",
    explanation: r#"YAML would silently keep one of the two values. Remove or rename the other."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: a
    run: echo one
    timeout: 5s
    timeout: 5m
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: a
    run: echo one
    timeout: 5m
"#,
};
