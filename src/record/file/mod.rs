//! File of a record: written as a whole, or extended in place by what is new.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tempfile::{NamedTempFile, PersistError};

use super::{
    Record, Repetition,
    error::StoreError,
    folder::{create_temporary, parent_folder, remove_leftovers},
    journal::{JOURNAL_END, JOURNAL_KEY, JournalEntry, PointRepetition},
    layout,
    summary::summarise,
};
use crate::plan::ScheduledRepetition;

/// End of the JSON of a record that is not empty.
const RECORD_END: &[u8] = b"\n}";

/// Form in which a finished record was saved.
#[derive(Debug)]
pub enum SavedForm {
    /// As a whole.
    Whole,
    /// With its last results in the journal, because it could not be written as a whole.
    Journal(StoreError),
}

/// File to which a run saves its record. The cost of a save depends on what is new, not on the whole record.
///
/// After a kill or a power cut at any moment the file holds everything that was saved before: the whole file
/// is replaced atomically, and an interrupted append leaves at most an unfinished last line, which
/// [`load`](super::read::load) leaves out.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    /// The file as this process has written it.
    open: Option<OpenFile>,
}

/// A file with a journal, and what it holds.
#[derive(Debug)]
struct OpenFile {
    file: File,
    /// Size of the file.
    end: u64,
    has_entries: bool,
    saved: SavedState,
}

/// What was saved of a record, for comparison with the record.
#[derive(Debug, PartialEq)]
struct SavedState {
    /// All keys but the points, the plan without its schedule.
    head: Map<String, Value>,
    schedule: Vec<ScheduledRepetition>,
    /// Number of repetitions and of failed tries of each point.
    counts: Vec<(usize, usize)>,
}

impl RecordFile {
    /// A record's file at `path`, of which nothing is known yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Saves `record` for the first time; never replaces a file, which may be the record of hours.
    ///
    /// # Errors
    /// [`StoreError::Exists`] and [`StoreError::Write`].
    pub fn create(&mut self, record: &mut Record) -> Result<(), StoreError> {
        match self.write_with_journal(record, NamedTempFile::persist_noclobber) {
            Ok(()) => {
                if let Err(error) = remove_leftovers(parent_folder(&self.path)) {
                    tracing::warn!(%error, "cannot remove leftovers of interrupted saves");
                }
                Ok(())
            }
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    && self.path.symlink_metadata().is_ok() =>
            {
                Err(StoreError::Exists { path: self.path.clone() })
            }
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Saves what is new in `record` since the last save. The first save, and one after the file was changed
    /// by others, writes the whole record.
    ///
    /// # Errors
    /// [`StoreError::Write`]; the file then holds what was saved before.
    pub fn save(&mut self, record: &mut Record) -> Result<(), StoreError> {
        let saved = match self.append(record) {
            Ok(true) => return Ok(()),
            Ok(false) => self.write_with_journal(record, NamedTempFile::persist),
            Err(error) => Err(error),
        };
        saved.map_err(|source| self.write_error(source))
    }

    /// Saves `record`, which is finished, as a whole and without a journal.
    ///
    /// # Errors
    /// [`StoreError::Write`], if what is new could not be appended either.
    pub fn finish(&mut self, record: &mut Record) -> Result<SavedForm, StoreError> {
        let Err(source) = self.write_whole(record, NamedTempFile::persist, |_| Ok(())) else {
            self.open = None;
            return Ok(SavedForm::Whole);
        };
        let error = self.write_error(source);
        // A disk that has no room for a second copy may have room for the rest.
        match self.append(record) {
            Ok(true) => Ok(SavedForm::Journal(error)),
            Ok(false) | Err(_) => Err(error),
        }
    }

    fn write_error(&self, source: io::Error) -> StoreError {
        StoreError::Write { path: self.path.clone(), source }
    }

    /// Appends what is new in `record`; returns whether the file then holds all of it.
    fn append(&mut self, record: &mut Record) -> io::Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        if !open.is_at(&self.path) {
            self.open = None;
            return Ok(false);
        }
        let state = SavedState::of(record)?;
        if state == open.saved {
            return Ok(true);
        }
        let Some(entry) = open.saved.entry_to(&state, record)? else { return Ok(false) };
        let line = serde_json::to_vec(&entry)?;
        if let Err(error) = open.append_line(&line) {
            // The next save tries again if the file is as before, and otherwise writes it anew.
            if open.restore_end().is_err() {
                self.open = None;
            }
            return Err(error);
        }
        open.saved = state;
        Ok(true)
    }

    /// Writes the whole record, with an empty journal for later saves.
    fn write_with_journal(&mut self, record: &mut Record, persist: PersistFn) -> io::Result<()> {
        let saved = SavedState::of(record)?;
        let file = self.write_whole(record, persist, begin_journal)?;
        let end = file.metadata()?.len();
        self.open = Some(OpenFile { file, end, has_entries: false, saved });
        Ok(())
    }

    /// Writes the record to a temporary file, changes that by `change`, and gives it the final name.
    fn write_whole(
        &self,
        record: &mut Record,
        persist: PersistFn,
        change: fn(&mut File) -> io::Result<()>,
    ) -> io::Result<File> {
        add_summaries(record);
        let mut temporary = create_temporary(&self.path)?;
        let mut writer = BufWriter::new(temporary.as_file_mut());
        layout::write_json(&mut writer, record)?;
        writer.flush()?;
        drop(writer);
        change(temporary.as_file_mut())?;
        temporary.as_file().sync_all()?;
        let file = persist(temporary, self.path.clone()).map_err(|error| error.error)?;
        // The rename is on the disk only after its folder is synced.
        File::open(parent_folder(&self.path))?.sync_all()?;
        Ok(file)
    }
}

/// Function that gives a finished temporary file its final name.
type PersistFn = fn(NamedTempFile, PathBuf) -> Result<File, PersistError>;

/// Adds the summaries that are missing: the runner removes those that no longer fit.
fn add_summaries(record: &mut Record) {
    for point in &mut record.points {
        if point.summary.is_none() {
            point.summary = summarise(&point.repetitions);
        }
    }
}

/// Replaces the end of a record by an empty journal.
fn begin_journal(file: &mut File) -> io::Result<()> {
    let end = file.stream_position()?.saturating_sub(RECORD_END.len() as u64);
    file.set_len(end)?;
    let mut begin = format!(",\n  \"{JOURNAL_KEY}\": [").into_bytes();
    begin.extend(JOURNAL_END);
    file.write_all_at(&begin, end)
}

impl OpenFile {
    /// Whether the file at `path` is this one, and as this process left it.
    fn is_at(&self, path: &Path) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino(), metadata.len());
        let here = fs::metadata(path).map(identity).ok();
        let own = self.file.metadata().map(|own| (own.dev(), own.ino(), self.end)).ok();
        here.is_some() && here == own
    }

    fn append_line(&mut self, line: &[u8]) -> io::Result<()> {
        let at = self.end - JOURNAL_END.len() as u64;
        let separator: &[u8] = if self.has_entries { b",\n" } else { b"\n" };
        let added = [separator, line, JOURNAL_END].concat();
        self.file.write_all_at(&added, at)?;
        self.file.sync_data()?;
        self.end = at + added.len() as u64;
        self.has_entries = true;
        Ok(())
    }

    /// Removes the part of a line that could be written.
    fn restore_end(&self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.write_all_at(JOURNAL_END, self.end - JOURNAL_END.len() as u64)?;
        self.file.sync_data()
    }
}

impl SavedState {
    fn of(record: &mut Record) -> serde_json::Result<Self> {
        // What grows with the run is compared, not converted.
        let points = std::mem::take(&mut record.points);
        let schedule = std::mem::take(&mut record.plan.schedule);
        let value = serde_json::to_value(&*record);
        record.points = points;
        record.plan.schedule.clone_from(&schedule);
        let counts = record.points.iter().map(|p| (p.repetitions.len(), p.failed_tries.len()));
        let counts = counts.collect();
        let mut head = match value? {
            Value::Object(head) => head,
            _ => Map::new(),
        };
        head.remove("points");
        Ok(Self { head, schedule, counts })
    }

    /// Returns the journal entry that leads from this state to `state`, that of `record`; `None` if results
    /// were not only added.
    fn entry_to<'r>(
        &self,
        state: &Self,
        record: &'r Record,
    ) -> serde_json::Result<Option<JournalEntry<&'r Repetition>>> {
        if self.counts.len() != state.counts.len() {
            return Ok(None);
        }
        let mut changed: Map<String, Value> = state
            .head
            .iter()
            .filter(|(key, value)| self.head.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if changed.contains_key("plan") || self.schedule != state.schedule {
            changed.insert("plan".into(), serde_json::to_value(&record.plan)?);
        }
        let (mut repetitions, mut failed_tries) = (Vec::new(), Vec::new());
        for (point, (results, saved)) in record.points.iter().zip(&self.counts).enumerate() {
            let (Some(new), Some(failed)) =
                (results.repetitions.get(saved.0..), results.failed_tries.get(saved.1..))
            else {
                return Ok(None);
            };
            let with_point = |result| PointRepetition { point, result };
            repetitions.extend(new.iter().map(with_point));
            failed_tries.extend(failed.iter().map(with_point));
        }
        Ok(Some(JournalEntry { changed, repetitions, failed_tries }))
    }
}

#[cfg(test)]
mod tests;
