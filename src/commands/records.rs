//! `hubmark records`: finished and partial runs on this machine.

use std::{
    fmt::Write,
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use color_eyre::eyre::Result;

use super::output::{Exit, print, print_error, print_with};
use crate::{
    cli::{OutputFormat, RecordsCommand},
    format::{plural, visible},
    paths,
    record::{
        Record, index,
        label::Label,
        store::{self, RecordDetail},
    },
    report::{csv, text},
};

/// Executes `hubmark records`.
pub fn execute(command: RecordsCommand) -> Result<Exit> {
    match command {
        RecordsCommand::List => list(),
        RecordsCommand::Show { record, format } => {
            let path = locate(&record)?;
            match store::load_detail(&path, detail_for(format)) {
                Ok(record) => print_record(&record, &path, format)?,
                Err(error) => {
                    print_error(error);
                    return Ok(Exit::Failed);
                }
            }
            Ok(Exit::Success)
        }
        RecordsCommand::Remove { records } => remove(&records),
    }
}

/// Finds a record's file: the path as given, or the name in the records folder, with or without
/// `.json`.
pub fn locate(record: &Path) -> Result<PathBuf> {
    if record.exists() {
        return Ok(record.to_owned());
    }
    let own = paths::records_dir()?.join(record);
    let with_ending = own.with_added_extension("json");
    Ok(if with_ending.exists() {
        with_ending
    } else if own.exists() {
        own
    } else {
        record.to_owned()
    })
}

fn list() -> Result<Exit> {
    let folder = paths::records_dir()?;
    let mut text = String::new();
    for entry in index::list_records(&folder, paths::records_index().as_deref(), &|_, _| {})? {
        let name = entry.name();
        let _ = match &entry.content {
            Ok(record) => {
                let done = record.done;
                let status = record.status.name();
                let all = record
                    .planned
                    .map_or_else(|| "       ".to_owned(), |planned| format!("of {planned:>4}"));
                let noun = plural(record.planned.unwrap_or(done) as u64, "repetition");
                writeln!(text, "{name:<60} {status:<9} {done:>4} {all} {noun}")
            }
            Err(error) => writeln!(text, "{name:<60} unreadable: {error}"),
        };
        if let Err(problem) = &entry.label {
            let _ = writeln!(text, "  {problem}");
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "no records in {}", folder.display());
    }
    print(&text)?;
    Ok(Exit::Success)
}

fn remove(records: &[PathBuf]) -> Result<Exit> {
    let mut exit = Exit::Success;
    for record in records {
        if let Err(problem) = delete_record(&locate(record)?) {
            print_error(problem);
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// Deletes a record and its label. Only a readable record with a readable label is deleted: an
/// unreadable file is left to the operator's decision.
pub fn delete_record(path: &Path) -> Result<(), String> {
    let failed = |reason: String| format!("{} was not removed: {reason}", path.display());
    store::load_detail(path, RecordDetail::WithoutSeconds)
        .map_err(|error| failed(error.to_string()))?;
    Label::load(path).map_err(failed)?;
    fs::remove_file(path).map_err(|error| failed(error.to_string()))?;
    Label::default().save(path).map_err(|error| failed(error.to_string()))
}

/// Detail of a record that is needed to write it in `format`.
pub const fn detail_for(format: OutputFormat) -> RecordDetail {
    match format {
        OutputFormat::Text | OutputFormat::Csv => RecordDetail::WithoutSeconds,
        OutputFormat::Json => RecordDetail::Full,
    }
}

/// Prints a record in the requested format.
pub fn print_record(record: &Record, path: &Path, format: OutputFormat) -> Result<()> {
    print_with(|stdout| write_record(stdout, record, path, format))
}

/// Writes a record in the requested format.
///
/// # Errors
/// When `writer` fails.
pub fn write_record(
    writer: &mut dyn io::Write,
    record: &Record,
    path: &Path,
    format: OutputFormat,
) -> io::Result<()> {
    match format {
        OutputFormat::Text => {
            writer.write_all(visible(&text::summary(record, path, shows_blocks())).as_bytes())
        }
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut *writer, record)?;
            writer.write_all(b"\n")
        }
        OutputFormat::Csv => writer.write_all(visible(&csv::repetitions(record)).as_bytes()),
    }
}

/// Whether stdout is a terminal that can show block characters.
fn shows_blocks() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_lowercase();
    io::stdout().is_terminal() && !dumb && (locale.contains("utf-8") || locale.contains("utf8"))
}
