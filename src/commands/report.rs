//! `hubmark report` and `hubmark compare`: finished runs, read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use color_eyre::eyre::{Result, WrapErr};

use super::{Exit, complain, print, records::locate};
use crate::{
    cli::{Compare, Format, Report},
    paths,
    record::{Record, store},
    report::{
        cells::{Cells, Source},
        compare::{self, Side},
        folder,
        limit::Limit,
    },
};

/// A record and its name.
struct Loaded {
    name: String,
    record: Record,
}

impl Loaded {
    fn source(&self) -> Source<'_> {
        Source { name: &self.name, record: &self.record }
    }
}

fn load(path: &Path) -> Option<Loaded> {
    let found = match locate(path) {
        Ok(found) => found,
        Err(error) => {
            complain(format!("{error:#}"));
            return None;
        }
    };
    match store::load(&found) {
        Ok(record) => {
            let name = found.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Some(Loaded { name, record })
        }
        Err(error) => {
            complain(error);
            None
        }
    }
}

fn load_all(paths: &[PathBuf]) -> Option<Vec<Loaded>> {
    // Each unreadable one is named, not only the first.
    let loaded: Vec<_> = paths.iter().map(|path| load(path)).collect();
    loaded.into_iter().collect()
}

/// The record that was written last.
fn latest() -> Result<Option<PathBuf>> {
    let folder = paths::records()?;
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(None) };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    // Their names begin with the time.
    files.sort();
    Ok(files.pop())
}

/// Executes `hubmark report`.
pub fn report(args: &Report) -> Result<Exit> {
    let mut paths = args.records.clone();
    if paths.is_empty() {
        let Some(path) = latest()? else {
            complain("there is no record yet: hubmark run PROFILE makes one");
            return Ok(Exit::Failed);
        };
        paths.push(path);
    }
    let Some(loaded) = load_all(&paths) else { return Ok(Exit::Failed) };
    let folder = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!("{}-report", loaded.first().map_or("", |first| first.name.as_str())))
    });
    let cells = Cells::of(loaded.iter().map(Loaded::source).collect(), args.exclude_suspect);
    let written = match folder::write(&cells, &folder) {
        Ok(written) => written,
        Err(error) => {
            complain(error);
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
        complain("no repetition counts: the report has nothing to show but the reasons");
        return Ok(Exit::Failed);
    }
    Ok(Exit::Well)
}

/// Executes `hubmark compare`.
pub fn compare(args: &Compare) -> Result<Exit> {
    let mut limits = Vec::new();
    for text in &args.fail_if {
        match text.parse::<Limit>() {
            Ok(limit) => limits.push(limit),
            Err(error) => {
                complain(error);
                return Ok(Exit::Usage);
            }
        }
    }
    let mut paths = vec![args.a.clone()];
    paths.extend(args.b.clone());
    if paths.len() + args.backend.len() < 2 || (paths.len() == 1 && args.backend.len() != 2) {
        complain("give two records, or one and the two backends to compare: --backend A,B");
        return Ok(Exit::Usage);
    }
    if args.backend.len() > 2 {
        complain("--backend takes one backend for both sides, or two: --backend A,B");
        return Ok(Exit::Usage);
    }
    let Some(loaded) = load_all(&paths) else { return Ok(Exit::Failed) };
    let side = |place: usize| {
        let loaded = &loaded[place.min(loaded.len() - 1)];
        let backend = args.backend.get(place).or(args.backend.last()).cloned();
        let name = match &backend {
            Some(backend) => format!("{backend} in {}", loaded.name),
            None => loaded.name.clone(),
        };
        Side { name, source: loaded.source(), backend }
    };
    let comparison = match compare::compare(&side(0), &side(1), args.exclude_suspect, &limits) {
        Ok(comparison) => comparison,
        Err(error) => {
            complain(error);
            return Ok(Exit::Failed);
        }
    };
    print(&match args.format {
        Format::Text => compare::text(&comparison),
        Format::Json => {
            serde_json::to_string_pretty(&compare::json(&comparison)).wrap_err("writing JSON")?
                + "\n"
        }
        Format::Csv => compare::csv(&comparison),
    })?;
    if comparison.fails() {
        return Ok(Exit::Crossed);
    }
    let unjudged = comparison.unjudged();
    for limit in &unjudged {
        complain(format!(
            "{limit}: was measured at no point of both sides, so it cannot be judged"
        ));
    }
    Ok(if unjudged.is_empty() { Exit::Well } else { Exit::Failed })
}
