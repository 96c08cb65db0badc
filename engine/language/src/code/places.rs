//! Pages about environments and projects.

use super::Page;

pub(super) const UNKNOWN_ENVIRONMENT_NAME: Page = Page {
    title: "unknown name of the environment",
    explanation: r#"The environment that the runbook is checked against has no such value. Without an environment these names are not
checked. `environment.x | default(…)` says that it may be missing."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, http: {url: "{{ environment.apii }}/health"}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: look, http: {url: "{{ environment.api }}/health"}}
"#,
};

pub(super) const UNKNOWN_SERVICE: Page = Page {
    title: "unknown service",
    explanation: r#"A template of the environment names a service that is not under its `services`."#,
    wrong: r#"schema: environment/v1
id: example
values: {api: "{{ services.platfrom.url }}"}
services:
  platform:
    argv: [serve, --port, "{{ service.port }}"]
    ready: {http: "{{ service.url }}/health"}
"#,
    right: r#"schema: environment/v1
id: example
values: {api: "{{ services.platform.url }}"}
services:
  platform:
    argv: [serve, --port, "{{ service.port }}"]
    ready: {http: "{{ service.url }}/health"}
"#,
};

pub(super) const PROJECT: Page = Page {
    title: "a mistake in `runbook.toml`",
    explanation: r#"The keys of `runbook.toml` are `runbooks` and `environments` (lists of folders), `environment` (the one that is used
when none is named), the table `[roles]`, and `sign` in the table `[record]` (the secret key that records are signed with)."#,
    wrong: r#"runbooks = ["runbooks"]
enviroment = "sandbox"
"#,
    right: r#"runbooks = ["runbooks"]
environment = "sandbox"
"#,
};
