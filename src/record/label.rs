//! Labels of records: tags and a note by the operator, in a file beside the record, which stays as
//! measured.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::paths;

/// Tags and a note of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Label {
    /// Single words.
    pub tags: Vec<String>,
    /// One line.
    pub note: String,
}

impl Label {
    /// Loads the label of the record at `path`; empty if there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or holds anything else than tags and a note: the reason, with the
    /// file and what to do.
    pub fn load(path: &Path) -> Result<Self, String> {
        let file = label_path(path);
        let unreadable = |reason: &dyn fmt::Display| {
            format!("{} is no label: {reason}; correct or remove that file", file.display())
        };
        match paths::read_text(&file) {
            Ok(text) => toml::from_str(&text).map_err(|error| unreadable(&error.message())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Saves the label beside the record at `path`; an empty label removes the file.
    ///
    /// # Errors
    /// When the file can neither be written nor removed, or [`Self::load`] cannot read the file that is
    /// there: what an operator wrote into it would be lost.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        Self::load(path).map_err(io::Error::other)?;
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
        assert_eq!(Label::load(&record), Ok(Label::default()));
        let label = Label { tags: vec!["sd-card".to_owned()], note: "fan on, \"b\"".to_owned() };
        label.save(&record).unwrap();
        assert_eq!(Label::load(&record), Ok(label));
        assert_eq!(Label::load(&folder.path().join("other.json")), Ok(Label::default()));
        Label::default().save(&record).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Label::default().save(&record).unwrap();
    }

    #[test]
    fn a_damaged_label_is_reported_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("mine.json");
        let file = folder.path().join("mine.label.toml");
        // Cut off, a misspelt key, another type, no UTF-8.
        for damaged in
            [&b"tags = [\"sd-ca"[..], b"tag = [\"fan\"]\n", b"note = 5\n", b"note = \"\xff\"\n"]
        {
            fs::write(&file, damaged).unwrap();
            let problem = Label::load(&record).unwrap_err();
            assert!(problem.contains("mine.label.toml is no label: "), "{problem}");
            assert!(problem.ends_with("; correct or remove that file"), "{problem}");
            let label = Label { note: "fan on".to_owned(), ..Label::default() };
            assert_eq!(label.save(&record).unwrap_err().to_string(), problem);
            assert_eq!(Label::default().save(&record).unwrap_err().to_string(), problem);
            assert_eq!(fs::read(&file).unwrap(), damaged);
        }
    }
}
