//! Responses to the model's requests.

use std::path::PathBuf;

use super::{document::Document, run_results::RunResults};
use crate::{
    engine::doctor::Check,
    event::ImageProgress,
    plan::HubRequest,
    record::index::IndexEntry,
    tui::requests::{HubCandidate, ProfileEntry},
};

/// Response to a [`ServiceRequest`](crate::tui::requests::ServiceRequest); an error is a message for display.
#[derive(Debug, Clone)]
pub enum ServiceResponse {
    /// The newest records while others are still being read, and the number of all records.
    PartialRecordList(Vec<IndexEntry>, usize),
    /// All records.
    RecordList(Result<Vec<IndexEntry>, String>),
    /// The opened record or comparison.
    Document(Result<Box<Document>, String>),
    /// Results of the finished run whose record is at this path.
    RunResults(PathBuf, Result<Box<RunResults>, String>),
    /// The tour will not be shown again, or why that could not be stored.
    TourRemembered(Result<(), String>),
    /// Path of a report's page, and whether a browser shows it.
    ReportWritten(Result<(PathBuf, bool), String>),
    /// Path of the export.
    Exported(Result<PathBuf, String>),
    /// Results of the hub check so far.
    HubChecks {
        /// Number of the request.
        number: u64,
        /// The checks that are known, in order.
        checks: Vec<Check>,
        /// Whether these are all checks.
        is_complete: bool,
    },
    /// What is missing on a hub; nothing if it does not answer.
    HubCautions(Box<HubRequest>, Vec<String>),
    /// The hubs that were found, the default one first.
    Hubs(Vec<HubCandidate>),
    /// Progress of an image build.
    ImageProgress(ImageProgress),
    /// Names of a plan's images, all available now; or why the build failed.
    ImagesBuilt(Result<Vec<String>, String>),
    /// All profiles, and the name of the one to select.
    Profiles(Result<(Vec<ProfileEntry>, String), String>),
}
