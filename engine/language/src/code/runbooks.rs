//! Pages about `runbook`: runbooks that run other runbooks.
//!
//! The examples run `restart`, which needs the param `service`, `broken` and `deep`; the tests have them.

use super::Page;

pub(super) const UNKNOWN_RUNBOOK: Page = Page {
    title: "an unknown runbook",
    explanation: r#"`runbook` names another runbook: by its id, as `runbook list` shows it, or by its path from the file that names it, such as
`./restart.yaml`."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restrat, with: {service: engine}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restart, with: {service: engine}}
"#,
};

pub(super) const BROKEN_RUNBOOK: Page = Page {
    title: "a runbook that cannot be run",
    explanation: r#"The runbook that this step runs has errors of its own. They are reported too, with their own file."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: broken}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restart, with: {service: engine}}
"#,
};

pub(super) const RUNBOOK_RUNS_ITSELF: Page = Page {
    title: "a runbook that runs itself",
    explanation: r#"Runbooks that run each other would never come to an end. The message names the way from the runbook back to itself."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: example}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restart, with: {service: engine}}
"#,
};

pub(super) const RUNBOOKS_TOO_DEEP: Page = Page {
    title: "runbooks too deep within each other",
    explanation: r#"A run may have child runs at most 10 deep within each other: nobody could follow more of them in an incident."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: deep}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restart, with: {service: engine}}
"#,
};

pub(super) const PARAM_OF_RUNBOOK: Page = Page {
    title: "a param that does not fit the runbook",
    explanation: r#"`with` gives the runbook that is run the values of its params: each that it needs, and none that it does not have. Here
`restart` needs `service`."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restart}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: inner, runbook: restart, with: {service: engine}}
"#,
};
