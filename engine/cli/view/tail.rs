//! The ends of logs, read without reading the logs.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use runbook_runtime::folder::RunFolder;

use super::text::log_line;

/// Enough for the last line of most programs, and read in no time.
const LAST_LINE_BYTES: u64 = 1024;
/// Enough for the last lines of a failure.
const LAST_LINES_BYTES: u64 = 16 * 1024;

/// The last lines of a log, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its last lines, harmless.
    pub(crate) lines: Vec<String>,
}

/// The last line that an attempt wrote, to whichever stream it wrote last.
pub(crate) fn last_line(folder: &RunFolder, log: &str) -> Option<String> {
    let streams = ["out", "err"].map(|stream| folder.log(log, stream));
    let written = |path: &PathBuf| path.metadata().ok().filter(|it| it.len() > 0).and_then(|it| it.modified().ok());
    let mut streams: Vec<_> = streams.into_iter().filter_map(|path| Some((written(&path)?, path))).collect();
    streams.sort();
    streams.iter().rev().find_map(|(_, path)| last_lines(path, 1, LAST_LINE_BYTES).ok()?.pop())
}

/// The last lines that explain a failure: of standard error, or of standard output where nothing was written there.
pub(crate) fn of_failure(folder: &RunFolder, log: &str, count: usize) -> Option<Tail> {
    ["err", "out"].into_iter().find_map(|stream| {
        let path = folder.log(log, stream);
        let lines = last_lines(&path, count, LAST_LINES_BYTES).ok()?;
        (!lines.is_empty()).then_some(Tail { path, lines })
    })
}

/// The log of the last attempt to undo a step.
pub(crate) fn undo_log(folder: &RunFolder, step: &str) -> Option<String> {
    let prefix = format!("{step}.undo.");
    let number = |name: String| name.strip_prefix(&prefix)?.split('.').next()?.parse::<u32>().ok();
    let names = std::fs::read_dir(folder.logs()).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(number).max().map(|number| format!("{prefix}{number}"))
}

/// The last lines of a file that say something, of which only the last bytes are read.
fn last_lines(path: &Path, count: usize, bytes: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(bytes);
    file.seek(SeekFrom::Start(from))?;
    let mut read = vec![];
    file.take(bytes).read_to_end(&mut read)?;
    let text = String::from_utf8_lossy(&read);
    // What lies before the first line end may be half a line; shown all the same when there is nothing else.
    let text = match text.split_once('\n') {
        Some((_, rest)) if from > 0 && !rest.trim().is_empty() => rest.to_owned(),
        _ => text.into_owned(),
    };
    let mut lines: Vec<String> = text.lines().rev().map(log_line).filter(|line| !line.is_empty()).take(count).collect();
    lines.reverse();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::units::RunId;
    use runbook_runtime::folder::StateFolder;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        let run = StateFolder::new(folder.path()).create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        (folder, run)
    }

    #[test]
    fn only_the_end_of_a_large_log_is_shown_and_made_harmless() {
        let (_folder, run) = run();
        let mut text = "x".repeat(200_000);
        text.push_str("\nsecond\n\x1b[31mlast\x1b[0m\x07\n\n");
        std::fs::write(run.log("a.1", "out"), text).unwrap();
        assert_eq!(last_line(&run, "a.1").unwrap(), "last");
        assert_eq!(of_failure(&run, "a.1", 5).unwrap().lines, ["second", "last"]);
        std::fs::write(run.log("a.1", "err"), "why").unwrap();
        assert_eq!(of_failure(&run, "a.1", 5).unwrap().lines, ["why"]);
    }

    #[test]
    fn one_endless_line_shows_its_end() {
        let (_folder, run) = run();
        std::fs::write(run.log("a.1", "out"), "y".repeat(5_000)).unwrap();
        assert_eq!(last_line(&run, "a.1").unwrap().len(), 1024);
        assert_eq!(last_line(&run, "b.1"), None);
    }

    #[test]
    fn the_last_undo_is_found_by_number() {
        let (_folder, run) = run();
        for name in ["a.undo.2.out", "a.undo.10.err", "a.1.out", "ab.undo.11.out"] {
            std::fs::write(run.logs().join(name), "").unwrap();
        }
        assert_eq!(undo_log(&run, "a").unwrap(), "a.undo.10");
        assert_eq!(undo_log(&run, "c"), None);
    }
}
