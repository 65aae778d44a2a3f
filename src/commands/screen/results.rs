//! Results of finished runs from their records: the answer, the last comparable run, the report.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    paths,
    record::{
        Record, index,
        store::{self, RecordDetail},
    },
    report::{
        cells::{ReportCells, SourceRecord},
        compare::{self, CompareError, Comparison, ComparisonSide},
        folder,
    },
    tui::{PreviousRun, RunResults},
};

/// Number of earlier records of a profile that are tried as the last comparable one.
const MAX_TRIED: usize = 5;
/// Programs that show a page in the operator's browser.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Loads and validates a record.
pub fn load_record(path: &Path) -> Result<Record, String> {
    store::load(path).map_err(|error| error.to_string())
}

/// Reads the results of the run whose record is at `path`, and compares it with the last comparable one.
pub fn read_results(path: &Path) -> Result<RunResults, String> {
    let record = load_record(path)?;
    let name = store::record_name(path);
    let previous = previous_run(SourceRecord { name: &name, record: &record });
    Ok(RunResults::from_record(&name, &record, previous))
}

/// Compares every point of the second record with the same point of the first.
pub fn compare_records(sources: [SourceRecord<'_>; 2]) -> Result<Comparison, CompareError> {
    let [a, b] = sources.map(|source| ComparisonSide {
        name: source.name.to_owned(),
        source,
        backend: None,
    });
    compare::compare(&a, &b, false, &[])
}

/// Finds the last record of the same profile that has a point of this one.
fn previous_run(source: SourceRecord<'_>) -> Option<PreviousRun> {
    // Without a list there is no earlier record to offer; the list of records reports the reason.
    let folder = paths::records_dir().ok()?;
    let entries =
        index::list_records(&folder, paths::records_index().as_deref(), &|_, _| {}).ok()?;
    let mut earlier: Vec<(jiff::Timestamp, PathBuf)> = entries
        .into_iter()
        .filter_map(|entry| {
            let overview = entry.content.ok()?;
            let is_earlier = overview.started < source.record.started;
            (overview.profile == source.record.plan.profile && is_earlier)
                .then_some((overview.started, entry.path))
        })
        .collect();
    earlier.sort_by(|a, b| b.cmp(a));
    earlier.into_iter().take(MAX_TRIED).find_map(|(started, earlier)| {
        // A comparison needs no seconds, which are most of a long record.
        let record = store::load_detail(&earlier, RecordDetail::WithoutSeconds).ok()?;
        let name = store::record_name(&earlier);
        let comparison = compare_records([SourceRecord { name: &name, record: &record }, source]);
        // Records that share no measured point say nothing about each other.
        let comparison = comparison.ok().filter(|it| {
            it.points.iter().any(|pair| pair.repetitions.iter().all(|(counted, _)| *counted > 0))
        })?;
        Some(PreviousRun::new(earlier, started, &comparison))
    })
}

/// Writes one report of all these records into the current folder, in which the screen was opened; returns
/// the path of its page.
pub fn write_report(paths: &[impl AsRef<Path>]) -> Result<PathBuf, String> {
    let load = |path: &Path| Ok((store::record_name(path), load_record(path)?));
    let loaded: Vec<(String, Record)> =
        paths.iter().map(|path| load(path.as_ref())).collect::<Result<_, String>>()?;
    let sources = loaded.iter().map(|(name, record)| SourceRecord { name, record }).collect();
    let cells = ReportCells::from_sources(sources, false);
    let to = PathBuf::from(report_folder(&loaded));
    let written = folder::write(&cells, &to).map_err(|error| error.to_string())?;
    Ok(fs::canonicalize(&written.page).unwrap_or(written.page))
}

/// Returns the name of the folder for a report of these records.
fn report_folder(loaded: &[(String, Record)]) -> String {
    let first = loaded.first().map_or("", |(name, _)| name.as_str());
    match loaded.len() {
        0 | 1 => format!("{first}-report"),
        all => format!("{first}-and-{}-more-report", all - 1),
    }
}

/// Writes the report of a record, and opens its page in a browser where there is one; returns the page's
/// path, and whether a browser was asked to open it.
pub fn open_report(path: &Path) -> Result<(PathBuf, bool), String> {
    let page = write_report(&[path])?;
    let opener = browser(|name| env::var(name).ok(), env::consts::OS, is_on_path);
    let is_open = opener.is_some_and(|opener| open_page(opener, &page));
    Ok((page, is_open))
}

/// Returns the program that opens a page in the browser of this desktop; `None` without a desktop, or in a
/// session over SSH, whose browser would be on the wrong machine.
fn browser(
    variable: impl Fn(&str) -> Option<String>,
    system: &str,
    exists: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let has_desktop = system == "macos" || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    if !has_desktop || is_set("SSH_CONNECTION") {
        return None;
    }
    OPENERS.into_iter().find(|program| exists(program))
}

fn is_on_path(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Starts the program, whose output must not reach the screen, and does not wait for it.
fn open_page(opener: &str, page: &Path) -> bool {
    let mut command = Command::new(opener);
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // In a group of its own, so that the end of the screen's terminal does not end the browser.
    command.process_group(0);
    match command.spawn() {
        Ok(mut child) => {
            // The program is waited for aside, so that it does not remain as a zombie.
            std::thread::spawn(move || child.wait());
            true
        }
        Err(error) => {
            tracing::warn!(%error, opener, "the report's page was not opened");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_browser_is_used_only_on_the_desktop_of_this_machine() {
        let of = |variables: &[(&str, &str)], system: &str, programs: &[&str]| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            browser(variable, system, |program| programs.contains(&program))
        };
        let desktop = [("DISPLAY", ":0")];
        assert_eq!(of(&desktop, "linux", &["xdg-open"]), Some("xdg-open"));
        assert_eq!(
            of(&[("WAYLAND_DISPLAY", "wayland-0")], "linux", &["xdg-open"]),
            Some("xdg-open")
        );
        assert_eq!(of(&[], "macos", &["open"]), Some("open"));
        assert_eq!(of(&desktop, "linux", &[]), None, "no opener is installed");
        assert_eq!(of(&[], "linux", &["xdg-open"]), None, "no desktop");
        let remote = [("DISPLAY", "localhost:10.0"), ("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")];
        assert_eq!(of(&remote, "linux", &["xdg-open"]), None, "over SSH");
    }
}
