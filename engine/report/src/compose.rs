//! From a report to the document that people read: what stands where, and what is left out of a very long one.

use std::collections::BTreeMap;

use crate::document::{Cell, Document, cell, code, toned};
use crate::fold::for_people;
use crate::model::{Attempt, Question, Report, Step};
use crate::sections::{is_of_interest, told, value, words};
use crate::text::{count, duration, names};

/// With more steps than this, those that went as they should are counted and not listed.
const STEPS_MAX: usize = 200;
/// Of a timeline that is longer, the beginning and the end are shown.
const TIMELINE_MAX: usize = 1_000;
/// Of longer lists the beginning is shown.
const ROWS_MAX: usize = 200;

/// The document of a report.
pub(crate) fn compose(report: &Report) -> Document {
    let title = format!("{}: {}", report.run.title, words(&report.ending.state));
    let mut document = Document { title, blocks: vec![] };
    document.paragraph(&report.summary);
    facts(report, &mut document);
    targets(report, &mut document);
    timeline(report, &mut document);
    questions(report, &mut document);
    failed_attempts(report, &mut document);
    way_back(report, &mut document);
    steps(report, &mut document);
    not_run(report, &mut document);
    outputs(report, &mut document);
    post_mortem(report, &mut document);
    evidence(report, &mut document);
    document
}

fn facts(report: &Report, document: &mut Document) {
    let (run, ending) = (&report.run, &report.ending);
    let mut rows = vec![
        vec![cell("Run"), code(&run.id)],
        vec![cell("Runbook"), cell(format!("`{}`, {}", run.runbook, run.title))],
    ];
    let mut fact = |name: &str, value: Option<Cell>| rows.extend(value.map(|value| vec![cell(name), value]));
    fact("Severity", run.severity.as_ref().map(cell));
    fact("Owner", run.owner.as_ref().map(cell));
    fact("Environment", run.environment.as_ref().map(code));
    fact("Started", Some(cell(format!("{} by {}", for_people(&ending.started_at), run.started_by.name))));
    fact("Ended", ending.ended_at.as_ref().map(|at| cell(for_people(at))));
    fact("Duration", Some(cell(duration(ending.took_ms))));
    let state = words(&ending.state);
    fact("State", Some(if ending.is_over { toned(state, ending.state == "succeeded") } else { cell(state) }));
    fact("Why", ending.cause.as_ref().map(cell));
    fact("Exit code", ending.exit_code.map(|code| cell(code.to_string())));
    fact("Tags", Some(run.tags.join(", ")).filter(|tags| !tags.is_empty()).map(cell));
    for (name, it) in run.params.as_object().into_iter().flatten() {
        rows.push(vec![cell(format!("Param `{name}`")), code(value(it, None))]);
    }
    document.table(&["Fact", "Value"], rows);
    if !run.source.is_empty() {
        document.paragraph("The procedure comes from:");
        document.list(run.source.iter().map(|one| format!("{}: {}", one.manual, one.section)).collect());
    }
}

fn targets(report: &Report, document: &mut Document) {
    if report.targets.is_empty() {
        return;
    }
    document.heading(2, "Targets");
    let rows = report.targets.iter().map(|target| {
        let met = match (target.is_met, target.took_ms) {
            (None, _) if report.ending.is_over => cell("not measured"),
            (Some(true), _) => toned("met", true),
            (Some(false), Some(_)) => toned("missed", false),
            (Some(false), None) => toned("not reached", false),
            (None, _) => cell("open"),
        };
        let took = target.took_ms.map_or_else(|| "-".to_owned(), duration);
        vec![code(&target.name), cell(duration(target.limit_ms)), cell(took), met, cell(&target.measured)]
    });
    document.table(&["Target", "Within", "Took", "Result", "Measured by"], rows.collect());
}

fn timeline(report: &Report, document: &mut Document) {
    document.heading(2, "Timeline");
    let lines = told(&report.timeline, report.counts.all <= STEPS_MAX);
    let rows: Vec<Vec<Cell>> =
        lines.iter().map(|line| vec![cell(&line.at), cell(&line.what), cell(&line.by)]).collect();
    let head = ["When (UTC)", "What", "Who"];
    if rows.len() <= TIMELINE_MAX {
        document.table(&head, rows);
        return;
    }
    let end = rows.len() - TIMELINE_MAX / 2;
    document.table(&head, rows[..TIMELINE_MAX / 2].to_vec());
    document.paragraph(format!("… {} are not shown here; the JSON has them.", count(end - TIMELINE_MAX / 2, "entry")));
    document.table(&head, rows[end..].to_vec());
}

fn questions(report: &Report, document: &mut Document) {
    if report.questions.is_empty() {
        return;
    }
    document.heading(2, "Approvals and answers");
    let rows = report.questions.iter().take(ROWS_MAX).map(|question| {
        let who: Vec<&str> = question.answers.iter().map(|answer| answer.by.name.as_str()).collect();
        let roles: Vec<String> = question.answers.iter().map(|answer| answer.roles.join(", ")).collect();
        let reasons: Vec<&str> = question.answers.iter().filter_map(|answer| answer.reason.as_deref()).collect();
        vec![
            code(&question.step),
            cell(what_was_asked(question)),
            cell(for_people(&question.asked_at)),
            outcome(question),
            cell(who.join(", ")),
            cell(roles.join("; ")),
            cell(question.took_ms.map(duration).unwrap_or_default()),
            cell(reasons.join("; ")),
        ]
    });
    let head = ["Step", "Asked", "When (UTC)", "Answer", "Who", "Roles", "Took", "Reason"];
    document.table(&head, rows.collect());
    left_out(report.questions.len(), "question", document);
    for question in report.questions.iter().take(ROWS_MAX) {
        asked_in_full(question, document);
    }
}

fn what_was_asked(question: &Question) -> String {
    match question.kind.as_str() {
        "approval" => format!("approval, of {}", question.from.join(", ")),
        "manual" => "to do it".to_owned(),
        _ => "what became of it".to_owned(),
    }
}

fn outcome(question: &Question) -> Cell {
    match question.outcome.as_str() {
        "approved" | "confirmed" => toned(&question.outcome, true),
        "rejected" | "expired" => toned(&question.outcome, false),
        other => cell(other),
    }
}

fn asked_in_full(question: &Question, document: &mut Document) {
    if question.message.is_none() && question.refused.is_empty() && question.digest.is_none() {
        return;
    }
    document.heading(3, format!("What was asked about `{}`", question.step));
    if let Some(message) = &question.message {
        document.lines(message.trim_end().lines().map(str::to_owned));
    }
    if let Some(digest) = &question.digest {
        document.paragraph(format!("The answer held for exactly one action: sha256 `{digest}`."));
    }
    let refused = question
        .refused
        .iter()
        .map(|refusal| format!("{} by {} did not count: {}", for_people(&refusal.at), refusal.by.name, refusal.why));
    document.list(refused.collect());
}

fn failed_attempts(report: &Report, document: &mut Document) {
    if report.failed_attempts.is_empty() {
        return;
    }
    document.heading(2, "Failed and interrupted attempts");
    let rows = report.failed_attempts.iter().take(ROWS_MAX).map(|attempt| {
        let what = if attempt.is_undo { format!("undo of `{}`", attempt.step) } else { format!("`{}`", attempt.step) };
        let how = if attempt.is_interrupted { format!("interrupted: {}", attempt.why) } else { attempt.why.clone() };
        vec![
            cell(what),
            cell(attempt.number.to_string()),
            cell(attempt.started_at.as_deref().map(for_people).unwrap_or_default()),
            cell(for_people(&attempt.ended_at)),
            toned(how, false),
        ]
    });
    document.table(&["Step", "Attempt", "Started (UTC)", "Ended (UTC)", "Why"], rows.collect());
    left_out(report.failed_attempts.len(), "attempt", document);
    for attempt in report.failed_attempts.iter().take(ROWS_MAX) {
        end_of_log(attempt, document);
    }
}

fn end_of_log(attempt: &Attempt, document: &mut Document) {
    let Some(log) = &attempt.log else { return };
    document.paragraph(format!("The end of `{}`:", log.file));
    document.lines(log.lines.clone());
}

fn way_back(report: &Report, document: &mut Document) {
    let Some(way) = &report.rollback else { return };
    document.heading(2, "Rollback");
    let all = |steps: &[String]| steps.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
    let why = |id: &String| {
        let step = report.steps.iter().find(|step| step.id == *id);
        step.and_then(|step| step.undo_why.clone()).map(|why| format!(": {why}")).unwrap_or_default()
    };
    let mut items = vec![];
    if way.undone.is_empty() {
        items.push("Undone: nothing".to_owned());
    } else {
        items.push(format!("Undone, in this order: {}", all(&way.undone)));
    }
    items.extend(way.failed.iter().map(|step| format!("Not undone, its undo failed: `{step}`{}", why(step))));
    if !way.left.is_empty() {
        items.push(format!("Not undone, not tried: {}", all(&way.left)));
    }
    if !way.irreversible.is_empty() {
        items.push(format!("Took effect, and cannot be undone: {}", all(&way.irreversible)));
    }
    document.list(items);
}

fn steps(report: &Report, document: &mut Document) {
    document.heading(2, "Steps");
    let is_long = report.steps.len() > STEPS_MAX;
    let did_run = |step: &&Step| !matches!(step.state.as_str(), "skipped" | "blocked");
    let shown: Vec<&Step> = report
        .steps
        .iter()
        .filter(did_run)
        .filter(|step| !is_long || is_of_interest(step, &report.questions))
        .take(TIMELINE_MAX)
        .collect();
    let hidden = report.steps.iter().filter(did_run).count() - shown.len();
    if !shown.is_empty() {
        let head = ["Step", "What", "State", "Attempts", "Took", "Undo"];
        document.table(&head, shown.into_iter().map(step_row).collect());
    }
    if hidden > 0 {
        document.paragraph(format!(
            "{} that went as they should are not listed; the JSON has them.",
            count(hidden, "step")
        ));
    }
}

fn step_row(step: &Step) -> Vec<Cell> {
    let mut state = words(&step.state);
    if let Some(why) = &step.why {
        state.push_str(&format!(": {why}"));
    }
    let state = match step.state.as_str() {
        "succeeded" => toned(state, true),
        "failed" | "cancelled" => toned(state, false),
        _ => cell(state),
    };
    let undo = match step.undo.as_deref() {
        Some("undone") => toned("undone", true),
        Some("failed") => toned("its undo failed", false),
        Some(_) => toned("not undone", false),
        None => cell(""),
    };
    let attempts = if step.attempts == 0 { String::new() } else { step.attempts.to_string() };
    vec![
        code(&step.id),
        cell(&step.title),
        state,
        cell(attempts),
        cell(step.took_ms.filter(|_| !step.is_block).map(duration).unwrap_or_default()),
        undo,
    ]
}

/// What was skipped and what was not started, by the reason, in the order written.
fn not_run(report: &Report, document: &mut Document) {
    let mut reasons: Vec<((&str, &str), Vec<&str>)> = vec![];
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for step in report.steps.iter().filter(|step| matches!(step.state.as_str(), "skipped" | "blocked")) {
        let reason = (step.state.as_str(), step.why.as_deref().unwrap_or_default());
        let place = *places.entry(reason).or_insert_with(|| {
            reasons.push((reason, vec![]));
            reasons.len() - 1
        });
        reasons[place].1.push(&step.id);
    }
    if reasons.is_empty() {
        return;
    }
    document.heading(2, "Skipped and not started");
    let number = reasons.len();
    let rows = reasons.into_iter().take(ROWS_MAX).map(|((state, why), steps)| {
        let state = if state == "blocked" { "not started" } else { state };
        // All are named, as long as that can be read.
        let all = steps.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
        let named = if steps.len() <= ROWS_MAX { all } else { names(steps.iter().copied()) };
        vec![cell(state), cell(why), cell(named)]
    });
    document.table(&["State", "Why", "Steps"], rows.collect());
    left_out(number, "reason", document);
}

fn outputs(report: &Report, document: &mut Document) {
    let all = report.steps.iter().flat_map(|step| step.outputs.iter().map(move |(name, it)| (step, name, it)));
    let mut rows: Vec<Vec<Cell>> = all
        .map(|(step, name, it)| {
            let bytes = step.outputs_cut.get(name).copied();
            vec![code(&step.id), code(name), code(value(it, bytes))]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    document.heading(2, "Outputs");
    let number = rows.len();
    rows.truncate(ROWS_MAX);
    document.table(&["Step", "Name", "Value"], rows);
    left_out(number, "output", document);
}

/// The headings of a post-mortem, for people. What a run knows stands above.
fn post_mortem(report: &Report, document: &mut Document) {
    if report.run.severity.is_none() && report.ending.state == "succeeded" {
        return;
    }
    document.heading(2, "Post-mortem");
    document.paragraph("To be written by people. The summary, the timeline and the durations stand above.");
    for (heading, what) in [
        ("Impact", "Who was affected and how: users, requests, money, services."),
        ("Root cause", "What caused it, and which facts show that."),
        ("Contributing factors", "What made it possible, likelier or worse."),
        ("Resolution", "What ended it, beside what this run did."),
        ("What went well", "What should stay as it is."),
        ("What could be improved", "In the platform, in this runbook, in how people were told."),
        ("Prevention", "What keeps it from happening again."),
    ] {
        document.heading(3, heading);
        document.left_to_people(what);
    }
    document.heading(3, "Action items");
    document.table(&["Action", "Owner", "Due"], vec![vec![cell(""), cell(""), cell("")]; 3]);
}

fn evidence(report: &Report, document: &mut Document) {
    let (run, evidence) = (&report.run, &report.evidence);
    document.heading(2, "Evidence");
    let sealed = if evidence.is_sealed { "sealed" } else { "not sealed" };
    document.table(
        &["Fact", "Value"],
        vec![
            vec![cell("Records"), cell(format!("{}, {sealed}", evidence.records))],
            vec![cell("Head, sha256 of the last line"), code(&evidence.head)],
            vec![cell("Plan, sha256"), code(&run.plan_digest)],
            vec![cell("Runbook file"), code(&run.file)],
            vec![cell("Reported (UTC)"), cell(for_people(&evidence.reported_at))],
        ],
    );
    document.paragraph(
        "Each record carries the hash of the one before. Whoever knows the head can tell whether any of them was changed; `verify` shows it too.",
    );
}

fn left_out(number: usize, one: &str, document: &mut Document) {
    if number > ROWS_MAX {
        document.paragraph(format!("… and {} more; the JSON has them.", count(number - ROWS_MAX, one)));
    }
}
