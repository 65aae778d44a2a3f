//! Paths of files: the XDG base directories, or those of `HUBMARK_*` variables; reading of files that
//! are found or named there.

mod regular;

use std::path::PathBuf;

use etcetera::{BaseStrategy, HomeDirError, base_strategy::Xdg};

pub use regular::{check_writable, open_regular, read_regular, read_text};

const APP_FOLDER: &str = "hubmark";

/// The home folder cannot be found.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the home folder: {source}\n  set HOME, or set {variable} to a folder")]
pub struct PathError {
    source: HomeDirError,
    variable: &'static str,
}

fn resolve(variable: &'static str, xdg: impl Fn(&Xdg) -> PathBuf) -> Result<PathBuf, PathError> {
    if let Some(folder) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return Ok(folder.into());
    }
    let base = Xdg::new().map_err(|source| PathError { source, variable })?;
    Ok(xdg(&base).join(APP_FOLDER))
}

/// Returns the folder of records (`HUBMARK_RECORDS_DIR`).
///
/// # Errors
/// The home folder cannot be found.
pub fn records_dir() -> Result<PathBuf, PathError> {
    resolve("HUBMARK_RECORDS_DIR", BaseStrategy::data_dir).map(|folder| {
        if std::env::var_os("HUBMARK_RECORDS_DIR").is_some() {
            folder
        } else {
            folder.join("records")
        }
    })
}

/// Returns the folder of saved profiles and of the screen's settings (`HUBMARK_CONFIG_DIR`).
///
/// # Errors
/// The home folder cannot be found.
pub fn config_dir() -> Result<PathBuf, PathError> {
    resolve("HUBMARK_CONFIG_DIR", BaseStrategy::config_dir)
}

/// Returns the folder of this program's log (`HUBMARK_STATE_DIR`).
///
/// # Errors
/// The home folder cannot be found.
pub fn state_dir() -> Result<PathBuf, PathError> {
    resolve("HUBMARK_STATE_DIR", |base| base.state_dir().unwrap_or_else(|| base.data_dir()))
}

/// Returns the index file of the records folder; `None` if the home folder cannot be found.
pub fn records_index() -> Option<PathBuf> {
    state_dir().ok().map(|state| state.join("records-index.json"))
}
