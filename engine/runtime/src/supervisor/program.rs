//! From the name of a program to its path, as a shell would find it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// No program of that name is in the search path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no program `{0}` in PATH")]
pub struct ProgramNotFound(String);

/// Makes the name of a program the absolute path that [`StartRequest`](super::StartRequest) needs.
///
/// A name with a slash is taken from `dir`, a bare one is looked for in the folders of `path` (the value of `PATH`; empty and
/// relative entries count from `dir`). With a bare name the program would be found only after a slow fork.
///
/// # Errors
/// When a bare name is in none of the folders as a file that may be executed.
pub fn resolve_program(name: &str, path: &OsStr, dir: &Path) -> Result<PathBuf, ProgramNotFound> {
    if name.contains('/') {
        return Ok(dir.join(name));
    }
    std::env::split_paths(path)
        .map(|folder| dir.join(folder).join(name))
        .find(|candidate| !name.is_empty() && candidate.is_file() && access(candidate, Access::EXEC_OK).is_ok())
        .ok_or_else(|| ProgramNotFound(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_executable_file_wins() {
        let home = tempfile::tempdir().expect("temp");
        for (folder, mode) in [("a", 0o600), ("b", 0o700), ("c", 0o700)] {
            let tool = home.path().join(folder).join("tool");
            std::fs::create_dir(home.path().join(folder)).expect("folder");
            std::fs::write(&tool, "").expect("file");
            std::fs::set_permissions(&tool, PermissionsExt::from_mode(mode)).expect("mode");
        }
        std::fs::create_dir_all(home.path().join("a/sub")).expect("folder");
        let path = OsStr::new("a:b:c");
        assert_eq!(resolve_program("tool", path, home.path()), Ok(home.path().join("b/tool")));
        assert!(resolve_program("sub", path, home.path()).is_err(), "a folder is no program");
        assert!(resolve_program("", path, home.path()).is_err());
        assert_eq!(resolve_program("./x", path, Path::new("/d")), Ok(PathBuf::from("/d/./x")));
        assert_eq!(resolve_program("/x", path, Path::new("/d")), Ok(PathBuf::from("/x")));
    }
}
