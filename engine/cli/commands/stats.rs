//! `runbook stats`: what many runs come to.

use std::collections::BTreeMap;

use runbook_report::text::{count, duration, rfc3339, visible_line};
use runbook_report::{Measured, RunbookStats, Stats, Tally};
use runbook_runtime::exit_code::ExitCode;
use serde::Serialize;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::many::{LeftOut, each_run, since, started_at, warn};
use crate::output;
use crate::view::paint::Paint;

/// So many names are in a line for people.
const NAMES_MAX: usize = 8;

/// Shows what many runs come to: success, time to acknowledge, time to recover, slow steps, what was never tried
///
/// The success rate is the share of the ended runs that succeeded. A *change* is an ended run that tried a step with an undo, or
/// one that is `irreversible`; the change success rate is the share of these that succeeded. Times to acknowledge and
/// to resolve are measured as in a report, and held against the `sla` of each run's own runbook; the mean time to resolve is
/// the MTTR. Steps that were never run and rollbacks that were never used are those of the newest run's plan.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook stats --since 30d\n  runbook stats --runbook p0-response\n  \
    runbook stats --since 90d --output json | jq '.stats.severities[].resolve.mean_ms'")]
pub(crate) struct Args {
    /// Only runs that were started since: a period such as `30d`, a day, or an RFC 3339 time
    #[arg(long, value_name = "SINCE")]
    since: Option<String>,
    /// Only runs of this runbook; may be given more than once
    #[arg(long, value_name = "ID")]
    runbook: Vec<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Found {
    stats: Stats,
    left_out: Vec<LeftOut>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let from = args.since.as_deref().map(since).transpose()?;
    let mut tally = Tally::default();
    let folders = context.state()?.runs()?;
    let folders = folders.into_iter().filter(|folder| from.is_none_or(|from| started_at(folder) >= from));
    let left_out = each_run(folders, |_, run, records| {
        let id = run.created().map(|created| created.plan.about.id.as_str());
        if args.runbook.is_empty() || args.runbook.iter().any(|wanted| Some(wanted.as_str()) == id) {
            tally.add(run, records);
        }
    });
    let stats = tally.finish(from.map(rfc3339));
    warn(&left_out);
    match args.output {
        Format::Json => output::json(&Found { stats, left_out }),
        Format::Text if stats.runs == 0 => output::note("there is no such run"),
        Format::Text => output::line(lines(&stats, Paint::stdout()).join("\n")),
    }
    Ok(ExitCode::Succeeded)
}

fn lines(stats: &Stats, paint: Paint) -> Vec<String> {
    let since = stats.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let mut lines = vec![paint.bold(&format!("{}{since}", count(number(stats.runs), "run")))];
    lines.push(format!("  ended: {}", ended(&stats.ended, stats.success_rate)));
    lines.extend(changes(stats.changes, stats.change_success_rate));
    for one in &stats.severities {
        lines.push(format!("  {} ({}):", visible_line(&one.severity), count(number(one.runs), "run")));
        lines.extend(measured("time to acknowledge", one.acknowledge.as_ref()).map(|line| format!("  {line}")));
        lines.extend(measured("time to resolve (MTTR)", one.resolve.as_ref()).map(|line| format!("  {line}")));
    }
    lines.extend(stats.runbooks.iter().flat_map(|one| of_runbook(one, paint)));
    lines
}

fn of_runbook(one: &RunbookStats, paint: Paint) -> Vec<String> {
    let severity = one.severity.as_ref().map(|severity| format!(" ({})", visible_line(severity))).unwrap_or_default();
    let mut lines = vec![
        String::new(),
        paint.bold(&format!("{}{severity}: {}", one.runbook, count(number(one.runs), "run"))),
        format!("  ended: {}", ended(&one.ended, one.success_rate)),
    ];
    lines.extend(changes(one.changes, one.change_success_rate));
    lines.extend(measured("time to acknowledge", one.acknowledge.as_ref()));
    lines.extend(measured("time to resolve", one.resolve.as_ref()));
    if !one.slowest.is_empty() {
        lines.push("  slowest steps (median, 95 of 100):".to_owned());
    }
    for step in &one.slowest {
        let mut notes = String::new();
        for (number, word) in [(step.failed, "failed"), (step.retried, "tried again")] {
            if number > 0 {
                notes.push_str(&format!(", {number} {word}"));
            }
        }
        let (median, p95) = (duration(step.median_ms), duration(step.p95_ms));
        lines.push(format!("    {}  {median}, {p95} in {}{notes}", step.step, count(number(step.runs), "run")));
    }
    lines.extend(named("never run", &one.never_run));
    lines.extend(named("rollback never used", &one.never_undone));
    lines
}

fn ended(ended: &BTreeMap<String, u64>, rate: Option<f64>) -> String {
    if ended.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<String> =
        ended.iter().map(|(state, number)| format!("{number} {}", state.replace('_', " "))).collect();
    format!("{}; success rate {}", words.join(", "), percent(rate))
}

fn changes(number: u64, rate: Option<f64>) -> Option<String> {
    (number > 0).then(|| format!("  changes: {number}; change success rate {}", percent(rate)))
}

fn measured(what: &str, it: Option<&Measured>) -> Option<String> {
    let it = it?;
    let targets: Vec<String> = it.targets_ms.iter().map(|ms| duration(*ms)).collect();
    let target = if targets.is_empty() {
        String::new()
    } else {
        format!("; target {}: {} of {} within", targets.join(" or "), it.within, it.with_target)
    };
    let (mean, median) = (duration(it.mean_ms), duration(it.median_ms));
    Some(format!("  {what}: mean {mean}, median {median} of {}{target}", count(number(it.runs), "run")))
}

fn named(what: &str, steps: &[String]) -> Option<String> {
    let more = steps.len().saturating_sub(NAMES_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let names: Vec<&str> = steps.iter().take(NAMES_MAX).map(String::as_str).collect();
    (!steps.is_empty()).then(|| format!("  {what}: {}{more}", names.join(", ")))
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
}

fn number(runs: u64) -> usize {
    usize::try_from(runs).unwrap_or(usize::MAX)
}
