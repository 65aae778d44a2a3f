//! A point over its repetitions.

use std::collections::BTreeMap;

use super::{Latency, Repetition, Summary, histogram};
use crate::{
    measure::{Durations, Estimate, Judgement},
    stats::{distribution::Distribution, estimate::estimate},
};

/// The summary of `repetitions`; `None` when none of them was measured to its end.
pub fn summarise(repetitions: &[Repetition]) -> Option<Summary> {
    let failed = |repetition: &&Repetition| repetition.verdict.status == Judgement::Failed;
    let measured: Vec<_> = repetitions.iter().filter(|r| !failed(r)).collect();
    if measured.is_empty() {
        return None;
    }
    let suspect = measured.iter().filter(|r| r.verdict.status == Judgement::Suspect).count();
    Some(Summary {
        repetitions: measured.len() as u32,
        suspect: suspect as u32,
        failed: (repetitions.len() - measured.len()) as u32,
        latency: Durations {
            lag: merged(&measured, |latency| latency.lag.as_ref()),
            ack: merged(&measured, |latency| latency.ack.as_ref()),
            delivery: merged(&measured, |latency| latency.delivery.as_ref()),
            response: merged(&measured, |latency| latency.response.as_ref()),
        },
        over_repetitions: figures(&measured),
    })
}

/// One distribution of all repetitions' samples: percentiles cannot be averaged.
fn merged(
    repetitions: &[&Repetition],
    duration: impl Fn(&Durations<Option<Latency>>) -> Option<&Latency>,
) -> Option<Latency> {
    let mut all = Distribution::default();
    for latency in repetitions.iter().filter_map(|repetition| duration(&repetition.latency)) {
        match histogram::distribution(latency) {
            Ok(distribution) => all.merge(&distribution),
            Err(error) => tracing::error!(%error, "left out of a summary"),
        }
    }
    histogram::latency(&all)
}

/// The figures of single repetitions, by name; units are in the names.
fn figures(repetitions: &[&Repetition]) -> BTreeMap<String, Estimate> {
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
            add(format!("{name}.p99_us"), latency.and_then(|l| l.p99));
            add(format!("{name}.p999_us"), latency.and_then(|l| l.p999));
        }
        add(
            "throughput.bytes_per_second".into(),
            repetition.throughput.map(|t| t.bytes_per_second),
        );
        add(
            "throughput.messages_per_second".into(),
            repetition.throughput.map(|t| t.messages_per_second),
        );
        for (role, resources) in &repetition.resources {
            let bytes = |value: Option<crate::units::Bytes>| value.map(|bytes| bytes.0 as f64);
            add(format!("{role}.cpu_cores"), resources.cpu.mean);
            add(
                format!("{role}.memory_growth_bytes"),
                resources.memory.growth.map(|growth| growth as f64),
            );
            add(format!("{role}.block_written_bytes"), bytes(resources.block.written));
            add(
                format!("{role}.data_growth_bytes"),
                resources.block.data_growth.map(|growth| growth as f64),
            );
            add(format!("{role}.network_received_bytes"), bytes(resources.network.received));
            add(format!("{role}.network_sent_bytes"), bytes(resources.network.sent));
        }
    }
    values.into_iter().filter_map(|(name, values)| Some((name, estimate(&values)?))).collect()
}
