//! Writes a report into a folder: figures (SVG and CSV), tables (CSV) and the HTML page.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    cells::ReportCells,
    conclusions, csv, figures, findings,
    page::{self, PageContent},
    svg::{self, DrawError},
};
use crate::paths;

/// Error of writing a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder cannot be created or listed.
    #[error("the folder {} cannot be made: {source}; name another with --out", path.display())]
    Folder {
        /// Path of the folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A file is at the path of the folder.
    #[error("{} is a file, and a report is a folder: name another with --out", .0.display())]
    NotAFolder(PathBuf),
    /// The folder contains files that are not an earlier report.
    #[error(
        "{} is not empty and not a report of hubmark: choose another folder with --out, or empty this one",
        .0.display()
    )]
    NotAReport(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A figure cannot be drawn.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

/// Paths of a written report.
#[derive(Debug)]
pub struct WrittenReport {
    /// Path of the HTML page.
    pub page: PathBuf,
    /// Names of the figures in display order.
    pub figures: Vec<String>,
}

/// File name of the page; its content identifies a folder as a report.
pub const PAGE_FILE: &str = "index.html";
/// File name of the table with all repetitions of all records, one per line.
const REPETITIONS_FILE: &str = "repetitions.csv";
/// Text in every page written by hubmark.
const PAGE_SIGNATURE: &str = "<title>hubmark: ";

/// Writes the report of `cells` into `folder`, replacing an earlier report there.
///
/// # Errors
/// When the folder contains anything but an earlier report (nothing is then changed), or cannot be written.
pub fn write(cells: &ReportCells<'_>, folder: &Path) -> Result<WrittenReport, ReportError> {
    prepare_folder(folder)?;
    let conclusions = conclusions::draw_conclusions(cells);
    let figures = figures::all_figures(cells);
    let findings = findings::study_findings(cells);
    for figure in &figures {
        write_file(folder, &format!("{}.svg", figure.id), &svg::draw_figure(figure)?)?;
        write_file(folder, &format!("{}.csv", figure.id), &csv::figure(figure))?;
    }
    write_file(folder, REPETITIONS_FILE, &csv::repetitions_of_records(&cells.sources))?;
    write_file(folder, "findings.csv", &csv::findings(&findings))?;
    for (name, table) in [
        ("capacity.csv", csv::capacity(&cells.sources)),
        ("footprint.csv", csv::footprints(&cells.sources)),
    ] {
        if let Some(table) = table {
            write_file(folder, name, &table)?;
        }
    }
    write_file(folder, "differences.csv", &csv::series_comparisons(&conclusions.comparisons))?;
    let content =
        PageContent { cells, conclusions: &conclusions, figures: &figures, findings: &findings };
    write_file(folder, PAGE_FILE, &page::render_page(&content)?)?;
    let figures = figures.into_iter().map(|figure| figure.id).collect();
    Ok(WrittenReport { page: folder.join(PAGE_FILE), figures })
}

/// Creates the folder, or removes the figures and tables of an earlier report from it.
fn prepare_folder(folder: &Path) -> Result<(), ReportError> {
    let failed = |source| ReportError::Folder { path: folder.to_owned(), source };
    if folder.exists() && !folder.is_dir() {
        return Err(ReportError::NotAFolder(folder.to_owned()));
    }
    fs::create_dir_all(folder).map_err(failed)?;
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(failed)?;
    if entries.is_empty() {
        return Ok(());
    }
    let page = paths::read_text(&folder.join(PAGE_FILE)).unwrap_or_default();
    if !page.contains(PAGE_SIGNATURE) {
        return Err(ReportError::NotAReport(folder.to_owned()));
    }
    for path in entries {
        let ours = path.extension().is_some_and(|end| end == "svg" || end == "csv");
        if ours {
            fs::remove_file(&path).map_err(|source| ReportError::File { path, source })?;
        }
    }
    Ok(())
}

fn write_file(folder: &Path, name: &str, text: &str) -> Result<(), ReportError> {
    let path = folder.join(name);
    let written = paths::check_writable(&path).and_then(|()| fs::write(&path, text));
    written.map_err(|source| ReportError::File { path, source })
}
