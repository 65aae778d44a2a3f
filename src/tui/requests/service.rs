//! Requests for records, saved profiles and the hub.

use std::path::PathBuf;

use crate::{
    plan::{HubRequest, Plan},
    record::label::Label,
};

/// Request for records, saved profiles or the hub.
#[derive(Debug, Clone, PartialEq)]
pub enum ServiceRequest {
    /// List the records.
    ListRecords,
    /// Open a record as a document.
    OpenRecord(PathBuf),
    /// Read the results of the run that has just finished from its record.
    ReadResults(PathBuf),
    /// Write the report of a record, and show it in a browser where there is one.
    OpenReport(PathBuf),
    /// Write one report of several records; the response is as that of an export.
    ReportRecords(Vec<PathBuf>),
    /// Compare the second record with the first.
    CompareRecords(PathBuf, PathBuf),
    /// Replace a record's tags and note; the response is the list of records.
    LabelRecord(PathBuf, Label),
    /// Delete a record; the response is the list of records.
    DeleteRecord(PathBuf),
    /// Export a record to another file in this format.
    ExportRecord(PathBuf, ExportFormat),
    /// Check the hub and this machine for a plan; each check is reported.
    CheckHub {
        /// Number of the request, which its responses repeat: an earlier one may still be answered.
        number: u64,
        /// The plan.
        plan: Box<Plan>,
    },
    /// Read what is missing on a hub for figures that can be trusted.
    ReadHubCautions(Box<HubRequest>),
    /// Find hubs on this machine and in its configuration.
    FindHubs,
    /// Build a plan's images on its hub; each step is reported.
    BuildImages(Box<Plan>),
    /// Save a profile under a name, with the form's changes.
    SaveProfile {
        /// Name to save the profile under.
        name: String,
        /// Text of the profile without the changes.
        text: String,
        /// Changes: keys and values as in [`Planner::plan`](crate::tui::Planner::plan).
        overrides: Vec<(String, String)>,
        /// Whether to replace a profile of that name.
        replace: bool,
    },
    /// Remember that the tour was shown.
    RememberTour,
    /// Rename a profile of the operator.
    RenameProfile {
        /// Present name.
        from: String,
        /// New name.
        to: String,
    },
    /// Delete a profile of the operator.
    DeleteProfile(String),
}

/// Format of an exported record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// The record's JSON.
    Json,
    /// CSV with a line for each repetition.
    Csv,
    /// Folder with an HTML page and figures.
    Report,
}
