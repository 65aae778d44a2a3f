//! Overview of a record for lists, read without its details.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    RecordStatus,
    error::StoreError,
    stream::{self, RecordSink},
    validate::{Contradictions, PlanShape, ResultPosition, check_shape},
};
use crate::{
    measure::Judgement,
    plan::{BackendChoice, ScheduledRepetition},
    units::Bytes,
};

/// Overview of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordOverview {
    /// Start of the run.
    pub started: jiff::Timestamp,
    /// Whether the record is complete.
    pub status: RecordStatus,
    /// The profile's name.
    pub profile: String,
    /// Backends, each once.
    pub backends: Vec<String>,
    /// Model of the hub if it is known, or else its processor.
    pub hub: Option<String>,
    /// Number of points.
    pub points: usize,
    /// Finished repetitions.
    pub done: usize,
    /// Planned repetitions; `None` for a capacity search, which decides the number itself.
    pub planned: Option<usize>,
    /// Suspect repetitions among the finished ones.
    pub suspect: usize,
    /// Repetitions among the finished ones whose load the operator changed.
    #[serde(default)]
    pub steered: usize,
    /// Failed repetitions among the finished ones.
    pub failed: usize,
    /// Lost messages.
    pub lost: u64,
    /// Undelivered messages of the measured repetitions: lost, failed, or never sent.
    pub undelivered: u64,
    /// Smallest and largest number of users of a point.
    pub users: Option<(u32, u32)>,
    /// Smallest and largest payload of a point, in bytes.
    pub payload: Option<(u64, u64)>,
    /// Figures of the points.
    pub figures: PointRanges,
    /// Seconds from the start of the run to the end of its last repetition.
    pub seconds: Option<f64>,
}

/// Smallest and largest mean of a point over its measured repetitions; `None` if no point has the figure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PointRanges {
    /// Median delivery latency in microseconds.
    pub p50: Option<(f64, f64)>,
    /// 99th percentile of the delivery latency in microseconds.
    pub p99: Option<(f64, f64)>,
    /// Payload bytes per second.
    pub data_rate: Option<(f64, f64)>,
}

/// Keys of a record that make up its overview; all others are skipped.
#[derive(Deserialize)]
struct RecordFields {
    schema: u64,
    started: jiff::Timestamp,
    status: RecordStatus,
    plan: PlanFields,
    provenance: ProvenanceFields,
}

#[derive(Deserialize)]
struct PlanFields {
    profile: String,
    points: Vec<IgnoredAny>,
    repetitions: u32,
    schedule: Vec<ScheduledRepetition>,
    #[serde(default)]
    capacity: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ProvenanceFields {
    hub: HubFields,
}

#[derive(Deserialize)]
struct HubFields {
    model: Option<String>,
    #[serde(default)]
    cpu: Option<String>,
}

#[derive(Deserialize)]
struct PointFields {
    backend: BackendChoice,
    workload: Option<WorkloadFields>,
}

#[derive(Deserialize)]
struct WorkloadFields {
    users: u32,
    payload: Bytes,
}

#[derive(Deserialize)]
struct RepetitionFields {
    index: u32,
    order: u32,
    started: Option<jiff::Timestamp>,
    seconds: Option<f64>,
    drain_seconds: Option<f64>,
    verdict: VerdictFields,
    ledger: LedgerFields,
    latency: Option<LatencyFields>,
    throughput: Option<ThroughputFields>,
}

#[derive(Deserialize)]
struct LatencyFields {
    delivery: Option<DeliveryFields>,
}

#[derive(Deserialize)]
struct DeliveryFields {
    p50: Option<f64>,
    p99: Option<f64>,
}

#[derive(Deserialize)]
struct ThroughputFields {
    bytes_per_second: f64,
}

/// Sums of a figure over the repetitions of each point.
#[derive(Default)]
struct PointMeans(BTreeMap<usize, (f64, u32)>);

impl PointMeans {
    fn add(&mut self, point: usize, value: Option<f64>) {
        if let Some(value) = value {
            let (sum, count) = self.0.entry(point).or_default();
            (*sum, *count) = (*sum + value, *count + 1);
        }
    }

    fn range(&self) -> Option<(f64, f64)> {
        ends(self.0.values().map(|(sum, count)| sum / f64::from(*count)), f64::min, f64::max)
    }
}

/// Returns the smallest and the largest of the values.
fn ends<T: Copy>(
    values: impl Iterator<Item = T>,
    least: fn(T, T) -> T,
    greatest: fn(T, T) -> T,
) -> Option<(T, T)> {
    values.map(|value| (value, value)).reduce(|a, b| (least(a.0, b.0), greatest(a.1, b.1)))
}

#[derive(Deserialize)]
struct VerdictFields {
    status: Judgement,
}

#[derive(Deserialize)]
struct LedgerFields {
    lost: u64,
    failed: u64,
    unsent: u64,
}

/// What the overview of a record needs of its results.
#[derive(Default)]
struct OverviewResults {
    points: Vec<Map<String, Value>>,
    repetitions: Vec<ResultPosition>,
    failed_tries: Vec<ResultPosition>,
    suspect: usize,
    steered: usize,
    failed: usize,
    lost: u64,
    undelivered: u64,
    p50: PointMeans,
    p99: PointMeans,
    data_rate: PointMeans,
    /// End of the last repetition.
    ended: Option<jiff::Timestamp>,
}

impl RepetitionFields {
    /// Returns the end of load and drain.
    fn end(&self) -> Option<jiff::Timestamp> {
        let seconds = self.seconds? + self.drain_seconds.unwrap_or(0.0);
        self.started?.checked_add(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
    }
}

impl RecordSink for OverviewResults {
    type Repetition = RepetitionFields;

    fn add_repetition(&mut self, point: usize, repetition: RepetitionFields) {
        self.ended = self.ended.max(repetition.end());
        let RepetitionFields { index, order, verdict, ledger, latency, throughput, .. } =
            repetition;
        self.repetitions.push(ResultPosition { point, index, order });
        self.suspect += usize::from(verdict.status == Judgement::Suspect);
        self.steered += usize::from(verdict.status == Judgement::Steered);
        self.failed += usize::from(verdict.status == Judgement::Failed);
        self.lost = self.lost.saturating_add(ledger.lost);
        if verdict.status.counts() {
            let LedgerFields { lost, failed, unsent } = ledger;
            let all = lost.saturating_add(failed).saturating_add(unsent);
            self.undelivered = self.undelivered.saturating_add(all);
            let delivery = latency.and_then(|latency| latency.delivery);
            self.p50.add(point, delivery.as_ref().and_then(|delivery| delivery.p50));
            self.p99.add(point, delivery.as_ref().and_then(|delivery| delivery.p99));
            self.data_rate.add(point, throughput.map(|throughput| throughput.bytes_per_second));
        }
    }

    fn add_failed_try(&mut self, point: usize, repetition: RepetitionFields) {
        let RepetitionFields { index, order, .. } = repetition;
        self.failed_tries.push(ResultPosition { point, index, order });
    }

    fn add_point(&mut self, _: usize, fields: Map<String, Value>) {
        self.points.push(fields);
    }

    fn add_journaled(&mut self, point: usize, repetition: RepetitionFields, is_failed_try: bool) {
        let add = if is_failed_try { Self::add_failed_try } else { Self::add_repetition };
        add(self, point, repetition);
    }
}

impl OverviewResults {
    /// Builds the overview of a record with the keys `head` beside its points.
    fn into_overview(self, head: Map<String, Value>) -> Result<RecordOverview, String> {
        let not = |error: serde_json::Error| format!("is not a record: {error}");
        let fields: RecordFields = serde_json::from_value(Value::Object(head)).map_err(not)?;
        let mut backends: Vec<String> = Vec::new();
        let (mut users, mut payloads) = (Vec::new(), Vec::new());
        let points = self.points.len();
        for point in self.points {
            let point: PointFields = serde_json::from_value(Value::Object(point)).map_err(not)?;
            let backend = point.backend.to_string();
            if !backends.contains(&backend) {
                backends.push(backend);
            }
            users.extend(point.workload.as_ref().map(|workload| workload.users));
            payloads.extend(point.workload.map(|workload| workload.payload.0));
        }
        let seconds = self.ended.map(|end| end.duration_since(fields.started).as_secs_f64());
        let plan = fields.plan;
        let shape = PlanShape {
            schema: fields.schema,
            points: plan.points.len(),
            repetitions: plan.repetitions,
            schedule: &plan.schedule,
            is_search: plan.capacity.is_some(),
            status: fields.status,
        };
        let mut found = Contradictions::default();
        check_shape(&shape, points, &self.repetitions, &self.failed_tries, &mut found);
        if let Some(first) = found.into_sentences().first() {
            return Err(format!("contradicts itself: {first}"));
        }
        Ok(RecordOverview {
            started: fields.started,
            status: fields.status,
            backends,
            hub: fields.provenance.hub.model.or(fields.provenance.hub.cpu),
            points,
            done: self.repetitions.len(),
            planned: plan.capacity.is_none().then_some(plan.schedule.len()),
            suspect: self.suspect,
            steered: self.steered,
            failed: self.failed,
            lost: self.lost,
            undelivered: self.undelivered,
            users: ends(users.into_iter(), u32::min, u32::max),
            payload: ends(payloads.into_iter(), u64::min, u64::max),
            figures: PointRanges {
                p50: self.p50.range(),
                p99: self.p99.range(),
                data_rate: self.data_rate.range(),
            },
            seconds: seconds.filter(|seconds| *seconds >= 0.0),
            profile: plan.profile,
        })
    }
}

/// Reads the overview of the record at `path`, or the reason why there is none.
pub fn read_overview(path: &Path) -> Result<RecordOverview, String> {
    let mut results = OverviewResults::default();
    match stream::read_record(path, &mut results) {
        Ok(head) => results.into_overview(head),
        Err(StoreError::NewerSchema { .. }) => Err("was written by a newer hubmark".to_owned()),
        Err(StoreError::NotARecord { reason, .. }) => Err(format!("is not a record: {reason}")),
        Err(StoreError::Read { source, .. }) => Err(format!("cannot be read: {source}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn figures_are_the_smallest_and_largest_mean_of_a_point() {
        let repetition = |index: u32, order: u32, status: &str, p50: f64| {
            serde_json::json!({
                "index": index, "order": order, "verdict": { "status": status },
                "started": format!("2026-11-24T19:{:02}:00Z", 15 + order),
                "seconds": 60.0, "drain_seconds": 1.5,
                "ledger": { "lost": 0, "failed": 0, "unsent": 0 },
                "latency": { "delivery": { "p50": p50, "p99": null } }, "throughput": null,
            })
        };
        let point = |users: u32, repetitions: Vec<Value>| {
            serde_json::json!({
                "backend": { "name": "kafka", "version": "4.4.0" },
                "workload": { "kind": "latency", "users": users, "payload": 100 },
                "repetitions": repetitions,
            })
        };
        let schedule: Vec<_> = [(0, 0), (1, 0), (0, 1), (1, 1)]
            .map(|(point, repetition)| serde_json::json!({ "point": point, "repetition": repetition }))
            .to_vec();
        let record = serde_json::json!({
            "schema": 1, "hubmark": { "version": "0" }, "run": "r", "status": "complete",
            "started": "2026-11-24T19:14:00Z",
            "plan": {
                "profile": "mine", "points": [{}, {}], "repetitions": 2, "schedule": schedule,
            },
            "provenance": { "hub": { "model": null } },
            "points": [
                point(100, vec![repetition(0, 0, "valid", 1_000.0), repetition(1, 2, "suspect", 3_000.0)]),
                point(400, vec![repetition(0, 1, "valid", 5_000.0), repetition(1, 3, "failed", 90_000.0)]),
            ],
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, record.to_string()).unwrap();
        let overview = read_overview(&path).unwrap();
        assert_eq!(overview.figures.p50, Some((2_000.0, 5_000.0)), "without the failed repetition");
        assert_eq!((overview.figures.p99, overview.figures.data_rate), (None, None));
        assert_eq!((overview.users, overview.payload), (Some((100, 400)), Some((100, 100))));
        assert_eq!(overview.seconds, Some(4.0 * 60.0 + 61.5));
    }
}
