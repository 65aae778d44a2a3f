//! Results: writes the measurements of a repetition into its record.

use super::load_phase::Measurement;
use crate::{
    clock::Micros,
    engine::{
        judge::{
            host_health::HostHealth,
            host_spec::HostSpec,
            lateness,
            standstill_cause::{self, CauseEvidence},
            thresholds::{self, ThresholdInputs},
            verdict::{self, ClientMachine, Evidence},
        },
        measure::{observer::summarize, recorder::Recorder, retransmissions::Retransmissions},
        repetition_environment::{DiskUsage, RepetitionEnvironment},
    },
    measure::{Durations, LatencySummary, Ledger},
    plan::{Point, Scenario, Threshold, Workload},
    record::{BlockUse, Repetition, Resources, THROUGHPUT, TimedNote, histogram},
    units::Bytes,
};

/// Inputs of a repetition's results and verdict, beside the measured time.
pub struct ResultContext<'a> {
    /// The executed point.
    pub point: &'a Point,
    /// Sides that worked during the measurement.
    pub scenario: Scenario,
    /// Recorder of all outcomes.
    pub recorder: &'a Recorder,
    /// Properties of the hub's host.
    pub host_spec: &'a HostSpec,
    /// Other runs found on the hub at the start or the end of the load.
    pub other_runs: &'a [String],
    /// Thresholds on the results.
    pub thresholds: &'a [Threshold],
    /// Objectives of a capacity search.
    pub objectives: &'a [Threshold],
    /// This machine.
    pub machine: ClientMachine<'a>,
    /// Number of snapshots that a slow front end missed.
    pub dropped_snapshots: u64,
}

/// Adds the servers' and the hub's resources over the load, without the drain.
pub fn add_resources(
    repetition: &mut Repetition,
    run: &RepetitionEnvironment<'_>,
    baseline: Micros,
    measurement: &Measurement,
) {
    let (before, after) = (&measurement.before, &measurement.after);
    let host_written = run.host.disk_written_between(run.clock, measurement.start, after.at);
    for server in &run.servers.running {
        let role = &server.role;
        // Resources that cannot be read are missing, not doubtful.
        if !run.hub.can_measure(server) {
            continue;
        }
        // Since the counters were read, shortly before the load, the servers were idle.
        let start = (measurement.start, before.readings.get(role).copied());
        let end = (after.at, after.readings.get(role).copied());
        let mut resources = run.sampler.resources(role, baseline, start, end);
        if let Some((then, now)) = measurement.disks.get(role) {
            add_disk_use(&mut resources.block, then, now);
        }
        resources.block.host_written = resources.block.host_written.or(host_written);
        repetition.resources.insert(role.clone(), resources);
    }
    remove_foreign_growth(repetition);
    let start = measurement.start;
    repetition.samples = run.sampler.samples(start, after.at, start);
    repetition.samples.retain(|role, _| repetition.resources.contains_key(role));
    repetition.hub = run.host.metrics_between(run.clock, run.sampler, start, after.at);
}

/// Removes a growth of data that is not the load's, and notes why.
fn remove_foreign_growth(repetition: &mut Repetition) {
    let foreign = |(role, server): (&String, &Resources)| {
        let shrunk = server.block.data_growth.filter(|growth| *growth < 0)?;
        repetition.load_data_growth(server).is_none().then(|| (role.clone(), shrunk))
    };
    let found: Vec<_> = repetition.resources.iter().filter_map(foreign).collect();
    for (role, shrunk) in found {
        if let Some(server) = repetition.resources.get_mut(&role) {
            server.block.data_growth = None;
        }
        let text = format!(
            "growth of {role}'s data not known: its folder shrank by {} in the load, because the server \
             removed the data of its warm-up meanwhile",
            Bytes(shrunk.unsigned_abs())
        );
        repetition.events.push(TimedNote { second: 0.0, text });
    }
}

fn add_disk_use(block: &mut BlockUse, then: &DiskUsage, now: &DiskUsage) {
    let pair = now.size.zip(then.size);
    block.data_growth = pair.map(|(now, then)| now.0.cast_signed() - then.0.cast_signed());
    let pair = now.written.zip(then.written);
    block.host_written = pair.and_then(|(now, then)| now.0.checked_sub(then.0)).map(Bytes);
}

/// Adds results, verdict and thresholds of a complete repetition.
pub fn add_results(
    repetition: &mut Repetition,
    context: &ResultContext<'_>,
    measurement: &Measurement,
) {
    add_ledger_and_latency(repetition, context);
    repetition.ledger.stored = measurement.stored;
    let seconds = |from: Micros, to: Micros| to.since(from) as f64 / 1e6;
    repetition.seconds = seconds(measurement.start, measurement.load_end);
    repetition.drain_seconds = Some(seconds(measurement.load_end, measurement.drain_end));
    repetition.server_age_seconds = Some(measurement.server_age);
    match &measurement.throughput {
        Some(Ok(throughput)) => repetition.throughput = Some(*throughput),
        Some(Err(reason)) => {
            repetition.missing.insert(THROUGHPUT.to_owned(), reason.clone());
        }
        None => {}
    }
    let distributions = context.recorder.durations();
    let mut durations = summarize(&distributions);
    if context.scenario != Scenario::Both {
        durations.delivery = LatencySummary::default();
        durations.response = LatencySummary::default();
    }
    repetition.generator = measurement.generator.clone();
    repetition.generator.lag_p99 = durations.lag.p99;
    repetition.generator.dropped_snapshots = context.dropped_snapshots;
    let lag_ranks = lateness::lag_ranks(&context.recorder.durations());
    let machine = context.machine;
    repetition.verdict = verdict::judge(&Evidence {
        point: context.point,
        ledger: &repetition.ledger,
        drain_over: true,
        durations: &durations,
        lag_ranks: &lag_ranks,
        self_test: machine.self_test,
        generator: &repetition.generator,
        client_cores: machine.cores,
        hub_is_local: machine.is_hub,
        samples: &repetition.samples,
        seconds: repetition.seconds,
        hub: &repetition.hub,
        hub_health: &HostHealth::of(&repetition.hub, context.host_spec),
        host_spec: context.host_spec,
        reasons: &context.recorder.reasons(),
        faults: &repetition.faults,
        steered: &repetition.steered,
        other_runs: context.other_runs,
    });
    let outcome = ThresholdInputs {
        durations: &distributions,
        expected: expected_samples(context),
        ledger: &repetition.ledger,
        resources: &repetition.resources,
        hub: &repetition.hub,
    };
    let (crossed, missed) = (
        thresholds::crossed_thresholds(context.thresholds, &outcome),
        thresholds::crossed_thresholds(context.objectives, &outcome),
    );
    (repetition.crossed, repetition.missed) = (crossed, missed);
}

/// Adds the causes of standstills, by what was measured meanwhile.
pub fn add_causes(
    repetition: &mut Repetition,
    recorder: &Recorder,
    retransmissions: &Retransmissions,
) {
    let at = |seconds: f64| Micros(recorder.origin().0 + (seconds * 1e6) as i64);
    for one in &mut repetition.standstills {
        let (from, to) = (at(one.from), at(one.to));
        let passes = recorder.client_watch.pass_seconds(recorder.clock(), from, to);
        let retransmitting = retransmissions.between(from, to);
        let evidence = CauseEvidence { hub: &repetition.hub, passes: &passes, retransmitting };
        one.cause = standstill_cause::cause_of(one, &evidence);
    }
}

/// Returns the number of messages that should have each duration; `None` for one that is not measured.
fn expected_samples(context: &ResultContext<'_>) -> Durations<Option<u64>> {
    let offered = Some(context.recorder.offered());
    let paced = matches!(context.point.workload, Workload::Latency(_));
    let (both, consumer) =
        (context.scenario == Scenario::Both, context.scenario == Scenario::Consumer);
    Durations {
        lag: offered.filter(|_| paced),
        ack: offered.filter(|_| !consumer),
        delivery: offered.filter(|_| both),
        response: offered.filter(|_| both),
    }
}

/// Adds the measurements of a repetition that ended early.
pub fn add_partial_results(repetition: &mut Repetition, context: &ResultContext<'_>) {
    add_ledger_and_latency(repetition, context);
    let recorder = context.recorder;
    if recorder.is_load_begun() {
        let elapsed = recorder.clock().now().since(recorder.origin());
        repetition.seconds = elapsed.max(0) as f64 / 1e6;
    }
}

/// Adds ledger and durations as far as they were measured.
fn add_ledger_and_latency(repetition: &mut Repetition, context: &ResultContext<'_>) {
    repetition.ledger = Ledger { stored: repetition.ledger.stored, ..context.recorder.ledger() };
    let durations = context.recorder.durations();
    let paced = matches!(context.point.workload, Workload::Latency(_));
    repetition.latency = Durations {
        lag: histogram::encode_latency(&durations.lag),
        ack: histogram::encode_latency(&durations.ack)
            .filter(|_| context.scenario != Scenario::Consumer),
        // A message that waited on the server for its consumer has no meaningful delivery time.
        delivery: histogram::encode_latency(&durations.delivery)
            .filter(|_| context.scenario == Scenario::Both),
        response: histogram::encode_latency(&durations.response).filter(|_| paced),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::ScheduledRepetition,
        record::{Warmup, summary::summarise},
    };

    #[test]
    fn a_folder_that_shrank_after_a_server_warm_up_has_no_growth_in_the_means() {
        let repetition = |growth, server_seconds| {
            let block = BlockUse { data_growth: Some(growth), ..BlockUse::default() };
            let server = Resources { block, ..Resources::default() };
            Repetition {
                warmup: Warmup { server_seconds, ..Warmup::default() },
                resources: [("kafka".to_owned(), server)].into(),
                ..Repetition::unmeasured(
                    ScheduledRepetition { point: 0, repetition: 0 },
                    0,
                    jiff::Timestamp::UNIX_EPOCH,
                )
            }
        };
        let growth = |of: &Repetition| of.resources["kafka"].block.data_growth;
        let mut purged = repetition(-5_000_000, 20.0);
        // Also in a record of an older version, which holds the negative growth.
        let summary = summarise(&[purged.clone(), repetition(1_000, 20.0)]).unwrap();
        let mean = &summary.over_repetitions["kafka.data_growth_bytes"];
        assert_eq!((mean.n, mean.mean), (1, 1_000.0));
        remove_foreign_growth(&mut purged);
        assert_eq!(growth(&purged), None);
        assert!(
            purged.events[0].text.contains("kafka's data")
                && purged.events[0].text.contains("5 MB")
        );
        let mut cold = repetition(-5_000_000, 0.0);
        remove_foreign_growth(&mut cold);
        assert_eq!(growth(&cold), Some(-5_000_000), "without a warm-up it is the load's");
    }
}
