//! Summaries of points over their repetitions.

use std::collections::BTreeMap;

use super::{
    Latency, PointResult, Repetition, Resources, Summary, histogram,
    repetition_figure::{RepetitionFigure, ServerFigure},
};
use crate::{
    format::count_noun,
    measure::{Durations, Estimate, Judgement, STOPPED_CODE},
    stats::{
        distribution::Distribution,
        estimate::{Domain, estimate},
    },
};

/// Tries behind a point's means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TryCounts {
    /// Repetitions that count.
    pub counted: usize,
    /// Failed repetitions, and failed tries that were repeated. Those that the operator stopped are not
    /// among them.
    pub failed: usize,
}

impl std::fmt::Display for TryCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = count_noun((self.counted + self.failed) as u64, "try");
        write!(f, "{} of {all}", self.counted)
    }
}

impl PointResult {
    /// Number of tries that failed, for good or until they were repeated, and that the operator did not
    /// stop.
    pub fn failed_tries(&self) -> usize {
        let stopped = |done: &Repetition| {
            done.verdict.reasons.first().is_some_and(|reason| reason.code == STOPPED_CODE)
        };
        let is_failed = |done: &&Repetition| done.verdict.status == Judgement::Failed;
        self.repetitions
            .iter()
            .filter(is_failed)
            .chain(&self.failed_tries)
            .filter(|done| !stopped(done))
            .count()
    }

    /// Number of repetitions whose load the operator changed.
    pub fn steered(&self) -> usize {
        self.repetitions.iter().filter(|done| done.is_steered()).count()
    }

    /// Tries behind the point's means: every repetition that was measured to its end counts.
    pub fn tries(&self) -> TryCounts {
        let counted = self.repetitions.iter().filter(|done| done.is_measured()).count();
        TryCounts { counted, failed: self.failed_tries() }
    }
}

impl Repetition {
    /// Growth of a server's data folder, if it is the load's: a folder that shrank after a server warm-up
    /// lost the warm-up's data meanwhile, which servers remove late.
    pub fn load_data_growth(&self, server: &Resources) -> Option<i64> {
        let warmed_up = self.warmup.server_seconds > 0.0;
        server.block.data_growth.filter(|growth| *growth >= 0 || !warmed_up)
    }
}

/// Summarises `repetitions`; `None` if none of them was measured to its end.
pub fn summarise(repetitions: &[Repetition]) -> Option<Summary> {
    let measured: Vec<_> = repetitions.iter().filter(|r| r.is_measured()).collect();
    if measured.is_empty() {
        return None;
    }
    let count = |status| repetitions.iter().filter(|r| r.verdict.status == status).count() as u32;
    Some(Summary {
        repetitions: measured.len() as u32,
        suspect: count(Judgement::Suspect),
        failed: count(Judgement::Failed),
        steered: count(Judgement::Steered),
        latency: Durations {
            lag: merge_latencies(&measured, |latency| latency.lag.as_ref()),
            ack: merge_latencies(&measured, |latency| latency.ack.as_ref()),
            delivery: merge_latencies(&measured, |latency| latency.delivery.as_ref()),
            response: merge_latencies(&measured, |latency| latency.response.as_ref()),
        },
        over_repetitions: estimate_figures(&measured),
    })
}

/// Merges the samples of all repetitions into one distribution: percentiles cannot be averaged.
fn merge_latencies(
    repetitions: &[&Repetition],
    duration: impl Fn(&Durations<Option<Latency>>) -> Option<&Latency>,
) -> Option<Latency> {
    let mut all = Distribution::default();
    for latency in repetitions.iter().filter_map(|repetition| duration(&repetition.latency)) {
        match histogram::decode_latency(latency) {
            Ok(distribution) => all.merge(&distribution),
            Err(error) => tracing::error!(%error, "a repetition is left out of a summary"),
        }
    }
    histogram::encode_latency(&all)
}

/// Estimates each figure of single repetitions, by name; units are in the names.
fn estimate_figures(repetitions: &[&Repetition]) -> BTreeMap<String, Estimate> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for repetition in repetitions {
        let mut add = |name: String, value: Option<f64>| {
            if let Some(value) = value {
                values.entry(name).or_default().push(value);
            }
        };
        let latency = &repetition.latency;
        for (name, latency) in [
            ("lag", &latency.lag),
            ("ack", &latency.ack),
            ("delivery", &latency.delivery),
            ("response", &latency.response),
        ] {
            let latency = latency.as_ref();
            add(format!("{name}.mean_us"), latency.map(|l| l.mean));
            add(format!("{name}.p50_us"), latency.and_then(|l| l.p50));
            add(format!("{name}.p90_us"), latency.and_then(|l| l.p90));
            add(format!("{name}.p95_us"), latency.and_then(|l| l.p95));
            add(format!("{name}.p99_us"), latency.and_then(|l| l.p99));
            add(format!("{name}.p999_us"), latency.and_then(|l| l.p999));
        }
        add(
            RepetitionFigure::BytesPerSecond.to_string(),
            repetition.throughput.map(|t| t.bytes_per_second),
        );
        add(
            RepetitionFigure::MessagesPerSecond.to_string(),
            repetition.throughput.map(|t| t.messages_per_second),
        );
        for (role, resources) in &repetition.resources {
            let bytes = |value: Option<crate::units::Bytes>| value.map(|bytes| bytes.0 as f64);
            let growth = |value: Option<i64>| value.map(|growth| growth as f64);
            for (figure, value) in [
                (ServerFigure::CpuCores, resources.cpu.mean),
                (ServerFigure::MemoryGrowth, growth(resources.memory.growth)),
                (ServerFigure::BlockWritten, bytes(resources.block.written)),
                (ServerFigure::HostWritten, bytes(resources.block.host_written)),
                (ServerFigure::DataGrowth, growth(repetition.load_data_growth(resources))),
                (ServerFigure::NetworkReceived, bytes(resources.network.received)),
                (ServerFigure::NetworkSent, bytes(resources.network.sent)),
            ] {
                add(RepetitionFigure::Server(role, figure).to_string(), value);
            }
        }
    }
    let estimated = |(name, values): (String, Vec<f64>)| {
        let domain = if name.contains("growth") { Domain::Signed } else { Domain::NonNegative };
        let estimate = estimate(&values, domain)?;
        Some((name, estimate))
    };
    values.into_iter().filter_map(estimated).collect()
}
