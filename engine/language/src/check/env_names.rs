//! Names of environment variables: reserved ones, and two sources of one name.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::decode::{Entries, Text};
use crate::diagnostic::Collector;
use crate::document::{EnvDoc, RunbookDoc};
use crate::source::Span;

/// Names that change how a program is found, loaded or run, or that the engine sets itself.
pub(crate) const RESERVED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "OLDPWD",
    "TMPDIR",
    "IFS",
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "POSIXLY_CORRECT",
    "BASH_XTRACEFD",
    "BASH_LOADABLES_PATH",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "HOSTALIASES",
    "RESOLV_HOST_CONF",
    "TZDIR",
    "MALLOC_TRACE",
    "GLIBC_TUNABLES",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PERL5DB",
    "RUBYLIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "CLASSPATH",
    "LUA_PATH",
    "LUA_CPATH",
    "GIT_SSH_COMMAND",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
];

/// Beginnings of such names.
pub(crate) const RESERVED_PREFIXES: &[&str] = &["LD_", "DYLD_", "RUNBOOK_", "BASH_FUNC_"];

/// Whether a name is reserved, in whatever case it is written.
pub(crate) fn reserved(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    RESERVED.contains(&upper.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

/// The variables that every script gets: from params, and from the runbook's `env`.
pub(crate) struct Exported<'d> {
    params: BTreeMap<String, Span>,
    env: BTreeMap<String, (&'d str, Span)>,
}

impl<'d> Exported<'d> {
    /// Collects them, and reports what is wrong with them.
    pub(crate) fn of(doc: &'d RunbookDoc, found: &mut Collector) -> Self {
        let mut exported = Self { params: BTreeMap::new(), env: BTreeMap::new() };
        for entry in doc.params.iter().flat_map(|params| &params.items) {
            let upper = entry.key.value.to_ascii_uppercase();
            if reserved(&upper) {
                found
                    .error(
                        Code::ReservedEnv,
                        entry.key.span,
                        format!("scripts would get this param as `{upper}`, which is reserved"),
                    )
                    .help("a variable of this name changes how programs are found or loaded: choose another name");
            }
            exported.params.insert(upper, entry.key.span);
        }
        for entry in doc.env.iter().flat_map(|env| &env.items) {
            exported.check_name(&entry.key, found);
            let upper = entry.key.value.to_ascii_uppercase();
            match exported.env.get(&upper) {
                Some((_, first)) => doubled(&entry.key, *first, "env", found),
                None => drop(exported.env.insert(upper, (&entry.key.value, entry.key.span))),
            }
        }
        exported
    }

    /// Checks the `env` of a step or undo.
    pub(crate) fn check_step(&self, env: &Entries<EnvDoc>, found: &mut Collector) {
        let mut own: BTreeMap<String, Span> = BTreeMap::new();
        for entry in &env.items {
            self.check_name(&entry.key, found);
            let upper = entry.key.value.to_ascii_uppercase();
            if let Some((name, first)) = self.env.get(&upper)
                && *name != entry.key.value
            {
                doubled(&entry.key, *first, "env of the runbook, in another case", found);
            }
            match own.get(&upper) {
                Some(first) => doubled(&entry.key, *first, "env", found),
                None => drop(own.insert(upper, entry.key.span)),
            }
        }
    }

    fn check_name(&self, key: &Text, found: &mut Collector) {
        check_form(key, found);
        if let Some(param) = self.params.get(&key.value.to_ascii_uppercase()) {
            doubled(key, *param, "param", found);
        }
    }
}

/// Checks that a name can be one, and is not reserved.
pub(crate) fn check_form(key: &Text, found: &mut Collector) {
    let name = &key.value;
    let good = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !good {
        found
            .error(Code::InvalidEnv, key.span, format!("`{name}` is not the name of an environment variable"))
            .help("letters, digits and `_`, not beginning with a digit");
    } else if reserved(name) {
        found
            .error(Code::ReservedEnv, key.span, format!("`{name}` is reserved"))
            .help("it changes how programs are found or loaded: set it within the script, or choose another name");
    }
}

fn doubled(key: &Text, first: Span, source: &str, found: &mut Collector) {
    found
        .error(Code::DoubledEnv, key.span, format!("`{}` gets its value from two places", key.value))
        .label("here again")
        .related(first, format!("first here ({source})"))
        .help("params reach scripts under their name in upper case; give one of the two another name");
}
