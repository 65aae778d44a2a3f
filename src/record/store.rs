//! Records on disk: saved whole or not at all, read with a clear word when they cannot be.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::{NamedTempFile, PersistError};

use super::{Record, SCHEMA};
use crate::paths;

/// How the name of a record that is being written begins and ends.
const TEMPORARY: (&str, &str) = (".hubmark-", ".json.tmp");
/// Far more than a save takes.
const LONGEST_SAVE: Duration = Duration::from_mins(1);

/// A record that could not be saved or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file could not be written.
    #[error(
        "the record could not be saved as {path}: {source}\n  free some space or choose another place with --out FILE"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is in the way of a new record.
    #[error(
        "{path} exists already: go on with it by --resume, or choose another place with --out FILE"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("the record {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a record.
    #[error("{path} is not a hubmark record: {reason}")]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The record was written by a newer version.
    #[error(
        "{path} was written by a newer hubmark (schema {found}; this one reads up to {SCHEMA}): update hubmark"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
    },
}

/// Saves `record` as `path`: after a crash at any moment the file is either the old one or the
/// new one, whole.
///
/// # Errors
/// [`StoreError::Write`]; the file is then as it was.
pub fn save(record: &Record, path: &Path) -> Result<(), StoreError> {
    write(record, path, NamedTempFile::persist)
        .map_err(|source| StoreError::Write { path: path.to_owned(), source })
}

/// Saves `record` as `path` for the first time. A file that is already there stays as it is: it
/// may be the record of hours.
///
/// # Errors
/// [`StoreError::Exists`] and [`StoreError::Write`].
pub fn create(record: &Record, path: &Path) -> Result<(), StoreError> {
    let path = path.to_owned();
    match write(record, &path, NamedTempFile::persist_noclobber) {
        Ok(()) => {
            if let Err(error) = sweep(folder_of(&path)) {
                tracing::warn!(%error, "leftovers not looked for");
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_there(&path) => {
            Err(StoreError::Exists { path })
        }
        Err(source) => Err(StoreError::Write { path, source }),
    }
}

/// Whether anything has that name, a link to nothing included.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// How a finished temporary file gets its name.
type Persist = fn(NamedTempFile, PathBuf) -> Result<File, PersistError>;

fn write(record: &Record, path: &Path, persist: Persist) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let mut file =
        tempfile::Builder::new().prefix(TEMPORARY.0).suffix(TEMPORARY.1).tempfile_in(folder)?;
    let mut text = serde_json::to_vec_pretty(record)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.as_file().sync_all()?;
    persist(file, path.to_owned()).map_err(|error| error.error)?;
    // The rename itself is on the disk only when its folder is.
    File::open(folder)?.sync_all()
}

/// Files in other folders in which the record that belongs at `path` may lie meanwhile, the best
/// first: the records folder, this program's state folder, the folder of temporary files.
pub fn elsewhere(path: &Path, run: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or("record");
    // The run's identity keeps it from overwriting what somebody else saved there.
    let name = format!("{stem}-{run}.json");
    let folders = [paths::records().ok(), paths::state().ok(), Some(std::env::temp_dir())];
    let own = folder_of(path);
    folders
        .into_iter()
        .flatten()
        .filter(|folder| folder != own)
        .map(|folder| folder.join(&name))
        .collect()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes from `folder` what saves left behind that were killed in the middle, and returns their
/// files. One that a living run may be writing just now is too young to be taken for a leftover.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn sweep(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut swept = Vec::new();
    for path in files(folder)? {
        let temporary = path
            .file_name()
            .and_then(OsStr::to_str)
            .is_some_and(|name| name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1));
        let age = || fs::metadata(&path).ok()?.modified().ok()?.elapsed().ok();
        if temporary
            && age().is_some_and(|age| age > LONGEST_SAVE)
            && fs::remove_file(&path).is_ok()
        {
            swept.push(path);
        }
    }
    Ok(swept)
}

/// The files in `folder`; none when it does not exist.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = |source| StoreError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(read)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(read)).collect()
}

/// What is read of a record before anything else.
#[derive(serde::Deserialize)]
struct Head {
    #[serde(default)]
    schema: serde_json::Value,
}

/// Reads the record at `path`.
///
/// # Errors
/// When there is none, when it is not one, and when it is of a newer schema.
pub fn load(path: &Path) -> Result<Record, StoreError> {
    let text =
        fs::read(path).map_err(|source| StoreError::Read { path: path.to_owned(), source })?;
    let not = |reason: String| StoreError::NotARecord { path: path.to_owned(), reason };
    // The number alone first: a newer record need not have the shape of ours. What else there is
    // is passed over, since a tree of a large record would take many times its size.
    let head: Head = serde_json::from_slice(&text).map_err(|error| not(error.to_string()))?;
    let found = head.schema.as_u64().ok_or_else(|| not("it has no schema number".into()))?;
    if found > u64::from(SCHEMA) {
        return Err(StoreError::Newer { path: path.to_owned(), found });
    }
    serde_json::from_slice(&text).map_err(|error| not(error.to_string()))
}

/// One file of the records folder.
#[derive(Debug)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Its record, or why there is none to see.
    pub record: Result<Record, StoreError>,
}

/// Every record in `folder`, the oldest first. A folder that does not exist holds none.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Listed>, StoreError> {
    let mut paths = files(folder)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths.into_iter().map(|path| Listed { record: load(&path), path }).collect())
}

/// The file name of a run of `profile` that started at `started`: sorts by time, and is another
/// one for a run that starts a moment later.
pub fn file_name(profile: &str, started: jiff::Timestamp) -> String {
    let safe: String = profile
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    format!("{}-{safe}.json", started.strftime("%Y-%m-%dT%H-%M-%S%.3fZ"))
}

#[cfg(test)]
mod tests {
    /// Readers of JSON that are quick rather than exact lose the last digit of some numbers, and a
    /// run that is gone on with saves what it has read.
    #[test]
    fn a_number_that_is_read_and_saved_again_is_the_same() {
        for text in ["934.9135337321604", "0.12345678901234568", "1.7976931348623157e308"] {
            let number: f64 = serde_json::from_str(text).unwrap();
            assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits());
            let saved = serde_json::to_string(&number).unwrap();
            assert_eq!(serde_json::from_str::<f64>(&saved).unwrap().to_bits(), number.to_bits());
        }
    }
}
