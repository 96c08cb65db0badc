//! Pages about `uses`: plugins.
//!
//! The examples use `note`, which needs the input `text` and takes `tries` and the secret `token`, and `broken`; the tests have
//! them.

use super::Page;

pub(super) const UNKNOWN_PLUGIN: Page = Page {
    title: "an unknown plugin",
    explanation: r#"`uses` names a plugin: by its id, as `runbook plugins` shows it, or by the path of its folder from the file that names it, such as
`./plugins/note`."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: tell, uses: nota, with: {text: hello}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: tell, uses: note, with: {text: hello}}
"#,
};

pub(super) const BROKEN_PLUGIN: Page = Page {
    title: "a plugin that cannot be used",
    explanation: r#"The plugin that this step uses has errors of its own. They are reported too, with their own file; `runbook plugin check FOLDER`
shows them alone."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: tell, uses: broken}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: tell, uses: note, with: {text: hello}}
"#,
};

pub(super) const INPUT_OF_PLUGIN: Page = Page {
    title: "an input that does not fit the plugin",
    explanation: r#"`with` gives a plugin what it takes: each input that it needs, none that it does not know, and values that its schema allows. What is
a secret to the plugin is given as one, `{secret: name}`, and nothing else is. `runbook plugins note` shows what a plugin takes. Here
`tries` is an integer."#,
    wrong: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: tell, uses: note, with: {text: hello, tries: many}}
"#,
    right: r#"schema: runbook/v1
id: example
title: Example
steps:
  - {id: tell, uses: note, with: {text: hello, tries: 3}}
"#,
};

pub(super) const PLUGIN_FILE: Page = Page {
    title: "a mistake in a plugin",
    explanation: r#"A plugin is a folder with a `plugin.yaml`: what it takes and hands back as JSON Schemas, and either a program that lies beside it or is
on PATH, or steps. Here a plugin of steps promises an output and does not say what it is."#,
    wrong: r#"schema: plugin/v1
id: example
title: Example
outputs: {properties: {lines: {type: string}}}
steps:
  - {id: count, run: wc -l < file, outputs: {lines: "{{ stdout }}"}}
"#,
    right: r#"schema: plugin/v1
id: example
title: Example
outputs: {properties: {lines: {type: string}}}
steps:
  - {id: count, run: wc -l < file, outputs: {lines: "{{ stdout }}"}}
returns: {lines: "{{ steps.count.outputs.lines }}"}
"#,
};
