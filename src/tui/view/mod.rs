//! Draws the model. Pure: the same model and size give the same frame.

mod dialog;
mod finished;
mod help;
mod latency;
mod ledger;
mod live;
mod log;
mod map;
mod opened;
mod palette;
mod pointer;
mod search;
mod servers;
mod setup;
mod shelf;
mod throughput;
mod timeline;
mod words;

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Style},
    symbols::merge::MergeStrategy,
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph, Wrap},
};
use unicode_width::UnicodeWidthStr;

pub use help::last_first_row as last_row_of_help;
pub use pointer::pointed;
pub use words::point;

use super::{
    model::{Model, Overlay, Screen},
    theme::Theme,
};
use crate::format;

/// The smallest terminal that shows everything.
const SMALLEST: (u16, u16) = (80, 24);

/// Draws a frame.
pub fn view(model: &Model, frame: &mut Frame) {
    unfolded(model, frame);
    model.symbols.fold(frame.buffer_mut());
    model.theme.paint(model.depth, frame.buffer_mut());
}

fn unfolded(model: &Model, frame: &mut Frame) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(model, frame);
    }
    match &model.screen {
        Screen::Setup => setup::draw(model, frame, area),
        Screen::Live(live) => live::draw(live, model, frame, area),
        Screen::Finished(finished) => finished::draw(finished, model, frame, area),
        Screen::Records => shelf::draw(model, frame, area),
        Screen::Record(shown) => opened::draw(shown, model, frame, area),
    }
    match &model.overlay {
        Some(Overlay::Help(line)) => help::draw(*line, model, frame, area),
        Some(Overlay::Palette(palette)) => palette::draw(palette, model, frame, area),
        Some(Overlay::Stop) => dialog::stop(model, frame, area),
        Some(Overlay::Add(count)) => dialog::add(*count, model, frame, area),
        Some(Overlay::Quit) => dialog::quit(model, frame, area),
        Some(Overlay::Remove) => dialog::remove(model, frame, area),
        Some(Overlay::Export) => dialog::export(model, frame, area),
        Some(Overlay::Name(naming, input)) => dialog::name(*naming, input, model, frame, area),
        None => {}
    }
}

fn too_small(model: &Model, frame: &mut Frame) {
    let area = frame.area();
    let (width, height) = SMALLEST;
    let state = match model.screen {
        Screen::Setup | Screen::Records | Screen::Record(_) => "",
        Screen::Live(_) => " The run goes on.",
        Screen::Finished(_) => " The run is over.",
    };
    let text = format!(
        "This terminal is {}×{}: too small. hubmark needs {width}×{height}.{state}",
        area.width, area.height
    );
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
}

/// Splits the screen into header, body and the line of keys.
fn frame_of(area: Rect, header: u16) -> [Rect; 3] {
    area.layout(&Layout::vertical([
        Constraint::Length(header),
        Constraint::Fill(1),
        Constraint::Length(1),
    ]))
}

/// A frame that shares its lines with its neighbours.
fn panel<'a>(theme: Theme, title: impl Into<Line<'a>>) -> Block<'a> {
    Block::bordered()
        .border_style(theme.border())
        // What has no colour of its own would take the frame's.
        .title_style(Style::new().fg(Color::Reset))
        .merge_borders(MergeStrategy::Exact)
        .title(title)
}

/// A title with a space on both sides.
fn title(theme: Theme, text: &str) -> Line<'static> {
    Line::from(Span::styled(format!(" {text} "), theme.title()))
}

/// The keys of the present place: names of actions, with a space between several, and what they do.
fn footer(actions: &[(&str, &str)], model: &Model, frame: &mut Frame, area: Rect) {
    let mut spans = Vec::new();
    for (_, key, meaning) in in_footer(actions, model, area.width) {
        spans.push(Span::styled(key, model.theme.accent()));
        spans.push(Span::raw(meaning));
    }
    frame.render_widget(Line::from(spans), area);
}

/// What there is to say, or else the keys of the present place.
fn word_or_keys(
    word: Option<&Result<String, String>>,
    actions: &[(&str, &str)],
    model: &Model,
    frame: &mut Frame,
    area: Rect,
) {
    match word {
        None => footer(actions, model, frame, area),
        Some(Ok(word)) => said(" ", word, Style::new(), frame, area),
        Some(Err(word)) => said(" ! ", word, model.theme.warn(), frame, area),
    }
}

/// `word` in the footer's line, and above it what does not fit: what failed and what to do about it is
/// never cut.
fn said(mark: &str, word: &str, style: Style, frame: &mut Frame, area: Rect) {
    let room = usize::from(area.width).saturating_sub(mark.len() + 1);
    let words: Vec<String> = format::broken(word, room)
        .iter()
        .flat_map(|line| {
            let symbols: Vec<char> = line.chars().collect();
            // A path that is wider than the screen goes on in the next line.
            symbols.chunks(room.max(1)).map(|piece| piece.iter().collect()).collect::<Vec<String>>()
        })
        .collect();
    let height = (words.len() as u16).min(area.bottom()).max(1);
    let area = Rect { y: area.bottom() - height, height, ..area };
    let lines: Vec<Line> = words
        .iter()
        .enumerate()
        .map(|(place, words)| {
            let mark = if place == 0 { mark.to_owned() } else { " ".repeat(mark.len()) };
            Line::from(Span::styled(mark + words, style))
        })
        .collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

/// The keys of `actions` and what they do, as the footer of so many columns writes them. Where there is no
/// room for all, the last but the one that tells all others are left out.
fn in_footer<'a>(
    actions: &[(&'a str, &str)],
    model: &Model,
    columns: u16,
) -> Vec<(&'a str, String, String)> {
    let written = |&(names, meaning): &(&'a str, &str)| {
        let keys: Vec<String> = names.split(' ').map(|name| model.keys.key(name)).collect();
        let arrows = keys.iter().all(|key| "←↑↓→".contains(key.as_str()));
        let keys = keys.join(if arrows { "" } else { " " });
        (names, format!(" {keys}"), format!(" {meaning} "))
    };
    let mut shown: Vec<_> = actions.iter().map(written).collect();
    let width = |shown: &[(&str, String, String)]| -> usize {
        shown.iter().map(|(_, key, meaning)| key.width() + meaning.trim_end().width() + 1).sum()
    };
    while width(&shown) > usize::from(columns) + 1
        && let Some(last) = shown.iter().rposition(|(names, ..)| *names != "help")
    {
        shown.remove(last);
    }
    shown
}

/// Text at the left and at the right of one line.
fn both_ends(left: Line, right: Line, frame: &mut Frame, area: Rect) {
    let width = (right.width() as u16).min(area.width);
    let [for_left, for_right] =
        area.layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]));
    frame.render_widget(left, for_left);
    frame.render_widget(right.alignment(Alignment::Right), for_right);
}

/// A word and its value: `label` dim, `value` right-aligned to `width` columns.
fn cell(label: &str, value: &str, width: usize, theme: Theme, style: Style) -> [Span<'static>; 2] {
    let columns = Span::raw(value).width();
    let padding = " ".repeat(width.saturating_sub(columns));
    [
        Span::styled(label.to_owned(), theme.label()),
        Span::styled(format!("{padding}{value}"), style),
    ]
}
