//! Files of programs: the search by name, and this program's own file.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::hub::HubError;

/// Folders with servers that an ordinary user's `PATH` often omits.
const SERVER_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The file to execute for `program`: the path itself if it contains a slash, otherwise the first
/// match on `PATH` or in the servers' folders.
pub fn find(program: &Path) -> Result<PathBuf, HubError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SERVER_FOLDERS.iter().map(PathBuf::from));
    find_in(program, folders).ok_or_else(|| HubError::NoProgram {
        program: program.display().to_string(),
        advice: "it is not on PATH; install the package that brings it, or choose the docker hub"
            .into(),
    })
}

/// The executable of this program, which starts the guard and the built-in broker.
pub fn own_program() -> Result<PathBuf, HubError> {
    env::current_exe().map_err(|error| HubError::Operation {
        what: "finding hubmark's executable".into(),
        reason: error.to_string(),
    })
}

fn find_in(program: &Path, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return is_executable(program).then(|| program.to_owned());
    }
    folders.find_map(|folder| {
        let file = folder.join(program);
        is_executable(&file).then_some(file)
    })
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_and_by_path() {
        let sh = find(Path::new("sh")).unwrap();
        assert!(sh.is_absolute());
        assert_eq!(find(&sh).unwrap(), sh);
    }

    #[test]
    fn a_file_without_execute_permission_is_no_program() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("server");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let folders = || std::iter::once(dir.path().to_owned());
        assert_eq!(find_in(Path::new("server"), folders()), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(find_in(Path::new("server"), folders()), Some(file));
        let error = find(Path::new("no-such-server")).unwrap_err().to_string();
        assert!(error.contains("no-such-server") && error.contains("install"), "{error}");
    }
}
