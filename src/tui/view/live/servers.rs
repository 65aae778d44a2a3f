//! Resources of the servers: a panel for each, or a table when the panels do not fit.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect, Spacing},
    style::Style,
    text::{Line, Span},
};

use super::context::LiveContext;
use crate::{
    format::{self, MISSING},
    measure::{HostMetrics, ResourceSample},
    server::{BlockSource, HubFacts},
    tui::{
        plan_text,
        text::{draw_line, draw_lines},
        theme::Theme,
        view::parts::{last_row, title},
        widgets::{Sparkline, round_up},
    },
    units::Bytes,
};

/// Smallest width of a server's panel.
const MIN_SERVER_WIDTH: u16 = 27;
/// Width of a server's values, with one free column on each side.
const VALUE_WIDTH: u16 = 18;
/// Width of a server's values with the mean.
const VALUE_WITH_MEAN_WIDTH: u16 = 34;
/// Smallest width of a panel that shows the mean.
const MIN_WIDTH_FOR_MEAN: u16 = 56;

/// Seconds over which the chart of the network is a mean.
const NETWORK_MEAN_SECONDS: usize = 5;

/// Draws all servers.
pub fn draw(context: &LiveContext, frame: &mut Frame, right: Rect) {
    let servers: Vec<(&String, &Vec<ResourceSample>)> = context.shown.servers.iter().collect();
    let room = usize::from(right.width / MIN_SERVER_WIDTH).max(1);
    match servers.len() {
        0 => {
            let block = context.block(title(context.theme, "servers"));
            let text = Line::from(Span::styled("no samples yet", context.theme.label())).centered();
            let middle = block.inner(right).centered_vertically(Constraint::Length(1));
            frame.render_widget(block, right);
            draw_line(text, frame, middle);
        }
        count if count <= room => {
            let columns = Layout::horizontal(vec![Constraint::Fill(1); count])
                .spacing(Spacing::Overlap(1))
                .split(right);
            for ((role, loads), column) in servers.into_iter().zip(columns.iter()) {
                draw_server(context, role, loads, frame, *column);
            }
        }
        _ => draw_table(context, &servers, frame, right),
    }
}

/// Returns the cores that a server may use: its limit, or all cores of the hub.
fn available_cores(context: &LiveContext) -> Option<f64> {
    let limit = context.live.plan.hub.limits.cpus.map(|cpus| cpus.0);
    let hub = context.shown.hub.as_ref().and_then(|(_, facts)| facts.cores).map(f64::from);
    limit.or(hub)
}

/// Share of the CPU limit from which a server counts as limited by it.
const CPU_LIMIT_SHARE: f64 = 0.95;

/// Returns whether a server uses all of its CPU limit.
fn is_at_cpu_limit(context: &LiveContext, load: Option<&ResourceSample>) -> bool {
    let limit = context.live.plan.hub.limits.cpus;
    let used = load.and_then(|load| load.cpu_cores);
    limit.zip(used).is_some_and(|(limit, used)| used >= CPU_LIMIT_SHARE * limit.0)
}

fn cpu_text(load: Option<&ResourceSample>, cores: Option<f64>, is_held_back: bool) -> String {
    let used = format::optional_number(load.and_then(|load| load.cpu_cores));
    let sign = if is_held_back { "▲" } else { "" };
    match cores {
        // Two numbers of three figures with a decimal point leave no room for " of ".
        Some(cores) if cores.fract() != 0.0 => {
            format!("{sign}{used}/{} cores", format_number(cores))
        }
        Some(cores) => {
            let noun = format::plural(cores as u64, "core");
            format!("{sign}{used} of {} {noun}", format_number(cores))
        }
        None => format!("{sign}{used} cores"),
    }
}

/// Formats a number without trailing zeros: `4`, `1.5`.
fn format_number(value: f64) -> String {
    format!("{value}")
}

/// Formats the bytes written by a server or, where they are not counted, those of the whole hub.
fn disk_text(load: Option<&ResourceSample>, hub: Option<&HostMetrics>) -> String {
    let written = load.and_then(|load| load.block_written);
    let source = load.and_then(|load| load.block_source);
    if let (Some(_), None, Some(all)) = (load, written, hub.and_then(|hub| hub.disk_written)) {
        let source = plan_text::block_source_label(Some(BlockSource::HostDisk));
        return format!("{} {source:<6}", format::rate(Some(all)));
    }
    format!("{} {:<6}", format::rate(written), plan_text::block_source_label(source))
}

/// Formats a server's memory; where the hub cannot count it, the reason is in its place.
fn memory_text(load: Option<&ResourceSample>, facts: Option<&HubFacts>) -> String {
    let memory = load.and_then(|load| load.memory);
    if load.is_some() && memory.is_none() && facts.and_then(|it| it.memory_cgroup) == Some(false) {
        return format!("{MISSING} cgroup off");
    }
    let growth = load.and_then(|load| load.memory_growth);
    format!("{} {:>8}", format::optional_bytes(memory), format::growth(growth))
}

fn network_text(load: Option<&ResourceSample>) -> String {
    format::two_rates(
        load.and_then(|load| load.network_received),
        load.and_then(|load| load.network_sent),
    )
}

/// One resource of a server over time.
struct ServerMetric {
    name: &'static str,
    /// Value of each second.
    history: Vec<Option<f64>>,
    /// Value to draw for each second, if other than `history`.
    plotted: Option<Vec<Option<f64>>>,
    /// Value of a full column.
    full_scale: f64,
    /// Current value with its unit.
    current: String,
    /// Limit of the value, if any.
    limit: Option<f64>,
    /// Whether the server is limited by it.
    is_at_limit: bool,
    /// Formats a value.
    format_value: fn(Option<f64>) -> String,
}

impl ServerMetric {
    /// Returns the sparkline.
    fn spark(&self, style: Style) -> Sparkline<'_> {
        let values = self.plotted.as_ref().unwrap_or(&self.history);
        Sparkline { values, full_scale: self.full_scale, style }
    }

    /// Returns the style of the current value, conspicuous when the server is limited.
    fn style(&self, theme: Theme) -> Style {
        match (self.current == MISSING, self.is_at_limit) {
            (true, _) => theme.label(),
            (false, true) => theme.bad(),
            (false, false) => Style::new(),
        }
    }

    /// Returns the mean of the measured values.
    fn mean(&self) -> Option<f64> {
        let measured: Vec<f64> = self.history.iter().flatten().copied().collect();
        (!measured.is_empty()).then(|| measured.iter().sum::<f64>() / measured.len() as f64)
    }

    /// Returns the largest value.
    fn max(&self) -> Option<f64> {
        self.history.iter().flatten().copied().reduce(f64::max)
    }
}

fn format_cores(value: Option<f64>) -> String {
    value.map_or_else(
        || MISSING.to_owned(),
        |value| format!("{} cores", format::three_significant(value)),
    )
}

fn format_memory(value: Option<f64>) -> String {
    format::optional_bytes(value.map(|bytes| Bytes(bytes.max(0.0) as u64)))
}

/// Returns the mean of each value and those before it, `count` in all; a missing value remains missing.
fn moving_mean(values: &[Option<f64>], count: usize) -> Vec<Option<f64>> {
    let mean = |end: usize| {
        values[end]?;
        let known: Vec<f64> =
            values[(end + 1).saturating_sub(count)..=end].iter().flatten().copied().collect();
        Some(known.iter().sum::<f64>() / known.len() as f64)
    };
    (0..values.len()).map(mean).collect()
}

fn server_metrics(context: &LiveContext, loads: &[ResourceSample]) -> [ServerMetric; 4] {
    let history =
        |value: fn(&ResourceSample) -> Option<f64>| loads.iter().map(value).collect::<Vec<_>>();
    let largest =
        |values: &[Option<f64>], least: f64| values.iter().flatten().copied().fold(least, f64::max);
    let last = loads.last();
    let cpu_history = history(|load| load.cpu_cores);
    // Draw the growth over the idle baseline: in the total, the effect of the load is invisible.
    let memory_drawn = history(|load| {
        let whole = || load.memory.map(|Bytes(bytes)| bytes as f64);
        load.memory_growth.map(|growth| growth.max(0) as f64).or_else(whole)
    });
    let disk_history = history(|load| load.block_written);
    let network_history = history(|load| {
        load.network_received.or(load.network_sent)?;
        Some(load.network_received.unwrap_or(0.0) + load.network_sent.unwrap_or(0.0))
    });
    let facts = context.shown.hub.as_ref().map(|(_, facts)| facts);
    let full_cpu = available_cores(context).unwrap_or_else(|| largest(&cpu_history, 1.0));
    // The readings of single seconds differ by when the counters are read: their mean shows the traffic, on a
    // scale that does not follow each of them.
    let network_drawn = moving_mean(&network_history, NETWORK_MEAN_SECONDS);
    let full_network = round_up(largest(&network_drawn, 1e4));
    let full = [largest(&memory_drawn, 1e6), largest(&disk_history, 1e4), full_network];
    let limits = &context.live.plan.hub.limits;
    [
        ServerMetric {
            name: "cpu",
            history: cpu_history,
            plotted: None,
            full_scale: full_cpu,
            current: cpu_text(last, available_cores(context), is_at_cpu_limit(context, last)),
            limit: available_cores(context),
            is_at_limit: is_at_cpu_limit(context, last),
            format_value: format_cores,
        },
        ServerMetric {
            name: "mem",
            history: history(|load| load.memory.map(|Bytes(bytes)| bytes as f64)),
            plotted: Some(memory_drawn),
            full_scale: full[0],
            current: memory_text(last, facts),
            limit: limits.memory.map(|Bytes(bytes)| bytes as f64),
            is_at_limit: false,
            format_value: format_memory,
        },
        ServerMetric {
            name: "disk",
            history: disk_history,
            plotted: None,
            full_scale: full[1],
            current: disk_text(last, context.shown.snapshot.hub.as_ref()),
            limit: limits.disk_write.map(|rate| rate.0),
            is_at_limit: false,
            format_value: format::rate,
        },
        ServerMetric {
            name: "net",
            history: network_history,
            plotted: Some(network_drawn),
            full_scale: full[2],
            current: network_text(last),
            limit: None,
            is_at_limit: false,
            format_value: format::rate,
        },
    ]
}

fn draw_server(
    context: &LiveContext,
    role: &str,
    loads: &[ResourceSample],
    frame: &mut Frame,
    area: Rect,
) {
    let theme = context.theme;
    let block = context.block(title(theme, role));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = (inner.height / 4).max(1);
    let column = if rows >= 2 && inner.width >= MIN_WIDTH_FOR_MEAN {
        VALUE_WITH_MEAN_WIDTH
    } else {
        VALUE_WIDTH
    };
    for (place, measure) in server_metrics(context, loads).into_iter().enumerate() {
        let row =
            Rect { y: inner.y + place as u16 * rows, height: rows, ..inner }.intersection(inner);
        let [label, spark, number] = row.layout(&Layout::horizontal([
            Constraint::Length(6),
            Constraint::Fill(1),
            Constraint::Length(column),
        ]));
        draw_line(
            Line::from(Span::styled(format!(" {}", measure.name), theme.label())),
            frame,
            last_row(label),
        );
        frame.render_widget(measure.spark(theme.data()), spark);
        let style = measure.style(theme);
        let now = Line::from(vec![Span::styled(measure.current.clone(), style), Span::raw(" ")]);
        let now = now.right_aligned();
        draw_line(now, frame, last_row(number));
        if rows >= 2 && measure.max().is_some() {
            let max = format!("max {} ", (measure.format_value)(measure.max()));
            let text = match column {
                VALUE_WIDTH => max,
                _ => format!("mean {}  {max}", (measure.format_value)(measure.mean())),
            };
            let above = Rect { y: last_row(number).y - 1, height: 1, ..number };
            let line = Line::styled(text, theme.label()).right_aligned();
            draw_line(line, frame, above);
        }
    }
}

/// Draws all servers on the whole screen: each resource with current, mean and largest value and limit.
pub fn draw_full_screen(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let servers: Vec<(&String, &Vec<ResourceSample>)> = context.shown.servers.iter().collect();
    let count = servers.len() as u16;
    // A headline and four resources, each at least one row.
    if count == 0 || area.height < 2 + count * 5 {
        return draw(context, frame, area);
    }
    let block = context.block(title(theme, "servers"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let parts = Layout::vertical(vec![Constraint::Fill(1); servers.len()]).split(inner);
    for ((role, loads), part) in servers.into_iter().zip(parts.iter()) {
        let head = format!(
            "{:<width$}{:>20}{:>13}{:>13}{:>13}",
            format::truncate(role, 16),
            "now",
            "mean",
            "max",
            "limit",
            width = usize::from(part.width).saturating_sub(59),
        );
        draw_line(Line::from(Span::styled(head, theme.title())), frame, *part);
        let rows = ((part.height - 1) / 4).max(1);
        for (place, measure) in server_metrics(context, loads).into_iter().enumerate() {
            let y = part.y + 1 + place as u16 * rows;
            let row = Rect { y, height: rows, ..*part }.intersection(*part);
            let [label, spark, numbers] = row.layout(&Layout::horizontal([
                Constraint::Length(5),
                Constraint::Fill(1),
                Constraint::Length(59),
            ]));
            let name = Line::from(Span::styled(measure.name, theme.label()));
            draw_line(name, frame, last_row(label));
            frame.render_widget(measure.spark(theme.data()), spark);
            let now = format!("{:>20}", measure.current);
            let text = format!(
                "{:>13}{:>13}{:>13}",
                (measure.format_value)(measure.mean()),
                (measure.format_value)(measure.max()),
                measure
                    .limit
                    .map_or_else(|| "none".to_owned(), |limit| (measure.format_value)(Some(limit))),
            );
            let line = Line::from(vec![Span::styled(now, measure.style(theme)), Span::raw(text)]);
            draw_line(line, frame, last_row(numbers));
        }
    }
}

/// Draws one row for each server, when their panels do not fit side by side.
fn draw_table(
    context: &LiveContext,
    servers: &[(&String, &Vec<ResourceSample>)],
    frame: &mut Frame,
    area: Rect,
) {
    let theme = context.theme;
    let block = context.block(title(theme, "servers"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let row = |role: &str, loads: &[ResourceSample]| {
        let last = loads.last();
        format!(
            " {:<10}{:>11}{:>10}{:>13}",
            format::truncate(role, 10),
            format::optional_number(last.and_then(|load| load.cpu_cores)),
            format::optional_bytes(last.and_then(|load| load.memory)),
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
    draw_lines(lines, frame, inner);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moving_mean_ends_at_its_second_and_skips_missing_values() {
        let values = [Some(2.0), Some(4.0), None, Some(6.0), Some(8.0)];
        let means = [Some(2.0), Some(3.0), None, Some(5.0), Some(7.0)];
        assert_eq!(moving_mean(&values, 3), means);
    }
}
