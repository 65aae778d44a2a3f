//! hubmark's own health on the live screen: lag, processor time, and the threads that all messages pass
//! through.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::context::LiveContext;
use crate::{
    engine::is_full_thread,
    format::{self, MISSING},
    measure::{HostMetrics, ThreadLoad},
    tui::theme::Theme,
};

/// Width of a thread's name; the longest has as many characters.
const THREAD_NAME_WIDTH: usize = 13;

/// Returns lag, processor time and the hottest thread in one line, with the hub's figures if there are
/// any.
pub fn generator_line(context: &LiveContext) -> Line<'static> {
    let theme = context.theme;
    let snapshot = &context.shown.snapshot;
    let generator = &snapshot.generator;
    let or_missing = |text: String| if generator.threads > 0 { text } else { MISSING.to_owned() };
    let plain = Style::new();
    let label = |text: &'static str| Span::styled(text, theme.label());
    let number = |text: String, width: usize| Span::styled(format!("{text:>width$}"), plain);
    let mut spans = vec![
        label(if snapshot.hub.is_some() { "" } else { "hubmark  " }),
        label("lag p99"),
        number(format::optional_number(generator.lag_p99.map(|micros| micros / 1e3)), 6),
        label(if snapshot.hub.is_some() { " ms cpu " } else { " ms  cpu " }),
        number(or_missing(format::three_significant(generator.cpu_cores)), 5),
        label(if snapshot.hub.is_some() { " " } else { " cores  " }),
    ];
    let hottest = generator.hottest_thread();
    spans.extend(thread_gauge(hottest, theme));
    if let Some(vitals) = &snapshot.hub {
        spans.extend(hub_spans(vitals, theme));
    } else {
        let dropped = snapshot.dropped.max(generator.dropped_snapshots);
        spans.extend([label("  dropped"), number(format::count(dropped), 4)]);
    }
    Line::from(spans)
}

/// Returns the hottest thread and its share of a core, conspicuous when it is full.
fn thread_gauge(hottest: Option<&ThreadLoad>, theme: Theme) -> [Span<'static>; 2] {
    let width = THREAD_NAME_WIDTH;
    let Some(thread) = hottest else {
        return [
            Span::styled(format!("{:<width$}", "no thread"), theme.label()),
            Span::raw(format!("{MISSING:>4} %")),
        ];
    };
    let style = if is_full_thread(thread.cores) { theme.warn() } else { Style::new() };
    let name = format::truncate(&thread.name, width);
    [
        Span::styled(format!("{name:<width$}"), theme.label()),
        Span::styled(format!("{:>4.0} %", thread.cores * 100.0), style),
    ]
}

/// Returns a table of the threads that all messages pass through, and the stolen time.
pub fn thread_lines(context: &LiveContext) -> Vec<Line<'static>> {
    let theme = context.theme;
    let generator = &context.shown.snapshot.generator;
    let head = format!(
        "{:<14}{:>6} {:>6} {:>9} {:>14}",
        "thread", "core", "most", "waited", "longest pass"
    );
    let percent = |share: Option<f64>| {
        share.map_or_else(|| MISSING.to_owned(), |share| format!("{:.1} %", share * 100.0))
    };
    let rows = generator.hot_threads.iter().map(|thread| {
        let style = if is_full_thread(thread.peak_cores.unwrap_or(thread.cores)) {
            theme.warn()
        } else {
            Style::new()
        };
        let pass = format::optional_number(thread.longest_pass.map(|micros| micros / 1e3));
        let text = format!(
            "{:<14}{:>6.2} {:>6} {:>9} {pass:>11} ms",
            format::truncate(&thread.name, THREAD_NAME_WIDTH),
            thread.cores,
            format::optional_number(thread.peak_cores),
            percent(thread.waiting),
        );
        Line::from(Span::styled(text, style))
    });
    let mut lines = vec![Line::from(Span::styled(head, theme.label()))];
    lines.extend(rows);
    let dropped = context.shown.snapshot.dropped.max(generator.dropped_snapshots);
    let hub = context.shown.snapshot.hub.and_then(|vitals| vitals.stolen_cores);
    let hub = hub.map_or_else(String::new, |cores| format!(", on the hub {cores:.2} cores"));
    let rest = format!(
        "stolen {}, at most {} of a second{hub}; threads {}; snapshots dropped {}",
        percent(generator.stolen),
        percent(generator.stolen_peak),
        format::count(generator.threads),
        format::count(dropped),
    );
    lines.push(Line::from(Span::styled(rest, theme.label())));
    lines
}

/// Returns the hub's temperature and clock frequency.
fn hub_spans(vitals: &HostMetrics, theme: Theme) -> Vec<Span<'static>> {
    let temperature = vitals
        .temperature
        .map_or_else(|| MISSING.to_owned(), |temperature| format!("{:.0}", temperature.degrees()));
    let clock = format::optional_number(vitals.clock_mhz.map(|mhz| mhz / 1_000.0));
    vec![
        Span::styled(" hub ", theme.label()),
        Span::raw(format!("{temperature:>2} °C {clock:>4} GHz")),
    ]
}
