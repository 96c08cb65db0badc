//! `incident-report`: the skeleton of a post-mortem in Markdown.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use runbook_plugin_protocol::Level;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::session::{Failed, Outcome, Session, object};

/// What stands where a person is to write.
const OPEN: &str = "_To be written._";

#[derive(Deserialize)]
struct Inputs {
    file: String,
    title: String,
    severity: String,
    incident: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    summary: Option<String>,
    impact: Option<String>,
    #[serde(default)]
    timeline: Vec<Entry>,
    root_cause: Option<String>,
    resolution: Option<String>,
    #[serde(default)]
    action_items: Vec<String>,
    #[serde(default)]
    overwrite: bool,
}

#[derive(Deserialize)]
struct Entry {
    at: String,
    text: String,
    author: Option<String>,
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let path = Path::new(&inputs.file);
    let failed = |error: io::Error| Failed::new(format!("cannot write {}: {error}", inputs.file));
    match fs::read_to_string(path) {
        Ok(there) => match stands(&there, session.run()) {
            Stands::AsWritten => {}
            Stands::FilledIn => {
                session
                    .log(Level::Info, "this run has written the report already, and somebody filled it in: it stays");
                return Ok(outputs(&inputs, path));
            }
            Stands::OfOthers if inputs.overwrite => {}
            Stands::OfOthers => {
                return Err(Failed::new(format!("there is a {} already: `overwrite: true` replaces it", inputs.file)));
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // What is no text may be replaced where that is wanted.
        Err(_) if inputs.overwrite => {}
        Err(error) => return Err(failed(error)),
    }
    let text = report(&inputs, session)?;
    write(path, &format!("{text}\n{}\n", mark(&text, session.run()))).map_err(failed)?;
    Ok(outputs(&inputs, path))
}

/// How the report that is there came to be.
enum Stands {
    /// This run wrote it, and nobody touched it: it may be written anew, when the run has more to tell.
    AsWritten,
    /// This run wrote it, and somebody wrote on.
    FilledIn,
    OfOthers,
}

fn stands(there: &str, run: &str) -> Stands {
    let Some((text, last)) = there.trim_end().rsplit_once('\n') else { return Stands::OfOthers };
    if last == mark(text, run) {
        return Stands::AsWritten;
    }
    if there.contains(&mark_of(run)) { Stands::FilledIn } else { Stands::OfOthers }
}

/// The last line of a report: who wrote it, and the digest of what stood before it.
fn mark(text: &str, run: &str) -> String {
    let sha256 = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("{} sha256 {} -->", mark_of(run), data_encoding::HEXLOWER.encode(sha256.as_ref()))
}

fn mark_of(run: &str) -> String {
    format!("<!-- run {}", run.replace("--", "- -"))
}

fn outputs(inputs: &Inputs, path: &Path) -> serde_json::Map<String, Value> {
    let full = fs::canonicalize(path).map_or_else(|_| inputs.file.clone(), |path| path.display().to_string());
    object(json!({"file": full}))
}

/// Writes it whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().permissions(readable()).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

/// A report is there to be read; what the umask takes away stays away.
fn readable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

fn report(inputs: &Inputs, session: &Session<'_>) -> Result<String, Failed> {
    let mut lines = vec![format!("# Post-mortem: {}", one_line(&inputs.title)), String::new()];
    lines.extend(["## Summary".to_owned(), String::new()]);
    if let Some(incident) = &inputs.incident {
        lines.push(format!("- Incident: {}", one_line(incident)));
    }
    lines.push(format!("- Severity: {}", one_line(&inputs.severity)));
    let time = |name: &str, text: &Option<String>| -> Result<Option<Timestamp>, Failed> {
        let read = |text: &String| text.parse::<Timestamp>();
        text.as_ref().map(read).transpose().map_err(|error| Failed::new(format!("`{name}`: {error}")))
    };
    let (from, until) = (time("started_at", &inputs.started_at)?, time("ended_at", &inputs.ended_at)?);
    lines.extend(from.map(|from| format!("- Started: {from:.0}")));
    lines.extend(until.map(|until| format!("- Ended: {until:.0}")));
    if let (Some(from), Some(until)) = (from, until) {
        let minutes = until.duration_since(from).as_secs() / 60;
        lines.push(format!("- Duration: {} h {} min", minutes / 60, minutes % 60));
    }
    lines.push(format!("- Run: {}", session.run()));
    lines.extend([String::new(), paragraph(&inputs.summary)]);
    lines.extend(section("Impact", paragraph(&inputs.impact)));
    let entries = inputs.timeline.iter().map(|it| {
        let author = it.author.iter().map(|author| format!(" ({})", one_line(author))).collect::<String>();
        format!("- {}{author}: {}", one_line(&it.at), one_line(&it.text))
    });
    lines.extend(section("Timeline", list(entries.collect())));
    lines.extend(section("Root cause", paragraph(&inputs.root_cause)));
    lines.extend(section("Resolution", paragraph(&inputs.resolution)));
    let items = inputs.action_items.iter().map(|item| format!("- [ ] {}", one_line(item)));
    lines.extend(section("Action items", list(items.collect())));
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn section(head: &str, text: String) -> [String; 4] {
    [String::new(), format!("## {head}"), String::new(), text]
}

/// What is given, as text: a value makes no heading, link or markup.
fn paragraph(text: &Option<String>) -> String {
    let Some(text) = text.as_ref().filter(|text| !text.trim().is_empty()) else { return OPEN.to_owned() };
    text.trim().lines().map(|line| escaped(line.trim())).collect::<Vec<_>>().join("\n")
}

fn list(lines: Vec<String>) -> String {
    if lines.is_empty() { OPEN.to_owned() } else { lines.join("\n") }
}

fn one_line(text: &str) -> String {
    escaped(text.split_whitespace().collect::<Vec<_>>().join(" ").as_str())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for (at, letter) in text.char_indices() {
        let begins_a_list = at == 0 && matches!(letter, '-' | '+' | '=');
        let ends_a_number = matches!(letter, '.' | ')') && at > 0 && text[..at].bytes().all(|it| it.is_ascii_digit());
        if begins_a_list
            || ends_a_number
            || matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&')
        {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
