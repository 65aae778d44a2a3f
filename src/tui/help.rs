//! Contents of the help: keys and glossary, those of the current screen first.

use super::keys::{Action, INPUT_CONTEXTS, InputContext, Keymap};
use crate::format;

/// Width of a term in columns.
pub const TERM_WIDTH: usize = 18;
/// Widest help, in columns with its borders.
pub const MAX_WIDTH: u16 = 80;
/// Columns of the help beside a meaning: the term, the borders, a free column at each side.
const MEANING_MARGIN: u16 = TERM_WIDTH as u16 + 4;
/// Rows of the help beside its text: the borders.
const BORDER_ROWS: u16 = 2;

/// Shown for an action without a key.
const NO_KEY: &str = "(no key)";

/// Row of the help.
pub enum HelpRow {
    /// Headline of a group.
    Headline(String),
    /// Term with one line of its meaning.
    Term(String, String),
}

/// Returns all rows for a terminal of so many columns: keys and terms of the screen with the context
/// `below` first, then all others.
pub fn rows(keymap: &Keymap, below: InputContext, columns: u16) -> Vec<HelpRow> {
    let width = usize::from(columns.min(MAX_WIDTH).saturating_sub(MEANING_MARGIN));
    let push_wrapped = |rows: &mut Vec<HelpRow>, term: &str, meaning: &str| {
        push_wrapped(rows, term, meaning, width);
    };
    let mut rows = vec![HelpRow::Headline("Keys here".to_owned())];
    let mut listed: Vec<&str> = Vec::new();
    let mut keys = |rows: &mut Vec<HelpRow>, actions: Vec<(&'static Action, String)>| {
        for (action, keys) in actions {
            if !listed.contains(&action.name) {
                listed.push(action.name);
                let keys = if keys.is_empty() { NO_KEY } else { keys.as_str() };
                push_wrapped(rows, keys, action.description);
            }
        }
    };
    keys(&mut rows, keymap.actions(below));
    push_wrapped(
        &mut rows,
        "ctrl-c",
        "leave from everywhere; twice while a run is on: stop now (--keep: let it go on), leave",
    );
    let here = HelpScreen::of_context(below);
    for belongs in [true, false] {
        let groups = GLOSSARY.iter().filter(|(_, at, _)| at.contains(&here) == belongs);
        for (name, _, words) in groups {
            rows.push(HelpRow::Headline((*name).to_owned()));
            words.iter().for_each(|(term, meaning)| push_wrapped(&mut rows, term, meaning));
        }
    }
    for (place, name) in INPUT_CONTEXTS {
        let before = rows.len();
        rows.push(HelpRow::Headline(format!("Keys in {name}")));
        keys(&mut rows, keymap.actions(place));
        if rows.len() == before + 1 {
            rows.pop();
        }
    }
    rows
}

/// Returns the largest scroll position on a terminal of this size: the first row shown when scrolled to the
/// end.
pub fn max_scroll(keymap: &Keymap, below: InputContext, (columns, lines): (u16, u16)) -> u16 {
    let all = rows(keymap, below, columns).len() as u16;
    all.saturating_sub(lines.saturating_sub(BORDER_ROWS))
}

/// Appends a term, with its meaning wrapped at words. A long term has a row of its own.
fn push_wrapped(rows: &mut Vec<HelpRow>, term: &str, meaning: &str, width: usize) {
    let mut term = term.to_owned();
    if term.chars().count() >= TERM_WIDTH {
        rows.push(HelpRow::Term(std::mem::take(&mut term), String::new()));
    }
    for line in format::wrap(meaning, width) {
        rows.push(HelpRow::Term(std::mem::take(&mut term), line));
    }
}

/// Screen to which glossary groups belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HelpScreen {
    Setup,
    Live,
    Finished,
    Records,
}

impl HelpScreen {
    /// Returns the screen of a context.
    const fn of_context(context: InputContext) -> Self {
        match context {
            InputContext::Live | InputContext::Filter => Self::Live,
            InputContext::Finished => Self::Finished,
            InputContext::Records | InputContext::RecordInput | InputContext::Document => {
                Self::Records
            }
            _ => Self::Setup,
        }
    }
}

/// Glossary group: name, screens that use its terms, and terms with their meaning.
type GlossaryGroup = (&'static str, &'static [HelpScreen], &'static [(&'static str, &'static str)]);

/// Terms and their meaning, in groups.
const GLOSSARY: &[GlossaryGroup] = &[
    (
        "The four durations of a message",
        &[HelpScreen::Live, HelpScreen::Finished, HelpScreen::Records],
        &[
            ("lag", "sent − due: hubmark's own lateness. Where it is large, doubt the rest."),
            ("ack", "acknowledged − sent: how long the server took to confirm."),
            ("delivery", "received − sent: from the device to the reader; the study's latency."),
            (
                "response",
                "received − due: what a device's owner feels. It includes the waiting that a late \
             sender hides (coordinated omission).",
            ),
            (
                "p50, p99",
                "half, 99 of 100 messages were faster. Shown only if at least 10 messages are slower. \
             – means not measured, 0 means 0.",
            ),
        ],
    ),
    (
        "The results",
        &[HelpScreen::Finished],
        &[
            (
                "● ○",
                "p50 and p99 of all messages of a point; of a throughput run its mean and each repetition.",
            ),
            (
                "changed",
                "what differs from the last comparable run: the last record of the same profile with a point \
             in common, in the words of hubmark compare.",
            ),
        ],
    ),
    (
        "The ledger",
        &[HelpScreen::Live, HelpScreen::Finished, HelpScreen::Records],
        &[
            ("on the way", "sent, not yet arrived and not refused. After the drain: lost."),
            ("lost", "sent, not refused, and not arrived when the drain was over."),
            ("failed", "certainly refused by the server, or never left this machine."),
            ("not due", "never sent, because you had switched its user off."),
            ("corrupt", "arrived with a wrong stamp or wrong bytes."),
            ("duplicate", "arrived again."),
        ],
    ),
    (
        "The verdict",
        &[HelpScreen::Live, HelpScreen::Finished, HelpScreen::Records],
        &[
            ("valid", "no reason to doubt the numbers of this repetition."),
            (
                "suspect",
                "measured to the end, with a reason for doubt: messages lost, hubmark too busy, a server \
             throttled by heat or limits, samples missing.",
            ),
            (
                "◇ steered",
                "its load was changed by keys (◆ on the charts over time); not in the figures. Only a run whose \
             Steering is set on the form lets you pause the load, change its rate or its users, or inject a fault.",
            ),
            ("failed", "not measured to the end; not in the figures."),
        ],
    ),
    (
        "hubmark",
        &[HelpScreen::Live],
        &[
            ("lag p99", "how late hubmark itself sent, in milliseconds. cpu: cores that it used."),
            (
                "poller 12 %",
                "the fullest of the threads that all messages pass through, of one core. The ledger \
             panel alone on the screen shows all of them: waited is the wait for a core, the longest \
             pass the longest time without a look for new work.",
            ),
            ("stolen", "processor time that the host of this virtual machine gave to others."),
            (
                "dropped",
                "snapshots that this screen was too slow to show. The load never waits for the screen.",
            ),
        ],
    ),
    (
        "Servers",
        &[HelpScreen::Live],
        &[
            ("cpu", "cores in use, of those that the hub has or the limit allows."),
            (
                "mem",
                "as docker stats counts it; + is growth over the idle baseline, which is drawn.",
            ),
            (
                "disk",
                "bytes written, and where the figure comes from: engine (its counters), direct (its counters of \
             direct and synchronous writes), data (growth of the data folder), host (all that the \
             machine wrote, where its kernel counts no container's writes), proc (the process).",
            ),
            (
                "net",
                "received ↓ and sent ↑ by the server; the chart is their sum, as the mean of five seconds.",
            ),
            (
                "░",
                "behind a chart over time: from the smallest to the largest value of the repetitions of this \
             point before this one, of the same second.",
            ),
        ],
    ),
    (
        "Phases",
        &[HelpScreen::Setup, HelpScreen::Live],
        &[
            (
                "warm-up",
                "of the server: load before the measured one; 0 s is a cold server, as the study. Of the \
             load: its first seconds, sent and not measured.",
            ),
            ("baseline", "the servers idle, so that the load's share of memory and cpu is known."),
            ("drain", "after the last send, until every message arrived or the time is over."),
            (
                "threshold",
                "a limit of the profile. ▲ is the moment of its first crossing, the dotted line the limit.",
            ),
            (
                "standstill",
                "═ below a chart: nothing was acknowledged or delivered, or nothing sent, far outside the \
             load's own rhythm.",
            ),
            (
                "durability",
                "what an acknowledgement promises: default (each system's own), memory, disk.",
            ),
        ],
    ),
    (
        "Choosing",
        &[HelpScreen::Setup],
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
