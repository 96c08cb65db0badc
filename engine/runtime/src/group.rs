//! A state folder that a group shares: its members see how each other's runs stand, and answer what they ask.
//!
//! ```text
//! <state>/                 2750  its owner alone can move what is in it
//!     group.json           0640  says that it is shared
//!     runs/                3770  each member makes runs; sticky: nobody takes away those of others
//!         <run id>/        0700  of the member who started it: journal, logs, all else
//!     shared/              3730  not to be listed, so that no name in it can be taken before
//!         <run id>/        2750  of the same member, who alone can write to it
//!             status.json  0640  what the run publishes
//!             bell         0620  wakes its engine
//!             inbox/       3730  answers of others: neither listed nor taken away by anyone else
//!     keys/                3770  `exec --key`: a folder 0700 for each member
//!     removed/             3770  who removed which run: a file 0640 of each member
//! ```
//!
//! Who has answered is the owner of the file, which the kernel keeps; what a member may answer is said by roles.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{self, Gid, Uid, User};
use runbook_core::event::Identity;
use serde::{Deserialize, Serialize};

use crate::folder::{RunFolder, write_whole};
use crate::identity::identity_of;

/// The file that says that a folder is shared.
const MARK: &str = "group.json";
/// The version of that file.
const VERSION: u32 = 1;
/// A longer one is not from this program.
const MARK_MAX: u64 = 4096;
/// The folders in it, with who may do what.
const PARTS: [(&str, u32); 4] =
    [("runs", 0o3770), ("shared", 0o3730), ("keys", 0o3770), (crate::removals::FOLDER, 0o3770)];
/// The folder itself.
const STATE_MODE: u32 = 0o2750;
/// What others may see of a run, and where they answer.
const SHARED_MODE: u32 = 0o2750;
const INBOX_MODE: u32 = 0o3730;

/// The group that shares a state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    gid: u32,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    version: u32,
    group: String,
}

impl Group {
    /// The group that shares the state folder at a path; none where it is that of one user. A folder into which others than
    /// its owner could put something else does not count as shared.
    pub(crate) fn of(state: &Path) -> Option<Self> {
        let about = fs::metadata(state).ok().filter(|about| about.mode() & 0o2022 == 0o2000)?;
        let file = crate::regular::open(&state.join(MARK)).ok()?;
        let is_its = file.metadata().is_ok_and(|file| file.uid() == about.uid() && file.mode() & 0o022 == 0);
        let mut text = String::new();
        file.take(MARK_MAX).read_to_string(&mut text).ok().filter(|_| is_its)?;
        let mark: Mark = serde_json::from_str(&text).ok()?;
        (mark.version == VERSION).then_some(Self { gid: about.gid() })
    }

    /// Its name; its number where the system knows no name.
    pub fn name(self) -> String {
        let found = unistd::Group::from_gid(Gid::from_raw(self.gid)).ok().flatten();
        found.map_or_else(|| self.gid.to_string(), |group| group.name)
    }

    /// Whether a user is a member now, as the system's lists say, or root. A user without a name is nobody's member: in a
    /// user namespace anyone has many numbers.
    pub fn admits(self, uid: u32) -> bool {
        let groups = |user: User| unistd::getgrouplist(&CString::new(user.name).ok()?, user.gid).ok();
        let named = || User::from_uid(Uid::from_raw(uid)).ok().flatten();
        uid == 0 || named().and_then(groups).is_some_and(|all| all.contains(&Gid::from_raw(self.gid)))
    }

    /// The members, by user id, as far as the system lists them; those of whom the names are given in any case.
    pub(crate) fn people<'n>(self, named: impl Iterator<Item = &'n str>) -> BTreeMap<u32, Identity> {
        let listed = unistd::Group::from_gid(Gid::from_raw(self.gid)).ok().flatten().map(|group| group.mem);
        // Whose first group it is the group does not list.
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let first = users.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(2)?.parse() == Ok(self.gid)).then(|| name.to_owned())
        });
        let names = listed.unwrap_or_default().into_iter().chain(first).chain(named.map(str::to_owned));
        let known = names.filter_map(|name| User::from_name(&name).ok().flatten()).map(|user| user.uid.as_raw());
        known.filter(|uid| self.admits(*uid)).map(|uid| (uid, identity_of(uid))).collect()
    }
}

/// Why a folder cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The system knows no such group.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// Who shares it must be in the group.
    #[error("you are not in the group `{0}`, and only its members and root can share a folder with it")]
    NotMember(String),
    /// Somebody else's folder.
    #[error("{0} belongs to another user")]
    NotYours(PathBuf),
    /// Others could put another folder in its place.
    #[error("others than you and root can write to {0}, and could put another folder in the place of {1}")]
    Unsafe(PathBuf, PathBuf),
    /// A folder cannot be made, or its mode not be set.
    #[error("cannot share {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// Makes a state folder that a group shares, or shares one that there is: runs in it stay their owner's alone.
///
/// # Errors
/// Says what is in the way.
pub fn init(state: &Path, group: &str) -> Result<Group, ShareError> {
    let found = unistd::Group::from_name(group).ok().flatten();
    let gid = found.ok_or_else(|| ShareError::NoGroup(group.to_owned()))?.gid.as_raw();
    let me = rustix::process::geteuid().as_raw();
    let is_in = |gid: u32| {
        rustix::process::getegid().as_raw() == gid
            || rustix::process::getgroups().is_ok_and(|all| all.iter().any(|one| one.as_raw() == gid))
    };
    if me != 0 && !is_in(gid) {
        return Err(ShareError::NotMember(group.to_owned()));
    }
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |error| ShareError::Io(path, error)
    };
    if let Some(around) = state.parent() {
        fs::create_dir_all(around).map_err(fail(around))?;
    }
    make(state)?;
    let whole = fs::canonicalize(state).map_err(fail(state))?;
    for around in whole.ancestors().skip(1) {
        let about = fs::metadata(around).map_err(fail(around))?;
        let is_trusted = about.uid() == 0 || about.uid() == me;
        if !is_trusted || (about.mode() & 0o022 != 0 && about.mode() & 0o1000 == 0) {
            return Err(ShareError::Unsafe(around.to_owned(), state.to_owned()));
        }
    }
    // Nobody else is in it meanwhile.
    fs::set_permissions(state, Permissions::from_mode(0o700)).map_err(fail(state))?;
    for (part, mode) in PARTS {
        let part = state.join(part);
        make(&part)?;
        give(&part, gid, mode).map_err(fail(&part))?;
    }
    let mark = state.join(MARK);
    let text = serde_json::to_vec(&Mark { version: VERSION, group: group.to_owned() });
    let written = text.map_err(io::Error::from).and_then(|text| write_whole(&mark, &text));
    written.and_then(|()| give(&mark, gid, 0o640)).map_err(fail(&mark))?;
    give(state, gid, STATE_MODE).map_err(fail(state))?;
    Ok(Group { gid })
}

/// Makes a folder where there is none; one that is there must be a folder of this user.
fn make(path: &Path) -> Result<(), ShareError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(ShareError::Io(path.to_owned(), error));
        }
        _ => {}
    }
    let about = fs::symlink_metadata(path).map_err(|error| ShareError::Io(path.to_owned(), error))?;
    if about.is_dir() && about.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(ShareError::NotYours(path.to_owned()))
}

/// Gives a file or folder to the group. The kernel drops the bit that hands the group on where it is not that of the caller,
/// and says nothing.
fn give(path: &Path, gid: u32, mode: u32) -> io::Result<()> {
    std::os::unix::fs::lchown(path, None, Some(gid))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    let about = fs::symlink_metadata(path)?;
    if about.gid() == gid && about.mode() & 0o7777 == mode {
        return Ok(());
    }
    Err(io::Error::other("the system does not give it to the group"))
}

impl RunFolder {
    /// Makes what the group may see of the run, where one shares the state folder.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else has made it.
    pub(crate) fn share(&self) -> io::Result<()> {
        let (Some(group), Some(shared)) = (self.group(), self.shared()) else { return Ok(()) };
        let named = |error: ShareError| io::Error::other(error.to_string());
        for (folder, mode) in [(shared.clone(), SHARED_MODE), (shared.join("inbox"), INBOX_MODE)] {
            make(&folder).map_err(named)?;
            give(&folder, group.gid, mode)
                .map_err(|error| io::Error::new(error.kind(), format!("cannot share {}: {error}", folder.display())))?;
        }
        Ok(())
    }

    /// Removes what the group may see of the run. A folder that somebody else has put there and filled stays: it is theirs.
    pub(crate) fn unshare(&self) {
        let Some(shared) = self.shared().filter(|shared| shared.is_dir()) else { return };
        if let Err(error) = fs::remove_dir_all(&shared) {
            tracing::warn!(folder = %shared.display(), %error, "what others put there is left");
        }
    }
}

/// Whether a folder is one of this user's: where others can make folders, one of them may have been first.
pub(crate) fn is_mine(folder: &Path) -> bool {
    let mine = |about: fs::Metadata| about.is_dir() && about.uid() == rustix::process::geteuid().as_raw();
    fs::symlink_metadata(folder).is_ok_and(mine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::StateFolder;

    /// A folder that the test's own group shares; none where that has no name.
    fn shared() -> Option<(tempfile::TempDir, PathBuf)> {
        let group = unistd::Group::from_gid(unistd::getegid()).ok().flatten()?;
        // Within a folder that others could write to, as `/tmp`, but sticky.
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        init(&state, &group.name).unwrap();
        Some((folder, state))
    }

    #[test]
    fn a_folder_that_others_could_change_is_not_taken_for_shared() {
        let Some((_folder, state)) = shared() else { return };
        let is_shared = || StateFolder::new(&state).group().is_some();
        assert!(is_shared());
        for (mode, fits) in [(0o2770, false), (0o0750, false), (0o2752, false), (0o2750, true)] {
            fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_shared(), fits, "{mode:o}");
        }
        fs::set_permissions(state.join(MARK), Permissions::from_mode(0o660)).unwrap();
        assert!(!is_shared());
    }

    #[test]
    fn what_is_in_the_way_is_said() {
        let Some((folder, state)) = shared() else { return };
        assert!(matches!(init(&state, "no such group"), Err(ShareError::NoGroup(_))));
        let name = unistd::Group::from_gid(unistd::getegid()).unwrap().unwrap().name;
        assert!(init(&state, &name).is_ok(), "twice is no harm");
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(init(&open.join("state"), &name), Err(ShareError::Unsafe(around, _)) if around == open));
        fs::remove_dir_all(state.join("runs")).unwrap();
        std::os::unix::fs::symlink("/", state.join("runs")).unwrap();
        assert!(matches!(init(&state, &name), Err(ShareError::NotYours(_))));
    }
}
