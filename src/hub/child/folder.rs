//! A server's temporary folder, and how those of dead runs are found again.
//!
//! ```text
//! hubmark-XXXXXX/
//!   owner    who made it, and the processes that belong to it: what a sweep goes by
//!   log      what the server wrote to its output
//!   data/    the server's own: `{dir}`
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
use procfs::process::{ProcState, Process};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const PREFIX: &str = "hubmark-";
const OWNER: &str = "owner";
const LOG: &str = "log";
const DATA: &str = "data";

/// The environment variable that names the folder for temporary folders.
pub const ROOT_VARIABLE: &str = "HUBMARK_TMP";

/// A folder for one server, removed when dropped.
#[derive(Debug)]
pub struct Folder {
    dir: TempDir,
    owner: Owner,
}

/// Who made a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// The system's boot: process numbers mean nothing beyond it.
    boot: String,
    /// The process namespace: numbers of another one cannot be looked up in ours.
    namespace: String,
    maker: Being,
    children: Vec<Being>,
}

/// A process that cannot be taken for a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Being {
    pid: i32,
    /// Clock ticks from the boot to its start.
    started: u64,
}

/// Where temporary folders are made: `HUBMARK_TMP`, or the system's place.
pub fn root() -> PathBuf {
    std::env::var_os(ROOT_VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from)
}

impl Folder {
    /// Makes a folder that only this user can enter.
    pub fn make(root: &Path) -> io::Result<Self> {
        let owner = Owner::this_process()?;
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(root)?;
        let folder = Self { dir, owner };
        folder.save_owner()?;
        DirBuilder::new().mode(0o700).create(folder.data())?;
        Ok(folder)
    }

    /// The server's own folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join(DATA)
    }

    /// The file that takes the server's output.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join(LOG)
    }

    /// Writes a file into the server's own folder that only this user can read.
    pub fn write(&self, name: &str, content: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.data().join(name))?;
        file.write_all(content.as_bytes())
    }

    /// Notes a process that belongs to this folder.
    pub fn adopt(&mut self, pid: i32) -> io::Result<()> {
        self.owner.children.push(Being::of(pid).map_err(io::Error::other)?);
        self.save_owner()
    }

    /// Removes the folder with everything in it.
    pub fn remove(self) -> io::Result<()> {
        discard(self.dir.path())
    }

    fn save_owner(&self) -> io::Result<()> {
        let fresh = self.dir.path().join("owner.new");
        fs::write(&fresh, serde_json::to_vec(&self.owner)?)?;
        fs::rename(fresh, self.dir.path().join(OWNER))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that was removed already is not there to complain about.
        let _ = discard(self.dir.path());
    }
}

/// Removes a folder, the note of its owner last: a removal that is cut short leaves a folder that
/// the next sweep still recognises.
fn discard(folder: &Path) -> io::Result<()> {
    let content = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    for entry in content.into_iter().filter(|entry| entry.file_name() != OWNER) {
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(folder)
}

impl Owner {
    fn this_process() -> io::Result<Self> {
        let pid = std::process::id().cast_signed();
        Ok(Self {
            boot: boot()?,
            namespace: namespace()?,
            maker: Being::of(pid).map_err(io::Error::other)?,
            children: Vec::new(),
        })
    }
}

impl Being {
    fn of(pid: i32) -> procfs::ProcResult<Self> {
        Ok(Self { pid, started: Process::new(pid)?.stat()?.starttime })
    }

    /// One that has ended and that nobody has waited for is dead.
    fn lives(self) -> bool {
        let now = Process::new(self.pid).and_then(|process| process.stat());
        now.is_ok_and(|now| {
            let ended = matches!(now.state(), Ok(ProcState::Zombie | ProcState::Dead));
            now.starttime == self.started && !ended
        })
    }
}

fn boot() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned())
}

fn namespace() -> io::Result<String> {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned())
}

/// Removes the folders that dead runs of this user left in `root`, after killing what of their
/// processes still lives. Returns what was removed.
///
/// A folder whose maker lives, or cannot be looked up from here, is not touched, nor is one without
/// a readable owner: it may be about to get one.
pub fn sweep(root: &Path) -> io::Result<Vec<String>> {
    let (boot, namespace) = (boot()?, namespace()?);
    let mut removed = Vec::new();
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(removed),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let Some(owner) = owner_of(&path) else { continue };
        if owner.namespace != namespace {
            continue;
        }
        if owner.boot == boot {
            if owner.maker.lives() {
                continue;
            }
            for child in owner.children.into_iter().filter(|child| child.lives()) {
                if kill(Pid::from_raw(child.pid), Signal::SIGKILL).is_ok() {
                    removed.push(format!("process {}", child.pid));
                }
            }
        }
        match discard(&path) {
            Ok(()) => removed.push(path.display().to_string()),
            // Another run sweeps at the same time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn owner_of(path: &Path) -> Option<Owner> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let ours = path.file_name()?.to_str()?.starts_with(PREFIX)
        && metadata.is_dir()
        && metadata.uid() == Uid::effective().as_raw();
    if !ours {
        return None;
    }
    serde_json::from_slice(&fs::read(path.join(OWNER)).ok()?).ok()
}

/// Bytes on disk of everything in `dir`. Files that vanish meanwhile do not count.
pub fn size(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += size(&entry.path()).unwrap_or(0),
            // Sparse files take less than their length.
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

    fn forge(folder: &Folder, change: impl FnOnce(&mut Owner)) {
        let mut owner = folder.owner.clone();
        change(&mut owner);
        fs::write(folder.dir.path().join(OWNER), serde_json::to_vec(&owner).unwrap()).unwrap();
    }

    #[test]
    fn a_folder_is_for_us_alone_and_goes_away() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::make(root.path()).unwrap();
        folder.write("secret", "s").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.dir.path()), 0o700);
        assert_eq!(mode(&folder.data().join("secret")), 0o600);
        folder.remove().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_leftovers_of_dead_runs_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let [alive, dead, rebooted, elsewhere] =
            [(); 4].map(|()| Folder::make(root.path()).unwrap());
        forge(&dead, |owner| owner.maker.started += 1);
        forge(&rebooted, |owner| owner.boot = "an earlier one".into());
        forge(&elsewhere, |owner| {
            owner.namespace = "another".into();
            owner.maker.started += 1;
        });
        fs::create_dir(root.path().join("hubmark-without-owner")).unwrap();
        fs::create_dir(root.path().join("somebody-elses")).unwrap();

        let mut swept = sweep(root.path()).unwrap();
        swept.sort();
        let mut expected = [&dead, &rebooted].map(|folder| folder.dir.path().display().to_string());
        expected.sort();
        assert_eq!(swept, expected);
        assert!(alive.data().exists() && elsewhere.data().exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_dead_runs_living_child_is_killed_and_a_namesake_is_not() {
        let root = tempfile::tempdir().unwrap();
        let sleep = || Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let (mut child, mut namesake) = (sleep(), sleep());
        let mut folder = Folder::make(root.path()).unwrap();
        folder.adopt(child.id().cast_signed()).unwrap();
        folder.adopt(namesake.id().cast_signed()).unwrap();
        forge(&folder, |owner| {
            owner.maker.started += 1;
            owner.children[1].started += 1;
        });
        let swept = sweep(root.path()).unwrap();
        assert_eq!(swept[0], format!("process {}", child.id()));
        assert_eq!(swept.len(), 2);
        child.wait().unwrap();
        assert_eq!(namesake.try_wait().unwrap(), None);
        namesake.kill().unwrap();
        namesake.wait().unwrap();
    }

    #[test]
    fn a_size_is_that_of_all_files() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::make(root.path()).unwrap();
        assert_eq!(size(&folder.data()).unwrap(), 0);
        folder.write("a", &"x".repeat(100_000)).unwrap();
        fs::create_dir(folder.data().join("deep")).unwrap();
        folder.write("deep/b", &"x".repeat(100_000)).unwrap();
        assert!(size(&folder.data()).unwrap() >= 200_000);
    }
}
