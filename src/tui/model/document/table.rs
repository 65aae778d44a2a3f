//! Table that is laid out for the width of the screen: what does not fit beside its row is below it.

use unicode_width::UnicodeWidthStr;

use super::row::{DocumentRow, RowStyle};
use crate::tui::wrapping::wrap_text;

/// Indent of what is below its row.
const INDENT: usize = 4;

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// At the left: words.
    Left,
    /// At the right: numbers.
    Right,
}

/// Column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    title: &'static str,
    alignment: Alignment,
    /// Columns of a higher rank move below their row first.
    rank: u8,
}

impl Column {
    /// Creates a column of words.
    pub const fn words(title: &'static str) -> Self {
        Self { title, alignment: Alignment::Left, rank: 0 }
    }

    /// Creates a column of numbers.
    pub const fn number(title: &'static str) -> Self {
        Self { title, alignment: Alignment::Right, rank: 0 }
    }

    /// Sets the rank: without room, columns of a higher rank move below their row first.
    pub const fn ranked(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// Row of a table.
#[derive(Debug, Clone)]
pub enum TableRow {
    /// Text over all columns.
    Text(DocumentRow),
    /// A cell for each column, and a text below them.
    Cells {
        /// Style.
        style: RowStyle,
        /// Cells from left to right.
        cells: Vec<String>,
        /// Text below the cells; empty for none.
        note: String,
    },
}

/// A table.
#[derive(Debug, Clone)]
pub struct DocumentTable {
    columns: Vec<Column>,
    rows: Vec<TableRow>,
    /// Whether the first column has its own line before others move below the row.
    has_wide_names: bool,
}

/// Columns of a table beside each other, for one width.
struct TableLayout {
    /// Indices and widths of the columns beside each other.
    beside: Vec<(usize, usize)>,
    /// Indices of the columns below the row.
    below: Vec<usize>,
    /// Spaces between two columns.
    gap: usize,
    /// Whether the first column is a line above the others.
    is_name_above: bool,
}

impl DocumentTable {
    /// Creates a table whose first column is short.
    pub const fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), has_wide_names: false }
    }

    /// Creates a table whose first column is wide: a name, which moves above its row first.
    pub const fn with_wide_names(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), has_wide_names: true }
    }

    /// Adds a text over all columns.
    pub fn push_text(&mut self, row: DocumentRow) {
        self.rows.push(TableRow::Text(row));
    }

    /// Adds a row: a cell for each column, and a text below them, empty for none.
    pub fn push_cells(&mut self, style: RowStyle, cells: Vec<String>, note: String) {
        self.rows.push(TableRow::Cells { style, cells, note });
    }

    /// Lays the table out in `width` columns; the first line is the header.
    pub fn lines(&self, width: usize) -> Vec<DocumentRow> {
        let layout = self.layout(width);
        let titles: Vec<String> =
            self.columns.iter().map(|column| column.title.to_owned()).collect();
        let mut lines = vec![DocumentRow::label(self.cells_text(&layout, &titles))];
        for row in &self.rows {
            match row {
                TableRow::Text(row) => lines.extend(wrapped(row.style, &row.text, width, INDENT)),
                TableRow::Cells { style, cells, note } => {
                    self.push_lines(&layout, *style, cells, note, width, &mut lines);
                }
            }
        }
        lines
    }

    fn push_lines(
        &self,
        layout: &TableLayout,
        style: RowStyle,
        cells: &[String],
        note: &str,
        width: usize,
        lines: &mut Vec<DocumentRow>,
    ) {
        if layout.is_name_above {
            lines.extend(wrapped(style, &cells[0], width, INDENT));
        }
        lines.extend(wrapped(style, &self.cells_text(layout, cells), width, INDENT));
        let below = layout.below.iter().map(|column| {
            let (title, cell) = (self.columns[*column].title, &cells[*column]);
            if title.is_empty() { cell.clone() } else { format!("{title} {cell}") }
        });
        let below = below.collect::<Vec<_>>().join(" · ");
        for text in [below.as_str(), note].into_iter().filter(|text| !text.is_empty()) {
            let text = format!("{:INDENT$}{text}", "");
            lines.extend(wrapped(style, &text, width, INDENT));
        }
    }

    /// Decides which columns are beside each other.
    fn layout(&self, width: usize) -> TableLayout {
        let widths: Vec<usize> = (0..self.columns.len()).map(|it| self.column_width(it)).collect();
        let mut layout = TableLayout {
            beside: widths.iter().copied().enumerate().collect(),
            below: Vec::new(),
            gap: 2,
            is_name_above: false,
        };
        let fits = |layout: &TableLayout| {
            let gaps = layout.gap * layout.beside.len().saturating_sub(1);
            let indent = if layout.is_name_above { INDENT } else { 0 };
            indent + gaps + layout.beside.iter().map(|(_, width)| width).sum::<usize>() <= width
        };
        if !fits(&layout) {
            layout.gap = 1;
        }
        if !fits(&layout) && self.has_wide_names {
            layout.beside.remove(0);
            layout.is_name_above = true;
            layout.gap = 2;
            if !fits(&layout) {
                layout.gap = 1;
            }
        }
        while !fits(&layout) && layout.beside.len() > 1 {
            // The first column names the row and stays.
            let movable = layout.beside.iter().enumerate().skip(1);
            let last =
                movable.max_by_key(|(place, (column, _))| (self.columns[*column].rank, *place));
            let Some((place, _)) = last else { break };
            layout.below.push(layout.beside.remove(place).0);
        }
        layout.below.sort_unstable();
        layout
    }

    fn column_width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| match row {
            TableRow::Cells { cells, .. } => cells.get(column),
            TableRow::Text(_) => None,
        });
        let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
        widest.max(self.columns[column].title.width())
    }

    /// Joins the cells that are beside each other.
    fn cells_text(&self, layout: &TableLayout, cells: &[String]) -> String {
        let mut text = " ".repeat(if layout.is_name_above { INDENT } else { 0 });
        for (place, (column, width)) in layout.beside.iter().enumerate() {
            if place > 0 {
                text.push_str(&" ".repeat(layout.gap));
            }
            let cell = &cells[*column];
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            match self.columns[*column].alignment {
                Alignment::Left => text.extend([cell.as_str(), &pad]),
                Alignment::Right => text.extend([pad.as_str(), cell]),
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn wrapped(
    style: RowStyle,
    text: &str,
    width: usize,
    indent: usize,
) -> impl Iterator<Item = DocumentRow> {
    wrap_text(text, width, indent).into_iter().map(move |line| DocumentRow::new(style, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> DocumentTable {
        let mut table = DocumentTable::new(vec![
            Column::words("metric"),
            Column::number("A"),
            Column::number("B"),
            Column::words("95 % interval").ranked(2),
            Column::words("B − A").ranked(1),
        ]);
        let cells = ["delivery.p50", "2.16 ms", "2.13 ms", "-0.188 to +0.125 ms", "not seen"];
        table.push_cells(RowStyle::Plain, cells.map(str::to_owned).to_vec(), String::new());
        table
    }

    fn text(table: &DocumentTable, width: usize) -> String {
        table.lines(width).into_iter().map(|row| row.text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn columns_without_room_are_below_their_row_with_their_titles() {
        let wide = "metric              A        B  95 % interval        B − A\n\
                    delivery.p50  2.16 ms  2.13 ms  -0.188 to +0.125 ms  not seen";
        assert_eq!(text(&table(), 70), wide);
        let narrow = "metric             A       B B − A\n\
                      delivery.p50 2.16 ms 2.13 ms not seen\n    \
                      95 % interval -0.188 to +0.125 ms";
        assert_eq!(text(&table(), 40), narrow);
    }

    #[test]
    fn wide_names_move_above_their_row_first() {
        let mut table = DocumentTable::with_wide_names(vec![
            Column::words("point"),
            Column::number("p50"),
            Column::number("p99"),
        ]);
        let cells = ["kafka 2.8.0 · 400 users", "2.16", "6.38"].map(str::to_owned).to_vec();
        table.push_cells(RowStyle::Warning, cells, "messages lost".to_owned());
        assert_eq!(
            text(&table, 26),
            "    p50   p99\nkafka 2.8.0 · 400 users\n    2.16  6.38\n    messages lost"
                .replace("    p50   p99", "     p50   p99")
        );
    }

    #[test]
    fn nothing_is_lost_at_any_width() {
        let kept = |text: &str| {
            let mut words: Vec<_> = text.split([' ', '\n']).filter(|it| *it != "·").collect();
            words.retain(|word| !word.is_empty());
            words.sort_unstable();
            words.dedup();
            words.join(" ")
        };
        let all = kept(&text(&table(), 200));
        for width in 30..100 {
            let text = text(&table(), width);
            assert_eq!(kept(&text), all, "{width}:\n{text}");
            assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
        }
    }
}
