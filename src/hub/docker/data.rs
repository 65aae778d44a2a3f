//! How large a server's data folder is.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{exec::StartExecResults, models::ExecConfig};
use futures_util::StreamExt;

use super::{
    Engine,
    call::{ASK, within},
};
use crate::units::Bytes;

/// A large folder on an SD card takes its time.
const PATIENCE: Duration = Duration::from_mins(1);

impl Engine {
    /// Size of a folder in a container: read from here where we may, so that the container's own
    /// counters stay clean, and otherwise asked of a `du` in it.
    pub(super) async fn folder_size(&self, container: &str, folder: &str) -> Option<Bytes> {
        if let Some(pid) = self.first_process(container).await {
            let inside =
                PathBuf::from(format!("/proc/{pid}/root/{}", folder.trim_start_matches('/')));
            let measured = tokio::task::spawn_blocking(move || size_of(&inside)).await.ok()?;
            if let Ok(size) = measured {
                return Some(size);
            }
        }
        self.ask_for_size(container, folder).await
    }

    async fn ask_for_size(&self, container: &str, folder: &str) -> Option<Bytes> {
        let config = ExecConfig {
            cmd: Some(["du", "-sb", folder].map(str::to_owned).to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(false),
            ..ExecConfig::default()
        };
        let exec = within(ASK, self.client.create_exec(container, config)).await.ok()?;
        let started = within(ASK, self.client.start_exec(&exec.id, None)).await.ok()?;
        let StartExecResults::Attached { mut output, .. } = started else { return None };
        let mut text = String::new();
        while let Some(piece) =
            within(PATIENCE, async { output.next().await.transpose() }).await.ok()?
        {
            text.push_str(&String::from_utf8_lossy(&piece.into_bytes()));
        }
        text.split_whitespace().next()?.parse().ok().map(Bytes)
    }
}

/// The apparent size of everything in a folder, as `du -sb` counts it: folders included, hard
/// links once. What vanishes meanwhile counts nothing.
fn size_of(folder: &Path) -> io::Result<Bytes> {
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
        assert_eq!(size_of(folder.path()).unwrap(), Bytes(expected));
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_size() {
        assert!(size_of(Path::new("/no/such/folder")).is_err());
    }
}
