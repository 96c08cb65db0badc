//! `exec --dry-run`: all that is checked before a run, and what it would do.

use std::collections::BTreeMap;

use runbook_core::digest_of;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::{Engine, foresee, launch};
use serde_json::{Value, json};

use super::{Args, Asked, internal};
use crate::commands::plan::{self, Foreseen};
use crate::commands::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::note;
use crate::view::Output;
use crate::view::text::visible_line;

pub(super) fn show(asked: Asked, args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let created = asked.launch(args, context)?;
    Engine::check(&context.state()?, &created)?;
    let exe = std::env::current_exe().map_err(internal)?;
    let Asked { file, environment, mut loaded, params, mut given, part } = asked;
    let digest = digest_of(&loaded.plan);
    let in_environment = environment.as_ref().map(|(_, it)| it);
    let settled = in_environment.map(|it| launch::settled(it, &loaded.plan.about.id, &exe, &params));
    let settled = settled.unwrap_or_else(|| json!({}));
    foresee(&mut loaded.plan, &params, &settled);
    let values: BTreeMap<String, Value> = params.as_object().cloned().unwrap_or_default().into_iter().collect();
    // What was asked for in the terminal is given, too.
    let has_no_default = |name: &&String| loaded.plan.params.get(*name).is_some_and(|param| param.default.is_none());
    given.extend(
        values.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).filter(has_no_default).cloned(),
    );
    let (_, project) = context.project()?;
    let chosen = left_open(&created.environment, &settled, "environment");
    let shown = Foreseen {
        file: &file,
        environment: environment.as_ref().map(|(file, it)| (file.as_path(), it)),
        project_roles: &project.roles,
        given,
        values,
        settled,
        digest: digest.to_string(),
        part: part.as_ref(),
    };
    let format = if args.output == Output::Json { Format::Json } else { Format::Text };
    plan::print_foreseen(&loaded, shown, format);
    if !chosen.is_empty() {
        note(format!("chosen when a run starts: {}", visible_line(&chosen.join(", "))));
    }
    note("dry run: all that is checked before a run is well; nothing was run");
    Ok(ExitCode::Succeeded)
}

/// The names of values that only a run has.
fn left_open(all: &Value, settled: &Value, path: &str) -> Vec<String> {
    let entries = all.as_object().into_iter().flatten();
    let one = |(name, value): (&String, &Value)| {
        let path = format!("{path}.{name}");
        match settled.get(name) {
            None => vec![path],
            Some(known) => left_open(value, known, &path),
        }
    };
    entries.flat_map(one).collect()
}
