//! Page of a document.

use super::{row::DocumentRow, table::DocumentTable};
use crate::{
    report::figures::Figure,
    tui::{msg::Msg, wrapping::wrap_text},
};

/// A page of a document.
#[derive(Debug, Clone)]
pub struct Page {
    /// Name on the screen.
    pub name: &'static str,
    /// Content.
    pub content: DocumentContent,
    /// Index of the first shown line, or of the shown figure.
    pub position: usize,
    /// Index of the first shown panel of a figure.
    pub panel: usize,
}

/// Content of a page.
#[derive(Debug, Clone)]
pub enum DocumentContent {
    /// Text and tables, laid out for the width of the screen.
    Text(Vec<DocumentBlock>),
    /// Figures, one at a time.
    Figures(Vec<Figure>),
}

/// Part of a page.
#[derive(Debug, Clone)]
pub enum DocumentBlock {
    /// Text that wraps at words.
    Row(DocumentRow),
    /// A table.
    Table(DocumentTable),
}

/// Lines of a page for one width.
#[derive(Debug, Clone, Default)]
pub struct PageLines {
    /// All lines.
    pub lines: Vec<DocumentRow>,
    /// Indices of the headers of tables.
    headers: Vec<usize>,
}

impl PageLines {
    /// Returns the lines in `rows` rows from line `position` on. The header of the table that is at the top
    /// stays visible.
    pub fn visible(&self, position: usize, rows: usize) -> Vec<&DocumentRow> {
        let first = position.min(self.lines.len().saturating_sub(rows));
        let mut shown: Vec<&DocumentRow> = self.lines.iter().skip(first).take(rows).collect();
        let header = self.headers.iter().rev().find(|header| **header < first);
        if let (Some(header), Some(top)) = (header, shown.first_mut()) {
            *top = &self.lines[*header];
        }
        shown
    }

    /// Number of lines below the visible ones.
    pub fn hidden_below(&self, position: usize, rows: usize) -> usize {
        self.lines.len().saturating_sub(position.saturating_add(rows))
    }
}

/// Columns and rows of the screen beside a page's text: header, footer, borders, a free column at each side.
const SCREEN_MARGINS: (u16, u16) = (4, 4);
/// Indent of the lines of a wrapped text after its first one.
const WRAP_INDENT: usize = 2;

/// Returns the columns and rows of a page's text on a terminal of this size.
pub fn page_size((columns, rows): (u16, u16)) -> (usize, usize) {
    let (beside, above) = SCREEN_MARGINS;
    (columns.saturating_sub(beside).into(), rows.saturating_sub(above).into())
}

impl Page {
    /// Creates a page that is not scrolled.
    pub const fn new(name: &'static str, content: DocumentContent) -> Self {
        Self { name, content, position: 0, panel: 0 }
    }

    /// Creates a page of text.
    pub fn text(name: &'static str, rows: Vec<DocumentRow>) -> Self {
        let blocks = rows.into_iter().map(DocumentBlock::Row).collect();
        Self::new(name, DocumentContent::Text(blocks))
    }

    /// Creates a page of one table.
    pub fn table(name: &'static str, table: DocumentTable) -> Self {
        Self::new(name, DocumentContent::Text(vec![DocumentBlock::Table(table)]))
    }

    /// Lays the page out in `width` columns; no lines for figures.
    pub fn lines(&self, width: usize) -> PageLines {
        let mut page = PageLines::default();
        let DocumentContent::Text(blocks) = &self.content else { return page };
        for block in blocks {
            match block {
                DocumentBlock::Row(row) => {
                    let lines = wrap_text(&row.text, width, WRAP_INDENT);
                    page.lines.extend(lines.into_iter().map(|it| DocumentRow::new(row.style, it)));
                }
                DocumentBlock::Table(table) => {
                    page.headers.push(page.lines.len());
                    page.lines.extend(table.lines(width));
                }
            }
        }
        page
    }

    /// Applies a message on a terminal of this size: scrolls.
    pub fn update(&mut self, msg: &Msg, size: (u16, u16)) {
        match &self.content {
            DocumentContent::Text(_) => {
                let (width, rows) = page_size(size);
                let last = self.lines(width).lines.len().saturating_sub(rows);
                self.position = scrolled(msg, self.position, last);
            }
            DocumentContent::Figures(figures) => {
                let last = figures.len().saturating_sub(1);
                match msg {
                    Msg::Left => self.position = self.position.saturating_sub(1),
                    Msg::Right => self.position = (self.position + 1).min(last),
                    msg => {
                        let panels = figures.get(self.position).map_or(0, |it| it.panels.len());
                        self.panel = scrolled(msg, self.panel, panels.saturating_sub(1));
                        return;
                    }
                }
                self.panel = 0;
            }
        }
    }
}

/// Returns the position after a message that moves up or down.
fn scrolled(msg: &Msg, position: usize, last: usize) -> usize {
    match msg {
        Msg::Up => position.min(last).saturating_sub(1),
        Msg::Down => (position + 1).min(last),
        Msg::Scroll(by) => position.min(last).saturating_add_signed(*by).min(last),
        _ => position,
    }
}
