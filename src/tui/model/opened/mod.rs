//! A record, or a comparison of two, as pages to read: built once, when it is opened.

mod pages;

use std::path::{Path, PathBuf};

use crate::{
    engine::doctor::{self, Check, Finding},
    plan::Plan,
    record::{Record, Status},
    report::{
        cells::{Cells, Source},
        figures::{self, Figure},
    },
    tui::msg::Msg,
};

/// The page of a hub check.
const CHECK: &str = "hub check";
/// The page of what the form changes.
const CHANGES: &str = "changes";
/// The page of images that are made.
const IMAGES: &str = "images";

/// What is read.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its name.
    pub name: String,
    /// The record; `None` of a comparison.
    pub record: Option<OneRecord>,
    /// The pages with their names.
    pub pages: Vec<Page>,
    /// The page that is shown.
    pub page: usize,
}

/// What further steps need of a record.
#[derive(Debug, Clone)]
pub struct OneRecord {
    /// Its file.
    pub path: PathBuf,
    /// Its profile's text.
    pub profile: String,
    /// Its plan.
    pub plan: Plan,
    /// Whether it is whole.
    pub status: Status,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its name.
    pub name: &'static str,
    /// What is on it.
    pub content: Content,
    /// The first line that is shown, or the figure.
    pub at: usize,
    /// Columns that are out of sight at the left.
    pub left: usize,
}

/// What is on a page.
#[derive(Debug, Clone)]
pub enum Content {
    /// Lines that are broken at words.
    Prose(Vec<Row>),
    /// Lines in columns, that are never broken.
    Table(Vec<Row>),
    /// Figures, one at a time.
    Figures(Vec<Figure>),
}

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As the others.
    Plain,
    /// A headline.
    Head,
    /// What stands beside numbers.
    Label,
    /// A reason for doubt.
    Doubt,
}

/// A line.
#[derive(Debug, Clone)]
pub struct Row {
    /// How it is meant.
    pub tone: Tone,
    /// Its text.
    pub text: String,
}

pub(in crate::tui::model) fn row(tone: Tone, text: impl Into<String>) -> Row {
    Row { tone, text: text.into() }
}

const fn page(name: &'static str, content: Content) -> Page {
    Page { name, content, at: 0, left: 0 }
}

impl Opened {
    /// The pages of the record at `path`.
    pub fn of(name: &str, path: &Path, record: &Record) -> Self {
        let cells = Cells::of(vec![Source { name, record }], false);
        Self {
            name: name.to_owned(),
            record: Some(OneRecord {
                path: path.to_owned(),
                profile: record.profile.clone(),
                plan: record.plan.clone(),
                status: record.status,
            }),
            pages: vec![
                page("summary", Content::Prose(pages::summary(&cells, record))),
                page("points", Content::Table(pages::points(record))),
                page("repetitions", Content::Table(pages::repetitions(record))),
                page("figures", Content::Figures(figures::all(&cells))),
                page("percentiles", Content::Table(pages::percentiles(record))),
                page("findings", Content::Prose(pages::judged(&cells))),
                page("provenance", Content::Prose(pages::origin(record))),
            ],
            page: 0,
        }
    }

    /// The pages of a comparison: its text, and the figures of both records.
    pub fn comparison(text: &str, cells: &Cells<'_>) -> Self {
        let lines = text.lines().map(|line| {
            let tone = match line.chars().next() {
                Some('!') => Tone::Doubt,
                Some(' ') | None => Tone::Plain,
                Some(_) => Tone::Head,
            };
            row(tone, line)
        });
        Self {
            name: "comparison".to_owned(),
            record: None,
            pages: vec![
                page("differences", Content::Table(lines.collect())),
                page("figures", Content::Figures(figures::all(cells))),
            ],
            page: 0,
        }
    }

    /// The page of a hub check: what was seen, or that it is being looked at.
    pub fn check(checks: Option<&[Check]>) -> Self {
        let mut rows = Vec::new();
        match checks {
            None => rows.push(row(Tone::Label, "looking at the hub and at this machine…")),
            Some(checks) => {
                let worst = match doctor::worst(checks) {
                    Finding::Ok => row(Tone::Head, "✓ everything is ready"),
                    Finding::Warn => {
                        row(Tone::Doubt, "! a run is possible; a figure may be missing or doubtful")
                    }
                    Finding::Fail => row(Tone::Doubt, "✗ a run would fail"),
                };
                rows.extend([worst, row(Tone::Plain, "")]);
            }
        }
        let width = checks.into_iter().flatten().map(|check| check.subject.chars().count()).max();
        let width = width.unwrap_or(0);
        for check in checks.into_iter().flatten() {
            let (sign, tone) = match check.finding {
                Finding::Ok => ("✓", Tone::Plain),
                Finding::Warn => ("!", Tone::Doubt),
                Finding::Fail => ("✗", Tone::Doubt),
            };
            rows.push(row(tone, format!("{sign} {:<width$}  {}", check.subject, check.seen)));
            if let Some(advice) = &check.advice {
                rows.push(row(Tone::Plain, format!("  → {advice}")));
            }
        }
        let pages = vec![page(CHECK, Content::Prose(rows))];
        Self { name: "is everything ready?".to_owned(), record: None, pages, page: 0 }
    }

    /// The page of what the form changes of a profile's file: name, value in the file, value here.
    pub fn changes(profile: &str, changes: &[(String, String, String)]) -> Self {
        let width = |of: fn(&(String, String, String)) -> &String, head: &str| {
            let widest = changes.iter().map(|change| of(change).chars().count()).max();
            widest.unwrap_or(0).max(head.len())
        };
        let (name, file) =
            (width(|change| &change.0, "key"), width(|change| &change.1, "in the file"));
        let line = |a: &str, b: &str, c: &str| format!("{a:<name$}  {b:<file$}  {c}");
        let mut rows = vec![row(Tone::Head, line("key", "in the file", "in the form"))];
        rows.extend(changes.iter().map(|(a, b, c)| row(Tone::Plain, line(a, b, c))));
        if changes.is_empty() {
            rows = vec![row(Tone::Plain, "the form is as the file")];
        }
        Self {
            name: profile.to_owned(),
            record: None,
            pages: vec![page(CHANGES, Content::Table(rows))],
            page: 0,
        }
    }

    /// The page of images that are made, or were.
    pub fn images(rows: Vec<Row>) -> Self {
        Self {
            name: IMAGES.to_owned(),
            record: None,
            pages: vec![page(IMAGES, Content::Prose(rows))],
            page: 0,
        }
    }

    /// Whether it is that page.
    pub fn is_images(&self) -> bool {
        self.pages.first().is_some_and(|page| page.name == IMAGES)
    }

    /// Whether it belongs to the form: a hub check, what was changed, images.
    pub fn is_of_form(&self) -> bool {
        self.pages.first().is_some_and(|page| [CHECK, CHANGES, IMAGES].contains(&page.name))
    }

    /// Whether it is a hub check.
    pub fn is_check(&self) -> bool {
        self.pages.first().is_some_and(|page| page.name == CHECK)
    }

    /// The page that is shown.
    pub fn shown(&self) -> Option<&Page> {
        self.pages.get(self.page)
    }

    /// Turns pages and scrolls.
    pub fn update(&mut self, msg: &Msg) {
        let count = self.pages.len();
        match msg {
            Msg::NextPane => self.page = (self.page + 1) % count.max(1),
            Msg::PreviousPane => self.page = (self.page + count.saturating_sub(1)) % count.max(1),
            Msg::Page(page) => self.page = (*page).min(count.saturating_sub(1)),
            msg => {
                if let Some(page) = self.pages.get_mut(self.page) {
                    page.update(msg);
                }
            }
        }
    }
}

/// Columns that one key moves a table sideways.
const STEP: usize = 8;

impl Page {
    fn update(&mut self, msg: &Msg) {
        let (last, is_figures) = match &self.content {
            Content::Prose(rows) | Content::Table(rows) => (rows.len().saturating_sub(1), false),
            Content::Figures(figures) => (figures.len().saturating_sub(1), true),
        };
        match (msg, is_figures) {
            (Msg::Up, _) | (Msg::Left, true) => self.at = self.at.saturating_sub(1),
            (Msg::Down, _) | (Msg::Right, true) => self.at = (self.at + 1).min(last),
            (Msg::Leap(by), _) => self.at = self.at.saturating_add_signed(*by).min(last),
            (Msg::Left, false) => self.left = self.left.saturating_sub(STEP),
            (Msg::Right, false) if matches!(self.content, Content::Table(_)) => {
                self.left = (self.left + STEP).min(self.widest());
            }
            _ => {}
        }
    }

    fn widest(&self) -> usize {
        match &self.content {
            Content::Prose(rows) | Content::Table(rows) => {
                rows.iter().map(|row| row.text.chars().count()).max().unwrap_or(0)
            }
            Content::Figures(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn the_summary_holds_a_search_for_a_capacity() {
        let mut record = fixture::records::record(&fixture::sweep(), Status::Complete);
        let summary = |record: &Record| {
            format!("{:?}", Opened::of("x", Path::new("x.json"), record).pages[0].content)
        };
        assert!(!summary(&record).contains("capacity of"));
        record.capacity = vec![fixture::search()];
        let summary = summary(&record);
        assert!(summary.contains("objectives:"), "{summary}");
        assert!(summary.contains("at least 400 users (95 %)"), "{summary}");
    }
}
