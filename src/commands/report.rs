//! `hubmark report` and `hubmark compare`: evaluation of finished runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use color_eyre::eyre::{Result, WrapErr};

use super::{
    output::{Exit, print, print_error},
    records::locate,
};
use crate::{
    cli::{CompareArgs, OutputFormat, ReportArgs},
    paths,
    record::{
        Record,
        store::{self, RecordDetail},
    },
    report::{
        cells::{ReportCells, SourceRecord},
        compare::{self, ComparisonSide},
        difference_limit::DifferenceLimit,
        folder,
    },
};

/// A record with its name.
struct LoadedRecord {
    name: String,
    record: Record,
}

impl LoadedRecord {
    fn source(&self) -> SourceRecord<'_> {
        SourceRecord { name: &self.name, record: &self.record }
    }
}

fn load_record(path: &Path, detail: RecordDetail) -> Option<LoadedRecord> {
    let found = match locate(path) {
        Ok(found) => found,
        Err(error) => {
            print_error(format!("{error:#}"));
            return None;
        }
    };
    match store::load_detail(&found, detail) {
        Ok(record) => Some(LoadedRecord { name: store::record_name(&found), record }),
        Err(error) => {
            print_error(error);
            None
        }
    }
}

fn load_records(paths: &[PathBuf], detail: RecordDetail) -> Option<Vec<LoadedRecord>> {
    // Load all before returning, so that every unreadable record is reported.
    let loaded: Vec<_> = paths.iter().map(|path| load_record(path, detail)).collect();
    loaded.into_iter().collect()
}

/// The most recent record.
fn latest_record() -> Result<Option<PathBuf>> {
    let folder = paths::records_dir()?;
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(None) };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    // File names start with the time.
    files.sort();
    Ok(files.pop())
}

/// Executes `hubmark report`.
pub fn report(args: &ReportArgs) -> Result<Exit> {
    let mut paths = args.records.clone();
    if paths.is_empty() {
        let Some(path) = latest_record()? else {
            print_error("no record found: create one with hubmark run PROFILE");
            return Ok(Exit::Failed);
        };
        paths.push(path);
    }
    let Some(loaded) = load_records(&paths, RecordDetail::Full) else { return Ok(Exit::Failed) };
    let folder = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!("{}-report", loaded.first().map_or("", |first| first.name.as_str())))
    });
    let cells = ReportCells::from_sources(
        loaded.iter().map(LoadedRecord::source).collect(),
        args.exclude_suspect,
    );
    let written = match folder::write(&cells, &folder) {
        Ok(written) => written,
        Err(error) => {
            print_error(error);
            return Ok(Exit::Failed);
        }
    };
    let page = fs::canonicalize(&written.page).unwrap_or(written.page);
    print(&format!(
        "{}\n{} figures, and their numbers as CSV\n",
        page.display(),
        written.figures.len()
    ))?;
    if cells.measured().next().is_none() {
        print_error("no repetition is usable: the report shows only the reasons");
        return Ok(Exit::Failed);
    }
    Ok(Exit::Success)
}

/// Executes `hubmark compare`.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let mut limits = Vec::new();
    for text in &args.fail_if {
        match text.parse::<DifferenceLimit>() {
            Ok(limit) => limits.push(limit),
            Err(error) => {
                print_error(error);
                return Ok(Exit::Usage);
            }
        }
    }
    let mut paths = vec![args.a.clone()];
    paths.extend(args.b.clone());
    if paths.len() + args.backend.len() < 2 || (paths.len() == 1 && args.backend.len() != 2) {
        print_error("give two records, or one and the two backends to compare: --backend A,B");
        return Ok(Exit::Usage);
    }
    if args.backend.len() > 2 {
        print_error("--backend takes one backend for both sides, or two: --backend A,B");
        return Ok(Exit::Usage);
    }
    let Some(loaded) = load_records(&paths, RecordDetail::WithoutSeconds) else {
        return Ok(Exit::Failed);
    };
    let side = |place: usize| {
        let loaded = &loaded[place.min(loaded.len() - 1)];
        let backend = args.backend.get(place).or(args.backend.last()).cloned();
        let name = match &backend {
            Some(backend) => format!("{backend} in {}", loaded.name),
            None => loaded.name.clone(),
        };
        ComparisonSide { name, source: loaded.source(), backend }
    };
    let comparison = match compare::compare(&side(0), &side(1), args.exclude_suspect, &limits) {
        Ok(comparison) => comparison,
        Err(error) => {
            print_error(error);
            return Ok(Exit::Failed);
        }
    };
    print(&match args.format {
        OutputFormat::Text => compare::text(&comparison),
        OutputFormat::Json => {
            serde_json::to_string_pretty(&compare::json(&comparison)).wrap_err("writing JSON")?
                + "\n"
        }
        OutputFormat::Csv => compare::csv(&comparison),
    })?;
    if comparison.has_crossed_limit() {
        return Ok(Exit::ThresholdCrossed);
    }
    let unjudged = comparison.undecidable_limits();
    for limit in &unjudged {
        print_error(format!(
            "{limit}: not measured at any point of both sides, so it cannot be judged"
        ));
    }
    Ok(if unjudged.is_empty() { Exit::Success } else { Exit::Failed })
}
