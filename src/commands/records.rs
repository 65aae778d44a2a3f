//! `hubmark records`: finished and partial runs on this machine.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use color_eyre::eyre::Result;

use super::{Exit, complain, print, run::render};
use crate::{
    cli::Records,
    paths,
    record::{Status, store},
};

/// Executes the command.
pub fn execute(command: Records) -> Result<Exit> {
    match command {
        Records::List => list(),
        Records::Show { record, format } => {
            let path = locate(&record)?;
            match store::load(&path) {
                Ok(record) => print(&render(&record, &path, format)?)?,
                Err(error) => {
                    complain(error);
                    return Ok(Exit::Failed);
                }
            }
            Ok(Exit::Well)
        }
        Records::Remove { records } => remove(&records),
    }
}

/// A record's file: as given, or in the records folder, with or without its ending.
pub fn locate(record: &Path) -> Result<PathBuf> {
    if record.exists() {
        return Ok(record.to_owned());
    }
    let own = paths::records()?.join(record);
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
    let folder = paths::records()?;
    let mut text = String::new();
    for listed in store::list(&folder)? {
        let name = listed.path.file_stem().unwrap_or_default().to_string_lossy();
        let _ = match &listed.record {
            Ok(record) => {
                let done: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
                let status = match record.status {
                    Status::Complete => "complete",
                    Status::Partial => "partial",
                };
                let all = match &record.plan.capacity {
                    Some(_) => "       ".to_owned(),
                    None => format!("of {:>4}", record.plan.schedule.len()),
                };
                writeln!(text, "{name:<60} {status:<9} {done:>4} {all} repetitions")
            }
            Err(error) => writeln!(text, "{name:<60} unreadable: {error}"),
        };
    }
    if text.is_empty() {
        let _ = writeln!(text, "no records in {}", folder.display());
    }
    print(&text)?;
    Ok(Exit::Well)
}

fn remove(records: &[PathBuf]) -> Result<Exit> {
    let mut exit = Exit::Well;
    for record in records {
        let path = locate(record)?;
        // Only what is a record is ever deleted; an unreadable one is for its owner to judge.
        let removed = match store::load(&path) {
            Ok(_) => fs::remove_file(&path).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = removed {
            complain(format!("{} was not removed: {reason}", path.display()));
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}
