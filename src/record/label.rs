//! What the operator says about a record: tags and a note, in a file beside it. The record itself
//! stays as it was measured.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Tags and a note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Single words.
    pub tags: Vec<String>,
    /// One line.
    pub note: String,
}

impl Label {
    /// The label of the record at `path`; an empty one where there is none to read.
    pub fn of(path: &Path) -> Self {
        let text = fs::read_to_string(beside(path));
        text.ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Puts it beside the record at `path`; an empty one leaves no file.
    ///
    /// # Errors
    /// When the file can neither be written nor removed.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = beside(path);
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

/// The label's file: `NAME.label.toml` beside `NAME.json`.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("label.toml")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_label_is_kept_beside_its_record_and_an_empty_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("2026-11-24T17-44-24.787Z-mine.json");
        assert_eq!(Label::of(&record), Label::default());
        let label = Label { tags: vec!["sd-card".to_owned()], note: "fan on, \"b\"".to_owned() };
        label.save(&record).unwrap();
        assert_eq!(Label::of(&record), label);
        assert_eq!(Label::of(&folder.path().join("other.json")), Label::default());
        Label::default().save(&record).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Label::default().save(&record).unwrap();
    }
}
