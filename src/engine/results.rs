//! What a repetition measured, put into its record.

use super::{
    fitness::Build,
    observer::spreads,
    play::Span,
    recorder::Recorder,
    stage::{DiskMark, Stage},
    thresholds::{self, Outcome},
    verdict::{self, Evidence},
};
use crate::{
    clock::Micros,
    measure::{Durations, Ledger, Spread},
    plan::{Point, Scenario, Threshold, Workload},
    record::{BlockUse, Repetition, histogram},
    units::Bytes,
};

/// What a repetition is judged by, beside its measured time.
pub struct Circumstances<'a> {
    /// What was played.
    pub point: &'a Point,
    /// Who worked while it was measured.
    pub scenario: Scenario,
    /// Where outcomes were recorded.
    pub recorder: &'a Recorder,
    /// What the hub is.
    pub build: &'a Build,
    /// Other runs that were seen on the hub when the load began or when it was over.
    pub others: &'a [String],
    /// Limits on the results.
    pub thresholds: &'a [Threshold],
    /// Objectives of a search.
    pub objectives: &'a [Threshold],
    /// This machine's cores, and whether the hub is this machine.
    pub machine: (f64, bool),
    /// Snapshots that a slow front end missed.
    pub dropped_snapshots: u64,
}

/// Resources over the measured time.
pub fn resources(repetition: &mut Repetition, stage: &Stage<'_>, baseline: Micros, span: &Span) {
    let (before, after) = (&span.before, &span.after);
    for server in &stage.servers.running {
        let role = &server.role;
        // What nobody can read is missing, not doubtful.
        if !stage.hub.measures(server) {
            continue;
        }
        let start = (before.at, before.readings.get(role).copied());
        let end = (after.at, after.readings.get(role).copied());
        let mut resources = stage.sampler.resources(role, baseline, start, end);
        if let Some((then, now)) = span.disks.get(role) {
            disk(&mut resources.block, then, now);
        }
        repetition.resources.insert(role.clone(), resources);
    }
    repetition.samples = stage.sampler.samples(before.at, after.at, before.at);
    repetition.samples.retain(|role, _| repetition.resources.contains_key(role));
    repetition.hub = stage.watch.vitals(stage.clock, stage.sampler, before.at, Some(after.at));
}

fn disk(block: &mut BlockUse, then: &DiskMark, now: &DiskMark) {
    let pair = now.size.zip(then.size);
    block.data_growth = pair.map(|(now, then)| now.0.cast_signed() - then.0.cast_signed());
    let pair = now.written.zip(then.written);
    block.host_written = pair.and_then(|(now, then)| now.0.checked_sub(then.0)).map(Bytes);
}

/// Results, verdict and thresholds of a repetition that was measured to its end.
pub fn finish(repetition: &mut Repetition, of: &Circumstances<'_>, span: &Span) {
    measured(repetition, of);
    repetition.ledger.stored = span.stored;
    repetition.seconds = span.after.at.since(span.before.at) as f64 / 1e6;
    repetition.server_age_seconds = Some(span.server_age);
    repetition.throughput = span.throughput;
    let mut durations = spreads(&of.recorder.durations());
    if of.scenario != Scenario::Both {
        durations.delivery = Spread::default();
        durations.response = Spread::default();
    }
    repetition.generator = span.generator;
    repetition.generator.lag_p99 = durations.lag.p99;
    repetition.generator.dropped_snapshots = of.dropped_snapshots;
    let (cores, shared) = of.machine;
    repetition.verdict = verdict::judge(&Evidence {
        point: of.point,
        ledger: &repetition.ledger,
        settled: true,
        durations: &durations,
        generator: &repetition.generator,
        cores,
        shared,
        samples: &repetition.samples,
        seconds: repetition.seconds,
        hub: &repetition.hub,
        build: of.build,
        reasons: &of.recorder.reasons(),
        faults: &repetition.faults,
        others: of.others,
    });
    let outcome = Outcome {
        durations: &durations,
        ledger: &repetition.ledger,
        resources: &repetition.resources,
        hub: &repetition.hub,
    };
    let (crossed, missed) = (
        thresholds::crossed(of.thresholds, &outcome),
        thresholds::crossed(of.objectives, &outcome),
    );
    (repetition.crossed, repetition.missed) = (crossed, missed);
}

/// What a repetition that ended early had measured until then.
pub fn interrupted(repetition: &mut Repetition, of: &Circumstances<'_>) {
    measured(repetition, of);
    repetition.seconds = repetition.timeline.len() as f64;
}

/// Ledger and durations, as far as they go.
fn measured(repetition: &mut Repetition, of: &Circumstances<'_>) {
    repetition.ledger = Ledger { stored: repetition.ledger.stored, ..of.recorder.ledger() };
    let durations = of.recorder.durations();
    let paced = matches!(of.point.workload, Workload::Latency(_));
    repetition.latency = Durations {
        lag: histogram::latency(&durations.lag),
        ack: histogram::latency(&durations.ack).filter(|_| of.scenario != Scenario::Consumer),
        // What waited on the server for its consumer says nothing about the way.
        delivery: histogram::latency(&durations.delivery).filter(|_| of.scenario == Scenario::Both),
        response: histogram::latency(&durations.response).filter(|_| paced),
    };
}
