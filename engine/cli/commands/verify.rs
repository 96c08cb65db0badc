//! `runbook verify`: whether a record is as it was written.

use std::path::{Path, PathBuf};

use runbook_journal::{Examined, Finding, RECORD, examine};
use runbook_runtime::bundle::{self, Opened, Packed};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::record;
use runbook_runtime::signing::{self, PublicKey};
use runbook_runtime::status::state_of;
use serde::Serialize;

use super::validate::Format;
use crate::context::{Context, shown};
use crate::failure::Failure;
use crate::output;
use crate::view::paint::Paint;
use crate::view::text::{count, visible_line};

/// Checks that the records of runs are whole and as they were written
///
/// A record is one line for each decision, chained by hashes, with a seal at its end. What is checked: that each line can be
/// read and has exactly the bytes that would be written for it, its number, the chain, the seals, the digest of the plan, and
/// that a run can have gone so. Every line that is wrong is named. A run that has not ended is `not sealed`.
///
/// A FILE, a record or a bundle (`runbook bundle`), needs no state folder: verify it wherever it was taken. All records of
/// a bundle are verified, those of child runs too. Exit codes: 0 when nothing is wrong, 1 when something
/// is, 8 when an engine has the run now.
///
/// What this cannot prove: that nobody wrote the whole file anew and chained it anew. For that, keep the `head` that is
/// printed elsewhere, or sign records (`runbook seal --help`) and give the public key.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook verify last\n  runbook verify record.jsonl\n  \
    runbook verify record.jsonl --key key.pub\n  runbook verify incident-42.tar.gz\n  runbook verify 01KB3 01KB4 --output json\n\n\
    JSON: one object with `valid` and `records`, each with `name`, `valid`, `run`, `runbook`, `state`, `lines`, `segments`\n\
    (how many are sealed), `head` (the hash of the last line), `signatures`, each with `segment` and `verified` (null without\n\
    `--key`), and `findings`, each with `line` (from 1; null of a bundle), `kind` and `message`.")]
pub(crate) struct Args {
    /// Runs (an id, the beginning of one, or `last`) or files
    #[arg(required = true, value_name = "RUN|FILE")]
    records: Vec<String>,
    /// The public key, as PEM, that the end of each record must be signed with
    #[arg(long, value_name = "PUBLIC")]
    key: Option<PathBuf>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

#[derive(Serialize)]
struct Report {
    valid: bool,
    records: Vec<Verified>,
}

/// One record.
#[derive(Clone, Default, Serialize)]
struct Verified {
    name: String,
    valid: bool,
    run: Option<String>,
    runbook: Option<String>,
    state: Option<&'static str>,
    lines: u64,
    segments: usize,
    head: String,
    signatures: Vec<Signature>,
    findings: Vec<Told>,
}

/// A signature beside a record.
#[derive(Clone, Serialize)]
struct Signature {
    segment: usize,
    verified: Option<bool>,
}

/// One thing that is wrong.
#[derive(Clone, Serialize)]
struct Told {
    /// None of a bundle as such.
    line: Option<u64>,
    kind: &'static str,
    message: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let key = args.key.as_deref().map(PublicKey::read).transpose()?;
    let one = |name: &String| verified(name, key.as_ref(), context);
    let records: Vec<Verified> = args.records.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat();
    let report = Report { valid: records.iter().all(|record| record.valid), records };
    match args.output {
        Format::Json => output::json(&report),
        Format::Text => report.records.iter().for_each(|record| print(record, Paint::stdout())),
    }
    Ok(if report.valid { ExitCode::Succeeded } else { ExitCode::Failed })
}

/// A record, or all records of a bundle.
fn verified(name: &str, key: Option<&PublicKey>, context: &Context) -> Result<Vec<Verified>, Failure> {
    let file = Path::new(name);
    if file.is_file() {
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::new(ExitCode::Usage, format!("cannot read {}: {error}", file.display())))?;
        if bundle::is_bundle(&bytes) {
            return Ok(unpacked(&shown(file), &bytes, key));
        }
        return Ok(vec![told(shown(file), &beside(file), &bytes, key)]);
    }
    let folder = context.find_run(name).map_err(|failure| failure.also("a file is named by its path"))?;
    let id = folder.id().to_string();
    match record::read(&folder) {
        Ok(bytes) => Ok(vec![told(id, &beside(&folder.path().join(RECORD)), &bytes, key)]),
        Err(error) => {
            let why = format!("run {id} cannot be verified now: its record is sealed when it has ended");
            Err(Failure::from(error).also(why))
        }
    }
}

/// Gives the signature of a segment, where there is one.
type Signed<'a> = dyn Fn(usize) -> Option<Vec<u8>> + 'a;

/// The signatures that lie beside a record.
fn beside(record: &Path) -> Box<Signed<'_>> {
    Box::new(move |segment| std::fs::read(signing::signature_file(record, segment)).ok())
}

/// A bundle: what is wrong with it comes before what is wrong with the records in it, that of the run itself first.
fn unpacked(name: &str, bytes: &[u8], key: Option<&PublicKey>) -> Vec<Verified> {
    let Opened { run, children, findings } = bundle::open(bytes);
    let children = children.iter().map(|(id, packed)| of_bundle(format!("{name}: child run {id}"), packed, key));
    let mut records: Vec<Verified> = std::iter::once(of_bundle(name.to_owned(), &run, key)).chain(children).collect();
    if let Some(first) = records.first_mut().filter(|_| !findings.is_empty()) {
        let findings = findings.into_iter().map(|message| Told { line: None, kind: "bundle", message });
        first.findings.splice(0..0, findings);
        first.valid = false;
    }
    records
}

fn of_bundle(name: String, packed: &Packed, key: Option<&PublicKey>) -> Verified {
    let file = |segment| signing::signature_file(Path::new(RECORD), segment).display().to_string();
    match &packed.record {
        Some(record) => told(name, &|segment| packed.signatures.get(&file(segment)).cloned(), record, key),
        None => {
            let message = "it holds no record: the run had not ended".to_owned();
            let findings = vec![Told { line: None, kind: "not_sealed", message }];
            Verified { name, findings, ..Verified::default() }
        }
    }
}

fn told(name: String, signed: &Signed<'_>, bytes: &[u8], key: Option<&PublicKey>) -> Verified {
    let Examined { findings, lines, seals, head, run } = examine(bytes);
    let created = run.created();
    let one = |finding: Finding| Told {
        line: Some(finding.line),
        kind: finding.wrong.word(),
        message: finding.wrong.to_string(),
    };
    let mut findings: Vec<Told> = findings.into_iter().map(one).collect();
    let signatures = signatures(signed, bytes, &seals, key, &mut findings);
    Verified {
        name,
        valid: findings.is_empty(),
        run: created.map(|created| created.run.to_string()),
        runbook: created.map(|created| created.plan.about.id.clone()),
        state: created.map(|_| state_of(&run)),
        lines,
        segments: seals.len(),
        head: head.to_string(),
        signatures,
        findings,
    }
}

/// Verifies the signatures beside a record. With a key, the last seal must be signed, and no signature may be wrong.
fn signatures(
    signed: &Signed<'_>,
    bytes: &[u8],
    seals: &[u64],
    key: Option<&PublicKey>,
    findings: &mut Vec<Told>,
) -> Vec<Signature> {
    let mut found = vec![];
    for (segment, line) in (1..).zip(seals.iter().copied()) {
        let signature = signed(segment);
        let verified = signature.as_ref().zip(key).map(|(it, key)| key.verifies(signing::up_to_line(bytes, line), it));
        let is_missing = key.is_some() && signature.is_none() && segment == seals.len();
        let message = match verified {
            Some(false) => format!("segment {segment} is not what was signed, or was signed with another key"),
            _ if is_missing => format!("segment {segment} is not signed"),
            _ => String::new(),
        };
        if !message.is_empty() {
            findings.push(Told { line: Some(line), kind: "signature", message });
        }
        if signature.is_some() {
            found.push(Signature { segment, verified });
        }
    }
    found
}

fn print(record: &Verified, paint: Paint) {
    let name = visible_line(&record.name);
    let what = match (&record.run, &record.runbook, record.state) {
        (Some(run), Some(runbook), Some(state)) => {
            format!("run {} of `{}`, {}", visible_line(run), visible_line(runbook), state.replace('_', " "))
        }
        _ => "no run to be read".to_owned(),
    };
    let lines = count(usize::try_from(record.lines).unwrap_or(usize::MAX), "line");
    let mark = if record.valid { "✓" } else { "✗" };
    output::line(paint.bold(&format!("{mark} {name}: {what}; {lines}, {} sealed", count(record.segments, "segment"))));
    for finding in &record.findings {
        let place = finding.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        output::line(format!("  {place}{}", visible_line(&finding.message)));
    }
    for Signature { segment, verified } in &record.signatures {
        match verified {
            Some(true) => output::line(format!("  segment {segment} is signed with this key")),
            // Told among the findings.
            Some(false) => {}
            None => output::line(format!("  segment {segment} is signed; `--key PUBLIC` verifies the signature")),
        }
    }
    if !record.head.is_empty() {
        output::line(format!("  head: sha256 {}", record.head));
    }
}
