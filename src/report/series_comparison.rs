//! Differences between series at equal points, trends over a sweep, and drift over the wall clock.

use super::{
    cells::{ReportCell, ReportCells},
    figures::sweep::{Sweep, SweepSeries, SweptValue},
    metric::{LatencyKind, LatencyStat, Metric},
};
use crate::stats::{
    ALPHA,
    difference::{self, Difference, DifferenceVerdict},
    holm,
    trend::{self, Trend},
};

/// Comparison of two series at one point.
#[derive(Debug)]
pub struct SeriesComparison {
    /// Point on the sweep: `400 users`.
    pub at: String,
    /// Labels of the first and the second series.
    pub labels: (String, String),
    /// Metric compared.
    pub metric: Metric,
    /// Second minus first.
    pub difference: Difference,
}

/// Linear trend of one series over its sweep.
#[derive(Debug)]
pub struct SweepTrend {
    /// Label of the series.
    pub label: String,
    /// Value that the sweep varies.
    pub swept: SweptValue,
    /// Metric that the trend describes.
    pub metric: Metric,
    /// First and last value of the sweep, in users or bytes.
    pub sweep_ends: (f64, f64),
    /// Straight line fitted through all repetitions.
    pub trend: Trend,
    /// p of "no slope"; corrected for the number of trends once [`correct_trends`] is called.
    pub p: Option<f64>,
}

/// Change of a metric over the wall clock, between repetitions of the same points.
#[derive(Debug)]
pub struct Drift {
    /// Backend that drifts, or `hubmark`.
    pub subject: String,
    /// Metric that drifts.
    pub metric: Metric,
    /// Hours from the first to the last repetition.
    pub hours: f64,
    /// Slope per hour, fitted with a separate level for each point.
    pub trend: Trend,
}

/// Compares every two series at every point that both have.
///
/// The metric is the mean delivery latency or the data rate; p-values of all comparisons are corrected
/// together for their number.
pub fn compare_series(cells: &ReportCells<'_>) -> Vec<SeriesComparison> {
    let mut all = Vec::new();
    for (swept, metric) in [
        (SweptValue::Users, Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean)),
        (SweptValue::Payload, Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean)),
        (SweptValue::Scenario, Metric::Throughput),
    ] {
        let sweep = Sweep::from_cells(cells, swept);
        let lines = sweep.series();
        for (place, first) in lines.iter().enumerate() {
            for second in &lines[place + 1..] {
                all.extend(compare_pair(&sweep, first, second, metric));
            }
        }
    }
    let mut differences: Vec<_> =
        all.iter_mut().map(|comparison| &mut comparison.difference).collect();
    difference::apply_holm(&mut differences);
    all
}

fn compare_pair(
    sweep: &Sweep<'_>,
    first: &SweepSeries<'_>,
    second: &SweepSeries<'_>,
    metric: Metric,
) -> Vec<SeriesComparison> {
    let swept = sweep.swept;
    let at = |line: &SweepSeries<'_>, x: f64| -> Option<Vec<f64>> {
        let cell = line.cells.iter().find(|cell| swept.value(cell).total_cmp(&x).is_eq())?;
        Some(cell.values(metric))
    };
    let one = |(x, text): (f64, String)| {
        Some(SeriesComparison {
            at: swept.describe_text(&text),
            labels: (first.label.clone(), second.label.clone()),
            metric,
            difference: difference::difference(&at(first, x)?, &at(second, x)?, metric.domain())?,
        })
    };
    sweep.ticks().into_iter().filter_map(one).collect()
}

/// Fits the trend of `metric` over `swept` for each series with at least two points.
pub fn sweep_trends(cells: &ReportCells<'_>, swept: SweptValue, metric: Metric) -> Vec<SweepTrend> {
    let sweep = Sweep::from_cells(cells, swept);
    let one = |line: SweepSeries<'_>| {
        let pairs: Vec<_> = line
            .cells
            .iter()
            .flat_map(|cell| cell.values(metric).into_iter().map(|y| (swept.value(cell), y)))
            .collect();
        let ends = line.cells.first().zip(line.cells.last())?;
        let trend = trend::slope(&pairs)?;
        Some(SweepTrend {
            label: line.label,
            swept,
            metric,
            sweep_ends: (swept.value(ends.0), swept.value(ends.1)),
            trend,
            p: trend.p,
        })
    };
    sweep.series().into_iter().filter_map(one).collect()
}

/// Corrects the p of trends that are shown together for their number (Holm).
pub fn correct_trends(trends: &mut [SweepTrend]) {
    let raw: Vec<_> = trends.iter().map(|trend| trend.trend.p).collect();
    for (trend, p) in trends.iter_mut().zip(holm::adjust(&raw)) {
        trend.p = p;
    }
}

/// Fits the drift of each record: generator lag, and each backend's mean delivery latency (its data rate
/// in the throughput workload).
pub fn drifts(cells: &ReportCells<'_>) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for source in 0..cells.sources.len() {
        let own: Vec<_> = cells.measured().filter(|cell| cell.record_index == source).collect();
        let mut backends: Vec<_> = own.iter().map(|cell| cell.backend()).collect();
        backends.sort_unstable();
        backends.dedup();
        let lag = Metric::Latency(LatencyKind::Lag, LatencyStat::Mean);
        drifts.extend(drift("hubmark".into(), lag, &own, cells));
        for backend in backends {
            let own: Vec<_> = own.iter().copied().filter(|c| c.backend() == backend).collect();
            for metric in
                [Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean), Metric::Throughput]
            {
                let of_kind: Vec<_> = own
                    .iter()
                    .copied()
                    .filter(|cell| cell.scenario().is_some() == (metric == Metric::Throughput))
                    .collect();
                drifts.extend(drift(backend.clone(), metric, &of_kind, cells));
            }
        }
    }
    drifts
}

fn drift(
    what: String,
    metric: Metric,
    own: &[&ReportCell<'_>],
    cells: &ReportCells<'_>,
) -> Option<Drift> {
    let groups: Vec<Vec<(f64, f64)>> = own
        .iter()
        .map(|cell| {
            let began = cells.sources[cell.record_index].record.started;
            let pair = |repetition: &&crate::record::Repetition| {
                let hours = repetition.started.duration_since(began).as_secs_f64() / 3600.0;
                Some((hours, metric.value_in(repetition)?))
            };
            cell.measured.iter().filter_map(pair).collect()
        })
        .collect();
    let times = groups.iter().flatten().map(|(hours, _)| *hours);
    let ends = times.fold(None, |ends: Option<(f64, f64)>, hours| {
        Some(ends.map_or((hours, hours), |(low, high)| (low.min(hours), high.max(hours))))
    });
    let (first, last) = ends?;
    Some(Drift { subject: what, metric, hours: last - first, trend: trend::common_slope(&groups)? })
}

/// Formats a change; a latency below 1 ms is written in microseconds to be readable.
fn format_small(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Latency(..) if value.abs() < 1_000.0 => {
            format!("{} µs", crate::format::three_significant(value))
        }
        _ => metric.quantity().format(value),
    }
}

impl SeriesComparison {
    /// Describes the comparison in one sentence.
    ///
    /// `mean delivery latency at 400 users: …; mariadb is 0.30 ms higher (95 %: …)`.
    pub fn sentence(&self) -> String {
        let Self { at, labels: (first, second), metric, difference } = self;
        let quantity = metric.quantity();
        let means = (quantity.format(difference.means.0), quantity.format(difference.means.1));
        let head =
            format!("{} at {at}: {first} {}, {second} {}", metric.phrase(), means.0, means.1);
        let interval = difference.interval.map_or_else(String::new, |(low, high)| {
            format!(" (95 %: {})", quantity.format_interval(low, high))
        });
        let size = quantity.format(difference.difference.abs());
        match difference.verdict {
            DifferenceVerdict::Higher => format!("{head}; {second} is {size} higher{interval}"),
            DifferenceVerdict::Lower => format!("{head}; {second} is {size} lower{interval}"),
            DifferenceVerdict::NotSeen => match (difference.interval, difference.p) {
                // The interval belongs to this comparison alone; p is corrected for all comparisons.
                (Some((low, high)), Some(p)) if low > 0.0 || high < 0.0 => format!(
                    "{head}; no difference seen: p is {} once corrected for all that was compared \
                     (95 %, this one alone: {})",
                    crate::format::probability(p),
                    quantity.format_interval(low, high)
                ),
                _ => format!("{head}; no difference seen{interval}"),
            },
            DifferenceVerdict::Undecidable => {
                let (a, b) = difference.n;
                let second = crate::format::count_noun(b as u64, "repetition");
                format!("{head}; {a} and {second} are too few for an interval: undecided")
            }
        }
    }
}

impl SweepTrend {
    /// Describes the trend in one sentence: `grows by 3.2 µs per 100 users` or `no growth seen`.
    pub fn sentence(&self) -> String {
        let (step, per) = match self.swept {
            SweptValue::Payload => (1_000.0, "per kB"),
            SweptValue::Users | SweptValue::Scenario => (100.0, "per 100 users"),
        };
        let (slope, interval) = self.trend.growth_over(step);
        let write = |value: f64| format_small(self.metric, value);
        let head = format!("{}: {}", self.label, self.metric.phrase());
        let Some((low, high)) = interval else {
            return format!("{head}: too few repetitions for a slope with an interval");
        };
        let interval = format!("(95 %: {} to {} {per})", write(low), write(high));
        match (self.trend.is_significant(), self.p.filter(|p| *p >= ALPHA)) {
            // The interval belongs to this trend alone; p is corrected for all trends.
            (Some(true), Some(p)) => format!(
                "{head}: no growth seen: p is {} once corrected for all trends (95 %, this one \
                 alone: {} to {} {per})",
                crate::format::probability(p),
                write(low),
                write(high)
            ),
            (Some(true), None) if slope > 0.0 => {
                format!("{head} grows by {} {per} {interval}", write(slope))
            }
            (Some(true), None) => format!("{head} falls by {} {per} {interval}", write(-slope)),
            _ => format!("{head}: no growth seen {interval}"),
        }
    }
}

impl Drift {
    /// Describes the drift in one sentence.
    pub fn sentence(&self) -> String {
        let Self { subject, metric, hours, trend } = self;
        let write = |value: f64| format_small(*metric, value);
        let words = metric.phrase();
        let period = format!("over {} of wall clock", crate::format::time_span(hours * 3600.0));
        // For a run of minutes, the change over that run is clearer than a slope per hour.
        let (change, interval) = trend.growth_over(*hours);
        let Some((low, high)) = interval else {
            return format!("{subject}: {words}: too few repetitions to see a drift {period}");
        };
        let interval = format!("(95 %: {} to {})", write(low), write(high));
        match trend.is_significant() {
            Some(true) => {
                format!("{subject}: {words} drifted by {} {period} {interval}", write(change))
            }
            _ => format!("{subject}: {words}: no drift seen {period} {interval}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_without_zero_is_explained_when_no_difference_is_seen() {
        let comparison = |seen: DifferenceVerdict, p: f64| SeriesComparison {
            at: "100 users".into(),
            labels: ("kafka".into(), "mariadb".into()),
            metric: Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean),
            difference: Difference {
                n: (3, 3),
                means: (2_820.0, 814.0),
                difference: -2_006.0,
                interval: Some((-3_350.0, -668.0)),
                relative_interval: None,
                welch_p: Some(0.02),
                rank_p: None,
                p: Some(p),
                verdict: seen,
            },
        };
        let sentence = comparison(DifferenceVerdict::NotSeen, 0.06).sentence();
        assert!(
            sentence.contains("no difference seen: p is 0.060 once corrected for all that was")
                && sentence.contains("this one alone: -3.35 to -0.668 ms"),
            "{sentence}"
        );
        let sentence = comparison(DifferenceVerdict::Lower, 0.02).sentence();
        assert!(sentence.contains("2.01 ms lower (95 %: -3.35 to -0.668 ms)"), "{sentence}");
    }
}
