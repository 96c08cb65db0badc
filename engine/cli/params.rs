//! The values of params: as given on the command line, asked for in the terminal where one is missing or wrong.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::plan::{Param, Plan};
use runbook_language::{Loaded, ParamError, parse_param, resolve_params};
use runbook_runtime::exit_code::ExitCode;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::menu::{self, Menu};
use crate::output::note;
use crate::view::text::visible_line;

/// What was given with `-p`.
pub(crate) struct Given {
    /// Values, by name; names that the runbook does not know are among them.
    values: Map<String, Value>,
    /// Why a value cannot be used, by name.
    wrong: BTreeMap<String, String>,
}

impl Given {
    /// Reads `name=value` texts for a plan.
    ///
    /// # Errors
    /// When one has no `=`, or a name is given twice.
    pub(crate) fn read(plan: &Plan, texts: &[String]) -> Result<Self, Failure> {
        let mut given = Self { values: Map::new(), wrong: BTreeMap::new() };
        for text in texts {
            let usage = |message: String| Failure::new(ExitCode::Usage, message);
            let Some((name, value)) = text.split_once('=') else {
                return Err(usage(format!("`-p {text}` is not `-p name=value`")));
            };
            if given.values.contains_key(name) || given.wrong.contains_key(name) {
                return Err(usage(format!("the param `{name}` is given twice")));
            }
            // An unknown name is reported with all others.
            match plan.params.get(name).map_or_else(|| Ok(Value::from(value)), |param| parse_param(param, value)) {
                Ok(value) => drop(given.values.insert(name.to_owned(), value)),
                Err(reason) => drop(given.wrong.insert(name.to_owned(), reason)),
            }
        }
        Ok(given)
    }

    /// The values of all params. Where one is missing or wrong and somebody may be asked, they are.
    ///
    /// # Errors
    /// All that is wrong; or that the one who was asked left.
    pub(crate) fn resolve(mut self, loaded: &Loaded, may_ask: bool) -> Result<Value, Failure> {
        let plan = &loaded.plan;
        let is_known = |name: &String| plan.params.contains_key(name);
        if may_ask && self.values.keys().all(is_known) {
            self.ask(loaded)?;
        }
        self.check(plan).map_err(|errors| failure(plan, &errors))
    }

    /// The value of each param that has one: given, its default, or `null`. Those that are missing are not among them.
    ///
    /// # Errors
    /// All that is wrong but for what is missing.
    pub(crate) fn so_far(self, plan: &Plan) -> Result<BTreeMap<String, Value>, Failure> {
        let mut errors = self.check(plan).err().unwrap_or_default();
        errors.retain(|error| !matches!(error, ParamError::Missing(_)));
        if !errors.is_empty() {
            return Err(failure(plan, &errors));
        }
        let value = |(name, param): (&String, &Param)| {
            let value = self.values.get(name).or(param.default.as_ref()).cloned();
            let value = value.or_else(|| (!param.required).then_some(Value::Null))?;
            Some((name.clone(), value))
        };
        Ok(plan.params.iter().filter_map(value).collect())
    }

    /// The names that were given with `-p`.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.values.keys().cloned().collect()
    }

    fn check(&self, plan: &Plan) -> Result<Value, Vec<ParamError>> {
        let mut errors = match resolve_params(plan, &self.values) {
            Ok(values) if self.wrong.is_empty() => return Ok(values),
            Ok(_) => vec![],
            Err(errors) => errors,
        };
        // It was given, so it is not missing.
        errors.retain(|error| !matches!(error, ParamError::Missing(name) if self.wrong.contains_key(name)));
        let wrong = self.wrong.iter();
        errors.extend(wrong.map(|(name, reason)| ParamError::Invalid { name: name.clone(), reason: reason.clone() }));
        Err(errors)
    }

    /// Asks for what is missing or wrong, in the order written.
    fn ask(&mut self, loaded: &Loaded) -> Result<(), Failure> {
        let written = loaded.document.params.iter().flat_map(|params| &params.items).map(|entry| &entry.key.value);
        let open = |name: &&String| {
            let is_missing =
                |param: &Param| param.required && param.default.is_none() && !self.values.contains_key(name.as_str());
            self.wrong.contains_key(name.as_str()) || loaded.plan.params.get(name.as_str()).is_some_and(is_missing)
        };
        let open: Vec<&String> = written.filter(open).collect();
        if open.is_empty() {
            return Ok(());
        }
        let Some(mut menu) = Menu::open("nothing was run") else { return Ok(()) };
        let about = &loaded.plan.about;
        note(format!("{}: {}", about.id, visible_line(&about.title)));
        for name in open {
            let Some(param) = loaded.plan.params.get(name) else { continue };
            let value = menu.ask("param", name, param, self.wrong.get(name).map(String::as_str))?;
            self.wrong.remove(name);
            self.values.insert(name.clone(), value);
        }
        Ok(())
    }
}

/// All that is wrong, what is allowed, and how to say it.
fn failure(plan: &Plan, errors: &[ParamError]) -> Failure {
    let line = |error: &ParamError| match error {
        ParamError::Missing(name) => {
            let allowed = plan.params.get(name).map(menu::allowed).unwrap_or_default();
            format!("{error}: {allowed}")
        }
        _ => error.to_string(),
    };
    let lines: Vec<String> = errors.iter().map(|error| visible_line(&line(error))).collect();
    let failure = Failure::new(ExitCode::Precondition, lines.join("\n"));
    let names = errors.iter().filter_map(|error| match error {
        ParamError::Missing(name) | ParamError::Invalid { name, .. } => Some(format!("-p {name}=VALUE")),
        ParamError::Unknown { .. } => None,
    });
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        return failure.hint(format!("give it with `{}`", names.join(" ")));
    }
    let known: Vec<String> = plan.params.keys().map(|name| format!("`{name}`")).collect();
    failure.hint(match known.is_empty() {
        true => format!("the runbook `{}` has no params", plan.about.id),
        false => format!("its params are {}", known.join(", ")),
    })
}
