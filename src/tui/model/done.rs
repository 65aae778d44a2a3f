//! What is known of repetitions that are over, and the screen that shows it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::live::Live;
use crate::{
    event::End,
    measure::{Judgement, Ledger, PathCost, Verdict},
    plan::{Plan, Step},
    record::{Capacity, Latency, Repetition},
    tui::outside::Request,
};

/// A repetition that is over, without what only the record needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    /// Which one.
    pub step: Step,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// Its messages.
    pub ledger: Ledger,
    /// Figures by name, in microseconds, bytes per second, cores.
    pub figures: BTreeMap<String, f64>,
    /// Limits that were crossed.
    pub crossed: Vec<String>,
}

impl Done {
    /// The part of `repetition` that the screen shows.
    pub fn of(step: Step, repetition: &Repetition) -> Self {
        let mut figures = BTreeMap::new();
        let mut put = |name: &str, value: Option<f64>| {
            if let Some(value) = value {
                figures.insert(name.to_owned(), value);
            }
        };
        let latency = &repetition.latency;
        let named: [(&Option<Latency>, [&'static str; 4]); 4] = [
            (&latency.lag, ["lag.mean", "lag.p50", "lag.p99", "lag.max"]),
            (&latency.ack, ["ack.mean", "ack.p50", "ack.p99", "ack.max"]),
            (&latency.delivery, ["delivery.mean", "delivery.p50", "delivery.p99", "delivery.max"]),
            (&latency.response, ["response.mean", "response.p50", "response.p99", "response.max"]),
        ];
        for (latency, [mean, p50, p99, max]) in named {
            put(mean, latency.as_ref().map(|l| l.mean));
            put(p50, latency.as_ref().and_then(|l| l.p50));
            put(p99, latency.as_ref().and_then(|l| l.p99));
            put(max, latency.as_ref().map(|l| l.max));
        }
        put("bytes_per_second", repetition.throughput.map(|t| t.bytes_per_second));
        put("messages_per_second", repetition.throughput.map(|t| t.messages_per_second));
        let cores: Vec<f64> =
            repetition.resources.values().filter_map(|resources| resources.cpu.mean).collect();
        put("server_cores", (!cores.is_empty()).then(|| cores.iter().sum()));
        let growth: Vec<i64> =
            repetition.resources.values().filter_map(|resources| resources.memory.growth).collect();
        put("server_growth", (!growth.is_empty()).then(|| growth.iter().sum::<i64>() as f64));
        Self {
            step,
            verdict: repetition.verdict.clone(),
            ledger: repetition.ledger,
            figures,
            crossed: repetition.crossed.clone(),
        }
    }
}

/// The point that is read first: the most users that a search found to be carried, else the first
/// of which there is something to read.
fn first_read(live: &Live) -> usize {
    let measured = |point: &usize| live.done.iter().any(|done| done.step.point == *point);
    let carried = live.searches().find_map(|search| {
        let found = |point: &usize| {
            let point = &live.plan.points[*point];
            point.backend == search.backend && Some(point.workload.users()) == search.lower
        };
        (0..live.plan.points.len()).filter(measured).find(found)
    });
    carried.or_else(|| (0..live.plan.points.len()).find(measured)).unwrap_or_default()
}

/// A figure over repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Repetitions that have it.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// What was asked, to ask it again.
    pub request: Request,
    /// What was to be done.
    pub plan: Plan,
    /// How it ended.
    pub end: End,
    /// The record's file, if there is one.
    pub record: Option<PathBuf>,
    /// What the way to the hub cost, where it was measured.
    pub path: Option<PathCost>,
    /// Repetitions that are over, those of a resumed record among them.
    pub done: Vec<Done>,
    /// What searches for a capacity found.
    pub searches: Vec<Capacity>,
    /// Seconds that it took.
    pub seconds: f64,
    /// The point that is selected.
    pub selected: usize,
}

impl Finished {
    /// What `live` has come to.
    pub fn of(live: &Live, end: End, now: Duration) -> Self {
        Self {
            request: live.request.clone(),
            plan: live.plan.clone(),
            end,
            record: live.record.clone(),
            path: live.path,
            done: live.done.clone(),
            searches: live.searches().cloned().collect(),
            seconds: now.saturating_sub(live.began).as_secs_f64(),
            selected: first_read(live),
        }
    }

    /// Selects the point `by` places further.
    pub fn select(&mut self, by: isize) {
        let last = self.plan.points.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    /// The repetitions of a point.
    pub fn of_point(&self, point: usize) -> impl Iterator<Item = &Done> {
        self.done.iter().filter(move |done| done.step.point == point)
    }

    /// A figure of a point over its repetitions that did not fail.
    pub fn range(&self, point: usize, figure: &str) -> Option<Range> {
        let values: Vec<f64> = self
            .of_point(point)
            .filter(|done| done.verdict.status != Judgement::Failed)
            .filter_map(|done| done.figures.get(figure).copied())
            .collect();
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(*v), max.max(*v)));
        (!values.is_empty()).then(|| Range {
            n: values.len(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            min,
            max,
        })
    }

    /// Messages of repetitions that ended early, of which nobody knows what became.
    pub fn on_the_way(&self) -> u64 {
        self.done.iter().map(|done| done.ledger.on_the_way).sum()
    }

    /// Messages lost or refused over all repetitions.
    pub fn undelivered(&self) -> u64 {
        self.done.iter().map(|done| done.ledger.undelivered()).sum()
    }

    /// Messages lost over all repetitions.
    pub fn lost(&self) -> u64 {
        self.done.iter().map(|done| done.ledger.lost).sum()
    }

    /// Thresholds crossed over all repetitions.
    pub fn crossed(&self) -> usize {
        self.done.iter().map(|done| done.crossed.len()).sum()
    }

    /// Repetitions with this judgement.
    pub fn judged(&self, status: Judgement) -> usize {
        self.done.iter().filter(|done| done.verdict.status == status).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn a_range_leaves_failed_repetitions_out() {
        let mut finished = fixture::finished(End::Complete);
        let whole = finished.range(0, "delivery.p50").expect("measured");
        assert_eq!(whole.n, finished.of_point(0).count());
        let point_of_first = finished.done[0].step.point;
        finished.done[0].verdict.status = Judgement::Failed;
        let rest = finished.range(point_of_first, "delivery.p50").expect("measured");
        assert_eq!(rest.n, whole.n - 1);
        assert!(finished.range(0, "no such figure").is_none());
    }

    #[test]
    fn a_selection_stays_within_the_points() {
        let mut finished = fixture::finished(End::Complete);
        finished.select(-5);
        assert_eq!(finished.selected, 0);
        finished.select(500);
        assert_eq!(finished.selected, finished.plan.points.len() - 1);
    }
}
