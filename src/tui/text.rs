//! Text that fits its area: what does not fit ends in `…`, so that nothing is cut without a sign.
//!
//! Views and widgets draw their text by these functions only; `tests/structure` checks it.

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};
use unicode_width::UnicodeWidthStr;

use crate::{
    format,
    tui::wrapping::{line_ranges, used_indent},
};

/// Sign in place of text that does not fit.
pub const ELLIPSIS: &str = "…";

/// Draws a line.
pub fn draw_line<'a>(line: impl Into<Line<'a>>, frame: &mut Frame, area: Rect) {
    frame.render_widget(fit_line(line.into(), area.width.into()), area);
}

/// Draws lines below each other. If there are more than the area has rows, the last row says so.
pub fn draw_lines(lines: Vec<Line>, frame: &mut Frame, area: Rect) {
    draw_lines_with_hint(lines, "", frame, area);
}

/// Draws lines as [`draw_lines`]; `hint` names the key that shows the rest.
pub fn draw_lines_with_hint(lines: Vec<Line>, hint: &str, frame: &mut Frame, area: Rect) {
    render_lines(lines, hint, area, frame.buffer_mut());
}

/// Draws lines as [`draw_lines_with_hint`] into a buffer.
pub fn render_lines(lines: Vec<Line>, hint: &str, area: Rect, buffer: &mut Buffer) {
    let (width, rows) = (usize::from(area.width), usize::from(area.height));
    let all = lines.len();
    let mut shown: Vec<Line> =
        lines.into_iter().take(rows).map(|line| fit_line(line, width)).collect();
    if all > rows
        && let Some(last) = shown.last_mut()
    {
        let sign = if hint.is_empty() { ELLIPSIS.to_owned() } else { format!("{ELLIPSIS} {hint}") };
        let sign = format::truncate(&sign, width);
        let room = width.saturating_sub(sign.width() + 1);
        // Words that make room for the sign are left out whole.
        let line = wrap_line(last, room, 0).into_iter().next().unwrap_or_default();
        let gap = (room + 1).saturating_sub(line.width());
        *last = with_span(line, Span::raw(" ".repeat(gap) + &sign));
    }
    Paragraph::new(shown).render(area, buffer);
}

/// Wraps lines at words into lines of at most `width` columns; the styles stay. The following lines of a
/// paragraph are indented by `indent` columns.
pub fn wrap_lines(lines: Vec<Line>, width: usize, indent: usize) -> Vec<Line<'static>> {
    lines.into_iter().flat_map(|line| wrap_line(&line, width, indent)).collect()
}

/// Draws lines that are wrapped at words; `hint` names the key that shows what does not fit.
pub fn draw_wrapped(lines: Vec<Line>, hint: &str, frame: &mut Frame, area: Rect) {
    draw_lines_with_hint(wrap_lines(lines, area.width.into(), 0), hint, frame, area);
}

/// Returns a line of at most `width` columns, with `…` in place of the rest.
pub fn fit_line(line: Line, width: usize) -> Line {
    // Spaces at the end are padding, and are left out without a sign.
    let text: usize = line.spans.iter().map(|span| span.content.width()).sum();
    let padding = trailing_spaces(&line);
    if text - padding <= width {
        return line;
    }
    let shown = cut_line(line, width.saturating_sub(1));
    if width == 0 { shown } else { with_span(shown, Span::raw(ELLIPSIS)) }
}

fn trailing_spaces(line: &Line) -> usize {
    let mut spaces = 0;
    for span in line.spans.iter().rev() {
        let kept = span.content.trim_end_matches(' ');
        spaces += span.content.len() - kept.len();
        if !kept.is_empty() {
            break;
        }
    }
    spaces
}

fn with_span<'a>(mut line: Line<'a>, span: Span<'a>) -> Line<'a> {
    // The sign has the style of the text before it.
    let style = line.spans.last().map_or(Style::new(), |last| last.style);
    line.push_span(span.style(style));
    line
}

/// Returns the first `width` columns of a line.
fn cut_line(mut line: Line, width: usize) -> Line {
    let mut left = width;
    let mut spans = Vec::new();
    for span in std::mem::take(&mut line.spans) {
        let columns = span.content.width();
        if columns <= left {
            left -= columns;
            spans.push(span);
            continue;
        }
        let mut used = 0;
        let kept: String = span
            .content
            .chars()
            .take_while(|symbol| {
                used += symbol.encode_utf8(&mut [0; 4]).width();
                used <= left
            })
            .collect();
        spans.push(Span::styled(kept, span.style));
        break;
    }
    line.spans = spans;
    line
}

/// Wraps a line at words; a word that is wider than a line is broken.
fn wrap_line(line: &Line, width: usize, indent: usize) -> Vec<Line<'static>> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let styles: Vec<Style> = line
        .spans
        .iter()
        .flat_map(|span| std::iter::repeat_n(span.style, span.content.chars().count()))
        .collect();
    let pad = used_indent(width, indent);
    line_ranges(&text, width, indent)
        .into_iter()
        .enumerate()
        .map(|(row, range)| {
            let from = text[..range.start].chars().count();
            let symbols: Vec<(char, Style)> =
                text[range].chars().zip(styles[from..].iter().copied()).collect();
            let spans = group_spans(if row == 0 { 0 } else { pad }, &symbols);
            Line { style: line.style, alignment: line.alignment, spans }
        })
        .collect()
}

/// Joins neighbouring symbols of the same style, after `indent` spaces.
fn group_spans(indent: usize, symbols: &[(char, Style)]) -> Vec<Span<'static>> {
    let mut spans: Vec<Span> = Vec::new();
    if indent > 0 {
        spans.push(Span::raw(" ".repeat(indent)));
    }
    for of_style in symbols.chunk_by(|one, other| one.1 == other.1) {
        let text: String = of_style.iter().map(|(symbol, _)| symbol).collect();
        spans.push(Span::styled(text, of_style[0].1));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(line: &Line) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn a_line_that_does_not_fit_ends_in_an_ellipsis() {
        let fit = |text: &'static str, width| text_of(&fit_line(Line::from(text), width));
        assert_eq!(fit("susp.", 5), "susp.");
        assert_eq!(fit("susp.", 4), "sus…");
        assert_eq!(fit("padded    ", 6), "padded    ", "padding is not text");
        assert_eq!(fit("字字字", 4), "字…");
        assert_eq!(fit("any", 0), "");
        let spans = Line::from(vec![Span::raw("one "), Span::raw("two")]);
        assert_eq!(text_of(&fit_line(spans, 6)), "one t…");
    }

    #[test]
    fn rows_that_do_not_fit_are_announced_with_the_key_that_shows_them() {
        let mut terminal =
            ratatui::Terminal::new(ratatui::backend::TestBackend::new(20, 2)).unwrap();
        let lines = vec![Line::from("one"), Line::from("two"), Line::from("three")];
        let area = Rect::new(0, 0, 20, 2);
        terminal.draw(|frame| draw_lines_with_hint(lines, "enter shows all", frame, area)).unwrap();
        let row = |y| (0..20).map(|x| terminal.backend().buffer()[(x, y)].symbol()).collect();
        let rows: [String; 2] = [row(0), row(1)];
        assert_eq!(rows, ["one                 ", "tw … enter shows all"]);
    }

    #[test]
    fn lines_wrap_at_words_and_keep_their_styles() {
        let bold = Style::new().bold();
        let line = Line::from(vec![Span::raw("a first "), Span::styled("and bold", bold)]);
        let rows = wrap_lines(vec![line], 11, 2);
        assert_eq!(rows.iter().map(text_of).collect::<Vec<_>>(), ["a first and", "  bold"]);
        assert_eq!(rows[1].spans[1].style, bold);
    }
}
