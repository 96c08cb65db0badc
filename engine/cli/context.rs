//! What every command may need: the state folder, the project file, the search path of runbooks and environments.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use runbook_core::units::Digest;
use runbook_language::{Diagnostics, Look, PROJECT_FILE, Project, Severity, SourceFile, parse_project};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::{RunFolder, StateFolder};
use runbook_runtime::plugin::PluginFiles;

use crate::failure::Failure;
use crate::view::hint::Hints;

/// Options of every command.
#[derive(clap::Args)]
pub(crate) struct Global {
    /// The folder that keeps the runs [default: the `runbook` folder in the XDG state folder]
    #[arg(long, global = true, value_name = "DIR", env = "RUNBOOK_STATE")]
    state: Option<PathBuf>,
    /// A folder to look for runbooks in, before those of `runbook.toml`; may be given more than once
    #[arg(long, global = true, value_name = "DIR")]
    runbooks: Vec<PathBuf>,
    /// A folder to look for plugins in, before those of `runbook.toml`; may be given more than once
    #[arg(long, global = true, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// The folder of the locks of this machine [default: that of `runbook.toml`, or /run/lock]
    #[arg(long, global = true, value_name = "DIR", env = "RUNBOOK_LOCKS")]
    locks: Option<PathBuf>,
}

/// What every command may need.
pub(crate) struct Context {
    global: Global,
    project: OnceCell<(PathBuf, Project)>,
    used: RefCell<BTreeMap<Digest, PluginFiles>>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        Self { global, project: OnceCell::new(), used: RefCell::new(BTreeMap::new()) }
    }

    /// The state folder.
    pub(crate) fn state(&self) -> Result<StateFolder, Failure> {
        if let Some(path) = &self.global.state {
            let path = std::path::absolute(path).map_err(|error| Failure::new(ExitCode::Internal, error))?;
            return Ok(StateFolder::new(path));
        }
        let folders = etcetera::base_strategy::Xdg::new();
        let folders = folders.map_err(|error| {
            Failure::new(ExitCode::Precondition, format!("there is no home folder: {error}"))
                .hint("name the state folder with `--state DIR` or `RUNBOOK_STATE`")
        })?;
        let state = folders.state_dir().unwrap_or_else(|| folders.home_dir().join(".local/state"));
        Ok(StateFolder::new(state.join("runbook")))
    }

    /// The folder of the locks of this machine.
    pub(crate) fn locks(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.global.locks {
            return std::path::absolute(path).map_err(|error| Failure::new(ExitCode::Internal, error));
        }
        let (folder, project) = self.project()?;
        let of_project = project.locks_dir.as_ref().map(|dir| folder.join(dir));
        Ok(of_project.unwrap_or_else(runbook_runtime::locks::default_folder))
    }

    /// The run with an id, a prefix of one, or `last`; one that this user can read all of.
    pub(crate) fn find_run(&self, text: &str) -> Result<RunFolder, Failure> {
        let folder = self.find_any_run(text)?;
        let Some(owner) = folder.other_owner() else { return Ok(folder) };
        let id = folder.id();
        let message =
            format!("run {id} belongs to `{owner}`, who alone can read its record and its logs, and go on with it");
        Err(Failure::new(ExitCode::Precondition, message).hint(Hints::of(&folder).command("status", "")).also(format!(
            "what else is needed of it, `{owner}` can hand on: `runbook report {id}`, `runbook bundle {id}`"
        )))
    }

    /// The same, also when it is that of another member of the group: then only what it publishes can be seen of it.
    pub(crate) fn find_any_run(&self, text: &str) -> Result<RunFolder, Failure> {
        Ok(self.state()?.find(text)?)
    }

    /// The project around the present folder, with the folder that it lies in; an empty one where there is none.
    pub(crate) fn project(&self) -> Result<&(PathBuf, Project), Failure> {
        if let Some(found) = self.project.get() {
            return Ok(found);
        }
        let here = present_folder()?;
        let file = here.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|file| file.is_file());
        let found = match file {
            None => (here, Project::default()),
            Some(file) => {
                let source = read_source(&file)?;
                let project = parse_project(&source).map_err(|found| invalid(&found))?;
                (file.parent().unwrap_or(Path::new("/")).to_owned(), project)
            }
        };
        Ok(self.project.get_or_init(|| found))
    }

    /// The project file around the present folder.
    pub(crate) fn project_file(&self) -> Result<Option<PathBuf>, Failure> {
        let (folder, _) = self.project()?;
        Ok(Some(folder.join(PROJECT_FILE)).filter(|file| file.is_file()))
    }

    /// The folders in which runbooks are looked for, in order.
    pub(crate) fn runbook_folders(&self) -> Result<Vec<PathBuf>, Failure> {
        if let Some(folder) = self.global.runbooks.iter().find(|folder| !folder.is_dir()) {
            return Err(Failure::new(ExitCode::Usage, format!("there is no folder {}", folder.display())));
        }
        let (folder, project) = self.project()?;
        let of_project = project.runbooks.iter().map(|runbooks| folder.join(runbooks));
        Ok(self.global.runbooks.iter().cloned().chain(of_project).collect())
    }

    /// The folders of `--plugins`.
    pub(crate) fn given_plugins(&self) -> &[PathBuf] {
        &self.global.plugins
    }

    /// Keeps the files of a plugin that a runbook uses, as they were read.
    pub(crate) fn keep_plugin(&self, files: PluginFiles) {
        self.used.borrow_mut().insert(files.digest(), files);
    }

    /// The plugins that were read so far, by the digests of their files.
    pub(crate) fn kept_plugins(&self) -> BTreeMap<Digest, PluginFiles> {
        self.used.borrow().clone()
    }

    /// The folders in which environments are looked for, in order.
    pub(crate) fn environment_folders(&self) -> Result<Vec<PathBuf>, Failure> {
        let (folder, project) = self.project()?;
        let given = self.global.runbooks.iter().map(|runbooks| runbooks.join("environments"));
        Ok(given.chain(project.environments.iter().map(|one| folder.join(one))).collect())
    }
}

/// The folder that the program was started in.
pub(crate) fn present_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::new(ExitCode::Precondition, format!("the present folder cannot be used: {error}")))
}

/// Reads a file of the language; its name is shown as it was found.
pub(crate) fn read_source(path: &Path) -> Result<SourceFile, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(ExitCode::Invalid, format!("cannot read {}: {error}", path.display())))?;
    Ok(SourceFile::new(shown(path), text))
}

/// A path as people read it: from the present folder where it lies within.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// What a file of the language is reported with, all at once.
pub(crate) fn invalid(found: &Diagnostics) -> Failure {
    let errors = found.iter().filter(|one| one.severity == Severity::Error).count();
    let terminal = console::Term::stderr();
    let width = if terminal.is_term() { usize::from(terminal.size().1) } else { 100 };
    let look = Look { colour: console::colors_enabled_stderr(), unicode: true, width };
    crate::output::note(found.to_text(look).trim_end());
    let count = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
    Failure::new(ExitCode::Invalid, format!("{count} found; nothing was run"))
        .hint("`runbook explain CODE` says more about each")
}
