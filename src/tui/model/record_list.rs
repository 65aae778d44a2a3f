//! List of the records on disk: sorting, filtering, tags, notes, comparison.

use std::path::{Path, PathBuf};

use tui_input::Input;

use super::{record_filter::RecordFilter, record_order::RecordOrder};
use crate::{
    record::{index::IndexEntry, label::Label},
    tui::{msg::Msg, requests::ServiceRequest},
};

/// Text field of the list.
#[derive(Debug, Clone)]
pub enum RecordInput {
    /// Text that shown records must contain.
    Filter(Input),
    /// The selected record's tags.
    Tags(Input),
    /// The selected record's note.
    Note(Input),
}

/// List of records with its selection.
#[derive(Debug, Default)]
pub struct RecordList {
    /// All records; `None` until the first ones are read.
    entries: Option<Vec<IndexEntry>>,
    /// Searchable text of each record.
    search_texts: Vec<String>,
    /// Indices of the shown records, in display order.
    shown_indices: Vec<usize>,
    /// Why the records could not be read the last time.
    pub unreadable: Option<String>,
    /// Number of all records while the list is being read for the first time.
    pub loading_total: Option<usize>,
    /// Sort order.
    pub order: RecordOrder,
    /// Text that shown records contain.
    pub filter: String,
    /// Selected line.
    pub line: usize,
    /// Marked records, in the order in which they were marked.
    pub marked: Vec<PathBuf>,
    /// The open text field.
    pub typing: Option<RecordInput>,
    /// Message to show: an export's path, or an error.
    pub notice: Option<Result<String, String>>,
}

impl RecordList {
    /// All records; `None` until the first ones are read.
    pub fn entries(&self) -> Option<&[IndexEntry]> {
        self.entries.as_deref()
    }

    /// Shown records in display order.
    pub fn shown(&self) -> Vec<&IndexEntry> {
        let entries = self.entries.as_deref().unwrap_or_default();
        self.shown_indices.iter().filter_map(|index| entries.get(*index)).collect()
    }

    /// Filters and sorts the records. The result is stored, so that thousands of records are not searched
    /// for each key and each frame.
    fn refresh_shown(&mut self) {
        let filter = match &self.typing {
            Some(RecordInput::Filter(input)) => input.value().to_lowercase(),
            _ => self.filter.to_lowercase(),
        };
        let entries = self.entries.as_deref().unwrap_or_default();
        let filter = RecordFilter::parse(&filter);
        let mut indices: Vec<usize> = (0..entries.len())
            .filter(|index| {
                self.search_texts
                    .get(*index)
                    .is_some_and(|text| filter.matches(&entries[*index], text))
            })
            .collect();
        self.order.sort(entries, &mut indices);
        self.shown_indices = indices;
    }

    /// Selected record.
    pub fn selected(&self) -> Option<&IndexEntry> {
        let index =
            self.shown_indices.get(self.line.min(self.shown_indices.len().saturating_sub(1)))?;
        self.entries.as_ref()?.get(*index)
    }

    /// Sets the first part of a list that is still being read; a list that is already complete stays
    /// until the whole new list is read.
    pub fn set_partial(&mut self, entries: Vec<IndexEntry>, total: usize) {
        if self.entries.is_none() || self.loading_total.is_some() {
            self.loading_total = Some(total);
            self.replace_entries(entries);
        }
    }

    /// Sets the complete list; the selection stays on its record.
    pub fn set_records(&mut self, entries: Vec<IndexEntry>) {
        self.unreadable = None;
        self.loading_total = None;
        self.replace_entries(entries);
    }

    /// Shows why the records could not be read; the records that were read before stay.
    pub fn set_unreadable(&mut self, problem: String) {
        self.unreadable = Some(problem);
        self.loading_total = None;
        self.entries.get_or_insert_default();
    }

    fn replace_entries(&mut self, entries: Vec<IndexEntry>) {
        // A selection of the first line stays on the first line, where a newer record may be.
        let selected = self.selected().filter(|_| self.line > 0).map(|entry| entry.path.clone());
        self.search_texts = entries.iter().map(search_text).collect();
        // A part of the list is no reason to forget marks in the rest.
        if self.loading_total.is_none() {
            self.marked.retain(|path| entries.iter().any(|entry| entry.path == *path));
        }
        self.entries = Some(entries);
        self.refresh_shown();
        let line_of = |path: &PathBuf| self.shown().iter().position(|entry| entry.path == *path);
        if let Some(line) = selected.as_ref().and_then(line_of) {
            self.line = line;
        }
        self.line = self.line.min(self.shown_indices.len().saturating_sub(1));
    }

    /// Applies a message; returns a request to the service, if one is needed.
    pub fn update(&mut self, msg: &Msg) -> Option<ServiceRequest> {
        if let Some(typing) = self.typing.take() {
            return self.update_input(typing, msg);
        }
        self.notice = None;
        let last = self.shown_indices.len().saturating_sub(1);
        match msg {
            Msg::Up => self.line = self.line.saturating_sub(1),
            Msg::Down => self.line = (self.line + 1).min(last),
            Msg::Scroll(by) => self.line = self.line.saturating_add_signed(*by).min(last),
            Msg::Line(line) if *line != self.line => self.line = (*line).min(last),
            Msg::Accept | Msg::Line(_) => {
                return Some(ServiceRequest::OpenRecord(self.selected()?.path.clone()));
            }
            Msg::Sort(by) => {
                self.order = self.order.step(*by);
                self.refresh_shown();
            }
            Msg::Filter => self.typing = Some(RecordInput::Filter(Input::new(self.filter.clone()))),
            Msg::Tags => {
                let tags = self.selected_label()?.tags.join(" ");
                self.typing = Some(RecordInput::Tags(Input::new(tags)));
            }
            Msg::Note => {
                let note = self.selected_label()?.note;
                self.typing = Some(RecordInput::Note(Input::new(note)));
            }
            Msg::Toggle => {
                let path = self.selected()?.path.clone();
                match self.marked.iter().position(|marked| *marked == path) {
                    Some(place) => {
                        self.marked.remove(place);
                    }
                    None => self.marked.push(path),
                }
            }
            Msg::Compare => return self.compare(),
            Msg::Records => return Some(ServiceRequest::ListRecords),
            _ => {}
        }
        None
    }

    /// Compares the two marked records, the older one as the first side; or the marked one with the
    /// selected one.
    fn compare(&mut self) -> Option<ServiceRequest> {
        let selected = self.selected()?.path.clone();
        match self.marked.as_slice() {
            [a, b] => {
                let (a, b) = if self.started(b) < self.started(a) { (b, a) } else { (a, b) };
                return Some(ServiceRequest::CompareRecords(a.clone(), b.clone()));
            }
            [marked] if *marked != selected => {
                return Some(ServiceRequest::CompareRecords(marked.clone(), selected));
            }
            [] | [_] => {
                let text = "mark one record with space, select another, then compare";
                self.notice = Some(Err(text.to_owned()));
            }
            more => {
                let text = format!("two records can be compared, and {} are marked", more.len());
                self.notice = Some(Err(text));
            }
        }
        None
    }

    /// Start of the run of a record in the list.
    fn started(&self, path: &Path) -> Option<jiff::Timestamp> {
        let entry = self.entries()?.iter().find(|entry| entry.path == path)?;
        entry.content.as_ref().ok().map(|overview| overview.started)
    }

    /// Request for a report of the marked records; `None` unless several are marked.
    pub fn marked_report(&self) -> Option<ServiceRequest> {
        (self.marked.len() > 1).then(|| ServiceRequest::ReportRecords(self.marked.clone()))
    }

    /// Label of the selected record; shows the reason if it cannot be read, because a change would
    /// replace what the operator wrote into its file.
    fn selected_label(&mut self) -> Option<Label> {
        match self.selected()?.label.clone() {
            Ok(label) => Some(label),
            Err(problem) => {
                self.notice = Some(Err(problem));
                None
            }
        }
    }

    fn update_input(&mut self, mut typing: RecordInput, msg: &Msg) -> Option<ServiceRequest> {
        let (RecordInput::Filter(input) | RecordInput::Tags(input) | RecordInput::Note(input)) =
            &mut typing;
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                let filters = matches!(typing, RecordInput::Filter(_));
                self.typing = Some(typing);
                if filters {
                    self.line = 0;
                    self.refresh_shown();
                }
            }
            Msg::Accept => return self.submit_input(&typing),
            Msg::Back => self.refresh_shown(),
            _ => self.typing = Some(typing),
        }
        None
    }

    fn submit_input(&mut self, typing: &RecordInput) -> Option<ServiceRequest> {
        match typing {
            RecordInput::Filter(input) => {
                input.value().trim().clone_into(&mut self.filter);
                self.refresh_shown();
                None
            }
            RecordInput::Tags(input) => {
                let tags = input.value().split_whitespace().map(str::to_owned).collect();
                let label = Label { tags, ..self.selected_label()? };
                Some(ServiceRequest::LabelRecord(self.selected()?.path.clone(), label))
            }
            RecordInput::Note(input) => {
                let note = input.value().trim().to_owned();
                let label = Label { note, ..self.selected_label()? };
                Some(ServiceRequest::LabelRecord(self.selected()?.path.clone(), label))
            }
        }
    }
}

/// Returns the lower-case text that a filter searches.
fn search_text(entry: &IndexEntry) -> String {
    let name = entry.name();
    let content = match &entry.content {
        Ok(content) => {
            let status = content.status.name();
            let hub = content.hub.as_deref().unwrap_or_default();
            format!("{} {} {status} {hub}", content.profile, content.backends.join(" "))
        }
        Err(problem) => problem.clone(),
    };
    format!("{name} {content} {} {}", entry.tags(), entry.note()).to_lowercase()
}
