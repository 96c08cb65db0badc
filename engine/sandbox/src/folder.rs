//! The data folder: who may read it, what is in it, how a file appears in it whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The owner alone: the folder holds a token and customers' books.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Paths inside one data folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the folder and its `backups`, for the owner alone.
    pub(crate) fn create(root: &Path) -> Result<Self, Error> {
        let folder = Self::at(root);
        create_private_dir(&folder.root)?;
        create_private_dir(&folder.backups())?;
        Ok(folder)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The books: accounts, orders, positions, trades, ledger. What a disaster destroys and a backup holds.
    pub(crate) fn business(&self) -> PathBuf {
        self.root.join("platform.db")
    }

    /// Services, incidents, keys: what must still work while the books are lost.
    pub(crate) fn control(&self) -> PathBuf {
        self.root.join("control.db")
    }

    pub(crate) fn token(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    pub(crate) fn address(&self) -> PathBuf {
        self.root.join("address")
    }

    /// Where the URLs and keys of the hooks lie.
    fn hooks(&self) -> PathBuf {
        self.root.join("hooks")
    }

    /// Writes a URL or a key of a hook, for the owner alone.
    pub(crate) fn write_hook(&self, name: &str, text: &str) -> Result<(), Error> {
        create_private_dir(&self.hooks())?;
        write_whole(&self.hooks().join(name), text.as_bytes())
    }

    pub(crate) fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// Takes the lock that says "this folder is being served", until the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.root.join("serving.lock");
        let file = open_private(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(self.root.clone())),
            Err(TryLockError::Error(source)) => Err(Error::io("cannot lock", path)(source)),
        }
    }

    /// The admin token: the one that is there, or a new one.
    pub(crate) fn token_or_new(&self) -> Result<String, Error> {
        let path = self.token();
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Ok(_) => self.new_token(&path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.new_token(&path),
            Err(error) => Err(Error::io("cannot read", path)(error)),
        }
    }

    fn new_token(&self, path: &Path) -> Result<String, Error> {
        let token = crate::secret::random_token("adm_")?;
        write_whole(path, format!("{token}\n").as_bytes())?;
        Ok(token)
    }
}

fn create_private_dir(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE).create(path).map_err(Error::io("cannot create folder", path))
}

/// Opens a file for writing, made with mode 0600 when it is new.
pub(crate) fn open_private(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(Error::io("cannot open", path))
}

/// Writes a file of mode 0600 that appears whole or not at all, and is on disk when this returns.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = parent(path);
    // `tempfile` makes its files with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("cannot write in", folder))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(Error::io("cannot write", path))?;
    file.persist(path).map_err(|error| Error::io("cannot write", path)(error.error))?;
    sync_folder(folder)
}

/// Makes renames inside `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io("cannot sync folder", folder))
}

/// The folder of a file; the current one for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
