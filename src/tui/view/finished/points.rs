//! Points of a finished run: their figures as numbers, and their distributions over one axis.

use ratatui::{
    Frame,
    layout::{Margin, Position, Rect},
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::super::{
    list::{self, first_visible},
    parts::{FULL_WIDTH, last_row, panel, title},
};
use crate::{
    format::{self, LatencyUnit, MISSING},
    measure::Judgement,
    plan::Workload,
    tui::{
        model::{FinishedRun, FinishedView, Model, PointDistribution},
        plan_text,
        text::draw_line,
        widgets::{
            BarRange, CENTRE_SIGN, DistributionStrip, OUTER_SIGN, ValueStrip, bar_range,
            draw_latency_axis,
        },
    },
};

/// Rows of the panel beside those of the points: borders, the names of the columns, the axis.
pub const FRAME_ROWS: u16 = 4;
/// Largest width of the names beside the distributions.
const MAX_NAME_WIDTH: usize = 34;

/// Columns of the table.
struct Columns {
    name: usize,
    /// First column and width of the distributions; `None` without.
    strip: Option<(u16, u16)>,
    numbers: &'static [Number],
}

/// A number at the right of a point's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Repetitions,
    DeliveryMean,
    DataRate,
    DeliveryP50,
    DeliveryP99,
    Cores,
    Lost,
}

/// Numbers of a latency run and of a throughput run where there is room for all of them.
const ALL_NUMBERS: [&[Number]; 2] = [
    &[
        Number::Repetitions,
        Number::DeliveryMean,
        Number::DeliveryP50,
        Number::DeliveryP99,
        Number::Cores,
        Number::Lost,
    ],
    &[
        Number::Repetitions,
        Number::DataRate,
        Number::DeliveryP50,
        Number::DeliveryP99,
        Number::Cores,
        Number::Lost,
    ],
];
/// The same on a narrow terminal.
const MAIN_NUMBERS: [&[Number]; 2] = [
    &[Number::Repetitions, Number::DeliveryP50, Number::DeliveryP99, Number::Lost],
    &[Number::Repetitions, Number::DataRate, Number::Cores, Number::Lost],
];
/// The same beside the distributions alone.
const FEW_NUMBERS: [&[Number]; 2] =
    [&[Number::DeliveryP50, Number::DeliveryP99], &[Number::DataRate, Number::Lost]];

impl Number {
    const fn head(self) -> &'static str {
        match self {
            Self::Repetitions => "reps",
            Self::DeliveryMean => "mean",
            Self::DataRate => "MB/s",
            Self::DeliveryP50 => "p50",
            Self::DeliveryP99 => "p99",
            Self::Cores => "cpu",
            Self::Lost => "lost",
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::Repetitions => 5,
            _ => 7,
        }
    }

    /// Returns the number of a point as text.
    fn of_point(self, finished: &FinishedRun, place: usize) -> String {
        let mean = |figure: &str, divisor: f64| {
            format::optional_number(finished.range(place, figure).map(|range| range.mean / divisor))
        };
        let count = finished.of_point(place).count();
        match self {
            Self::Repetitions => count.to_string(),
            Self::DeliveryMean => mean("delivery.mean", 1e3),
            Self::DataRate => mean("bytes_per_second", 1e6),
            Self::DeliveryP50 => mean("delivery.p50", 1e3),
            Self::DeliveryP99 => mean("delivery.p99", 1e3),
            Self::Cores => mean("server_cores", 1.0),
            Self::Lost if count == 0 => MISSING.to_owned(),
            Self::Lost => {
                format::count(finished.of_point(place).map(|done| done.ledger.lost).sum())
            }
        }
    }
}

/// Returns the width of numbers and the sign after them.
fn numbers_width(numbers: &[Number]) -> usize {
    numbers.iter().map(|number| number.width()).sum::<usize>() + 2
}

/// Returns whether the run measured throughput.
fn has_throughput(finished: &FinishedRun) -> bool {
    finished.plan.points.iter().any(|point| matches!(point.workload, Workload::Throughput(_)))
}

fn columns(finished: &FinishedRun, wide: bool, width: u16, names: &[String]) -> Columns {
    let kind = usize::from(has_throughput(finished));
    let width = usize::from(width);
    if !wide && finished.view != FinishedView::Distributions {
        let is_narrow = width < usize::from(FULL_WIDTH) - 2;
        let numbers = if is_narrow { MAIN_NUMBERS[kind] } else { ALL_NUMBERS[kind] };
        let name = width.saturating_sub(numbers_width(numbers) + 1);
        return Columns { name, strip: None, numbers };
    }
    let numbers = if wide { ALL_NUMBERS[kind] } else { FEW_NUMBERS[kind] };
    let longest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let most = if wide { MAX_NAME_WIDTH } else { width / 3 };
    let name = longest.clamp(8, most.max(8));
    let left = name + 2;
    let strip = width.saturating_sub(left + numbers_width(numbers) + 2);
    let strip = (left as u16, u16::try_from(strip).unwrap_or(u16::MAX));
    Columns { name, strip: Some(strip), numbers }
}

/// Returns the rows of points between the names of the columns and the axis.
fn table_rows(area: Rect, has_axis: bool) -> Rect {
    let inner = area.inner(Margin::new(1, 1));
    let height = inner.height.saturating_sub(1 + u16::from(has_axis));
    Rect { y: inner.y + 1, height, ..inner }
}

/// Returns the point at a screen position.
pub fn item_at(finished: &FinishedRun, wide: bool, area: Rect, at: Position) -> Option<usize> {
    let has_axis = wide || finished.view == FinishedView::Distributions;
    let rows = table_rows(area, has_axis);
    let first = first_visible(finished.selected, rows.height.into());
    list::item_at(rows, at, first, finished.plan.points.len())
}

/// Draws the panel.
pub fn draw(finished: &FinishedRun, model: &Model, wide: bool, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let names = plan_text::point_labels(&finished.plan);
    let inner = area.inner(Margin::new(1, 1));
    let columns = columns(finished, wide, inner.width, &names);
    let rows = table_rows(area, columns.strip.is_some());
    let first = first_visible(finished.selected, rows.height.into());
    let hidden = names.len().saturating_sub(usize::from(rows.height));
    draw_frame(finished, model, &columns, hidden, frame, area);
    for ((place, name), row) in names.iter().enumerate().skip(first).zip(rows.rows()) {
        let worst = finished.of_point(place).map(|done| done.verdict.status).max();
        let lost: u64 = finished.of_point(place).map(|done| done.ledger.lost).sum();
        let style = match (place == finished.selected, worst, lost) {
            (true, ..) => theme.selected(),
            (false, Some(Judgement::Failed | Judgement::Steered | Judgement::Suspect), _) => {
                theme.warn()
            }
            _ => Style::new(),
        };
        let numbers = numbers(finished, place, &columns);
        let room = usize::from(row.width).saturating_sub(numbers.width());
        let name = format::truncate(name, columns.name);
        let text = format!("{:<room$}{numbers}", format!(" {name}"));
        draw_line(Line::from(text).style(style), frame, row);
    }
    let Some((left, width)) = columns.strip else { return };
    let strips = |row: Rect| Rect { x: row.x + left, width: width.min(row.width), ..row };
    let distributions = finished.results().map_or(&[][..], |results| &results.distributions);
    let axis = DistributionAxis::new(distributions);
    for (place, row) in (first..names.len()).zip(rows.rows()) {
        if let Some(Some(distribution)) = distributions.get(place) {
            axis.draw(distribution, model, frame, strips(row));
        }
    }
    let below = last_row(inner);
    if finished.results.is_none() {
        let text = Span::styled("reading the record…", theme.label());
        return draw_line(Line::from(text), frame, strips(below));
    }
    axis.draw_labels(model, frame, strips(below));
}

fn draw_frame(
    finished: &FinishedRun,
    model: &Model,
    columns: &Columns,
    hidden: usize,
    frame: &mut Frame,
    area: Rect,
) {
    let theme = model.theme;
    let throughput = has_throughput(finished);
    let quantity = if throughput { "MB/s" } else { "ms, log" };
    let marks = if throughput {
        format!("{OUTER_SIGN} repetition {CENTRE_SIGN} mean, {quantity}")
    } else {
        format!("{CENTRE_SIGN} p50 {OUTER_SIGN} p99 of all messages, {quantity}")
    };
    let means = if columns.numbers.contains(&Number::Cores) {
        "mean over repetitions; delivery in ms, cpu in cores"
    } else {
        "mean over repetitions; delivery in ms"
    };
    let name = match columns.strip {
        Some(_) if columns.numbers.contains(&Number::Repetitions) => {
            format!("points: {marks}; {means}")
        }
        Some(_) => format!("points: {marks}"),
        None => format!("points: {means}"),
    };
    let more = if hidden > 0 { format!(" ↑↓ {hidden} more ") } else { String::new() };
    let room = usize::from(area.width).saturating_sub(4 + more.chars().count());
    let block = panel(theme, title(theme, &format::truncate(&name, room)))
        .title(Line::from(Span::styled(more, theme.label())).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let head = |number: &Number| format!("{:>width$}", number.head(), width = number.width());
    let heads = columns.numbers.iter().map(head).collect::<String>() + "  ";
    let line = Line::from(Span::styled(heads, theme.label())).right_aligned();
    draw_line(line, frame, Rect { height: 1, ..inner });
}

/// Returns the numbers of a point at the right of its row.
fn numbers(finished: &FinishedRun, place: usize, columns: &Columns) -> String {
    let one = |number: &Number| {
        format!("{:>width$}", number.of_point(finished, place), width = number.width())
    };
    let worst = finished.of_point(place).map(|done| done.verdict.status).max();
    let sign = worst.map_or(" ", plan_text::judgement_sign);
    columns.numbers.iter().map(one).collect::<String>() + " " + sign
}

/// The axis that all distributions share.
struct DistributionAxis {
    bars: Option<BarRange>,
    /// Ends of the axis of the rates, in bytes per second.
    rates: (f64, f64),
}

impl DistributionAxis {
    fn new(distributions: &[Option<PointDistribution>]) -> Self {
        let shown = || distributions.iter().flatten();
        let bars: Vec<&[u64]> = shown()
            .filter_map(|distribution| match distribution {
                PointDistribution::Latency(latency) => Some(latency.bars.as_slice()),
                PointDistribution::Rates(_) => None,
            })
            .collect();
        let greatest = shown()
            .filter_map(|distribution| match distribution {
                PointDistribution::Rates(rates) => rates.iter().copied().reduce(f64::max),
                PointDistribution::Latency(_) => None,
            })
            .fold(0.0, f64::max);
        Self { bars: bar_range(&bars), rates: (0.0, greatest) }
    }

    fn draw(&self, shown: &PointDistribution, model: &Model, frame: &mut Frame, area: Rect) {
        let (style, mark_style) = (model.theme.data(), model.theme.title());
        match (shown, self.bars) {
            (PointDistribution::Latency(latency), Some(bar_range)) => frame.render_widget(
                DistributionStrip {
                    bars: &latency.bars,
                    bar_range,
                    marks: [latency.p50, latency.p99],
                    style,
                    mark_style,
                },
                area,
            ),
            (PointDistribution::Rates(values), _) => frame
                .render_widget(ValueStrip { values, ends: self.rates, style, mark_style }, area),
            (PointDistribution::Latency(_), None) => {}
        }
    }

    fn draw_labels(&self, model: &Model, frame: &mut Frame, area: Rect) {
        let style = model.theme.label();
        if let Some(bar_range) = self.bars {
            let unit = LatencyUnit::Millis;
            return draw_latency_axis(bar_range, unit, style, area, frame.buffer_mut());
        }
        if self.rates.1 <= 0.0 {
            return;
        }
        let greatest = format::three_significant(self.rates.1 / 1e6);
        draw_line(Line::from(Span::styled("0", style)), frame, area);
        draw_line(Line::from(Span::styled(greatest, style)).right_aligned(), frame, area);
    }
}
