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
    ("lag", "sent − due: hubmark's own lateness. Large lag: doubt the rest."),
    ("ack", "acknowledged − sent: how long the server took to promise."),
    ("delivery", "received − sent: the way from device to reader (the study's latency)."),
    ("response", "received − due: what a device's owner feels. It counts the waiting"),
    ("", "that a late sender hides (coordinated omission)."),
    ("p50, p99 …", "this share of messages, in percent, was faster. Shown only where at"),
    ("", "least 10 messages lie beyond it, otherwise –. – is not measured."),
    ("The ledger", ""),
    ("on the way", "sent, and neither arrived nor refused yet. What is still missing after"),
    ("", "the drain is lost."),
    ("failed", "certainly refused by the server, and never arrived."),
    ("corrupt", "arrived with a wrong stamp or wrong bytes. duplicate: arrived again."),
    ("The verdict", ""),
    ("valid", "nothing speaks against the numbers of this repetition."),
    ("suspect", "measured to the end, with a reason for doubt: messages lost, hubmark"),
    ("", "itself too busy, a server held back by heat or limits, samples missing."),
    ("failed", "not measured to the end."),
    ("Servers", ""),
    ("cpu", "cores in use, of those the hub has or the limit allows."),
    ("mem", "as docker stats counts it; + is growth over the idle baseline."),
    ("disk", "bytes written; behind it the source: engine (its counters), data (the"),
    ("", "folder's growth), host (everything the machine wrote), proc (process)."),
    ("net", "received ↓ and sent ↑ by the server."),
    ("Phases", ""),
    ("warm-up", "of the server: load before the measured one (0 s: cold, as the study);"),
    ("", "of the load: its first seconds, sent and not measured."),
    ("drain", "after the last send, until everything arrived or the time is over."),
    ("durability", "what an acknowledgement promises: default (each system's own), memory,"),
    ("", "disk."),
    ("Keys", ""),
    ("f", "holds the display; the run goes on."),
    ("s", "asks how to stop. q asks before it leaves a run. ctrl-c twice: stop"),
    ("", "now and leave."),
];

/// The last line that may be the first one shown.
pub const LINES: u16 = TEXT.len() as u16 - 10;

/// Draws the help from a line on.
pub fn draw(line: u16, theme: Theme, frame: &mut Frame, area: Rect) {
    let lines: Vec<Line> = TEXT
        .iter()
        .map(|(word, meaning)| {
            if meaning.is_empty() {
                return Line::from(Span::styled(*word, theme.title()));
            }
            Line::from(vec![
                Span::styled(format!("{word:<11}"), theme.accent()),
                Span::raw(*meaning),
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
