//! What the words on the screen mean.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding, Paragraph},
};

use super::{panel, title};
use crate::tui::theme::Theme;

/// Words and their meaning; an empty meaning makes a headline.
const TEXT: &[(&str, &str)] = &[
    ("The four durations of a message", ""),
    ("lag", "sent − due: hubmark's own lateness. Where it is large, doubt the rest."),
    ("ack", "acknowledged − sent: how long the server took to promise."),
    ("delivery", "received − sent: from the device to the reader; the study's latency."),
    (
        "response",
        "received − due: what a device's owner feels. It counts the waiting that a late sender \
         hides (coordinated omission).",
    ),
    (
        "p50, p99",
        "half, 99 of 100 messages were faster. Shown only where at least 10 messages lie beyond \
         it. – is not measured, 0 is 0.",
    ),
    ("The ledger", ""),
    ("on the way", "sent, and neither arrived nor refused yet. After the drain: lost."),
    ("lost", "sent, not refused, never arrived."),
    ("failed", "certainly refused by the server, and never arrived."),
    ("corrupt", "arrived with a wrong stamp or wrong bytes."),
    ("duplicate", "arrived again."),
    ("The verdict", ""),
    ("valid", "nothing speaks against the numbers of this repetition."),
    (
        "suspect",
        "measured to the end, with a reason for doubt: messages lost, hubmark too busy, a server \
         held back by heat or limits, samples missing.",
    ),
    ("failed", "not measured to the end; not in the figures."),
    ("hubmark", ""),
    ("lag p99", "how late hubmark itself sent, in milliseconds. cpu: cores that it used."),
    ("dropped", "pictures of the run that this screen was too slow to take. The load never waits."),
    ("Servers", ""),
    ("cpu", "cores in use, of those that the hub has or the limit allows."),
    ("mem", "as docker stats counts it; + is growth over the idle baseline, which is drawn."),
    (
        "disk",
        "bytes written, and where the figure comes from: engine (its counters), data (growth of \
         the data folder), host (all that the machine wrote), proc (the process).",
    ),
    ("net", "received ↓ and sent ↑ by the server."),
    ("Phases", ""),
    (
        "warm-up",
        "of the server: load before the measured one; 0 s is a cold server, as the study. Of the \
         load: its first seconds, sent and not measured.",
    ),
    ("baseline", "the servers idle, so that the load's share of memory and cpu can be told."),
    ("drain", "after the last send, until everything arrived or the time is over."),
    (
        "threshold",
        "a limit of the profile. ▲ is the moment of its first crossing, the dotted line the limit.",
    ),
    ("durability", "what an acknowledgement promises: default (each system's own), memory, disk."),
    ("Keys", ""),
    ("tab, enter", "the next panel; it alone, or all of them again (esc, too)."),
    (
        "v, 1–5",
        "the latency as histogram, percentiles over time, four durations over one axis, corrected \
         beside uncorrected (response, delivery), heat map.",
    ),
    ("m, e", "the sweep's map (enter: look at that repetition again); the log."),
    ("↑↓ / !", "in the log: scroll, only lines with a text, only warnings or errors."),
    ("f", "holds the display; the run goes on."),
    ("← →", "a second back or forth; page up, page down: ten; home, end: first, last."),
    ("[ ]", "the repetition before, after; the run goes on."),
    ("b", "the bell rings when a threshold is crossed, or is silent again."),
    ("s", "asks whether to stop, to skip this point, or to add repetitions."),
    ("q", "asks whether to leave. ctrl-c twice: stop now and leave."),
];

/// Columns of the words, and of their meanings.
const COLUMNS: (usize, usize) = (12, 64);
/// Rows for text at the smallest size of the screen.
const ROWS: u16 = 22;

/// The text in rows: word and a part of its meaning that fits.
fn rows() -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for (word, meaning) in TEXT {
        let mut row = (*word, String::new());
        for part in meaning.split(' ') {
            if !row.1.is_empty() && row.1.chars().count() + 1 + part.chars().count() > COLUMNS.1 {
                rows.push(std::mem::take(&mut row));
            }
            if !row.1.is_empty() {
                row.1.push(' ');
            }
            row.1.push_str(part);
        }
        rows.push(row);
    }
    rows
}

/// The last row that may be the first one shown.
pub fn last_first_row() -> u16 {
    (rows().len() as u16).saturating_sub(ROWS)
}

/// Draws the help from a line on.
pub fn draw(line: u16, theme: Theme, frame: &mut Frame, area: Rect) {
    let lines: Vec<Line> = rows()
        .into_iter()
        .map(|(word, meaning)| {
            if meaning.is_empty() {
                return Line::from(Span::styled(word, theme.title()));
            }
            Line::from(vec![
                Span::styled(format!("{word:<width$}", width = COLUMNS.0), theme.accent()),
                Span::raw(meaning),
            ])
        })
        .collect();
    let height = (lines.len() as u16 + 2).min(area.height);
    let area = area.centered(Constraint::Length(80), Constraint::Length(height));
    frame.render_widget(Clear, area);
    // Where everything fits, nothing is scrolled away.
    let line = line.min((lines.len() as u16 + 2).saturating_sub(height));
    let more = if line + height < lines.len() as u16 + 2 { " ↓ more " } else { "" };
    let block = panel(theme, title(theme, "help"))
        .border_style(theme.accent())
        .title_bottom(Line::from(format!(" ↑↓ scroll  esc close {more}")))
        .padding(Padding::horizontal(1));
    frame.render_widget(Paragraph::new(lines).scroll((line, 0)).block(block), area);
}
