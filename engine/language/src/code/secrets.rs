//! Pages about secrets and environment variables.

use super::Page;

pub(super) const UNKNOWN_SECRET: Page = Page {
    title: "unknown secret",
    explanation: r#"A secret is declared under `secrets` of the runbook or of the environment. Without an environment this is a warning,
since the environment may declare it."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
secrets:
  admin_token: {env: ADMIN_TOKEN}
steps:
  - {id: call, run: ./call, env: {TOKEN: {secret: admin_token}, OTHER: {secret: admin_tokne}}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
secrets:
  admin_token: {env: ADMIN_TOKEN}
steps:
  - {id: call, run: ./call, env: {TOKEN: {secret: admin_token}}}
"#,
};

pub(super) const SECRET_IN_TEMPLATE: Page = Page {
    title: "a secret in an expression",
    explanation: r#"A secret in a text would be stored with the text, shown in plans and questions, and be visible to other programs. It
goes to `env` or to the `headers` of `http` by reference, and is read at the start of each attempt."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
secrets:
  token: {env: TOKEN}
steps:
  - {id: call, run: ./call, env: {TOKEN: {secret: token}}}
  - {id: look, http: {url: "https://example.org/?token={{ secrets.token }}"}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
secrets:
  token: {env: TOKEN}
steps:
  - {id: call, run: ./call, env: {TOKEN: {secret: token}}}
  - {id: look, http: {url: "https://example.org/", headers: {Authorization: {secret: token, prefix: "Bearer "}}}}
"#,
};

pub(super) const SECRET_PLACE: Page = Page {
    title: "a secret where none can go",
    explanation: r#"Arguments, addresses and bodies are visible to other programs, or are stored. A secret goes to `env` or to the
`headers` of `http` only."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
secrets:
  token: {env: TOKEN}
steps:
  - {id: call, argv: [./call, {secret: token}], env: {TOKEN: {secret: token}}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
secrets:
  token: {env: TOKEN}
steps:
  - {id: call, argv: [./call], env: {TOKEN: {secret: token}}}
"#,
};

pub(super) const RESERVED_ENV: Page = Page {
    title: "a reserved environment variable",
    explanation: r#"A variable of this name changes how programs are found, loaded or run, or belongs to the engine. Set it within the
script if you must. Reserved are `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `PWD`, `OLDPWD`, `TMPDIR`, `IFS`, `ENV`,
`BASH_ENV`, `BASHOPTS`, `SHELLOPTS`, `PS4`, `PROMPT_COMMAND`, `CDPATH`, `GLOBIGNORE`, `POSIXLY_CORRECT`,
`BASH_XTRACEFD`, `BASH_LOADABLES_PATH`, `GCONV_PATH`, `LOCPATH`, `NLSPATH`, `HOSTALIASES`, `RESOLV_HOST_CONF`,
`TZDIR`, `MALLOC_TRACE`, `GLIBC_TUNABLES`, `PYTHONPATH`, `PYTHONHOME`, `PYTHONSTARTUP`, `PYTHONINSPECT`, `PERL5LIB`,
`PERL5OPT`, `PERLLIB`, `PERL5DB`, `RUBYLIB`, `RUBYOPT`, `NODE_OPTIONS`, `NODE_PATH`, `JAVA_TOOL_OPTIONS`, `CLASSPATH`,
`LUA_PATH`, `LUA_CPATH`, `GIT_SSH_COMMAND`, `EDITOR`, `VISUAL`, `PAGER`, `BROWSER`, and all names that begin with
`LD_`, `DYLD_`, `RUNBOOK_`, `BASH_FUNC_`. The case of letters makes no difference."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: call, run: ./call, env: {PATH: /opt/bin}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: call, run: 'PATH="$TOOLS:$PATH" ./call', env: {TOOLS: /opt/bin}}
"#,
};

pub(super) const DOUBLED_ENV: Page = Page {
    title: "two sources of one environment variable",
    explanation: r#"Params reach scripts as environment variables under their name in upper case, and `env` under its own names. Two
sources of one name are an error, because one would silently win. Only the `env` of a step goes before that of the
runbook."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
params:
  target: {type: string, default: here}
steps:
  - {id: call, run: ./call, env: {TARGET: there}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
params:
  target: {type: string, default: here}
steps:
  - {id: call, run: ./call, env: {OTHER_TARGET: there}}
"#,
};

pub(super) const INVALID_ENV: Page = Page {
    title: "not the name of an environment variable",
    explanation: r#"Shells read only names of letters, digits and `_` that do not begin with a digit."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: call, run: ./call, env: {api-url: "https://example.org"}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: call, run: ./call, env: {API_URL: "https://example.org"}}
"#,
};
