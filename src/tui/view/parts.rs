//! Parts of all screens: areas, panels, titles, labels.

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Style},
    symbols::merge::MergeStrategy,
    text::{Line, Span},
    widgets::{Block, Padding, Widget},
};

use crate::tui::{
    text::{draw_line, fit_line},
    theme::Theme,
};

/// Columns of the smallest terminal that shows all columns of a table.
pub const FULL_WIDTH: u16 = 80;

/// Splits the screen into header, body and footer.
pub fn split_screen(area: Rect, header: u16) -> [Rect; 3] {
    area.layout(&Layout::vertical([
        Constraint::Length(header),
        Constraint::Fill(1),
        Constraint::Length(1),
    ]))
}

/// Returns the last row of an area.
pub fn last_row(area: Rect) -> Rect {
    Rect { y: area.bottom().saturating_sub(1), height: 1, ..area }
}

/// A bordered panel that shares its borders with adjacent panels, and whose titles fit its width.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    block: Block<'a>,
    /// Titles on the upper border, those at the left before those at the right.
    titles: Vec<Line<'a>>,
    /// Title on the lower border.
    bottom: Option<Line<'a>>,
}

/// Returns a panel with a title.
pub fn panel<'a>(theme: Theme, title: impl Into<Line<'a>>) -> Panel<'a> {
    let block = Block::bordered()
        .border_style(theme.border())
        // A title without a colour would take that of the border.
        .title_style(Style::new().fg(Color::Reset))
        .merge_borders(MergeStrategy::Exact);
    Panel { block, titles: vec![title.into()], bottom: None }
}

impl<'a> Panel<'a> {
    /// Adds a title on the upper border.
    pub fn title(mut self, title: impl Into<Line<'a>>) -> Self {
        self.titles.push(title.into());
        self
    }

    /// Sets the title on the lower border.
    pub fn title_bottom(mut self, title: impl Into<Line<'a>>) -> Self {
        self.bottom = Some(title.into());
        self
    }

    /// Sets the style of the border.
    pub fn border_style(mut self, style: Style) -> Self {
        self.block = self.block.border_style(style);
        self
    }

    /// Sets the space between border and content.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.block = self.block.padding(padding);
        self
    }

    /// Returns the area of the content.
    pub fn inner(&self, area: Rect) -> Rect {
        self.block.inner(area)
    }
}

impl Widget for Panel<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let mut room = usize::from(area.width.saturating_sub(2));
        let mut block = self.block;
        for title in self.titles.into_iter().filter(|title| title.width() > 0) {
            let title = fit_line(title, room);
            // One column of the border between two titles.
            room = room.saturating_sub(title.width() + 1);
            block = block.title(title);
        }
        if let Some(title) = self.bottom {
            block = block.title_bottom(fit_line(title, area.width.saturating_sub(2).into()));
        }
        block.render(area, buffer);
    }
}

/// Returns a title with a space on both sides.
pub fn title(theme: Theme, text: &str) -> Line<'static> {
    Line::from(Span::styled(format!(" {text} "), theme.title()))
}

/// Draws text at the left and at the right of one line.
pub fn draw_both_ends(left: Line, right: Line, frame: &mut Frame, area: Rect) {
    let width = (right.width() as u16).min(area.width);
    let [for_left, for_right] =
        area.layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]));
    draw_line(left, frame, for_left);
    draw_line(right.alignment(Alignment::Right), frame, for_right);
}

/// Returns a dim label and its value, right-aligned to `width` columns, with a space between them in any case.
pub fn labelled_value(
    label: &str,
    value: &str,
    width: usize,
    theme: Theme,
    style: Style,
) -> [Span<'static>; 2] {
    let columns = Span::raw(value).width();
    let padding = " ".repeat(width.saturating_sub(columns).max(1));
    [
        Span::styled(label.to_owned(), theme.label()),
        Span::styled(format!("{padding}{value}"), style),
    ]
}
