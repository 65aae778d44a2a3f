//! Whether this is the first start of the screen, which shows the tour once.

use std::{fs, io, path::PathBuf};

use crate::paths;

/// Returns the file whose existence says that the tour was shown.
fn marker() -> Result<PathBuf, String> {
    let folder = paths::state_dir().map_err(|error| error.to_string())?;
    Ok(folder.join("tour-shown"))
}

/// Whether the tour was never shown. Where that cannot be stored, the tour is not shown at all, because it would
/// be shown at every start.
pub fn is_first_start() -> bool {
    marker().is_ok_and(|path| !path.exists())
}

/// Remembers that the tour was shown.
pub fn remember_tour() -> Result<(), String> {
    let path = marker()?;
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, "")
    };
    write().map_err(|error: io::Error| format!("{} cannot be written: {error}", path.display()))
}
