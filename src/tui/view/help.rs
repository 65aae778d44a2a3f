//! What the keys do and the words mean: first those of the place from which it is asked.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding, Paragraph},
};

use super::{panel, title};
use crate::tui::{
    keys::{Action, PLACES},
    model::{Model, Screen},
};

/// A screen that shows words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Setup,
    Live,
    Finished,
    Records,
}

/// A name, the screens that show its words, and the words with their meaning.
type Group = (&'static str, &'static [Where], &'static [(&'static str, &'static str)]);

/// Words and their meaning, by what they belong to.
const WORDS: &[Group] = &[
    (
        "The four durations of a message",
        &[Where::Live, Where::Finished, Where::Records],
        &[
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
        ],
    ),
    (
        "The ledger",
        &[Where::Live, Where::Finished, Where::Records],
        &[
            ("on the way", "sent, and neither arrived nor refused yet. After the drain: lost."),
            ("lost", "sent, not refused, and not arrived when the drain was over."),
            ("failed", "certainly refused by the server, or never left this machine."),
            ("corrupt", "arrived with a wrong stamp or wrong bytes."),
            ("duplicate", "arrived again."),
        ],
    ),
    (
        "The verdict",
        &[Where::Live, Where::Finished, Where::Records],
        &[
            ("valid", "nothing speaks against the numbers of this repetition."),
            (
                "suspect",
                "measured to the end, with a reason for doubt: messages lost, hubmark too busy, a server \
             held back by heat or limits, samples missing.",
            ),
            ("failed", "not measured to the end; not in the figures."),
        ],
    ),
    (
        "hubmark",
        &[Where::Live],
        &[
            ("lag p99", "how late hubmark itself sent, in milliseconds. cpu: cores that it used."),
            (
                "dropped",
                "pictures of the run that this screen was too slow to take. The load never waits.",
            ),
        ],
    ),
    (
        "Servers",
        &[Where::Live],
        &[
            ("cpu", "cores in use, of those that the hub has or the limit allows."),
            (
                "mem",
                "as docker stats counts it; + is growth over the idle baseline, which is drawn.",
            ),
            (
                "disk",
                "bytes written, and where the figure comes from: engine (its counters), data (growth of \
             the data folder), host (all that the machine wrote), proc (the process).",
            ),
            ("net", "received ↓ and sent ↑ by the server."),
        ],
    ),
    (
        "Phases",
        &[Where::Setup, Where::Live],
        &[
            (
                "warm-up",
                "of the server: load before the measured one; 0 s is a cold server, as the study. Of the \
             load: its first seconds, sent and not measured.",
            ),
            (
                "baseline",
                "the servers idle, so that the load's share of memory and cpu can be told.",
            ),
            ("drain", "after the last send, until everything arrived or the time is over."),
            (
                "threshold",
                "a limit of the profile. ▲ is the moment of its first crossing, the dotted line the limit.",
            ),
            (
                "durability",
                "what an acknowledgement promises: default (each system's own), memory, disk.",
            ),
        ],
    ),
    (
        "Choosing",
        &[Where::Setup],
        &[
            ("point", "one combination of backend, users, payload, scenario and durability."),
            (
                "repetition",
                "one execution of a point, on clean servers. All of them are interleaved at random.",
            ),
            (
                "hub",
                "where the servers run: docker, an engine here or over ssh; local, child processes of this machine.",
            ),
            ("*", "a value or a profile that was changed; delete takes the profile's own again."),
        ],
    ),
];

/// Columns of the words, and of their meanings.
const COLUMNS: (usize, usize) = (18, 58);
/// Rows for text at the smallest size of the screen.
const ROWS: u16 = 22;

/// A headline, or a word and a part of its meaning that fits.
enum Row {
    Headline(String),
    Word(String, String),
}

/// The text: keys and words of the place below first, then all others.
fn rows(model: &Model) -> Vec<Row> {
    let mut rows = Vec::new();
    let below = model.place_below();
    rows.push(Row::Headline("Keys here".to_owned()));
    let mut told: Vec<&str> = Vec::new();
    let mut keys = |rows: &mut Vec<Row>, actions: Vec<(&'static Action, String)>| {
        for (action, keys) in actions {
            if !told.contains(&action.name) {
                told.push(action.name);
                explain(rows, &keys, action.what);
            }
        }
    };
    keys(&mut rows, model.keys.actions(below));
    explain(
        &mut rows,
        "ctrl-c",
        "leave from everywhere; twice while a run is on: stop now (--keep: let it go on), leave",
    );
    let here = match model.screen {
        Screen::Setup => Where::Setup,
        Screen::Live(_) => Where::Live,
        Screen::Finished(_) => Where::Finished,
        Screen::Records | Screen::Record(_) => Where::Records,
    };
    for belongs in [true, false] {
        let groups = WORDS.iter().filter(|(_, at, _)| at.contains(&here) == belongs);
        for (name, _, words) in groups {
            rows.push(Row::Headline((*name).to_owned()));
            words.iter().for_each(|(word, meaning)| explain(&mut rows, word, meaning));
        }
    }
    for (place, name) in PLACES {
        let before = rows.len();
        rows.push(Row::Headline(format!("Keys in {name}")));
        keys(&mut rows, model.keys.actions(place));
        if rows.len() == before + 1 {
            rows.pop();
        }
    }
    rows
}

/// Breaks a meaning at words.
fn explain(rows: &mut Vec<Row>, word: &str, meaning: &str) {
    let mut word = word.to_owned();
    if word.chars().count() >= COLUMNS.0 {
        rows.push(Row::Word(std::mem::take(&mut word), String::new()));
    }
    let mut line = String::new();
    for part in meaning.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + part.chars().count() > COLUMNS.1 {
            rows.push(Row::Word(std::mem::take(&mut word), std::mem::take(&mut line)));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    rows.push(Row::Word(word, line));
}

/// The last row that may be the first one shown.
pub fn last_first_row(model: &Model) -> u16 {
    (rows(model).len() as u16).saturating_sub(ROWS)
}

/// Draws the help from a line on.
pub fn draw(line: u16, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let lines: Vec<Line> = rows(model)
        .into_iter()
        .map(|row| match row {
            Row::Headline(name) => Line::from(Span::styled(name, theme.title())),
            Row::Word(word, meaning) => Line::from(vec![
                Span::styled(format!("{word:<width$}", width = COLUMNS.0), theme.accent()),
                Span::raw(meaning),
            ]),
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
