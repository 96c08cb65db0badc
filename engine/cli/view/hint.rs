//! The exact commands that a person can give next, such that pasting them works.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::QuestionStatus;

use super::text::visible_line;

/// An id is a time and randomness; so many letters are the time in milliseconds, which hardly ever is that of two runs.
const TIME_LETTERS: usize = 10;

/// Commands about one run.
#[derive(Clone, Debug)]
pub(crate) struct Hints {
    run: String,
    /// ` --state DIR` where a bare command would look elsewhere.
    state: String,
    /// Its owner, when that is somebody else.
    owner: Option<String>,
}

/// What any member of a group can do with a run of another.
const FOR_ALL: [&str; 6] = ["status", "attach", "approve", "reject", "answer", "cancel"];

impl Hints {
    /// About the run in a folder.
    pub(crate) fn of(folder: &RunFolder) -> Self {
        let runs = folder.path().parent().unwrap_or(Path::new("/"));
        let state = runs.parent().unwrap_or(Path::new("/"));
        let elsewhere = usual_state().is_none_or(|usual| usual != state);
        let flag = if elsewhere { format!(" --state {}", quoted(&state.display().to_string())) } else { String::new() };
        Self { run: shortest(runs, folder.id().as_str()), state: flag, owner: folder.other_owner() }
    }

    /// About the run that asks a question: this one, or a child run.
    pub(crate) fn of_asker(&self, question: &QuestionStatus) -> Self {
        let run = question.asker.as_ref().map_or_else(|| self.run.clone(), |asker| asker.run.clone());
        Self { run, ..self.clone() }
    }

    /// With a given id, in the usual state folder.
    #[cfg(test)]
    pub(crate) fn plain(run: &str) -> Self {
        Self { run: run.to_owned(), state: String::new(), owner: None }
    }

    /// The id of the run, as short as is safe.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Who alone can go on with the run, when that is somebody else.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// `runbook VERB RUN`, with what follows; as a comment to a shell, who alone can do that.
    pub(crate) fn command(&self, verb: &str, rest: &str) -> String {
        let rest = if rest.is_empty() { String::new() } else { format!(" {rest}") };
        let owner = self.owner.as_deref().filter(|_| !FOR_ALL.contains(&verb));
        let by = owner.map(|owner| format!("  # as {}", visible_line(owner))).unwrap_or_default();
        format!("runbook {verb} {}{rest}{}{by}", self.run, self.state)
    }
}

/// The state folder that a command without `--state` uses.
fn usual_state() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("RUNBOOK_STATE") {
        return std::path::absolute(path).ok();
    }
    let folders = etcetera::base_strategy::Xdg::new().ok()?;
    Some(folders.state_dir().unwrap_or_else(|| folders.home_dir().join(".local/state")).join("runbook"))
}

/// The shortest beginning of an id that no other run has, and none will have.
fn shortest(runs: &Path, id: &str) -> String {
    let others: Vec<String> = std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != id)
        .collect();
    let is_own = |length: &usize| others.iter().all(|other| !other.starts_with(&id[..*length]));
    let length = (TIME_LETTERS..id.len()).find(is_own).unwrap_or(id.len());
    id[..length].to_owned()
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::units::RunId;
    use runbook_runtime::folder::StateFolder;

    #[test]
    fn the_id_is_as_short_as_is_safe_and_the_state_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().join("my state"));
        let run = state.create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        let name = format!("'{}'", state.path().display());
        assert_eq!(Hints::of(&run).command("show", ""), format!("runbook show 01ARZ3NDEK --state {name}"));
        state.create_run(&RunId::new("01ARZ3NDEKTSV5RRFFQ69G5FAV")).unwrap();
        assert_eq!(Hints::of(&run).run(), "01ARZ3NDEKTSV4");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
