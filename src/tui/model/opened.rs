//! A record, or a comparison of two, as pages to read: built once, when it is opened.

use std::path::{Path, PathBuf};

use crate::{
    engine::doctor::{self, Check, Finding},
    format::{self, MISSING, three},
    measure::Judgement,
    plan::Plan,
    record::{Latency, Record, Status},
    report::{
        answer, capacity,
        cells::{Cells, Source},
        figures::{self, Figure},
        findings, footprint, provenance,
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

pub(super) fn row(tone: Tone, text: impl Into<String>) -> Row {
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
                page("summary", Content::Prose(summary(&cells, record))),
                page("points", Content::Table(points(record))),
                page("repetitions", Content::Table(repetitions(record))),
                page("figures", Content::Figures(figures::all(&cells))),
                page("percentiles", Content::Table(percentiles(record))),
                page("findings", Content::Prose(judged(&cells))),
                page("provenance", Content::Prose(origin(record))),
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

fn summary(cells: &Cells<'_>, record: &Record) -> Vec<Row> {
    let answer = answer::answer(cells);
    let mut rows = Vec::new();
    if record.status == Status::Partial {
        let why = record.ended.as_deref().unwrap_or("it has not been ended in order");
        rows.push(row(Tone::Doubt, format!("! partial: {why}")));
    }
    rows.extend(answer.doubts.iter().map(|doubt| row(Tone::Doubt, format!("! {doubt}"))));
    for (name, lines) in [
        ("asked", &answer.asked),
        ("found", &answer.found),
        ("how sure", &answer.sure),
        ("left out", &answer.left_out),
    ] {
        let lines: Vec<&String> =
            lines.iter().filter(|line| !answer.doubts.contains(line)).collect();
        if !lines.is_empty() {
            rows.push(row(Tone::Plain, ""));
            rows.push(row(Tone::Head, name));
            rows.extend(lines.into_iter().map(|line| row(Tone::Plain, line.as_str())));
        }
    }
    // Each search for a capacity and each card is a paragraph that begins with its name.
    for line in (capacity::section(record) + &footprint::section(record)).lines() {
        let is_head = !line.is_empty() && !line.starts_with(' ');
        rows.push(row(if is_head { Tone::Head } else { Tone::Plain }, line));
    }
    rows
}

/// The names of the points in columns of the same width.
fn names(record: &Record) -> Vec<String> {
    let name = |point: &crate::record::PointResult| crate::tui::view::point(&point.point);
    let names: Vec<String> = record.points.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    names.iter().map(|name| format!("{name:<width$}")).collect()
}

fn sign(status: Judgement) -> (&'static str, Tone) {
    match status {
        Judgement::Valid => ("✓", Tone::Plain),
        Judgement::Suspect => ("!", Tone::Doubt),
        Judgement::Failed => ("✗", Tone::Doubt),
    }
}

fn points(record: &Record) -> Vec<Row> {
    let names = names(record);
    let width = names.first().map_or(0, |name| name.chars().count());
    let mut rows = vec![row(
        Tone::Label,
        format!(
            "{:<width$} {:>4} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
            "delivery in ms, cpu in cores", "reps", "p50", "p99", "max", "MB/s", "cpu", "suspect",
        ),
    )];
    for (name, point) in names.iter().zip(&record.points) {
        let Some(summary) = &point.summary else {
            rows.push(row(Tone::Label, format!("{name}    –  nothing was measured")));
            continue;
        };
        let delivery = summary.latency.delivery.as_ref();
        let ms = |value: Option<f64>| format::optional(value.map(|micros| micros / 1e3));
        let over = |figure: &str, divisor: f64| {
            let mean = summary.over_repetitions.get(figure).map(|estimate| estimate.mean / divisor);
            format::optional(mean)
        };
        let tone = if summary.suspect + summary.failed > 0 { Tone::Doubt } else { Tone::Plain };
        rows.push(row(
            tone,
            format!(
                "{name} {:>4} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
                summary.repetitions,
                ms(delivery.and_then(|l| l.p50)),
                ms(delivery.and_then(|l| l.p99)),
                ms(delivery.map(|l| l.max)),
                over("bytes_per_second", 1e6),
                over("server_cores", 1.0),
                summary.suspect,
            ),
        ));
    }
    rows
}

fn repetitions(record: &Record) -> Vec<Row> {
    let names = names(record);
    let width = names.first().map_or(0, |name| name.chars().count());
    let mut rows = vec![row(
        Tone::Label,
        format!(
            "  {:<width$} {:>3} {:>7} {:>7} {:>11} {:>6}  reasons",
            "delivery in ms", "rep", "p50", "p99", "delivered", "lost",
        ),
    )];
    let mut all: Vec<_> = names
        .iter()
        .zip(&record.points)
        .flat_map(|(name, point)| point.repetitions.iter().map(move |one| (name, one)))
        .collect();
    all.sort_by_key(|(_, repetition)| repetition.order);
    for (name, repetition) in all {
        let delivery = repetition.latency.delivery.as_ref();
        let ms = |value: Option<f64>| format::optional(value.map(|micros| micros / 1e3));
        let (sign, tone) = sign(repetition.verdict.status);
        let reasons: Vec<&str> =
            repetition.verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
        rows.push(row(
            tone,
            format!(
                "{sign} {name} {:>3} {:>7} {:>7} {:>11} {:>6}  {}",
                repetition.index + 1,
                ms(delivery.and_then(|l| l.p50)),
                ms(delivery.and_then(|l| l.p99)),
                format::count(repetition.ledger.delivered),
                format::count(repetition.ledger.lost),
                reasons.join("; "),
            ),
        ));
    }
    rows
}

fn percentiles(record: &Record) -> Vec<Row> {
    let mut rows = vec![row(
        Tone::Label,
        format!(
            "{:<9}{:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "ms", "n", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"
        ),
    )];
    for (name, point) in names(record).iter().zip(&record.points) {
        rows.push(row(Tone::Plain, ""));
        rows.push(row(Tone::Head, name.trim_end()));
        let Some(summary) = &point.summary else { continue };
        let durations = &summary.latency;
        for (name, latency) in [
            ("lag", &durations.lag),
            ("ack", &durations.ack),
            ("delivery", &durations.delivery),
            ("response", &durations.response),
        ] {
            rows.push(row(Tone::Plain, spectrum(name, latency.as_ref())));
        }
    }
    rows
}

fn spectrum(name: &str, latency: Option<&Latency>) -> String {
    let Some(latency) = latency else { return format!("{name:<9}{MISSING:>9}") };
    let values = [
        Some(latency.min),
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.p9999,
        Some(latency.max),
    ];
    let columns = values.map(|value| {
        let text = value.map_or_else(|| MISSING.to_owned(), |micros| three(micros / 1e3));
        format!(" {text:>8}")
    });
    format!("{name:<9}{:>9}{}", format::count(latency.count), columns.concat())
}

fn judged(cells: &Cells<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for finding in findings::findings(cells) {
        rows.push(row(Tone::Head, format!("{}: {}", finding.ruling.text(), finding.claim)));
        rows.push(row(Tone::Label, finding.meaning));
        rows.extend(finding.evidence.iter().map(|text| row(Tone::Plain, text.as_str())));
        rows.push(row(Tone::Plain, ""));
    }
    rows
}

fn origin(record: &Record) -> Vec<Row> {
    let facts = provenance::provenance(record);
    facts.into_iter().map(|(name, value)| row(Tone::Plain, format!("{name}: {value}"))).collect()
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
