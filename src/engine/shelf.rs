//! Where the record lies: at the place that was asked for, or, while nothing can be written there
//! (a full disk, a folder that went away), at another one. It never leaves the memory.

use std::path::{Path, PathBuf};

use crate::{
    event::{Level, Teller},
    record::{
        Record,
        store::{self, StoreError},
    },
};

/// Keeps one record on disk.
#[derive(Debug)]
pub struct Shelf {
    wanted: PathBuf,
    /// Where it lies while it cannot lie where it should.
    substitute: Option<PathBuf>,
    teller: Teller,
}

impl Shelf {
    /// For a record that has just been saved as `wanted`.
    pub fn new(wanted: PathBuf, teller: &Teller) -> Self {
        Self { wanted, substitute: None, teller: teller.clone() }
    }

    /// The file that holds what was last saved.
    pub fn file(&self) -> &Path {
        self.substitute.as_deref().unwrap_or(&self.wanted)
    }

    /// Saves `record` where it was asked for, or else elsewhere, which is told. The right place is
    /// tried anew each time, and when it works again the substitute is removed.
    ///
    /// # Errors
    /// What the right place said, when no other takes it either. What was saved before is
    /// still there, and the next call tries everything again.
    pub fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        let error = match store::save(record, &self.wanted) {
            Ok(()) => {
                self.back();
                return Ok(());
            }
            Err(error) => error,
        };
        if let Some(file) = &self.substitute
            && store::save(record, file).is_ok()
        {
            return Ok(());
        }
        for file in store::elsewhere(&self.wanted, &record.run) {
            if store::save(record, &file).is_err() {
                continue;
            }
            let text = format!(
                "{error}\n  it was saved as {} instead; the first place is tried again after every repetition",
                file.display()
            );
            self.teller.log(Level::Warn, text);
            self.substitute = Some(file);
            return Ok(());
        }
        Err(error)
    }

    fn back(&mut self) {
        let Some(file) = self.substitute.take() else { return };
        let text = format!("the record is saved as {} again", self.wanted.display());
        self.teller.log(Level::Info, text);
        if let Err(error) = std::fs::remove_file(&file) {
            tracing::warn!(%error, "the substitute {} is left", file.display());
        }
    }
}
