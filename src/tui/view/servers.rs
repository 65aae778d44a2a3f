//! What the servers use: a panel for each, or one row each where they are many.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{live::Scene, title, words};
use crate::format::{self, MISSING};
use crate::{
    measure::Load,
    tui::{theme::Theme, widgets::Spark},
    units::Bytes,
};

/// Narrowest panel of a server.
const SERVER: u16 = 27;
/// Columns of a server's values, with one free on each side.
const VALUE: u16 = 18;
/// Columns of a server's values with the mean, and of a panel that has room for them.
const WIDE_VALUE: u16 = 34;
const WIDE_ENOUGH: u16 = 56;

/// Draws all servers.
pub fn draw(scene: &Scene, frame: &mut Frame, right: Rect) {
    let servers: Vec<(&String, &Vec<Load>)> = scene.watch.servers.iter().collect();
    let room = usize::from(right.width / SERVER).max(1);
    match servers.len() {
        0 => {
            let block = scene.block(title(scene.theme, "servers"));
            let text = Line::from(Span::styled("no reading yet", scene.theme.label())).centered();
            let middle = block.inner(right).centered_vertically(Constraint::Length(1));
            frame.render_widget(block, right);
            frame.render_widget(text, middle);
        }
        count if count <= room => {
            let columns = Layout::horizontal(vec![Constraint::Fill(1); count])
                .spacing(Spacing::Overlap(1))
                .split(right);
            for ((role, loads), column) in servers.into_iter().zip(columns.iter()) {
                server(scene, role, loads, frame, *column);
            }
        }
        _ => table(scene, &servers, frame, right),
    }
}

/// Cores that a server may use: its limit, or all of the hub's.
fn cores(scene: &Scene) -> Option<f64> {
    let limit = scene.live.plan.hub.limits.cpus.map(|cpus| cpus.0);
    let hub = scene.watch.hub.as_ref().and_then(|(_, facts)| facts.cores).map(f64::from);
    limit.or(hub)
}

/// Share of a limit on CPU from which a server is held back by it.
const HELD_BACK: f64 = 0.95;

/// Whether a server uses all that its own limit lets it.
fn is_held_back(scene: &Scene, load: Option<&Load>) -> bool {
    let limit = scene.live.plan.hub.limits.cpus;
    let used = load.and_then(|load| load.cpu_cores);
    limit.zip(used).is_some_and(|(limit, used)| used >= HELD_BACK * limit.0)
}

fn cpu(load: Option<&Load>, cores: Option<f64>, is_held_back: bool) -> String {
    let used = format::optional(load.and_then(|load| load.cpu_cores));
    let sign = if is_held_back { "▲" } else { "" };
    match cores {
        // Both with three figures and a point are too long for a word between them.
        Some(cores) if cores.fract() != 0.0 => format!("{sign}{used}/{} cores", trimmed(cores)),
        Some(cores) => format!("{sign}{used} of {} cores", trimmed(cores)),
        None => format!("{sign}{used} cores"),
    }
}

/// `4`, `1.5`.
fn trimmed(value: f64) -> String {
    format!("{value}")
}

fn disk(load: Option<&Load>) -> String {
    let written = load.and_then(|load| load.block_written);
    let source = load.and_then(|load| load.block_source);
    format!("{} {:<6}", format::rate(written), words::source(source))
}

fn memory(load: Option<&Load>) -> String {
    let memory = load.and_then(|load| load.memory);
    let growth = load.and_then(|load| load.memory_growth);
    format!("{} {:>8}", format::memory(memory), format::growth(growth))
}

fn network(load: Option<&Load>) -> String {
    format::two_rates(
        load.and_then(|load| load.network_received),
        load.and_then(|load| load.network_sent),
    )
}

/// One measure of a server over time.
struct Measure {
    name: &'static str,
    /// Each second's value.
    history: Vec<Option<f64>>,
    /// What is drawn of each second where it is not the value itself.
    drawn: Option<Vec<Option<f64>>>,
    /// The value of a full column.
    full: f64,
    /// The present value with its unit.
    now: String,
    /// The value that it may not exceed, where there is one.
    limit: Option<f64>,
    /// Whether the limit holds the server back.
    is_held_back: bool,
    /// How a value is written.
    words: fn(Option<f64>) -> String,
}

impl Measure {
    /// What is drawn of it.
    fn spark(&self, style: Style) -> Spark<'_> {
        let values = self.drawn.as_ref().unwrap_or(&self.history);
        Spark { values, full: self.full, style }
    }

    /// The style of its present value: loud where a limit holds the server back.
    fn style(&self, theme: Theme) -> Style {
        match (self.now == MISSING, self.is_held_back) {
            (true, _) => theme.label(),
            (false, true) => theme.bad(),
            (false, false) => Style::new(),
        }
    }

    /// The mean of what was measured.
    fn mean(&self) -> Option<f64> {
        let measured: Vec<f64> = self.history.iter().flatten().copied().collect();
        (!measured.is_empty()).then(|| measured.iter().sum::<f64>() / measured.len() as f64)
    }

    /// The largest value.
    fn max(&self) -> Option<f64> {
        self.history.iter().flatten().copied().reduce(f64::max)
    }
}

fn of_cores(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| format!("{} cores", format::three(value)))
}

fn of_memory(value: Option<f64>) -> String {
    format::memory(value.map(|bytes| Bytes(bytes.max(0.0) as u64)))
}

fn measures(scene: &Scene, loads: &[Load]) -> [Measure; 4] {
    let history = |value: fn(&Load) -> Option<f64>| loads.iter().map(value).collect::<Vec<_>>();
    let largest =
        |values: &[Option<f64>], least: f64| values.iter().flatten().copied().fold(least, f64::max);
    let last = loads.last();
    let cpu_history = history(|load| load.cpu_cores);
    // The growth over the idle baseline shows what the load does; all of the memory hides it.
    let memory_drawn = history(|load| {
        let whole = || load.memory.map(|Bytes(bytes)| bytes as f64);
        load.memory_growth.map(|growth| growth.max(0) as f64).or_else(whole)
    });
    let disk_history = history(|load| load.block_written);
    let network_history = history(|load| {
        load.network_received.or(load.network_sent)?;
        Some(load.network_received.unwrap_or(0.0) + load.network_sent.unwrap_or(0.0))
    });
    let full_cpu = cores(scene).unwrap_or_else(|| largest(&cpu_history, 1.0));
    let full =
        [largest(&memory_drawn, 1e6), largest(&disk_history, 1e4), largest(&network_history, 1e4)];
    let limits = &scene.live.plan.hub.limits;
    [
        Measure {
            name: "cpu",
            history: cpu_history,
            drawn: None,
            full: full_cpu,
            now: cpu(last, cores(scene), is_held_back(scene, last)),
            limit: cores(scene),
            is_held_back: is_held_back(scene, last),
            words: of_cores,
        },
        Measure {
            name: "mem",
            history: history(|load| load.memory.map(|Bytes(bytes)| bytes as f64)),
            drawn: Some(memory_drawn),
            full: full[0],
            now: memory(last),
            limit: limits.memory.map(|Bytes(bytes)| bytes as f64),
            is_held_back: false,
            words: of_memory,
        },
        Measure {
            name: "disk",
            history: disk_history,
            drawn: None,
            full: full[1],
            now: disk(last),
            limit: limits.disk_write.map(|rate| rate.0),
            is_held_back: false,
            words: format::rate,
        },
        Measure {
            name: "net",
            history: network_history,
            drawn: None,
            full: full[2],
            now: network(last),
            limit: None,
            is_held_back: false,
            words: format::rate,
        },
    ]
}

fn server(scene: &Scene, role: &str, loads: &[Load], frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = scene.block(title(theme, role));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = (inner.height / 4).max(1);
    let column = if rows >= 2 && inner.width >= WIDE_ENOUGH { WIDE_VALUE } else { VALUE };
    for (place, measure) in measures(scene, loads).into_iter().enumerate() {
        let row =
            Rect { y: inner.y + place as u16 * rows, height: rows, ..inner }.intersection(inner);
        let [label, spark, number] = row.layout(&Layout::horizontal([
            Constraint::Length(6),
            Constraint::Fill(1),
            Constraint::Length(column),
        ]));
        let bottom = |area: Rect| Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        frame.render_widget(
            Line::from(Span::styled(format!(" {}", measure.name), theme.label())),
            bottom(label),
        );
        frame.render_widget(measure.spark(theme.data()), spark);
        let style = measure.style(theme);
        let now = Line::from(vec![Span::styled(measure.now.clone(), style), Span::raw(" ")]);
        let now = now.right_aligned();
        frame.render_widget(now, bottom(number));
        if rows >= 2 && measure.max().is_some() {
            let max = format!("max {} ", (measure.words)(measure.max()));
            let text = match column {
                VALUE => max,
                _ => format!("mean {}  {max}", (measure.words)(measure.mean())),
            };
            let above = Rect { y: bottom(number).y - 1, height: 1, ..number };
            let line = Line::styled(text, theme.label()).right_aligned();
            frame.render_widget(line, above);
        }
    }
}

/// Draws all servers over the whole screen: each measure with its present, mean and largest value
/// and its limit.
pub fn alone(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let servers: Vec<(&String, &Vec<Load>)> = scene.watch.servers.iter().collect();
    let count = servers.len() as u16;
    // A headline and four measures, each at least one row.
    if count == 0 || area.height < 2 + count * 5 {
        return draw(scene, frame, area);
    }
    let block = scene.block(title(theme, "servers"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let parts = Layout::vertical(vec![Constraint::Fill(1); servers.len()]).split(inner);
    for ((role, loads), part) in servers.into_iter().zip(parts.iter()) {
        let head = format!(
            "{:<width$}{:>20}{:>13}{:>13}{:>13}",
            format::fit(role, 16),
            "now",
            "mean",
            "max",
            "limit",
            width = usize::from(part.width).saturating_sub(59),
        );
        frame.render_widget(Line::from(Span::styled(head, theme.title())), *part);
        let rows = ((part.height - 1) / 4).max(1);
        for (place, measure) in measures(scene, loads).into_iter().enumerate() {
            let y = part.y + 1 + place as u16 * rows;
            let row = Rect { y, height: rows, ..*part }.intersection(*part);
            let [label, spark, numbers] = row.layout(&Layout::horizontal([
                Constraint::Length(5),
                Constraint::Fill(1),
                Constraint::Length(59),
            ]));
            let bottom =
                |area: Rect| Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
            let name = Line::from(Span::styled(measure.name, theme.label()));
            frame.render_widget(name, bottom(label));
            frame.render_widget(measure.spark(theme.data()), spark);
            let now = format!("{:>20}", measure.now);
            let text = format!(
                "{:>13}{:>13}{:>13}",
                (measure.words)(measure.mean()),
                (measure.words)(measure.max()),
                measure
                    .limit
                    .map_or_else(|| "none".to_owned(), |limit| (measure.words)(Some(limit))),
            );
            let line = Line::from(vec![Span::styled(now, measure.style(theme)), Span::raw(text)]);
            frame.render_widget(line, bottom(numbers));
        }
    }
}

/// More servers than fit side by side: one row each.
fn table(scene: &Scene, servers: &[(&String, &Vec<Load>)], frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = scene.block(title(theme, "servers"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let row = |role: &str, loads: &[Load]| {
        let last = loads.last();
        format!(
            " {:<10}{:>11}{:>10}{:>13}",
            format::fit(role, 10),
            format::optional(last.and_then(|load| load.cpu_cores)),
            format::memory(last.and_then(|load| load.memory)),
            format::rate(last.and_then(|load| load.block_written))
        )
    };
    let mut lines = vec![Line::from(Span::styled(
        format!(" {:<10}{:>11}{:>10}{:>13}", "", "cpu (cores)", "mem", "disk"),
        theme.label(),
    ))];
    let room = usize::from(inner.height).saturating_sub(1);
    let shown = if servers.len() > room { room.saturating_sub(1) } else { servers.len() };
    lines.extend(servers.iter().take(shown).map(|(role, loads)| Line::from(row(role, loads))));
    if shown < servers.len() {
        lines.push(Line::from(format!(" and {} more in a taller window", servers.len() - shown)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}
