//! Finished repetition, reduced to the data that the screen shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    measure::{Ledger, Verdict},
    plan::ScheduledRepetition,
    record::{Latency, Repetition},
};

/// A finished repetition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinishedRepetition {
    /// Point and repetition number.
    pub step: ScheduledRepetition,
    /// Number of the attempt, from 1: earlier ones failed.
    pub attempt: u32,
    /// Verdict on the repetition.
    pub verdict: Verdict,
    /// Counts of messages.
    pub ledger: Ledger,
    /// Figures by name, in microseconds, bytes per second, cores.
    pub figures: BTreeMap<String, f64>,
    /// Crossed thresholds.
    pub crossed: Vec<String>,
    /// Figures that could not be given, with the reason.
    #[serde(default)]
    pub missing: Vec<String>,
}

impl FinishedRepetition {
    /// Extracts the data that the screen shows.
    pub fn from_repetition(step: ScheduledRepetition, repetition: &Repetition) -> Self {
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
            attempt: repetition.attempt,
            verdict: repetition.verdict.clone(),
            ledger: repetition.ledger,
            figures,
            crossed: repetition.crossed.clone(),
            missing: repetition.describe_missing().collect(),
        }
    }
}
