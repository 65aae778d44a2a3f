//! Files of records in a folder: listing them, and removing what interrupted saves left.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::NamedTempFile;

use super::error::StoreError;

/// Prefix and suffix of the name of a record that is being written.
const TEMP_PREFIX_AND_SUFFIX: (&str, &str) = (".hubmark-", ".json.tmp");
/// Age from which a temporary file is a leftover; far more than a save takes.
const MAX_SAVE_DURATION: Duration = Duration::from_mins(1);

/// Creates an empty temporary file beside the record at `path`, and its folder.
pub fn create_temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = parent_folder(path);
    fs::create_dir_all(folder)?;
    tempfile::Builder::new()
        .prefix(TEMP_PREFIX_AND_SUFFIX.0)
        .suffix(TEMP_PREFIX_AND_SUFFIX.1)
        .tempfile_in(folder)
}

/// Folder of the file at `path`.
pub fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes leftovers of interrupted saves from `folder` and returns their paths.
///
/// A file younger than a minute may belong to a save in progress and is not removed.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn remove_leftovers(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut swept = Vec::new();
    for path in list_files(folder)? {
        let temporary = path.file_name().and_then(OsStr::to_str).is_some_and(|name| {
            name.starts_with(TEMP_PREFIX_AND_SUFFIX.0) && name.ends_with(TEMP_PREFIX_AND_SUFFIX.1)
        });
        let age = || fs::metadata(&path).ok()?.modified().ok()?.elapsed().ok();
        if temporary
            && age().is_some_and(|age| age > MAX_SAVE_DURATION)
            && fs::remove_file(&path).is_ok()
        {
            swept.push(path);
        }
    }
    Ok(swept)
}

/// Files in `folder`; empty if it does not exist.
pub fn list_files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = |source| StoreError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(read)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(read)).collect()
}
