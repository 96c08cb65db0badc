//! The runbooks and environments that the search path holds.

use std::path::{Path, PathBuf};

use runbook_language::{
    Environment, FoundPlugin, Library, Missing, PROJECT_FILE, Peek, SourceFile, did_you_mean, load_environment, peek,
};
use runbook_runtime::exit_code::ExitCode;

use crate::context::{Context, invalid, read_source, shown};
use crate::failure::Failure;
use crate::plugins::{find_plugin, read_plugin};

/// A file of the search path that is, or may be, a runbook.
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) file: PathBuf,
    /// What it says about itself; none when it cannot be read at all.
    pub(crate) about: Option<Peek>,
}

impl Entry {
    /// The id of the runbook: what the file says, or where that cannot be read, its name.
    pub(crate) fn id(&self) -> Option<&str> {
        match &self.about {
            Some(about) => about.id.as_deref(),
            None => self.file.file_stem().and_then(|stem| stem.to_str()),
        }
    }
}

/// All runbooks of a folder and the folders below, in the order of their paths, and all files that cannot be read.
pub(crate) fn runbooks_in(folder: &Path) -> Vec<Entry> {
    let entry = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).ok();
        let about = text.as_deref().and_then(peek);
        let is_runbook = match (&about, &text) {
            (Some(about), _) => about.schema.as_deref() == Some("runbook/v1"),
            (None, Some(text)) => is_meant_as("runbook/", text),
            (None, None) => true,
        };
        is_runbook.then_some(Entry { file, about })
    };
    documents(folder).into_iter().filter_map(entry).collect()
}

/// Whether a text that cannot be read as YAML is meant as a document of a kind: a folder may hold templates of others.
pub(crate) fn is_meant_as(kind: &str, text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    lines.any(|line| line.strip_prefix("schema:").is_some_and(|schema| schema.contains(kind)))
}

/// All YAML files below a folder, in order; hidden ones are passed over.
pub(crate) fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            // Links are not followed into folders: one to a folder above would never end.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !is_hidden {
                left.push(path);
            } else if !is_hidden && is_yaml(&path) && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

/// A file as it is named; else the one runbook with that id in the search path.
pub(crate) fn find_runbook(text: &str, context: &Context) -> Result<PathBuf, Failure> {
    let as_file = Path::new(text);
    if as_file.is_file() {
        return std::path::absolute(as_file).map_err(|error| Failure::new(ExitCode::Internal, error));
    }
    if text.contains('/') || is_yaml(as_file) {
        let what = if as_file.is_dir() { "is a folder" } else { "is not there" };
        return Err(Failure::new(ExitCode::Usage, format!("the file {text} {what}"))
            .hint("name a file, or the id of a runbook that `runbook list` shows"));
    }
    find_runbook_by_id(text, context)
}

/// The one runbook with an id in the search path.
fn find_runbook_by_id(text: &str, context: &Context) -> Result<PathBuf, Failure> {
    let folders = context.runbook_folders()?;
    let mut ids = vec![];
    for folder in &folders {
        let entries = runbooks_in(folder);
        let mut found: Vec<&Entry> = entries.iter().filter(|entry| entry.id() == Some(text)).collect();
        if found.len() > 1 {
            let files: Vec<String> = found.iter().map(|entry| shown(&entry.file)).collect();
            let message = format!("several files are the runbook `{text}`: {}", files.join(", "));
            return Err(Failure::new(ExitCode::Invalid, message).hint("name the file, or give each its own id"));
        }
        if let Some(entry) = found.pop() {
            return std::path::absolute(&entry.file).map_err(|error| Failure::new(ExitCode::Internal, error));
        }
        ids.extend(entries.iter().filter_map(|entry| entry.id().map(str::to_owned)));
    }
    let hint = did_you_mean(text, &ids).unwrap_or_else(|| match ids.is_empty() {
        true => nowhere(context),
        false => "`runbook list` shows those there are; or name a file, or its folder with `--runbooks DIR`".to_owned(),
    });
    Err(Failure::new(ExitCode::Usage, format!("no runbook `{text}` in {}", all_shown(&folders))).hint(hint))
}

/// What to do where no runbook is found at all: often the present folder is not within the project.
pub(crate) fn nowhere(context: &Context) -> String {
    let ways = "name a file, or a folder of runbooks with `--runbooks DIR`";
    match context.project_file() {
        Ok(None) => format!("there is no `{PROJECT_FILE}` here or above; go to the folder of your project, {ways}"),
        _ => ways.to_owned(),
    }
}

/// Finds the runbooks that steps name: by a path from the file that names it, else by its id in the search path.
pub(crate) struct Shelves<'c>(pub(crate) &'c Context);

impl Library for Shelves<'_> {
    fn find(&self, name: &str, from: &SourceFile) -> Result<SourceFile, Missing> {
        let file = if name.contains('/') || is_yaml(Path::new(name)) {
            let file = Path::new(from.name()).parent().unwrap_or(Path::new("")).join(name);
            if !file.is_file() {
                let message = format!("there is no file {}", file.display());
                let help = Some("the path is from the file that names it; or name the id of a runbook".to_owned());
                return Err(Missing { message, help });
            }
            file
        } else {
            find_runbook_by_id(name, self.0).map_err(missing)?
        };
        // However it is named, it is known by one name.
        let file = file.canonicalize().unwrap_or(file);
        read_source(&file).map_err(missing)
    }

    fn plugin(&self, name: &str, from: &SourceFile) -> Result<FoundPlugin, Missing> {
        let beside = Path::new(from.name()).parent().unwrap_or(Path::new(""));
        let folder = find_plugin(name, beside, self.0)?;
        let plugin = read_plugin(&folder).map_err(|message| Missing { message, help: None })?;
        self.0.keep_plugin(plugin.files);
        Ok(plugin.found)
    }
}

fn missing(failure: Failure) -> Missing {
    let (message, help) = failure.into_parts();
    Missing { message, help }
}

/// The environment that is named, or that of the project; with its file.
pub(crate) fn find_environment(
    name: Option<&str>,
    context: &Context,
) -> Result<Option<(PathBuf, Environment)>, Failure> {
    let (_, project) = context.project()?;
    let Some(name) = name.or(project.environment.as_deref()) else { return Ok(None) };
    let folders = context.environment_folders()?;
    let files = environments_in(&folders);
    let Some(file) = files.iter().find(|file| stem(file) == name) else {
        let hint = did_you_mean(name, files.iter().map(|file| stem(file))).unwrap_or_else(|| {
            match files.iter().map(|file| format!("`{}`", stem(file))).collect::<Vec<_>>() {
                names if names.is_empty() => "environments lie in `environments/` beside the runbooks".to_owned(),
                names => format!("there are {}", names.join(", ")),
            }
        });
        let message = format!("no environment `{name}` in {}", all_shown(&folders));
        return Err(Failure::new(ExitCode::Usage, message).hint(hint));
    };
    let file = std::path::absolute(file).map_err(|error| Failure::new(ExitCode::Internal, error))?;
    let environment = load_environment(&read_source(&file)?).map_err(|found| invalid(&found))?;
    Ok(Some((file, environment)))
}

/// The files of environments, those of each folder in the order of their names.
fn environments_in(folders: &[PathBuf]) -> Vec<PathBuf> {
    let of_folder = |folder: &PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "yaml") && path.is_file()).collect();
        files.sort();
        files
    };
    folders.iter().flat_map(of_folder).collect()
}

fn stem(file: &Path) -> &str {
    file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn all_shown(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| shown(folder)).collect::<Vec<_>>().join(", ")
}
