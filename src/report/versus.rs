//! Backends against each other at equal points, and growth over what was swept.

use super::{
    cells::{Cell, Cells},
    figures::family::{Family, Line, Over},
    metric::{Metric, Span, Stat},
    page::probability,
};
use crate::stats::{
    difference::{self, Difference, Seen},
    trend::{self, Trend},
};

/// Two series at one point.
#[derive(Debug)]
pub struct Versus {
    /// The point on the sweep: `400 users`.
    pub at: String,
    /// The two series.
    pub labels: (String, String),
    /// What is compared.
    pub metric: Metric,
    /// Second less first.
    pub difference: Difference,
}

/// Growth of one series over its sweep.
#[derive(Debug)]
pub struct Growth {
    /// The series.
    pub label: String,
    /// Over what.
    pub over: Over,
    /// What grows.
    pub metric: Metric,
    /// Ends of the sweep, in users or bytes.
    pub span: (f64, f64),
    /// The line through all repetitions.
    pub trend: Trend,
}

/// Change over the wall clock among repetitions of the same points.
#[derive(Debug)]
pub struct Drift {
    /// Whose: a backend, or hubmark itself.
    pub what: String,
    /// Of what.
    pub metric: Metric,
    /// Hours from the first to the last repetition.
    pub hours: f64,
    /// Per hour, each point with its own level.
    pub trend: Trend,
}

/// The mean latency, or the data rate, of every two series at every point that both have; all of
/// them corrected together for their number.
pub fn versus(cells: &Cells<'_>) -> Vec<Versus> {
    let mut all = Vec::new();
    for (over, metric) in [
        (Over::Users, Metric::Latency(Span::Delivery, Stat::Mean)),
        (Over::Payload, Metric::Latency(Span::Delivery, Stat::Mean)),
        (Over::Scenario, Metric::Throughput),
    ] {
        let family = Family::of(cells, over);
        let lines = family.lines();
        for (place, first) in lines.iter().enumerate() {
            for second in &lines[place + 1..] {
                all.extend(pairs(&family, first, second, metric));
            }
        }
    }
    let mut differences: Vec<_> = all.iter_mut().map(|versus| &mut versus.difference).collect();
    difference::correct(&mut differences);
    all
}

fn pairs(family: &Family<'_>, first: &Line<'_>, second: &Line<'_>, metric: Metric) -> Vec<Versus> {
    let over = family.over;
    let at = |line: &Line<'_>, x: f64| -> Option<Vec<f64>> {
        let cell = line.cells.iter().find(|cell| over.value(cell).total_cmp(&x).is_eq())?;
        Some(cell.values(metric))
    };
    let one = |(x, text): (f64, String)| {
        Some(Versus {
            at: over.named(&text),
            labels: (first.label.clone(), second.label.clone()),
            metric,
            difference: difference::difference(&at(first, x)?, &at(second, x)?)?,
        })
    };
    family.ticks().into_iter().filter_map(one).collect()
}

/// Growth of `metric` over `over`, for each series with at least two points.
pub fn growth(cells: &Cells<'_>, over: Over, metric: Metric) -> Vec<Growth> {
    let family = Family::of(cells, over);
    let one = |line: Line<'_>| {
        let pairs: Vec<_> = line
            .cells
            .iter()
            .flat_map(|cell| cell.values(metric).into_iter().map(|y| (over.value(cell), y)))
            .collect();
        let ends = line.cells.first().zip(line.cells.last())?;
        Some(Growth {
            label: line.label,
            over,
            metric,
            span: (over.value(ends.0), over.value(ends.1)),
            trend: trend::slope(&pairs)?,
        })
    };
    family.lines().into_iter().filter_map(one).collect()
}

/// Drift of each record: of the generator's lag, and of each backend's mean delivery (of its data
/// rate, in the throughput workload).
pub fn drifts(cells: &Cells<'_>) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for source in 0..cells.sources.len() {
        let own: Vec<_> = cells.measured().filter(|cell| cell.source == source).collect();
        let mut backends: Vec<_> = own.iter().map(|cell| cell.backend()).collect();
        backends.sort_unstable();
        backends.dedup();
        let lag = Metric::Latency(Span::Lag, Stat::Mean);
        drifts.extend(drift("hubmark".into(), lag, &own, cells));
        for backend in backends {
            let own: Vec<_> = own.iter().copied().filter(|c| c.backend() == backend).collect();
            for metric in [Metric::Latency(Span::Delivery, Stat::Mean), Metric::Throughput] {
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

fn drift(what: String, metric: Metric, own: &[&Cell<'_>], cells: &Cells<'_>) -> Option<Drift> {
    let groups: Vec<Vec<(f64, f64)>> = own
        .iter()
        .map(|cell| {
            let began = cells.sources[cell.source].record.started;
            let pair = |repetition: &&crate::record::Repetition| {
                let hours = repetition.started.duration_since(began).as_secs_f64() / 3600.0;
                Some((hours, metric.of(repetition)?))
            };
            cell.measured.iter().filter_map(pair).collect()
        })
        .collect();
    let times = groups.iter().flatten().map(|(hours, _)| *hours);
    let ends = times.fold(None, |ends: Option<(f64, f64)>, hours| {
        Some(ends.map_or((hours, hours), |(low, high)| (low.min(hours), high.max(hours))))
    });
    let (first, last) = ends?;
    Some(Drift { what, metric, hours: last - first, trend: trend::common_slope(&groups)? })
}

/// A small change of a latency is read better in microseconds.
fn small(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Latency(..) if value.abs() < 1_000.0 => {
            format!("{} µs", crate::format::three(value))
        }
        _ => metric.quantity().write(value),
    }
}

impl Versus {
    /// One sentence: `mean delivery latency at 400 users: …; mariadb is 0.30 ms higher (95 %: …)`.
    pub fn sentence(&self) -> String {
        let Self { at, labels: (first, second), metric, difference } = self;
        let quantity = metric.quantity();
        let means = (quantity.write(difference.means.0), quantity.write(difference.means.1));
        let head = format!("{} at {at}: {first} {}, {second} {}", metric.words(), means.0, means.1);
        let interval = difference.interval.map_or_else(String::new, |(low, high)| {
            format!(" (95 %: {})", quantity.range(low, high))
        });
        let size = quantity.write(difference.difference.abs());
        match difference.seen {
            Seen::Higher => format!("{head}; {second} is {size} higher{interval}"),
            Seen::Lower => format!("{head}; {second} is {size} lower{interval}"),
            Seen::Nothing => match (difference.interval, difference.p) {
                // The interval is of this comparison alone, p of all of them together.
                (Some((low, high)), Some(p)) if low > 0.0 || high < 0.0 => format!(
                    "{head}; no difference seen: p is {} once corrected for all that was compared \
                     (95 %, this one alone: {})",
                    probability(p),
                    quantity.range(low, high)
                ),
                _ => format!("{head}; no difference seen{interval}"),
            },
            Seen::Undecidable => {
                let (a, b) = difference.n;
                format!("{head}; {a} and {b} repetitions carry no interval, so no word on it")
            }
        }
    }
}

impl Growth {
    /// One sentence: `grows by 3.2 µs per 100 users` or `no growth seen`.
    pub fn sentence(&self) -> String {
        let (step, per) = match self.over {
            Over::Payload => (1_000.0, "per kB"),
            Over::Users | Over::Scenario => (100.0, "per 100 users"),
        };
        let (slope, interval) = self.trend.over(step);
        let write = |value: f64| small(self.metric, value);
        let head = format!("{}: {}", self.label, self.metric.words());
        let Some((low, high)) = interval else {
            return format!("{head}: too few repetitions for a slope with an interval");
        };
        let interval = format!("(95 %: {} to {} {per})", write(low), write(high));
        match self.trend.seen() {
            Some(true) if slope > 0.0 => {
                format!("{head} grows by {} {per} {interval}", write(slope))
            }
            Some(true) => format!("{head} falls by {} {per} {interval}", write(-slope)),
            _ => format!("{head}: no growth seen {interval}"),
        }
    }
}

impl Drift {
    /// One sentence.
    pub fn sentence(&self) -> String {
        let Self { what, metric, hours, trend } = self;
        let write = |value: f64| small(*metric, value);
        let words = metric.words();
        let over = format!("over {} of wall clock", crate::format::span(hours * 3600.0));
        // A slope per hour of a run of minutes says less than the change over that run.
        let (change, interval) = trend.over(*hours);
        let Some((low, high)) = interval else {
            return format!("{what}: {words}: too few repetitions to see a drift {over}");
        };
        let interval = format!("(95 %: {} to {})", write(low), write(high));
        match trend.seen() {
            Some(true) => {
                format!("{what}: {words} drifted by {} {over} {interval}", write(change))
            }
            _ => format!("{what}: {words}: no drift seen {over} {interval}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_without_zero_never_stands_unexplained_beside_no_difference() {
        let versus = |seen: Seen, p: f64| Versus {
            at: "100 users".into(),
            labels: ("kafka".into(), "mariadb".into()),
            metric: Metric::Latency(Span::Delivery, Stat::Mean),
            difference: Difference {
                n: (3, 3),
                means: (2_820.0, 814.0),
                difference: -2_006.0,
                interval: Some((-3_350.0, -668.0)),
                welch_p: Some(0.02),
                rank_p: None,
                p: Some(p),
                seen,
            },
        };
        let sentence = versus(Seen::Nothing, 0.06).sentence();
        assert!(
            sentence.contains("no difference seen: p is 0.060 once corrected for all that was")
                && sentence.contains("this one alone: -3.35 to -0.668 ms"),
            "{sentence}"
        );
        let sentence = versus(Seen::Lower, 0.02).sentence();
        assert!(sentence.contains("2.01 ms lower (95 %: -3.35 to -0.668 ms)"), "{sentence}");
    }
}
