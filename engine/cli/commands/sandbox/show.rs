//! `runbook sandbox show`.

use runbook_runtime::exit_code::ExitCode;
use serde_json::Value;

use super::{Data, Shown};
use crate::context::Context;
use crate::failure::Failure;

/// Shows how a platform stands: services, trading, books, keys, alerts, silences, incidents, notices
///
/// Read from its databases, so that a rehearsal can be checked after it has ended.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox show --run last\n  \
    runbook sandbox show --data /tmp/platform --output json")]
pub(super) struct Args {
    #[command(flatten)]
    platform: Data,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Shown,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let found = runbook_sandbox::overview(&args.platform.folder(context)?)?;
    match args.output {
        Shown::Json => crate::output::json(&found),
        Shown::Text => lines(&found).iter().for_each(crate::output::line),
    }
    Ok(ExitCode::Succeeded)
}

fn lines(found: &Value) -> Vec<String> {
    let mut lines = vec![
        format!("broken      {}", words(&found["faults"], |fault| text(fault).to_owned())),
        format!(
            "services    {}",
            words(&found["services"], |one| format!("{} {}", text(&one["name"]), text(&one["state"])))
        ),
        format!("trading     {}: {}", text(&found["trading"]["mode"]), text(&found["trading"]["reason"])),
        format!("books       {}", books(&found["database"])),
        format!("orders      {}", counts(&found["orders"])),
        format!("positions   {}", counts(&found["positions"])),
        format!("keys        {}", credentials(&found["keys"], "name")),
        format!("sessions    {}", credentials(&found["sessions"], "user")),
        format!("users       {}", people(&found["users"])),
        format!("settings    {}", words(&found["settings"], |one| format!("{} {}", text(&one["name"]), one["value"]))),
        format!("figures     {}", words(&found["metrics"], |one| format!("{} {}", text(&one["name"]), one["value"]))),
    ];
    lines.extend(list("alerts", &found["alerts"], alert));
    let holding = elements(&found["silences"]).iter().filter(|one| one["status"]["state"] == "active").cloned();
    lines.extend(list("silences", &holding.collect(), |one| {
        format!("{} until {}: {}", text(&one["id"]), text(&one["endsAt"]), text(&one["comment"]))
    }));
    lines.extend(list("incidents", &found["incidents"], |one| {
        format!("{} {}: {}", text(&one["id"]), text(&one["status"]), text(&one["title"]))
    }));
    lines.extend(list("notices", &found["notices"], |one| {
        let retracted = if one["status"] == "retracted" { " (retracted)" } else { "" };
        format!("{} to {}: {}{retracted}", text(&one["id"]), text(&one["channel"]), text(&one["subject"]))
    }));
    lines
}

/// `ServiceDown gateway: gateway is stopped (silenced)`.
fn alert(one: &Value) -> String {
    let name = [&one["labels"]["alertname"], &one["labels"]["service"]].map(text).join(" ");
    let silenced = if one["status"]["state"] == "suppressed" { " (silenced)" } else { "" };
    format!("{}: {}{silenced}", name.trim_end(), text(&one["annotations"]["summary"]))
}

fn books(database: &Value) -> String {
    if database["whole"] == true {
        return "whole".to_owned();
    }
    words(&database["problems"], |problem| text(problem).to_owned())
}

/// `3 filled, 1 open`; the books may be unreadable.
fn counts(by_status: &Value) -> String {
    match by_status.as_object() {
        None => "not readable".to_owned(),
        Some(counts) if counts.is_empty() => "none".to_owned(),
        Some(counts) => {
            counts.iter().map(|(status, number)| format!("{number} {status}")).collect::<Vec<_>>().join(", ")
        }
    }
}

/// How many work, and which were revoked.
fn credentials(all: &Value, name: &str) -> String {
    let (active, revoked): (Vec<_>, Vec<_>) = elements(all).iter().partition(|one| one["active"] == true);
    let named = |one: &&Value| format!("{} {}", text(&one["id"]), text(&one[name]));
    match revoked.as_slice() {
        [] => format!("{} active", active.len()),
        some => format!("{} active, revoked: {}", active.len(), some.iter().map(named).collect::<Vec<_>>().join(", ")),
    }
}

/// How many are active, and who is let in no more.
fn people(all: &Value) -> String {
    let (active, disabled): (Vec<_>, Vec<_>) = elements(all).iter().partition(|one| one["status"] == "active");
    match disabled.as_slice() {
        [] => format!("{} active", active.len()),
        some => {
            let names: Vec<&str> = some.iter().map(|one| text(&one["name"])).collect();
            format!("{} active, disabled: {}", active.len(), names.join(", "))
        }
    }
}

fn list(title: &str, all: &Value, one: impl Fn(&Value) -> String) -> Vec<String> {
    match elements(all) {
        [] => vec![format!("{title:11} none")],
        [first, rest @ ..] => {
            let rest = rest.iter().map(|other| format!("{:11} {}", "", one(other)));
            std::iter::once(format!("{title:11} {}", one(first))).chain(rest).collect()
        }
    }
}

fn words(all: &Value, one: impl Fn(&Value) -> String) -> String {
    match elements(all) {
        [] => "nothing".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
