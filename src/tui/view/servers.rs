//! What the servers use: a panel for each, or one row each where they are many.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{live::Scene, panel, title, words};
use crate::format::{self, MISSING};
use crate::{measure::Load, tui::widgets::Spark, units::Bytes};

/// Narrowest panel of a server.
const SERVER: u16 = 27;
/// Columns of a server's values, with one free on each side.
const VALUE: u16 = 18;

/// Draws all servers.
pub fn draw(scene: &Scene, frame: &mut Frame, right: Rect) {
    let servers: Vec<(&String, &Vec<Load>)> = scene.watch.servers.iter().collect();
    let room = usize::from(right.width / SERVER).max(1);
    match servers.len() {
        0 => {
            let block = panel(scene.theme, title(scene.theme, "servers"));
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

fn cpu(load: Option<&Load>, cores: Option<f64>) -> String {
    let used = format::optional(load.and_then(|load| load.cpu_cores));
    match cores {
        Some(cores) => format!("{used} of {} cores", trimmed(cores)),
        None => format!("{used} cores"),
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

/// One measure of a server: its name, its history, the value of a full column, its value.
type Measure = (&'static str, Vec<Option<f64>>, f64, String);

fn measures(scene: &Scene, loads: &[Load]) -> [Measure; 4] {
    let history = |value: fn(&Load) -> Option<f64>| loads.iter().map(value).collect::<Vec<_>>();
    let largest =
        |values: &[Option<f64>], least: f64| values.iter().flatten().copied().fold(least, f64::max);
    let last = loads.last();
    let cpu_history = history(|load| load.cpu_cores);
    // The growth over the idle baseline shows what the load does; all of the memory hides it.
    let memory_history = history(|load| {
        let whole = || load.memory.map(|Bytes(bytes)| bytes as f64);
        load.memory_growth.map(|growth| growth.max(0) as f64).or_else(whole)
    });
    let disk_history = history(|load| load.block_written);
    let network_history = history(|load| {
        load.network_received.or(load.network_sent)?;
        Some(load.network_received.unwrap_or(0.0) + load.network_sent.unwrap_or(0.0))
    });
    let full_cpu = cores(scene).unwrap_or_else(|| largest(&cpu_history, 1.0));
    let full = [
        largest(&memory_history, 1e6),
        largest(&disk_history, 1e4),
        largest(&network_history, 1e4),
    ];
    [
        ("cpu", cpu_history, full_cpu, cpu(last, cores(scene))),
        ("mem", memory_history, full[0], memory(last)),
        ("disk", disk_history, full[1], disk(last)),
        ("net", network_history, full[2], network(last)),
    ]
}

fn server(scene: &Scene, role: &str, loads: &[Load], frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = panel(theme, title(theme, role));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = (inner.height / 4).max(1);
    for (place, (name, history, full, value)) in measures(scene, loads).into_iter().enumerate() {
        let row =
            Rect { y: inner.y + place as u16 * rows, height: rows, ..inner }.intersection(inner);
        let [label, spark, number] = row.layout(&Layout::horizontal([
            Constraint::Length(6),
            Constraint::Fill(1),
            Constraint::Length(VALUE),
        ]));
        let bottom = |area: Rect| Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        frame.render_widget(
            Line::from(Span::styled(format!(" {name}"), theme.label())),
            bottom(label),
        );
        frame.render_widget(Spark { values: &history, full, style: theme.data() }, spark);
        let style = if value == MISSING { theme.label() } else { Style::new() };
        let number_line = Line::styled(format!("{value} "), style).right_aligned();
        frame.render_widget(number_line, bottom(number));
    }
}

/// More servers than fit side by side: one row each.
fn table(scene: &Scene, servers: &[(&String, &Vec<Load>)], frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = panel(theme, title(theme, "servers"));
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
