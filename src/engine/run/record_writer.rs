//! Record writer: saves the record at the requested path or, while that path cannot be written (a
//! full disk, a removed folder), at a substitute. The record also stays in memory.
//!
//! Files are written on threads for blocking work: a slow disk never delays a task of the run.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::{
    event::{EventSender, LogLevel},
    record::{
        Record,
        store::{self, RecordFile, SavedForm, StoreError},
    },
};

/// Saves one record to disk.
#[derive(Debug)]
pub struct RecordWriter {
    path: PathBuf,
    /// Path of the last save.
    current_path: PathBuf,
    /// `None` while they are written, and after a write that did not end.
    files: Option<RecordFiles>,
}

impl RecordWriter {
    /// Creates a writer for a record at `path`.
    pub fn new(path: PathBuf, events: &EventSender) -> Self {
        let files = RecordFiles {
            requested: RecordFile::new(path.clone()),
            substitute: None,
            events: events.clone(),
        };
        Self { current_path: path.clone(), path, files: Some(files) }
    }

    /// Path of the last save.
    pub fn current_path(&self) -> &Path {
        &self.current_path
    }

    /// Saves a record before its run begins: a new one never replaces a file.
    ///
    /// # Errors
    /// The file exists already, or cannot be written.
    pub async fn begin(&mut self, record: &mut Record, is_new: bool) -> Result<(), StoreError> {
        let begin = if is_new { RecordFile::create } else { RecordFile::save };
        self.write(record, move |files, record| begin(&mut files.requested, record)).await
    }

    /// Saves what is new in `record` at the requested path, or at a substitute with a warning. Each call
    /// tries the requested path first and removes the substitute when it can be written again.
    ///
    /// # Errors
    /// The error of the requested path, if no substitute can be written either. The last save is still
    /// on disk, and the next call tries all paths again.
    pub async fn save(&mut self, record: &mut Record) -> Result<(), StoreError> {
        self.write(record, |files, record| files.save_with(record, RecordFile::save)).await
    }

    /// Saves the finished `record` as a whole.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub async fn finish(&mut self, record: &mut Record) -> Result<(), StoreError> {
        self.write(record, RecordFiles::finish).await
    }

    /// Runs `write` on a thread for blocking work, which owns the record meanwhile.
    async fn write(
        &mut self,
        record: &mut Record,
        write: impl FnOnce(&mut RecordFiles, &mut Record) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let ending = || StoreError::Ending { path: self.path.clone() };
        let mut files = self.files.take().ok_or_else(ending)?;
        let points = std::mem::take(&mut record.points);
        let mut owned = Record { points, ..record.clone() };
        let task = spawn_blocking(move || {
            let saved = write(&mut files, &mut owned);
            (saved, files, owned)
        });
        match task.await {
            Ok((saved, files, owned)) => {
                *record = owned;
                files.current_path().clone_into(&mut self.current_path);
                self.files = Some(files);
                saved
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(ending()),
        }
    }
}

/// The file of a record, and its substitute while that cannot be written.
#[derive(Debug)]
struct RecordFiles {
    requested: RecordFile,
    substitute: Option<RecordFile>,
    events: EventSender,
}

impl RecordFiles {
    fn current_path(&self) -> &Path {
        self.substitute.as_ref().unwrap_or(&self.requested).path()
    }

    fn save_with<T>(
        &mut self,
        record: &mut Record,
        save: fn(&mut RecordFile, &mut Record) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let error = match save(&mut self.requested, record) {
            Ok(saved) => {
                self.remove_substitute();
                return Ok(saved);
            }
            Err(error) => error,
        };
        if let Some(file) = &mut self.substitute
            && let Ok(saved) = save(file, record)
        {
            return Ok(saved);
        }
        for path in store::fallback_paths(self.requested.path(), &record.run) {
            let mut file = RecordFile::new(path);
            let Ok(saved) = save(&mut file, record) else { continue };
            let text = format!(
                "{error}\n  it was saved as {} instead; the requested path is tried again after every repetition",
                file.path().display()
            );
            self.events.log(LogLevel::Warn, text);
            self.substitute = Some(file);
            return Ok(saved);
        }
        Err(error)
    }

    fn finish(&mut self, record: &mut Record) -> Result<(), StoreError> {
        if let SavedForm::Journal(error) = self.save_with(record, RecordFile::finish)? {
            let text = format!(
                "{error}\n  {} is complete, and hubmark reads it like any other record; other programs find its \
                 last repetitions under the key journal",
                self.current_path().display()
            );
            self.events.log(LogLevel::Warn, text);
        }
        Ok(())
    }

    fn remove_substitute(&mut self) {
        let Some(file) = self.substitute.take() else { return };
        let text = format!("the record is saved as {} again", self.requested.path().display());
        self.events.log(LogLevel::Info, text);
        if let Err(error) = std::fs::remove_file(file.path()) {
            tracing::warn!(%error, "the substitute {} was not removed", file.path().display());
        }
    }
}
