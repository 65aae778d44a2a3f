//! Documents with pages: a record, a comparison, a hub check, a list of changes, an image build. A
//! document is built once, when it is opened.

mod comparison_pages;
mod page;
mod record_pages;
mod row;
mod table;

pub use page::{DocumentContent, Page};
pub use row::{DocumentRow, RowStyle};
use table::{Column, DocumentTable};

use std::path::{Path, PathBuf};

use crate::{
    engine::doctor::{self, Check, CheckStatus},
    plan::Plan,
    record::{Record, RecordStatus},
    report::{
        cells::{ReportCells, SourceRecord},
        compare::Comparison,
        figures,
    },
    tui::msg::Msg,
};

/// A document with pages.
#[derive(Debug, Clone)]
pub struct Document {
    /// Title.
    pub name: String,
    /// What the document shows.
    kind: DocumentKind,
    /// Pages.
    pub pages: Vec<Page>,
    /// Index of the shown page.
    pub page: usize,
}

/// What a document shows.
#[derive(Debug, Clone)]
enum DocumentKind {
    Record(Box<RecordReference>),
    Comparison,
    HubCheck,
    Changes,
    Images,
}

/// Data of a record that is needed to export, rerun or resume it.
#[derive(Debug, Clone)]
pub struct RecordReference {
    /// File of the record.
    pub path: PathBuf,
    /// Text of its profile.
    pub profile: String,
    /// Plan.
    pub plan: Plan,
    /// Whether the record is complete.
    pub status: RecordStatus,
}

impl Document {
    /// Creates the document of the record at `path`.
    pub fn from_record(name: &str, path: &Path, record: &Record) -> Self {
        let cells = ReportCells::from_sources(vec![SourceRecord { name, record }], false);
        let mut pages = vec![
            Page::text("summary", record_pages::summary(&cells, record)),
            Page::table("points", record_pages::points(record)),
            Page::table("repetitions", record_pages::repetitions(record)),
            Page::new("figures", DocumentContent::Figures(figures::all_figures(&cells))),
            Page::table("percentiles", record_pages::percentiles(record)),
        ];
        let findings = record_pages::finding_rows(record, &cells);
        if !findings.is_empty() {
            pages.push(Page::text("findings", findings));
        }
        pages.push(Page::text("provenance", record_pages::provenance_rows(record)));
        Self {
            name: name.to_owned(),
            kind: DocumentKind::Record(Box::new(RecordReference {
                path: path.to_owned(),
                profile: record.profile.clone(),
                plan: record.plan.clone(),
                status: record.status,
            })),
            pages,
            page: 0,
        }
    }

    /// Creates the document of a comparison: its differences, and the figures of both records.
    pub fn comparison(comparison: &Comparison, cells: &ReportCells<'_>) -> Self {
        let differences = comparison_pages::differences(comparison);
        Self {
            name: "comparison".to_owned(),
            kind: DocumentKind::Comparison,
            pages: vec![
                Page::new("differences", DocumentContent::Text(differences)),
                Page::new("figures", DocumentContent::Figures(figures::all_figures(cells))),
            ],
            page: 0,
        }
    }

    /// Creates the document of a hub check with the `checks` so far; more follow unless it `is_complete`.
    pub fn hub_check(checks: &[Check], is_complete: bool) -> Self {
        let worst = match doctor::worst_status(checks) {
            _ if !is_complete => DocumentRow::label("checking the hub and this machine…"),
            CheckStatus::Ok => DocumentRow::heading("✓ everything is ready"),
            CheckStatus::Warn => {
                DocumentRow::warning("! a run is possible; a figure may be missing or doubtful")
            }
            CheckStatus::Fail => DocumentRow::warning("✗ a run would fail"),
        };
        let mut rows = vec![worst];
        if !checks.is_empty() {
            rows.push(DocumentRow::empty());
        }
        let width = checks.iter().map(|check| check.subject.chars().count()).max().unwrap_or(0);
        for check in checks {
            let (sign, style) = match check.finding {
                CheckStatus::Ok => ("✓", RowStyle::Plain),
                CheckStatus::Warn => ("!", RowStyle::Warning),
                CheckStatus::Fail => ("✗", RowStyle::Warning),
            };
            rows.push(DocumentRow::new(
                style,
                format!("{sign} {:<width$}  {}", check.subject, check.seen),
            ));
            if let Some(advice) = &check.advice {
                rows.push(DocumentRow::plain(format!("  → {advice}")));
            }
        }
        Self {
            name: "is everything ready?".to_owned(),
            kind: DocumentKind::HubCheck,
            pages: vec![Page::text("hub check", rows)],
            page: 0,
        }
    }

    /// Creates the document of the form's changes: key, value in the profile's file, value in the form.
    pub fn changes(profile: &str, changes: &[(String, String, String)]) -> Self {
        let mut table = DocumentTable::new(vec![
            Column::words("key"),
            Column::words("in the file"),
            Column::words("in the form").ranked(1),
        ]);
        for (key, file, form) in changes {
            let cells = [key, file, form].map(Clone::clone).to_vec();
            table.push_cells(RowStyle::Plain, cells, String::new());
        }
        let page = if changes.is_empty() {
            Page::text("changes", vec![DocumentRow::plain("the form has no changes")])
        } else {
            Page::table("changes", table)
        };
        Self { name: profile.to_owned(), kind: DocumentKind::Changes, pages: vec![page], page: 0 }
    }

    /// Creates the document of an image build.
    pub fn images(rows: Vec<DocumentRow>) -> Self {
        Self {
            name: "images".to_owned(),
            kind: DocumentKind::Images,
            pages: vec![Page::text("images", rows)],
            page: 0,
        }
    }

    /// The record that the document shows, if it shows one.
    pub fn record(&self) -> Option<&RecordReference> {
        match &self.kind {
            DocumentKind::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Whether the document shows an image build.
    pub const fn is_images(&self) -> bool {
        matches!(self.kind, DocumentKind::Images)
    }

    /// Whether the document was opened from the form: a hub check, changes, an image build.
    pub const fn is_of_form(&self) -> bool {
        matches!(self.kind, DocumentKind::HubCheck | DocumentKind::Changes | DocumentKind::Images)
    }

    /// Whether the document shows a hub check.
    pub const fn is_hub_check(&self) -> bool {
        matches!(self.kind, DocumentKind::HubCheck)
    }

    /// Shown page.
    pub fn shown(&self) -> Option<&Page> {
        self.pages.get(self.page)
    }

    /// Applies a message on a terminal of this size: switches pages, scrolls.
    pub fn update(&mut self, msg: &Msg, size: (u16, u16)) {
        let count = self.pages.len();
        match msg {
            Msg::NextPane => self.page = (self.page + 1) % count.max(1),
            Msg::PreviousPane => self.page = (self.page + count.saturating_sub(1)) % count.max(1),
            Msg::Page(page) => self.page = (*page).min(count.saturating_sub(1)),
            msg => {
                if let Some(page) = self.pages.get_mut(self.page) {
                    page.update(msg, size);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn the_summary_includes_a_capacity_search() {
        let mut record = fixture::records::record(&fixture::sweep(), RecordStatus::Complete);
        let summary = |record: &Record| {
            format!(
                "{:?}",
                Document::from_record("x", Path::new("x.json"), record).pages[0].content
            )
        };
        assert!(!summary(&record).contains("capacity of"));
        record.capacity = vec![fixture::capacity_search()];
        let summary = summary(&record);
        assert!(summary.contains("objectives:"), "{summary}");
        assert!(summary.contains("at least 400 users (95 %)"), "{summary}");
    }
}
