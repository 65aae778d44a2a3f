//! The temporary folder of a server, and the removal of the folders of dead runs.
//!
//! ```text
//! hubmark-XXXXXX/
//!   owner    the process that created the folder and the processes that belong to it
//!   log      the server's output
//!   data/    the server's working folder: `{dir}`
//! ```

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{
    owner::{PidScope, ProcessIdentity},
    paths,
};

const FOLDER_PREFIX: &str = "hubmark-";
const OWNER_FILE: &str = "owner";
const LOG_FILE: &str = "log";
const DATA_FOLDER: &str = "data";

/// Environment variable with the parent folder of all temporary folders.
pub const TEMP_ROOT_VARIABLE: &str = "HUBMARK_TMP";

/// The temporary folder of one server, removed when dropped.
#[derive(Debug)]
pub struct ServerFolder {
    dir: TempDir,
    owner: FolderOwner,
}

/// The creator of a folder and the processes that belong to it, saved for [`remove_leftovers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FolderOwner {
    #[serde(flatten)]
    scope: PidScope,
    #[serde(rename = "maker")]
    creator: ProcessIdentity,
    children: Vec<ProcessIdentity>,
}

/// Parent folder of all temporary folders: `HUBMARK_TMP`, or the system's default.
pub fn temp_root() -> PathBuf {
    std::env::var_os(TEMP_ROOT_VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from)
}

impl ServerFolder {
    /// Creates a folder that only this user can enter.
    pub fn create(root: &Path) -> io::Result<Self> {
        let owner = FolderOwner::this_process()?;
        let dir = tempfile::Builder::new()
            .prefix(FOLDER_PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(root)?;
        let folder = Self { dir, owner };
        folder.save_owner()?;
        DirBuilder::new().mode(0o700).create(folder.data())?;
        Ok(folder)
    }

    /// The server's working folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join(DATA_FOLDER)
    }

    /// The log file of the server's output.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join(LOG_FILE)
    }

    /// Writes a file that only this user can read into the server's working folder.
    pub fn write(&self, name: &str, content: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.data().join(name))?;
        file.write_all(content.as_bytes())
    }

    /// Records a process that belongs to this folder.
    pub fn add_process(&mut self, pid: i32) -> io::Result<()> {
        self.owner.children.push(ProcessIdentity::read(pid).map_err(io::Error::other)?);
        self.save_owner()
    }

    /// Removes the folder with its content.
    pub fn remove(self) -> io::Result<()> {
        remove_owner_file_last(self.dir.path())
    }

    fn save_owner(&self) -> io::Result<()> {
        let temporary = self.dir.path().join("owner.new");
        fs::write(&temporary, serde_json::to_vec(&self.owner)?)?;
        fs::rename(temporary, self.dir.path().join(OWNER_FILE))
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        // The folder may already be removed.
        let _ = remove_owner_file_last(self.dir.path());
    }
}

/// Removes a folder, its owner file last: the next cleanup still recognises a folder whose removal
/// was interrupted.
fn remove_owner_file_last(folder: &Path) -> io::Result<()> {
    let content = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    for entry in content.into_iter().filter(|entry| entry.file_name() != OWNER_FILE) {
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(folder)
}

impl FolderOwner {
    fn this_process() -> io::Result<Self> {
        Ok(Self {
            scope: PidScope::current()?,
            creator: ProcessIdentity::this_process().map_err(io::Error::other)?,
            children: Vec::new(),
        })
    }
}

/// Removes the folders that dead runs of this user left in `root`, after killing their processes
/// that still run. Returns a description of each removed item.
///
/// A folder is left alone when its creator is alive, when its creator cannot be looked up from
/// here, or when it has no readable owner file: it may just be under construction.
pub fn remove_leftovers(root: &Path) -> io::Result<Vec<String>> {
    let own_scope = PidScope::current()?;
    let mut removed = Vec::new();
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let Some(owner) = read_owner(&path) else { continue };
        if owner.scope.pid_namespace != own_scope.pid_namespace {
            continue;
        }
        if owner.scope == own_scope {
            if owner.creator.is_alive() {
                continue;
            }
            for child in owner.children.into_iter().filter(|child| child.is_alive()) {
                if kill(Pid::from_raw(child.pid), Signal::SIGKILL).is_ok() {
                    removed.push(format!("process {}", child.pid));
                }
            }
        }
        match remove_owner_file_last(&path) {
            Ok(()) => removed.push(path.display().to_string()),
            // Another run may remove leftovers at the same time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn read_owner(path: &Path) -> Option<FolderOwner> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let ours = path.file_name()?.to_str()?.starts_with(FOLDER_PREFIX)
        && metadata.is_dir()
        && metadata.uid() == Uid::effective().as_raw();
    if !ours {
        return None;
    }
    serde_json::from_slice(&paths::read_regular(&path.join(OWNER_FILE)).ok()?).ok()
}

/// Disk usage in bytes of everything in `dir`, not counting files that vanish during the count.
pub fn disk_usage(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += disk_usage(&entry.path()).unwrap_or(0),
            // Blocks, not length: sparse files take less disk space than their length.
            Ok(metadata) => bytes += metadata.blocks() * 512,
            Err(_) => {}
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn rewrite_owner(folder: &ServerFolder, change: impl FnOnce(&mut FolderOwner)) {
        let mut owner = folder.owner.clone();
        change(&mut owner);
        fs::write(folder.dir.path().join(OWNER_FILE), serde_json::to_vec(&owner).unwrap()).unwrap();
    }

    #[test]
    fn a_folder_is_private_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = ServerFolder::create(root.path()).unwrap();
        folder.write("secret", "s").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.dir.path()), 0o700);
        assert_eq!(mode(&folder.data().join("secret")), 0o600);
        folder.remove().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_leftovers_of_dead_runs_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let [alive, dead, rebooted, elsewhere] =
            [(); 4].map(|()| ServerFolder::create(root.path()).unwrap());
        rewrite_owner(&dead, |owner| owner.creator.start_ticks += 1);
        rewrite_owner(&rebooted, |owner| owner.scope.boot_id = "an earlier one".into());
        rewrite_owner(&elsewhere, |owner| {
            owner.scope.pid_namespace = "another".into();
            owner.creator.start_ticks += 1;
        });
        fs::create_dir(root.path().join("hubmark-without-owner")).unwrap();
        fs::create_dir(root.path().join("another-program")).unwrap();

        let mut removed = remove_leftovers(root.path()).unwrap();
        removed.sort();
        let mut expected = [&dead, &rebooted].map(|folder| folder.dir.path().display().to_string());
        expected.sort();
        assert_eq!(removed, expected);
        assert!(alive.data().exists() && elsewhere.data().exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_dead_runs_living_child_is_killed_and_a_namesake_is_not() {
        let root = tempfile::tempdir().unwrap();
        let sleep = || Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let (mut child, mut namesake) = (sleep(), sleep());
        let mut folder = ServerFolder::create(root.path()).unwrap();
        folder.add_process(child.id().cast_signed()).unwrap();
        folder.add_process(namesake.id().cast_signed()).unwrap();
        rewrite_owner(&folder, |owner| {
            owner.creator.start_ticks += 1;
            owner.children[1].start_ticks += 1;
        });
        let removed = remove_leftovers(root.path()).unwrap();
        assert_eq!(removed[0], format!("process {}", child.id()));
        assert_eq!(removed.len(), 2);
        child.wait().unwrap();
        assert_eq!(namesake.try_wait().unwrap(), None);
        namesake.kill().unwrap();
        namesake.wait().unwrap();
    }

    #[test]
    fn a_size_is_that_of_all_files() {
        let root = tempfile::tempdir().unwrap();
        let folder = ServerFolder::create(root.path()).unwrap();
        assert_eq!(disk_usage(&folder.data()).unwrap(), 0);
        folder.write("a", &"x".repeat(100_000)).unwrap();
        fs::create_dir(folder.data().join("deep")).unwrap();
        folder.write("deep/b", &"x".repeat(100_000)).unwrap();
        assert!(disk_usage(&folder.data()).unwrap() >= 200_000);
    }
}
