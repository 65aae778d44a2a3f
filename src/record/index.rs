//! The heads of records: what a list of thousands shows of each, without their histograms.
//!
//! A head is read once and kept in an index file, until its record's size or time changes.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{SCHEMA, Status, label::Label, store};
use crate::{measure::Judgement, plan::BackendChoice};

/// What a list shows of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was changed, in nanoseconds of Unix time.
    pub modified: u64,
    /// What it holds, or why that cannot be told.
    pub content: Result<Content, String>,
    /// The operator's own words on it; not part of the index.
    #[serde(skip)]
    pub label: Label,
}

/// What a record holds, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Its start.
    pub started: jiff::Timestamp,
    /// Whether it is whole.
    pub status: Status,
    /// The profile's name.
    pub profile: String,
    /// The backends, each once.
    pub backends: Vec<String>,
    /// The hub's model, where it is known, or else its processor.
    pub hub: Option<String>,
    /// Points.
    pub points: usize,
    /// Repetitions that are over.
    pub done: usize,
    /// Repetitions that the plan has; `None` of a search, which decides by itself.
    pub planned: Option<usize>,
    /// Of those that are over, suspect.
    pub suspect: usize,
    /// Of those that are over, failed.
    pub failed: usize,
    /// Messages lost.
    pub lost: u64,
}

/// The parts of a record's file that make its head. All others are passed over.
#[derive(Deserialize)]
struct File {
    schema: u32,
    started: jiff::Timestamp,
    status: Status,
    plan: PlanOfFile,
    provenance: ProvenanceOfFile,
    points: Vec<PointOfFile>,
}

#[derive(Deserialize)]
struct PlanOfFile {
    profile: String,
    schedule: Vec<IgnoredAny>,
    #[serde(default)]
    capacity: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ProvenanceOfFile {
    hub: HubOfFile,
}

#[derive(Deserialize)]
struct HubOfFile {
    model: Option<String>,
    #[serde(default)]
    cpu: Option<String>,
}

#[derive(Deserialize)]
struct PointOfFile {
    backend: BackendChoice,
    repetitions: Vec<RepetitionOfFile>,
}

#[derive(Deserialize)]
struct RepetitionOfFile {
    verdict: VerdictOfFile,
    ledger: LedgerOfFile,
}

#[derive(Deserialize)]
struct VerdictOfFile {
    status: Judgement,
}

#[derive(Deserialize)]
struct LedgerOfFile {
    lost: u64,
}

impl File {
    fn content(self) -> Content {
        let mut backends: Vec<String> = Vec::new();
        for backend in self.points.iter().map(|point| point.backend.to_string()) {
            if !backends.contains(&backend) {
                backends.push(backend);
            }
        }
        let repetitions = || self.points.iter().flat_map(|point| &point.repetitions);
        let judged = |status| repetitions().filter(|one| one.verdict.status == status).count();
        Content {
            started: self.started,
            status: self.status,
            backends,
            hub: self.provenance.hub.model.or(self.provenance.hub.cpu),
            points: self.points.len(),
            done: repetitions().count(),
            planned: self.plan.capacity.is_none().then_some(self.plan.schedule.len()),
            suspect: judged(Judgement::Suspect),
            failed: judged(Judgement::Failed),
            lost: repetitions().map(|one| one.ledger.lost).sum(),
            profile: self.plan.profile,
        }
    }
}

/// How long one waits for a list before a part of it is told.
const SOON: Duration = Duration::from_millis(200);

/// The heads of all records in `folder`, in the order of their names, with the help of the index
/// at `index`, which is brought up to date. An index that cannot be read or written costs time
/// only. While others are still read, `tell` hears those of the newest so far, and of how many.
///
/// # Errors
/// When the folder exists and cannot be read.
pub fn heads(
    folder: &Path,
    index: Option<&Path>,
    tell: &dyn Fn(&[Head], usize),
) -> Result<Vec<Head>, store::StoreError> {
    told_heads(folder, index, SOON, tell)
}

fn told_heads(
    folder: &Path,
    index: Option<&Path>,
    soon: Duration,
    tell: &dyn Fn(&[Head], usize),
) -> Result<Vec<Head>, store::StoreError> {
    let known: BTreeMap<PathBuf, Head> = index
        .and_then(|path| serde_json::from_slice::<Vec<Head>>(&fs::read(path).ok()?).ok())
        .unwrap_or_default()
        .into_iter()
        .map(|head| (head.path.clone(), head))
        .collect();
    let mut paths = store::files(folder)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // A record's name begins with its time: the newest first.
    paths.sort_by(|a, b| b.cmp(a));
    let (mut fresh, mut told) = (false, Instant::now());
    let all = paths.len();
    let mut heads: Vec<Head> = Vec::with_capacity(all);
    for path in paths {
        if told.elapsed() >= soon {
            tell(&heads, all);
            told = Instant::now();
        }
        let (bytes, modified) = match stamp(&path) {
            Ok(stamp) => stamp,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => (0, 0),
        };
        let same = |head: &&Head| head.bytes == bytes && head.modified == modified && modified > 0;
        let mut head = known.get(&path).filter(same).cloned().unwrap_or_else(|| {
            fresh = true;
            Head { content: read(&path), bytes, modified, label: Label::default(), path }
        });
        head.label = Label::of(&head.path);
        heads.push(head);
    }
    heads.reverse();
    let elsewhere = || known.values().filter(|head| head.path.parent() != Some(folder));
    if let Some(index) = index
        && (fresh || known.len() != heads.len() + elsewhere().count())
    {
        let kept: Vec<&Head> = heads.iter().chain(elsewhere()).collect();
        if let Err(error) = write(index, &kept) {
            tracing::warn!(%error, "the index of records is not kept");
        }
    }
    Ok(heads)
}

fn stamp(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), u64::try_from(modified.as_nanos()).unwrap_or(0)))
}

fn read(path: &Path) -> Result<Content, String> {
    let text = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    match serde_json::from_slice::<File>(&text) {
        Ok(file) if file.schema > SCHEMA => Err("was written by a newer hubmark".to_owned()),
        Ok(file) => Ok(file.content()),
        Err(error) => Err(format!("is not a record: {error}")),
    }
}

fn write(index: &Path, heads: &[&Head]) -> io::Result<()> {
    let folder = index.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(io::BufWriter::new(file.as_file()), heads)?;
    file.persist(index).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const RECORD: &str = r#"{"schema": 1, "hubmark": {"version": "0"}, "run": "r",
        "started": "2026-11-24T19:14:39Z", "status": "partial",
        "plan": {"profile": "mine", "schedule": [{}, {}, {}], "capacity": null},
        "provenance": {"hub": {"model": "Raspberry Pi 4"}},
        "points": [{"backend": {"name": "kafka", "version": "4.4.0"}, "users": 5, "repetitions": [
            {"verdict": {"status": "valid"}, "ledger": {"lost": 0}},
            {"verdict": {"status": "suspect"}, "ledger": {"lost": 3}}]}]}"#;

    #[test]
    fn a_head_is_what_the_record_holds_and_what_is_no_record_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), RECORD).unwrap();
        fs::write(folder.path().join("b.json"), "{}").unwrap();
        fs::write(folder.path().join("c.txt"), "not looked at").unwrap();
        let heads = heads(folder.path(), None, &|_, _| {}).unwrap();
        let [a, b] = heads.as_slice() else { panic!("{heads:?}") };
        let a = a.content.as_ref().unwrap();
        assert_eq!((a.profile.as_str(), a.done, a.planned), ("mine", 2, Some(3)));
        assert_eq!((a.suspect, a.failed, a.lost), (1, 0, 3));
        assert_eq!(a.backends, ["kafka 4.4.0"]);
        assert!(b.content.as_ref().unwrap_err().contains("is not a record"));
        assert!(heads_of_nothing().is_empty());
    }

    #[test]
    fn the_newest_are_told_while_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2026-01.json", "2026-02.json", "2026-03.json"] {
            fs::write(folder.path().join(name), RECORD).unwrap();
        }
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |heads: &[Head], of: usize| {
            let names = heads.iter().map(|head| head.path.file_stem().unwrap().to_owned());
            told.borrow_mut().push((names.collect::<Vec<_>>(), of));
        };
        let heads = told_heads(folder.path(), None, Duration::ZERO, &tell).unwrap();
        let told = told.into_inner();
        assert_eq!(told[1], (vec!["2026-03".into()], 3));
        assert_eq!(told[2].0.len(), 2);
        assert!(heads.is_sorted_by_key(|head| head.path.clone()), "the whole list is by names");
    }

    fn heads_of_nothing() -> Vec<Head> {
        heads(Path::new("/no/such/folder"), None, &|_, _| {}).unwrap()
    }

    #[test]
    fn the_index_answers_for_a_record_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        let path = folder.path().join("a.json");
        fs::write(&path, RECORD).unwrap();
        let first = heads(folder.path(), Some(&index), &|_, _| {}).unwrap();
        // A mark in the index shows whose answer the next one is.
        let kept = fs::read_to_string(&index).unwrap().replace("\"mine\"", "\"from the index\"");
        fs::write(&index, kept).unwrap();
        let again = heads(folder.path(), Some(&index), &|_, _| {}).unwrap();
        assert_eq!(again[0].content.as_ref().unwrap().profile, "from the index");
        fs::write(&path, RECORD.replace("mine", "changed")).unwrap();
        let changed = heads(folder.path(), Some(&index), &|_, _| {}).unwrap();
        assert_eq!(changed[0].content.as_ref().unwrap().profile, "changed");
        assert_ne!(first, changed);
        fs::remove_file(&path).unwrap();
        assert!(heads(folder.path(), Some(&index), &|_, _| {}).unwrap().is_empty());
        assert_eq!(fs::read_to_string(&index).unwrap(), "[]");
    }
}
