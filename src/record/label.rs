//! Labels of records: tags and a note by the operator, in a file beside the record, which stays as
//! measured.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::paths;

/// Tags and a note of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Single words.
    pub tags: Vec<String>,
    /// One line.
    pub note: String,
}

impl Label {
    /// Loads the label of the record at `path`; empty if there is none or it cannot be read.
    pub fn load(path: &Path) -> Self {
        let text = paths::read_text(&label_path(path));
        text.ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Saves the label beside the record at `path`; an empty label removes the file.
    ///
    /// # Errors
    /// When the file can neither be written nor removed.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = label_path(path);
        if *self == Self::default() {
            return match fs::remove_file(file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                result => result,
            };
        }
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(written.path(), text)?;
        written.persist(file).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Path of the label file: `NAME.label.toml` beside `NAME.json`.
fn label_path(path: &Path) -> PathBuf {
    path.with_extension("label.toml")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_label_is_saved_beside_its_record_and_an_empty_one_removes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("2026-11-24T17-44-24.787Z-mine.json");
        assert_eq!(Label::load(&record), Label::default());
        let label = Label { tags: vec!["sd-card".to_owned()], note: "fan on, \"b\"".to_owned() };
        label.save(&record).unwrap();
        assert_eq!(Label::load(&record), label);
        assert_eq!(Label::load(&folder.path().join("other.json")), Label::default());
        Label::default().save(&record).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Label::default().save(&record).unwrap();
    }
}
