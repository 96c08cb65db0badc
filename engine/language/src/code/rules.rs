//! Pages about rules of single keys.

use super::Page;

pub(super) const APPROVAL_FROM: Page = Page {
    title: "an approval without `from`",
    explanation: r#"Nobody could give this approval. `from` names roles of the environment, or login names; one person of them suffices."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: restart, run: ./restart, approval: {timeout: 10m}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: restart, run: ./restart, approval: {from: [incident-commander], timeout: 10m}}
"#,
};

pub(super) const UNDO_OF_BLOCK: Page = Page {
    title: "a rollback on a block",
    explanation: r#"What is undone are steps that acted. Put `rollback` on the steps within: those that succeeded are undone, the last
first."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: deploy
    steps:
      - {id: copy, run: ./copy}
    rollback: {run: ./remove}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - id: deploy
    steps:
      - {id: copy, run: ./copy, rollback: {run: ./remove}}
"#,
};

pub(super) const UNDO_OF_IRREVERSIBLE: Page = Page {
    title: "both a rollback and irreversible",
    explanation: r#"`irreversible: true` says that there is no way back, and `rollback` says which it is."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: send, run: ./send, irreversible: true, rollback: {run: ./recall}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: send, run: ./send, rollback: {run: ./recall}}
"#,
};

pub(super) const EVERY_WITHOUT_UNTIL: Page = Page {
    title: "`every` without `until`",
    explanation: r#"`until` and `every` poll within one attempt; without `until` there is nothing to look for. (Without `every`, `until`
looks every 5 seconds.) To repeat failures, use `retry`."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: ./look, every: 10s}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, run: ./look, until: exit_code == 0, every: 10s, timeout: 5m}
"#,
};

pub(super) const PARAM_VALUE: Page = Page {
    title: "a value that does not fit its param",
    explanation: r#"A default or an item of `enum` is not of the type of the param, or the default is none of the allowed values."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  size: {type: string, enum: [small, large], default: medium}
steps:
  - {id: call, run: ./call}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  size: {type: string, enum: [small, large], default: small}
steps:
  - {id: call, run: ./call}
"#,
};

pub(super) const IMPOSSIBLE_CASE: Page = Page {
    title: "a case that is never taken",
    explanation: r#"The `switch` is over a param that never has this value."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  size: {type: string, enum: [small, large], required: true}
steps:
  - id: pick
    switch: params.size
    cases:
      smal: [{id: one, run: echo small}]
    default: [{id: other, run: echo other}]
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  size: {type: string, enum: [small, large], required: true}
steps:
  - id: pick
    switch: params.size
    cases:
      small: [{id: one, run: echo small}]
    default: [{id: other, run: echo other}]
"#,
};

pub(super) const MISSING_CASE: Page = Page {
    title: "a value without a case",
    explanation: r#"A warning: the param may have a value for which there is no case, and the step would fail for it."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  size: {type: string, enum: [small, large], required: true}
steps:
  - id: pick
    switch: params.size
    cases:
      small: [{id: one, run: echo small}]
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  size: {type: string, enum: [small, large], required: true}
steps:
  - id: pick
    switch: params.size
    cases:
      small: [{id: one, run: echo small}]
      large: [{id: two, run: echo large}]
"#,
};

pub(super) const UNUSED_SECRET: Page = Page {
    title: "a secret that is never used",
    explanation: r#"A warning: nothing here needs this secret. What a procedure does not need, it should not be given."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
secrets:
  token: {env: TOKEN}
steps:
  - {id: call, run: ./call}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
secrets:
  token: {env: TOKEN}
steps:
  - {id: call, run: ./call, env: {TOKEN: {secret: token}}}
"#,
};

pub(super) const TEMPLATE_IN_SCRIPT: Page = Page {
    title: "a template in a script",
    explanation: r#"A warning: the text of `run` is never templated, so that no value can become a command. Give the value a name under
`env`; params are there already, by their names in upper case. (`{{` on its own is fine: `docker ps --format
'{{.Names}}'`.)"#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - {id: greet, run: 'echo {{ params.name }}'}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  name: {type: string, default: world}
steps:
  - {id: greet, run: 'echo "$NAME"'}
"#,
};
