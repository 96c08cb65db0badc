//! The plugins that the search path holds: where they are looked for, and their files as they were found.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use runbook_language::{FoundPlugin, Missing, PLUGIN_FILE, SourceFile, did_you_mean};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::plugin::PluginFiles;

use crate::context::{Context, shown};
use crate::failure::Failure;

/// A plugin with all its files.
pub(crate) struct Shelved {
    /// What the language reads.
    pub(crate) found: FoundPlugin,
    /// All of it, for the run that uses it.
    pub(crate) files: PluginFiles,
    /// Where it is.
    pub(crate) folder: PathBuf,
}

impl Context {
    /// The folders in which plugins are looked for, in order.
    pub(crate) fn plugin_folders(&self) -> Result<Vec<PathBuf>, Failure> {
        if let Some(folder) = self.given_plugins().iter().find(|folder| !folder.is_dir()) {
            return Err(Failure::new(ExitCode::Usage, format!("there is no folder {}", folder.display())));
        }
        let (folder, project) = self.project()?;
        let mut folders = self.given_plugins().to_vec();
        folders.extend(project.plugins.iter().map(|one| folder.join(one)));
        folders.push(folder.join("plugins"));
        // Without a home there is nothing of the user's own.
        if let Ok(user) = etcetera::base_strategy::Xdg::new() {
            folders.push(user.data_dir().join("runbook/plugins"));
        }
        let mut seen = std::collections::BTreeSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        Ok(folders)
    }
}

/// All folders of plugins within a folder, in the order of their names.
pub(crate) fn plugins_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join(PLUGIN_FILE).is_file()).collect();
    found.sort();
    found
}

/// The folder of the plugin that a step names, by its path from a file or by its id.
pub(crate) fn find_plugin(name: &str, from: &Path, context: &Context) -> Result<PathBuf, Missing> {
    if name.contains('/') {
        let folder = from.join(name);
        if folder.join(PLUGIN_FILE).is_file() {
            return Ok(folder);
        }
        let message = format!("there is no {PLUGIN_FILE} in {}", folder.display());
        let help = Some("the path is from the file that names it; or name the id of a plugin".to_owned());
        return Err(Missing { message, help });
    }
    let folders = context.plugin_folders().map_err(|failure| {
        let (message, help) = failure.into_parts();
        Missing { message, help }
    })?;
    let all: Vec<PathBuf> = folders.iter().flat_map(|folder| plugins_in(folder)).collect();
    if let Some(found) = all.iter().find(|folder| id_of(folder) == name) {
        return Ok(found.clone());
    }
    let ids: Vec<&str> = all.iter().map(|folder| id_of(folder)).collect();
    let help = did_you_mean(name, &ids).unwrap_or_else(|| {
        "`runbook plugins` shows those there are; or name a folder such as `./plugins/name`, or the folder of \
         several with `--plugins DIR`"
            .to_owned()
    });
    Err(Missing { message: format!("there is no plugin `{name}`"), help: Some(help) })
}

fn id_of(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Reads a plugin with all its files.
pub(crate) fn read_plugin(folder: &Path) -> Result<Shelved, String> {
    // However it is named, it is known by one name.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let files = PluginFiles::read(&folder).map_err(|error| error.to_string())?;
    let text = files.text(PLUGIN_FILE).ok_or_else(|| format!("it has no `{PLUGIN_FILE}` that can be read"))?;
    let file = SourceFile::new(shown(&folder.join(PLUGIN_FILE)), text);
    let names = files.names().map(|(name, runs)| (name.to_owned(), runs)).collect();
    let found = FoundPlugin { file, folder: id_of(&folder).to_owned(), digest: files.digest(), files: names };
    Ok(Shelved { found, files, folder })
}
