//! Index of records: an overview of each for lists of thousands, without their histograms.
//!
//! An entry is read once and cached in an index file until the size or the time of its record
//! changes.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    error::StoreError,
    folder::list_files,
    label::Label,
    overview::{self, RecordOverview},
    store,
};
use crate::paths as files;

/// Entry of a record in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// File of the record.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Time of the last change, in nanoseconds of Unix time.
    pub modified: u64,
    /// Overview of the record, or the reason why there is none.
    pub content: Result<RecordOverview, String>,
    /// Tags and note of the operator, or the reason why they cannot be read; not part of the index.
    #[serde(skip, default = "no_label")]
    pub label: Result<Label, String>,
}

impl IndexEntry {
    /// Returns the record's name.
    pub fn name(&self) -> String {
        store::record_name(&self.path)
    }

    /// Returns the operator's tags, separated by spaces; empty if they cannot be read.
    pub fn tags(&self) -> String {
        self.label.as_ref().map_or_else(|_| String::new(), |label| label.tags.join(" "))
    }

    /// Returns the operator's note; empty if it cannot be read.
    pub fn note(&self) -> &str {
        self.label.as_ref().map_or("", |label| &label.note)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "serde takes the default of a field from its type")]
fn no_label() -> Result<Label, String> {
    Ok(Label::default())
}

/// Interval between two reports of a part of the list.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Lists the records in `folder`, sorted by name, and updates the index file at `index`.
///
/// An index that cannot be read or written costs time only. While records are read, `report` is
/// called with the newest entries so far and the number of all.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn list_records(
    folder: &Path,
    index: Option<&Path>,
    report: &dyn Fn(&[IndexEntry], usize),
) -> Result<Vec<IndexEntry>, StoreError> {
    list_records_with_interval(folder, index, PROGRESS_INTERVAL, report)
}

fn list_records_with_interval(
    folder: &Path,
    index: Option<&Path>,
    interval: Duration,
    report: &dyn Fn(&[IndexEntry], usize),
) -> Result<Vec<IndexEntry>, StoreError> {
    let known: BTreeMap<PathBuf, IndexEntry> = index
        .and_then(|path| {
            serde_json::from_slice::<Vec<IndexEntry>>(&files::read_regular(path).ok()?).ok()
        })
        .unwrap_or_default()
        .into_iter()
        .map(|entry| (entry.path.clone(), entry))
        .collect();
    let mut paths = list_files(folder)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // A record's name begins with its time: the newest first.
    paths.sort_by(|a, b| b.cmp(a));
    let (mut changed, mut last_report) = (false, Instant::now());
    let all = paths.len();
    let mut entries: Vec<IndexEntry> = Vec::with_capacity(all);
    for path in paths {
        if last_report.elapsed() >= interval {
            report(&entries, all);
            last_report = Instant::now();
        }
        let (bytes, modified) = match size_and_modified(&path) {
            Ok(stamp) => stamp,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => (0, 0),
        };
        let same = |entry: &&IndexEntry| {
            entry.bytes == bytes && entry.modified == modified && modified > 0
        };
        let mut entry = known.get(&path).filter(same).cloned().unwrap_or_else(|| {
            changed = true;
            IndexEntry {
                content: overview::read_overview(&path),
                bytes,
                modified,
                label: no_label(),
                path,
            }
        });
        entry.label = Label::load(&entry.path);
        entries.push(entry);
    }
    entries.reverse();
    let other_folders = || known.values().filter(|entry| entry.path.parent() != Some(folder));
    if let Some(index) = index
        && (changed || known.len() != entries.len() + other_folders().count())
    {
        let all_entries: Vec<&IndexEntry> = entries.iter().chain(other_folders()).collect();
        if let Err(error) = write_index(index, &all_entries) {
            tracing::warn!(%error, "the index of records cannot be written");
        }
    }
    Ok(entries)
}

fn size_and_modified(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), u64::try_from(modified.as_nanos()).unwrap_or(0)))
}

fn write_index(index: &Path, entries: &[&IndexEntry]) -> io::Result<()> {
    let folder = index.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(io::BufWriter::new(file.as_file()), entries)?;
    file.persist(index).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const RECORD: &str = r#"{"schema": 1, "hubmark": {"version": "0"}, "run": "r",
        "started": "2026-11-24T19:14:39Z", "status": "partial",
        "plan": {"profile": "mine", "points": [{}], "repetitions": 3, "schedule": [
            {"point": 0, "repetition": 0}, {"point": 0, "repetition": 1}, {"point": 0, "repetition": 2}]},
        "provenance": {"hub": {"model": "Raspberry Pi 4"}},
        "points": [{"backend": {"name": "kafka", "version": "4.4.0"}, "users": 5, "repetitions": [
            {"index": 0, "order": 0, "verdict": {"status": "valid"},
                "ledger": {"lost": 0, "failed": 0, "unsent": 0}},
            {"index": 1, "order": 1, "verdict": {"status": "suspect"},
                "ledger": {"lost": 3, "failed": 1, "unsent": 2}}]}]}"#;

    #[test]
    fn an_entry_summarises_its_record_or_says_that_it_is_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), RECORD).unwrap();
        fs::write(folder.path().join("b.json"), "{}").unwrap();
        fs::write(folder.path().join("c.txt"), "not looked at").unwrap();
        let entries = list_records(folder.path(), None, &|_, _| {}).unwrap();
        let [a, b] = entries.as_slice() else { panic!("{entries:?}") };
        let a = a.content.as_ref().unwrap();
        assert_eq!((a.profile.as_str(), a.done, a.planned), ("mine", 2, Some(3)));
        assert_eq!((a.suspect, a.failed, a.lost, a.undelivered), (1, 0, 3, 6));
        assert_eq!(a.backends, ["kafka 4.4.0"]);
        assert!(b.content.as_ref().unwrap_err().contains("is not a record"));
        assert!(list_missing_folder().is_empty());
    }

    #[test]
    fn the_newest_are_reported_while_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2026-01.json", "2026-02.json", "2026-03.json"] {
            fs::write(folder.path().join(name), RECORD).unwrap();
        }
        let reports = std::cell::RefCell::new(Vec::new());
        let report = |entries: &[IndexEntry], of: usize| {
            let names = entries.iter().map(|entry| entry.path.file_stem().unwrap().to_owned());
            reports.borrow_mut().push((names.collect::<Vec<_>>(), of));
        };
        let entries =
            list_records_with_interval(folder.path(), None, Duration::ZERO, &report).unwrap();
        let reports = reports.into_inner();
        assert_eq!(reports[1], (vec!["2026-03".into()], 3));
        assert_eq!(reports[2].0.len(), 2);
        assert!(entries.is_sorted_by_key(|entry| entry.path.clone()), "the whole list is by names");
    }

    fn list_missing_folder() -> Vec<IndexEntry> {
        list_records(Path::new("/no/such/folder"), None, &|_, _| {}).unwrap()
    }

    #[test]
    fn the_index_is_used_until_a_record_changes() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        let path = folder.path().join("a.json");
        fs::write(&path, RECORD).unwrap();
        let first = list_records(folder.path(), Some(&index), &|_, _| {}).unwrap();
        // A mark in the index shows that the next list comes from it.
        let marked = fs::read_to_string(&index).unwrap().replace("\"mine\"", "\"from the index\"");
        fs::write(&index, marked).unwrap();
        let again = list_records(folder.path(), Some(&index), &|_, _| {}).unwrap();
        assert_eq!(again[0].content.as_ref().unwrap().profile, "from the index");
        fs::write(&path, RECORD.replace("mine", "changed")).unwrap();
        let changed = list_records(folder.path(), Some(&index), &|_, _| {}).unwrap();
        assert_eq!(changed[0].content.as_ref().unwrap().profile, "changed");
        assert_ne!(first, changed);
        fs::remove_file(&path).unwrap();
        assert!(list_records(folder.path(), Some(&index), &|_, _| {}).unwrap().is_empty());
        assert_eq!(fs::read_to_string(&index).unwrap(), "[]");
    }
}
