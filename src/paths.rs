//! Where files live: as XDG says, unless a `HUBMARK_*` variable says otherwise.

use std::path::PathBuf;

use etcetera::{BaseStrategy, HomeDirError, base_strategy::Xdg};

const FOLDER: &str = "hubmark";

/// The home folder cannot be found.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell where files belong: {source}\n  set HOME, or {variable} to a folder")]
pub struct PathError {
    source: HomeDirError,
    variable: &'static str,
}

fn place(variable: &'static str, xdg: impl Fn(&Xdg) -> PathBuf) -> Result<PathBuf, PathError> {
    if let Some(folder) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return Ok(folder.into());
    }
    let base = Xdg::new().map_err(|source| PathError { source, variable })?;
    Ok(xdg(&base).join(FOLDER))
}

/// The folder of finished and partial runs (`HUBMARK_RECORDS_DIR`).
///
/// # Errors
/// When there is no home folder.
pub fn records() -> Result<PathBuf, PathError> {
    place("HUBMARK_RECORDS_DIR", BaseStrategy::data_dir).map(|folder| {
        if std::env::var_os("HUBMARK_RECORDS_DIR").is_some() {
            folder
        } else {
            folder.join("records")
        }
    })
}

/// The folder of saved profiles and of the screen's settings (`HUBMARK_CONFIG_DIR`).
///
/// # Errors
/// When there is no home folder.
pub fn config() -> Result<PathBuf, PathError> {
    place("HUBMARK_CONFIG_DIR", BaseStrategy::config_dir)
}

/// The folder of this program's own log (`HUBMARK_STATE_DIR`).
///
/// # Errors
/// When there is no home folder.
pub fn state() -> Result<PathBuf, PathError> {
    place("HUBMARK_STATE_DIR", |base| base.state_dir().unwrap_or_else(|| base.data_dir()))
}
