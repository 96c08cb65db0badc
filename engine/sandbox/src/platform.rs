//! The platform's state and the one way to it: a unit of work.
//!
//! Every request and every background task runs as one [`Work`]: an immediate transaction on the control database.
//! That also keeps a restore in another process apart from the platform's writes to the books, since a restore
//! takes the same lock.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::business;
use crate::config::Config;
use crate::control::{schema, services};
use crate::error::Error;
use crate::folder::Folder;
use crate::reply::Failure;

/// How long SQLite waits for a lock that another process holds, such as a restore.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One platform over one data folder.
pub(crate) struct Platform {
    pub(crate) folder: Folder,
    pub(crate) config: Config,
    pub(crate) token: String,
    /// Requests that a degraded gateway has let through or lost, to lose every third.
    pub(crate) requests: AtomicU64,
    control: Mutex<Connection>,
}

impl Platform {
    /// Opens the folder; makes and fills both databases when it is new.
    pub(crate) fn open(config: Config, now: Timestamp) -> Result<Self, Error> {
        let folder = Folder::create(&config.data)?;
        let token = folder.token_or_new()?;
        let control = schema::open_or_create(&folder.control(), now)?;
        // The marker, not the file, says whether the books were ever made: lost books must stay lost.
        if schema::meta(&control, "books")?.is_none() {
            business::seed::create(&folder.business(), now, business::seed::DAYS)?;
            schema::set_meta(&control, "books", "made")?;
        }
        Ok(Self { folder, config, token, requests: AtomicU64::new(0), control: Mutex::new(control) })
    }

    /// Opens the folder of a platform that was made already, served or not; nothing is made or changed.
    pub(crate) fn existing(data: &Path) -> Result<Self, Error> {
        let folder = Folder::at(data);
        if !folder.control().is_file() {
            return Err(Error::NotAPlatform(data.to_owned()));
        }
        let control = Mutex::new(schema::open(&folder.control())?);
        let config = Config::new(data);
        Ok(Self { folder, config, token: String::new(), requests: AtomicU64::new(0), control })
    }

    /// Reads the state of one moment. What `look` would write is dropped, and starts that are due stay as they are.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Work<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = Transaction::new_unchecked(&control, TransactionBehavior::Deferred)?;
        let found = look(&Work { control: &tx, platform: self, now: Timestamp::now() });
        tx.rollback()?;
        found
    }

    /// Runs `work` as one transaction at the present moment. A failure undoes what it wrote to the control database.
    pub(crate) fn work<T>(&self, work: impl FnOnce(&Work<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        // A panic inside a unit of work rolled its transaction back, so the connection is still good.
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = Transaction::new_unchecked(&control, TransactionBehavior::Immediate)?;
        let result = {
            let unit = Work { control: &tx, platform: self, now: Timestamp::now() };
            services::settle(&unit).and_then(|()| work(&unit))
        };
        match result {
            Ok(value) => {
                tx.commit()?;
                Ok(value)
            }
            Err(failure) => {
                tx.rollback()?;
                Err(failure)
            }
        }
    }
}

/// One request or one turn of a background task.
pub(crate) struct Work<'a> {
    pub(crate) control: &'a Connection,
    pub(crate) platform: &'a Platform,
    pub(crate) now: Timestamp,
}

impl Work<'_> {
    /// The books, opened anew so that a restored or lost file is noticed at once.
    pub(crate) fn books(&self) -> Result<Connection, Failure> {
        business::open(&self.platform.folder.business())
            .map_err(|error| Failure::unavailable("database_damaged", format!("the books cannot be used: {error}")))
    }

    /// The present moment as the databases keep it.
    pub(crate) fn at(&self) -> String {
        crate::rows::stamp(self.now)
    }
}
