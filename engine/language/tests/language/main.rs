//! The language as its users see it: texts in, plans and diagnostics out.

mod agree;
mod approvals;
mod deadlines;
mod done;
mod guards;
mod invalid;
mod locks;
mod loops;
mod pages;
mod part;
mod plugins;
mod robust;
mod runbooks;
mod schemas;
mod secrets;
mod sections;
mod some_of;
mod valid;
mod values;

use runbook_language::{Diagnostics, Environment, Loaded, SourceFile, load_environment, load_runbook};

/// The runbook that uses every key.
const EVERY_KEY: &str = include_str!("data/every-key.yaml");

/// An environment that fits it.
const ENVIRONMENT: &str = include_str!("data/environment.yaml");

fn environment() -> Environment {
    load_environment(&SourceFile::new("environment.yaml", ENVIRONMENT)).expect("the environment is valid")
}

fn load(text: &str) -> Result<Loaded, Diagnostics> {
    let loaded = load_runbook(&SourceFile::new("r.yaml", text), None)?;
    agree::accepted(text);
    Ok(loaded)
}
