//! The plugins that the search path holds: where they are looked for, and their files as they were found.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use runbook_language::{FoundPlugin, Missing, PLUGIN_FILE, SourceFile, did_you_mean};
use runbook_plugins::{SHIPPED, Shipped};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::plugin::PluginFiles;

use crate::context::{Context, shown};
use crate::failure::Failure;

/// Where a plugin is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In the program itself.
    Shipped(&'static Shipped),
}

impl Place {
    /// The id by which it is used.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Folder(folder) => id_of(folder),
            Self::Shipped(shipped) => shipped.id,
        }
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => shown(folder),
            Self::Shipped(_) => "the program itself".to_owned(),
        }
    }
}

/// A plugin with all its files.
pub(crate) struct Shelved {
    /// What the language reads.
    pub(crate) found: FoundPlugin,
    /// All of it, for the run that uses it.
    pub(crate) files: PluginFiles,
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

/// All plugins of the search path, in the order in which they are looked for; those of the program itself last.
pub(crate) fn all_plugins(context: &Context) -> Result<Vec<Place>, Failure> {
    let folders = context.plugin_folders()?;
    let mut all: Vec<Place> = folders.iter().flat_map(|folder| plugins_in(folder)).map(Place::Folder).collect();
    all.extend(SHIPPED.iter().map(Place::Shipped));
    Ok(all)
}

/// All folders of plugins within a folder, in the order of their names.
fn plugins_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join(PLUGIN_FILE).is_file()).collect();
    found.sort();
    found
}

/// The plugin that a step names, by the path of its folder from a file or by its id.
pub(crate) fn find_plugin(name: &str, from: &Path, context: &Context) -> Result<Place, Missing> {
    if name.contains('/') {
        let folder = from.join(name);
        if folder.join(PLUGIN_FILE).is_file() {
            return Ok(Place::Folder(folder));
        }
        let message = format!("there is no {PLUGIN_FILE} in {}", folder.display());
        let help = Some("the path is from the file that names it; or name the id of a plugin".to_owned());
        return Err(Missing { message, help });
    }
    let all = all_plugins(context).map_err(|failure| {
        let (message, help) = failure.into_parts();
        Missing { message, help }
    })?;
    if let Some(found) = all.iter().find(|place| place.id() == name) {
        return Ok(found.clone());
    }
    let ids: Vec<&str> = all.iter().map(Place::id).collect();
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
pub(crate) fn read_plugin(place: &Place) -> Result<Shelved, String> {
    let (name, id, files) = match place {
        Place::Folder(folder) => {
            // However it is named, it is known by one name.
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            let files = PluginFiles::read(&folder).map_err(|error| error.to_string())?;
            (shown(&folder.join(PLUGIN_FILE)), id_of(&folder).to_owned(), files)
        }
        Place::Shipped(shipped) => {
            let name = format!("{}/{PLUGIN_FILE} of the program itself", shipped.id);
            (name, shipped.id.to_owned(), PluginFiles::one(PLUGIN_FILE, shipped.yaml))
        }
    };
    let text = files.text(PLUGIN_FILE).ok_or_else(|| format!("it has no `{PLUGIN_FILE}` that can be read"))?;
    let file = SourceFile::new(name, text);
    let names = files.names().map(|(name, runs)| (name.to_owned(), runs)).collect();
    let found = FoundPlugin { file, folder: id, digest: files.digest(), files: names };
    Ok(Shelved { found, files })
}
