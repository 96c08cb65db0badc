//! Pages about the shape of a document.

use super::Page;

pub(super) const UNKNOWN_KEY: Page = Page {
    title: "unknown key",
    explanation: r#"The key means nothing here, so what it says would not happen. Most often it is misspelt, or indented under the wrong
parent."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: a
    run: echo hello
    tiemout: 5m
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: a
    run: echo hello
    timeout: 5m
"#,
};

pub(super) const MISSING_KEY: Page = Page {
    title: "missing key",
    explanation: r#"Something that is always needed is not there."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - run: echo hello
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
"#,
};

pub(super) const WRONG_TYPE: Page = Page {
    title: "wrong type",
    explanation: r#"The value is of another type than the key takes. YAML reads `5`, `1.10`, `true` and `null` as numbers, booleans and
nothing: put quotes round them where text is meant. `yes` and `no` are text, not booleans."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    title: 1.10
    read_only: yes
    run: echo hello
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    title: "1.10"
    read_only: true
    run: echo hello
"#,
};

pub(super) const WRONG_VALUE: Page = Page {
    title: "wrong value",
    explanation: r#"The value has the right type, but is none of those that mean something here."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
on_failure: rolback
steps:
  - {id: greet, run: echo hello}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
on_failure: rollback
steps:
  - {id: greet, run: echo hello}
"#,
};

pub(super) const NOT_YET: Page = Page {
    title: "not supported by this version",
    explanation: r#"The key or value belongs to the language, but this version does not know it yet. To leave it out silently would run
something else than what is written."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
    rollback: {run: echo bye, ask: {prompt: Why?}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
    rollback: {run: echo bye}
"#,
};

pub(super) const DURATION: Page = Page {
    title: "not a duration",
    explanation: r#"A duration is a number with its unit, such as `500ms`, `30s`, `5m`, `1h30m` or `2d`; units go from large to small. A
bare number is an error because nobody can see its unit."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
    timeout: 30
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
    timeout: 30s
"#,
};

pub(super) const INVALID_ID: Page = Page {
    title: "not an id",
    explanation: r#"Ids of steps, params, secrets and outputs stand in expressions: lower-case letters, digits and `_`, beginning with a
letter. A dash would be read as a minus. Only ids of documents may have dashes. An id has at most 64 characters, since
files are named after it."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: say-hello, run: echo hello}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: say_hello, run: echo hello}
"#,
};

pub(super) const DOUBLED_ID: Page = Page {
    title: "the same id twice",
    explanation: r#"Ids of steps are unique in the whole runbook, blocks and branches included: `needs`, expressions, logs and `approve`
name steps by them."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: greet, run: echo hello}
  - {id: greet, run: echo again}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: greet, run: echo hello}
  - {id: greet_again, run: echo again}
"#,
};

pub(super) const ACTIONS: Page = Page {
    title: "not exactly one action",
    explanation: r#"Each step does one thing: `run`, `argv`, `http`, `assert`, `set`, `wait`, `manual`, `ask`, `runbook`, `uses`, `steps` or
`switch`. With two, nobody could say what is repeated, undone or asked about. A `rollback` has one of `run`, `argv`, `http`,
`manual` and `uses`, a guard one of `run`, `argv` and `http`."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
    http: {url: "https://example.org"}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: greet, run: echo hello}
  - {id: look, http: {url: "https://example.org"}}
"#,
};

pub(super) const MISPLACED: Page = Page {
    title: "a key that makes no sense here",
    explanation: r#"The key exists, but not together with the action of this step, or not without another key. `shell` goes with `run`
only, `retry` repeats what can fail by itself, and a GET request has no body."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    argv: [echo, hello]
    shell: sh
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: greet
    run: echo hello
    shell: sh
"#,
};

pub(super) const EMPTY: Page = Page {
    title: "nothing to do",
    explanation: r#"A list or map that says what to do has nothing in it."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps: []
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: greet, run: echo hello}
"#,
};
