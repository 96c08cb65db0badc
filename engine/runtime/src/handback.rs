//! What a script hands back through `$RUNBOOK_OUTPUT`: `name=value` lines, or the heredoc form for more than a line.
//!
//! ```text
//! version=1.4.2
//! notes<<END
//! two
//! lines
//! END
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;

use crate::regular;

/// The most that one attempt may hand back, in bytes: it goes into the journal.
pub(crate) const BYTES_MAX: u64 = 1 << 20;

/// Reads what an attempt handed back; nothing when it wrote no file.
///
/// # Errors
/// A sentence that says what is wrong with the file, and where.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, Value>, String> {
    parse(&text(path)?)
}

/// The same of an attempt that may have been cut off while it wrote: only a file whose last line has its end counts.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_whole(path: &Path) -> Result<BTreeMap<String, Value>, String> {
    let text = text(path)?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line of $RUNBOOK_OUTPUT has no end".to_owned());
    }
    parse(&text)
}

fn text(path: &Path) -> Result<String, String> {
    let file = match regular::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file.map_err(|error| format!("cannot read $RUNBOOK_OUTPUT: {error}"))?,
    };
    let mut text = String::new();
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read $RUNBOOK_OUTPUT: {error}"))?;
    if text.len() as u64 > BYTES_MAX {
        return Err("$RUNBOOK_OUTPUT holds more than 1 MiB".to_owned());
    }
    Ok(text)
}

fn parse(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let equals = line.find('=');
        let heredoc = line.find("<<").filter(|at| equals.is_none_or(|equals| *at < equals));
        let (name, value) = match (heredoc, equals) {
            (Some(at), _) => {
                let end = line[at + 2..].trim();
                if end.is_empty() {
                    return Err(format!("line {number} of $RUNBOOK_OUTPUT has no word after `<<`"));
                }
                let mut body: Vec<&str> = vec![];
                loop {
                    match lines.next() {
                        Some((line, _)) if line == end => break,
                        Some((line, _)) => body.push(line),
                        None => return Err(format!("`{end}` of line {number} of $RUNBOOK_OUTPUT never comes")),
                    }
                }
                (&line[..at], body.join("\n"))
            }
            (None, Some(at)) => (&line[..at], line[at + 1..].to_owned()),
            (None, None) => return Err(format!("line {number} of $RUNBOOK_OUTPUT is not `name=value`")),
        };
        let name = name.trim();
        if !is_name(name) {
            return Err(format!("line {number} of $RUNBOOK_OUTPUT: `{name}` is not a name such as `new_version`"));
        }
        found.insert(name.to_owned(), Value::String(value));
    }
    Ok(found)
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_heredocs_are_read() {
        let found = parse("a=1\n\nb=x=y \nc<<END\none\n two=2\nEND\na=again\n").unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        assert_eq!([text("a"), text("b"), text("c")], ["again", "x=y ", "one\n two=2"]);
        assert_eq!(parse("q=a << b").unwrap()["q"], "a << b");
    }

    #[test]
    fn what_is_neither_is_refused_with_its_line() {
        for (text, part) in [
            ("a=1\nnonsense", "line 2"),
            ("a<<END\nx", "never comes"),
            ("a<<", "no word"),
            ("A=1", "`A` is not a name"),
            ("=1", "`` is not a name"),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn too_much_is_refused_and_nothing_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out");
        assert_eq!(read(&file), Ok(BTreeMap::new()));
        std::fs::write(&file, format!("a={}", "x".repeat(1 << 20))).unwrap();
        assert!(read(&file).unwrap_err().contains("more than 1 MiB"));
        assert!(read_whole(&file).unwrap_err().contains("more than 1 MiB"));
    }

    #[test]
    fn what_was_cut_off_counts_only_when_the_command_lived_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out");
        assert_eq!(read_whole(&file), Ok(BTreeMap::new()));
        std::fs::write(&file, "a=1\nb=2").unwrap();
        assert_eq!(read(&file).unwrap().len(), 2);
        assert!(read_whole(&file).unwrap_err().contains("no end"));
        std::fs::write(&file, "a=1\nb<<END\nx\n").unwrap();
        assert!(read_whole(&file).unwrap_err().contains("never comes"));
        std::fs::write(&file, "a=1\nb=2\n").unwrap();
        assert_eq!(read_whole(&file).unwrap().len(), 2);
    }

    #[test]
    fn a_pipe_or_a_link_in_its_place_is_refused_and_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(read(&pipe).unwrap_err().contains("not a regular file"));
        assert!(read(&link).unwrap_err().contains("cannot read $RUNBOOK_OUTPUT"));
    }
}
