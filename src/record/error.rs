//! Errors of saving and loading records.

use std::{io, path::PathBuf};

use super::SCHEMA;

/// Error of saving or loading a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file could not be written.
    #[error("the record could not be saved as {path}: {source}\n  {}", write_advice(source))]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file of a new record exists already.
    #[error(
        "{path} exists already: continue it with --resume, or choose another place with --out FILE"
    )]
    Exists {
        /// Path of the file.
        path: PathBuf,
    },
    /// A folder is at the path of a new record.
    #[error("{path} is a folder: name the record's file there, such as {example}")]
    IsFolder {
        /// Path of the folder.
        path: PathBuf,
        /// A file in it.
        example: PathBuf,
    },
    /// The file could not be read.
    #[error("the record {path} cannot be read: {source}")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file is not a record.
    #[error("{path} is not a hubmark record: {reason}")]
    NotARecord {
        /// Path of the file.
        path: PathBuf,
        /// Position and reason.
        reason: String,
    },
    /// The record was written by a newer version.
    #[error(
        "{path} was written by a newer hubmark (schema {found}; this one reads up to {SCHEMA}): update hubmark"
    )]
    NewerSchema {
        /// Path of the file.
        path: PathBuf,
        /// Schema number of the record.
        found: u64,
    },
    /// Parts of the record contradict each other.
    #[error(
        "the record {path} contradicts itself, so nothing in it can be trusted\n  {}\n  it was changed or damaged \
         after it was saved: use an intact copy, or measure again",
        problems.join("\n  ")
    )]
    Contradiction {
        /// Path of the file.
        path: PathBuf,
        /// The contradictions.
        problems: Vec<String>,
    },
    /// The process that saves records has ended.
    #[error("the record could not be saved as {path}: hubmark is ending")]
    Ending {
        /// Path of the file.
        path: PathBuf,
    },
}

/// Returns what to do about an error of writing a record.
fn write_advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free some space, or choose another place: --out FILE, HUBMARK_RECORDS_DIR"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make its folder writable for you, or choose another place: --out FILE, HUBMARK_RECORDS_DIR"
        }
        _ => "choose another place: --out FILE, HUBMARK_RECORDS_DIR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_for_the_reason_that_writing_failed() {
        let text = |kind: io::ErrorKind| {
            StoreError::Write { path: "r.json".into(), source: kind.into() }.to_string()
        };
        assert!(text(io::ErrorKind::StorageFull).contains("free some space"));
        let denied = text(io::ErrorKind::PermissionDenied);
        assert!(denied.contains("writable") && !denied.contains("space"), "{denied}");
        assert!(!text(io::ErrorKind::NotADirectory).contains("space"));
    }
}
