//! Measures the size of a server's data folder.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{hub::docker::engine::DockerEngine, units::Bytes};

impl DockerEngine {
    /// Returns the size of a folder in a container.
    ///
    /// It is read from this machine where permitted, so that the container's counters do not
    /// change, and otherwise with `du` in the container.
    pub async fn folder_size(&self, container: &str, folder: &str) -> Option<Bytes> {
        if let Some(pid) = self.main_pid(container).await {
            let inside =
                PathBuf::from(format!("/proc/{pid}/root/{}", folder.trim_start_matches('/')));
            let measured =
                tokio::task::spawn_blocking(move || apparent_size(&inside)).await.ok()?;
            if let Ok(size) = measured {
                return Some(size);
            }
        }
        self.run_du(container, folder).await
    }

    async fn run_du(&self, container: &str, folder: &str) -> Option<Bytes> {
        let output =
            self.exec(container, &["du", "-sb", folder], self.timeouts.operation).await.ok()?;
        // The total is the last line; messages about vanished files may precede it.
        let size = |line: &str| line.split_whitespace().next()?.parse().ok();
        output.text.lines().rev().find_map(size).map(Bytes)
    }
}

/// Returns the apparent size of everything in a folder, as `du -sb` counts it: folders included,
/// hard links once. Files that vanish meanwhile count nothing.
fn apparent_size(folder: &Path) -> io::Result<Bytes> {
    let mut total = fs::metadata(folder)?.len();
    let mut linked = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    let vanished = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    while let Some(next) = folders.pop() {
        let entries = match fs::read_dir(&next) {
            Ok(entries) => entries,
            Err(error) if vanished(&error) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if vanished(&error) => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.nlink() > 1 && !linked.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            total += metadata.len();
        }
    }
    Ok(Bytes(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_as_large_as_du_says() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("log"), vec![7; 12_345]).unwrap();
        fs::hard_link(inner.join("log"), folder.path().join("again")).unwrap();
        fs::File::create(folder.path().join("sparse")).unwrap().set_len(1_000_000).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("elsewhere")).unwrap();

        let du = std::process::Command::new("du").arg("-sb").arg(folder.path()).output().unwrap();
        let du = String::from_utf8(du.stdout).unwrap();
        let expected = du.split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(apparent_size(folder.path()).unwrap(), Bytes(expected));
    }

    #[test]
    fn a_missing_folder_has_no_size() {
        assert!(apparent_size(Path::new("/no/such/folder")).is_err());
    }
}
