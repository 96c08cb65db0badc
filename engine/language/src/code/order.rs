//! Pages about what waits for what.

use super::Page;

pub(super) const UNKNOWN_NEED: Page = Page {
    title: "unknown step in `needs`",
    explanation: r#"`needs` names steps of the same runbook by their ids."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: build, run: make}
  - {id: ship, run: make ship, needs: [biuld]}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: build, run: make}
  - {id: ship, run: make ship, needs: [build]}
"#,
};

pub(super) const UNREACHABLE_NEED: Page = Page {
    title: "a step that cannot be waited for",
    explanation: r#"A step may wait for one in the same list, in a list around it, or within a plain block. It cannot wait for a step in a
branch of a `switch` that it is not in itself (the branch may never run), for a block that it lies in (which ends only
after it), or across the border to `always` (which begins when all else has ended). The same goes for the parts of a
block: `steps`, `rescue` and `always` run one after the other by themselves, and whoever stands outside waits for the
block."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  kind: {type: string, enum: [small, large], required: true}
steps:
  - id: pick
    switch: params.kind
    cases:
      small: [{id: small, run: echo small}]
      large: [{id: large, run: echo large}]
  - {id: after, run: echo done, needs: [small]}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  kind: {type: string, enum: [small, large], required: true}
steps:
  - id: pick
    switch: params.kind
    cases:
      small: [{id: small, run: echo small}]
      large: [{id: large, run: echo large}]
  - {id: after, run: echo done, needs: [pick]}
"#,
};

pub(super) const CYCLE: Page = Page {
    title: "steps that wait for each other",
    explanation: r#"None of these steps could ever start. Without `needs`, a step waits for the one written before it: `needs: []` lets it
start at once."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: a, run: echo a, needs: [b]}
  - {id: b, run: echo b}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: a, run: echo a, needs: [b]}
  - {id: b, run: echo b, needs: []}
"#,
};

pub(super) const LOCKED_OUT: Page = Page {
    title: "a lock that is never free",
    explanation: r#"A block holds its locks until all in it has ended. A step outside of it that waits for one of these locks, and that a step in
the block needs, could never start, and the block could never end. Let the block as a whole need that step: then it takes the
lock after it. Or put the step into the block: what the block holds, the steps in it have. Where the names of locks, or the
order of steps, are known only while the run goes on, the step that waits fails instead, as soon as it is sure that the lock
will never be free."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
parallel: true
steps:
  - {id: snapshot, run: ./snapshot, locks: [database]}
  - id: migrate
    locks: [database]
    steps:
      - {id: prepare, run: ./prepare}
      - {id: change, run: ./change, needs: [prepare, snapshot]}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
parallel: true
steps:
  - {id: snapshot, run: ./snapshot, locks: [database]}
  - id: migrate
    locks: [database]
    needs: [snapshot]
    steps:
      - {id: prepare, run: ./prepare}
      - {id: change, run: ./change}
"#,
};
