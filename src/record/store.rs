//! Storage of records: where they are saved, and how they are loaded.
//!
//! [`RecordFile`] saves a record, [`load`] reads one.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::folder::parent_folder;
pub use super::{
    error::StoreError,
    file::{RecordFile, SavedForm},
    folder::remove_leftovers,
    read::{RecordDetail, load, load_detail},
};
use crate::paths;

/// Checks that a new record can be saved as `path`, before anything is measured for it.
///
/// # Errors
/// [`StoreError::Exists`] and [`StoreError::IsFolder`].
pub fn check_new(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(StoreError::IsFolder {
            path: path.to_owned(),
            example: path.join("record.json"),
        });
    }
    // A dangling link, too, is something that exists.
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::Exists { path: path.to_owned() });
    }
    Ok(())
}

/// Returns the name of the record at `path`: its file name without the extension.
pub fn record_name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Files in other folders for a record that cannot be saved at `path`, the best first: in the
/// records folder, the state folder, the folder of temporary files.
pub fn fallback_paths(path: &Path, run: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or("record");
    // The run's identifier keeps the record from overwriting another one there.
    let name = format!("{stem}-{run}.json");
    let folders = [paths::records_dir().ok(), paths::state_dir().ok(), Some(std::env::temp_dir())];
    let own = parent_folder(path);
    folders
        .into_iter()
        .flatten()
        .filter(|folder| folder != own)
        .map(|folder| folder.join(&name))
        .collect()
}

/// File name of a run of `profile` that started at `started`: sorts by time, and differs for a run
/// that starts a millisecond later.
pub fn file_name(profile: &str, started: jiff::Timestamp) -> String {
    let safe: String = profile
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    format!("{}-{safe}.json", started.strftime("%Y-%m-%dT%H-%M-%S%.3fZ"))
}

#[cfg(test)]
mod tests {
    /// Fast but inexact JSON parsers lose the last digit of some numbers, and a resumed run saves
    /// the numbers that it has read.
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
