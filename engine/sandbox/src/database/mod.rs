//! Dump, verify, restore, check, compare: what a disaster recovery does to the books.
//!
//! These work on a data folder, whether or not it is being served. All tables of the books are compared: what is
//! volatile (services, sessions, incidents, notifications) lives in the control database, which a restore leaves alone.

mod backups;
mod dump;
mod inspect;
mod manifest;
mod restore;

pub use backups::{Backup, backups, create_backup, newest_good};
pub use dump::{dump, dump_at};
pub use inspect::{check, inspect, inspect_folder};
pub use manifest::{Comparison, Format, Manifest, Report, TableReport, compare, manifest_path, verify};
pub use restore::{restore, restore_beside};

pub(crate) use backups::backup_name;
pub(crate) use dump::{damage, dump_file};
pub(crate) use restore::put_in_place;
