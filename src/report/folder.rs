//! The report's folder: figures, their numbers, the page, the text.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    answer,
    cells::Cells,
    csv, figures, findings,
    page::{self, Content},
    svg::{self, DrawError},
};

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder cannot be made.
    #[error("the folder {} cannot be made: {source}; name another with --out", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder holds something else.
    #[error(
        "{} is not empty and no report of hubmark: name another folder with --out, or empty this one",
        .0.display()
    )]
    Foreign(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A figure cannot be drawn.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Names of the figures, in their order.
    pub figures: Vec<String>,
}

/// The page's name in the folder, by which a report is known again.
pub const PAGE: &str = "index.html";
/// All repetitions of all records, one a line.
const TIDY: &str = "repetitions.csv";
/// First words of every page of ours.
const MARK: &str = "<title>hubmark: ";

/// Writes the report of `cells` into `folder`. An earlier report there is replaced; a folder with
/// anything else in it is left alone.
///
/// # Errors
/// When the folder is not ours to fill, or cannot be written.
pub fn write(cells: &Cells<'_>, folder: &Path) -> Result<Written, ReportError> {
    claim(folder)?;
    let answer = answer::answer(cells);
    let figures = figures::all(cells);
    let findings = findings::findings(cells);
    for figure in &figures {
        put(folder, &format!("{}.svg", figure.id), &svg::figure(figure)?)?;
        put(folder, &format!("{}.csv", figure.id), &csv::figure(figure))?;
    }
    put(folder, TIDY, &csv::of_records(&cells.sources))?;
    put(folder, "findings.csv", &csv::findings(&findings))?;
    for (name, table) in [
        ("capacity.csv", csv::capacity(&cells.sources)),
        ("footprint.csv", csv::footprints(&cells.sources)),
    ] {
        if let Some(table) = table {
            put(folder, name, &table)?;
        }
    }
    put(folder, "differences.csv", &csv::versus(&answer.versus))?;
    let content = Content { cells, answer: &answer, figures: &figures, findings: &findings };
    put(folder, PAGE, &page::page(&content)?)?;
    let figures = figures.into_iter().map(|figure| figure.id).collect();
    Ok(Written { page: folder.join(PAGE), figures })
}

/// Makes the folder, or empties it of an earlier report.
fn claim(folder: &Path) -> Result<(), ReportError> {
    let failed = |source| ReportError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(failed)?;
    if entries.is_empty() {
        return Ok(());
    }
    let page = fs::read_to_string(folder.join(PAGE)).unwrap_or_default();
    if !page.contains(MARK) {
        return Err(ReportError::Foreign(folder.to_owned()));
    }
    for path in entries {
        let ours = path.extension().is_some_and(|end| end == "svg" || end == "csv");
        if ours {
            fs::remove_file(&path).map_err(|source| ReportError::File { path, source })?;
        }
    }
    Ok(())
}

fn put(folder: &Path, name: &str, text: &str) -> Result<(), ReportError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|source| ReportError::File { path, source })
}
