//! The lower half of the live screen: throughput, servers, the ledger, hubmark itself, the log.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{cell, live::Scene, panel, title, words};
use crate::format::{self, MISSING};
use crate::{
    event::Level,
    measure::{Judgement, Load},
    tui::{
        model::durability,
        theme::Theme,
        widgets::{Spark, meter},
    },
    units::Bytes,
};

/// Columns of the throughput panel.
const THROUGHPUT: u16 = 24;
/// Narrowest panel of a server.
const SERVER: u16 = 27;
/// Columns of a server's values, with one free on each side.
const VALUE: u16 = 18;
/// Columns of a ledger's cell.
const CELL: usize = 19;

/// Throughput, and a panel for each server.
pub fn load(scene: &Scene, frame: &mut Frame, area: Rect) {
    let [left, right] = area.layout(
        &Layout::horizontal([Constraint::Length(THROUGHPUT), Constraint::Fill(1)])
            .spacing(Spacing::Overlap(1)),
    );
    throughput(scene, frame, left);
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

fn throughput(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = panel(theme, title(theme, "throughput"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(point) = scene.live.point() else { return };
    let snapshot = &scene.watch.snapshot;
    let last = scene.watch.seconds.last();
    let width = usize::from(inner.width);
    let label = |name: &str, value: &str| {
        let spans = cell(name, value, width.saturating_sub(name.len()), theme, Style::new());
        Line::from(spans.to_vec())
    };
    let bytes = last.map(|second| second.bytes as f64);
    let connected = if scene.watch.is_measured() {
        format!(
            "{} of {}",
            format::count(snapshot.connected.into()),
            format::count(snapshot.users.into())
        )
    } else {
        MISSING.to_owned()
    };
    let users = label("users", &connected);
    let (value, share, third) = if let Some(target) = words::target(point) {
        let rate = last.map(|second| second.sent as f64);
        let value = format!("{} of {} msg/s", format::optional(rate), format::three(target));
        (value, rate.map(|rate| rate / target), users)
    } else {
        let peak = scene.watch.seconds.iter().map(|second| second.bytes as f64).reduce(f64::max);
        let share = bytes.zip(peak).map(|(bytes, peak)| bytes / peak.max(1.0));
        (format::rate(bytes), share, label("peak", &format::rate(peak)))
    };
    let mut lines = vec![
        Line::from(Span::styled(format!("{value:>width$}"), theme.title())),
        meter(share, inner.width, theme.data(), theme.label()),
        third,
        label("durability", durability(point.durability)),
    ];
    if inner.height >= 7 {
        let delivered = last.map(|second| second.delivered as f64);
        let progress = scene.watch.is_measured().then_some(snapshot.progress);
        lines.push(label("arrived", &format!("{} msg/s", format::optional(delivered))));
        lines.push(label("payload", &format::rate(bytes)));
        lines.push(label("of plan", &format::percent(progress)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
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

/// The ledger, hubmark's own health, the verdict so far, the log.
pub fn ledger(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let (area, log) = if scene.tall && area.width >= 120 {
        let [left, right] = area.layout(
            &Layout::horizontal([Constraint::Length(80), Constraint::Fill(1)])
                .spacing(Spacing::Overlap(1)),
        );
        (left, Some(right))
    } else {
        (area, None)
    };
    let mut block = panel(theme, title(theme, "ledger (messages)"));
    if let Some(caution) = caution(scene) {
        let text =
            format!(" ! {} ", format::fit(&caution, usize::from(area.width).saturating_sub(6)));
        block = block.title_bottom(Line::from(Span::styled(text, theme.warn())));
    }
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = messages(scene);
    lines.push(generator(scene));
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    let for_log = if log.is_some() {
        0
    } else if scene.tall {
        2
    } else {
        1
    };
    lines.extend(verdict(scene, width, rest.saturating_sub(for_log)));
    if let Some(area) = log {
        let block = panel(theme, title(theme, "log"));
        let inner = block.inner(area).inner(Margin::new(1, 0));
        frame.render_widget(block, area);
        let lines = log_lines(scene, usize::from(inner.width), usize::from(inner.height));
        frame.render_widget(Paragraph::new(lines), inner);
    } else {
        let rest = usize::from(inner.height).saturating_sub(lines.len());
        lines.extend(log_lines(scene, width, rest));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What must stand beside every number of this backend.
fn caution(scene: &Scene) -> Option<String> {
    let point = scene.live.point()?;
    let option = scene.model.catalog.backend(&point.backend)?;
    option.caution.as_ref().map(|caution| format!("{}: {caution}", option.title))
}

fn messages(scene: &Scene) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let ledger = &scene.watch.snapshot.ledger;
    let plain = Style::new();
    let measured = scene.watch.is_measured();
    let put = |name: &str, value: u64, style: Style| {
        let value = if measured { format::count(value) } else { MISSING.to_owned() };
        let mut spans =
            cell(name, &value, (CELL - 2).saturating_sub(name.len()), theme, style).to_vec();
        spans.push(Span::raw("  "));
        spans
    };
    let bad = |value: u64| if value > 0 { theme.bad() } else { plain };
    let doubt = |value: u64| if value > 0 { theme.warn() } else { plain };
    // While messages may still arrive, none of them is lost.
    let missing = if scene.watch.under_way() {
        put("on the way", ledger.lost, plain)
    } else {
        put(if ledger.lost > 0 { "LOST" } else { "lost" }, ledger.lost, bad(ledger.lost))
    };
    let first = [
        put("sent", ledger.sent, plain),
        put("acked", ledger.acked, plain),
        put("delivered", ledger.delivered, plain),
        missing,
    ];
    let last = if ledger.out_of_order > 0 {
        put("out of order", ledger.out_of_order, theme.warn())
    } else {
        put("duplicate", ledger.duplicate, doubt(ledger.duplicate))
    };
    let second = [
        put("planned", ledger.planned, plain),
        put("failed", ledger.failed, bad(ledger.failed)),
        put("corrupt", ledger.corrupt, bad(ledger.corrupt)),
        last,
    ];
    [first, second].map(|cells| Line::from(cells.concat())).into()
}

fn generator(scene: &Scene) -> Line<'static> {
    let theme = scene.theme;
    let snapshot = &scene.watch.snapshot;
    let generator = &snapshot.generator;
    let measured = generator.threads > 0;
    let or_missing = |text: String| if measured { text } else { MISSING.to_owned() };
    let dropped = snapshot.dropped.max(generator.dropped_snapshots);
    let plain = Style::new();
    let label = |text: &'static str| Span::styled(text, theme.label());
    let number = |text: String, width: usize| Span::styled(format!("{text:>width$}"), plain);
    Line::from(vec![
        label("hubmark  lag p99"),
        number(format::optional(generator.lag_p99), 6),
        label(" µs  cpu "),
        number(or_missing(format::three(generator.cpu_cores)), 5),
        label(" cores  threads "),
        number(or_missing(format::count(generator.threads)), 5),
        label("  dropped "),
        number(format::count(dropped), 5),
    ])
}

fn verdict(scene: &Scene, width: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let verdict = &scene.watch.snapshot.verdict;
    let (word, style) = match verdict.status {
        Judgement::Valid if !scene.watch.is_measured() => (MISSING, theme.label()),
        Judgement::Valid => ("✓ valid", theme.good()),
        Judgement::Suspect => ("! suspect", theme.warn()),
        Judgement::Failed => ("✗ FAILED", theme.bad()),
    };
    let label = "verdict so far  ";
    let mut head = vec![Span::styled(label, theme.label()), Span::styled(word, style)];
    let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
    let room = width.saturating_sub(label.len() + word.chars().count() + 2);
    if rows <= 1 || reasons.len() <= 1 {
        let more = reasons.len().saturating_sub(1);
        let tail = if more > 0 { format!(" (+{more})") } else { String::new() };
        if let Some(first) = reasons.first() {
            let text = format::fit(first, room.saturating_sub(tail.len()));
            head.push(Span::raw(format!(": {text}{tail}")));
        }
        return vec![Line::from(head)];
    }
    let mut lines = vec![Line::from(head)];
    lines.extend(
        reasons
            .iter()
            .take(rows - 1)
            .map(|text| Line::from(format!("  {}", format::fit(text, width - 2)))),
    );
    lines
}

fn log_lines(scene: &Scene, width: usize, rows: usize) -> Vec<Line<'static>> {
    let log = &scene.watch.log;
    log.iter()
        .skip(log.len().saturating_sub(rows))
        .map(|(level, text)| log_line(*level, text, width, scene.theme))
        .collect()
}

fn log_line(level: Level, text: &str, width: usize, theme: Theme) -> Line<'static> {
    let (sign, style) = match level {
        Level::Info => ("·", theme.label()),
        Level::Warn => ("!", theme.warn()),
        Level::Error => ("✗", theme.bad()),
    };
    let text = format::fit(&text.replace('\n', " "), width.saturating_sub(2));
    Line::from(vec![Span::styled(sign, style), Span::raw(format!(" {text}"))])
}
