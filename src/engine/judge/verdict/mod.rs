//! Verdict: judges whether a repetition's numbers can be trusted. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    host_health::HostHealth,
    host_spec::HostSpec,
    hot_threads, hub_readings,
    lateness::{self, LagRank},
    planned_faults, stolen,
};
use crate::{
    format::{core_noun, count_noun, was_were},
    measure::{
        Durations, GeneratorHealth, HostMetrics, Judgement, LatencySummary, Ledger,
        PLANNED_FAULT_CODE, Reason, ResourceSample, STEERED_CODE, SelfTest, Verdict,
    },
    plan::{Point, Workload},
    record::{FaultResult, SteeringAction, steering::describe_actions},
};

/// Maximum share of the machine's cores that the client may use without being saturated.
const MAX_CLIENT_CPU_SHARE: f64 = 0.9;
/// Maximum busy share of the client's machine; above it, processes wait for each other.
const MAX_MACHINE_BUSY_SHARE: f64 = 0.95;
/// Minimum share of the load's seconds with a resource sample.
const MIN_SAMPLES_SHARE: f64 = 0.8;

/// Inputs of a verdict.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The executed point.
    pub point: &'a Point,
    /// The ledger; during the load, messages on their way do not count against it.
    pub ledger: &'a Ledger,
    /// Whether the drain is over, so that messages that have not arrived are lost.
    pub drain_over: bool,
    /// The four durations.
    pub durations: &'a Durations<LatencySummary>,
    /// The lag beside the response, at every rank.
    pub lag_ranks: &'a [LagRank],
    /// What the client's machine can do without a load, if it was tested.
    pub self_test: Option<&'a SelfTest>,
    /// Health of the load generator over the load.
    pub generator: &'a GeneratorHealth,
    /// Number of cores of this machine.
    pub client_cores: f64,
    /// Whether the hub is this machine.
    pub hub_is_local: bool,
    /// Resource samples of each server over the load.
    pub samples: &'a BTreeMap<String, Vec<ResourceSample>>,
    /// Length of the load in seconds.
    pub seconds: f64,
    /// Metrics of the hub's host, each second.
    pub hub: &'a [HostMetrics],
    /// Health of the hub's host over these seconds.
    pub hub_health: &'a HostHealth,
    /// Properties of the hub's host.
    pub host_spec: &'a HostSpec,
    /// Reasons for which messages were refused or given up, with the number of messages.
    pub reasons: &'a BTreeMap<String, u64>,
    /// Results of the planned faults.
    pub faults: &'a [FaultResult],
    /// Changes of the load by the operator.
    pub steered: &'a [SteeringAction],
    /// Other runs of this program found on the hub.
    pub other_runs: &'a [String],
}

/// The machine of the client.
#[derive(Debug, Clone, Copy)]
pub struct ClientMachine<'a> {
    /// Number of cores.
    pub cores: f64,
    /// Whether it is also the hub.
    pub is_hub: bool,
    /// What it can do without a load, if it was tested.
    pub self_test: Option<&'a SelfTest>,
}

/// Seconds without readings around a fault that ends a server, beside the time of its absence.
const RESTART_SAMPLE_GAP_SECONDS: f64 = 4.0;

/// Returns the verdict on `evidence`.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut reasons = Vec::new();
    let mut report = |code: &str, text: String| reasons.push(Reason { code: code.into(), text });
    let steered = describe_actions(evidence.steered);
    if let Some(actions) = &steered {
        report(STEERED_CODE, format!("the operator changed the load: {actions}"));
    }
    // They come first: later reasons may be their consequences.
    for Reason { code, text } in planned_faults::fault_reasons(evidence.faults) {
        report(&code, text);
    }
    check_generator(evidence, &mut report);
    check_messages(evidence, &mut report);
    for Reason { code, text } in evidence.hub_health.problems() {
        report(&code, text);
    }
    // A hub that is this machine has lost the client's own time.
    let stolen = evidence.hub_health.stolen_problem();
    if let Some(Reason { code, text }) = stolen.filter(|_| !evidence.hub_is_local) {
        report(&code, text);
    }
    check_other_runs(evidence, &mut report);
    if evidence.drain_over {
        check_ledger(evidence, &mut report);
        check_samples(evidence, &mut report);
        let missing =
            hub_readings::missing_readings(evidence.hub, evidence.host_spec, evidence.seconds);
        for Reason { code, text } in missing {
            report(&code, text);
        }
    }
    let explained = reasons.iter().all(|reason| reason.code == PLANNED_FAULT_CODE);
    let status = match (steered, explained) {
        (Some(_), _) => Judgement::Steered,
        (None, true) => Judgement::Valid,
        (None, false) => Judgement::Suspect,
    };
    Verdict { status, reasons }
}

fn check_generator(evidence: &Evidence<'_>, report: &mut dyn FnMut(&str, String)) {
    let (durations, generator) = (evidence.durations, evidence.generator);
    let mut problems = lateness::lag_problems(
        evidence.lag_ranks,
        generator,
        evidence.self_test,
        evidence.client_cores,
    );
    // The throughput workload is meant to use all of the machine.
    let paced = matches!(evidence.point.workload, Workload::Latency(_));
    if paced {
        problems.extend(hot_threads::thread_problems(generator, durations));
    }
    let stolen = stolen::client_problem(generator);
    let known = |found: &Reason| problems.iter().any(|problem| problem.code == found.code);
    if let Some(found) = stolen.filter(|found| !known(found)) {
        problems.push(found);
    }
    for Reason { code, text } in problems {
        report(&code, text);
    }
    let used = generator.cpu_cores;
    if paced && used > MAX_CLIENT_CPU_SHARE * evidence.client_cores {
        report(
            "client-saturated",
            format!(
                "hubmark used {used:.2} of {:.0} {}",
                evidence.client_cores,
                core_noun(evidence.client_cores)
            ),
        );
    }
    if let Some(busy) = generator.machine_busy
        && paced
        && busy > MAX_MACHINE_BUSY_SHARE
    {
        let who = if evidence.hub_is_local {
            "this machine, which is also the hub,"
        } else {
            "this machine"
        };
        report("machine-saturated", format!("{who} was {:.0} % busy", busy * 100.0));
    }
    let negative =
        durations.delivery.negative + durations.ack.negative + durations.response.negative;
    if negative > 0 {
        let all = [durations.delivery, durations.ack, durations.response];
        let lowest = all.iter().filter_map(|of| of.min).fold(0.0, f64::min);
        report(
            "negative-durations",
            format!(
                "{} below zero, down to {:.3} ms",
                count_noun(negative, "duration"),
                lowest / 1e3
            ),
        );
    }
}

/// Placeholder of `was` or `were` in a phrase about a number of messages.
const WERE: &str = "WERE";

fn check_messages(evidence: &Evidence<'_>, report: &mut dyn FnMut(&str, String)) {
    let ledger = evidence.ledger;
    // `what` begins with what happened to the messages; WERE in it agrees with their number.
    let mut count = |code: &str, number: u64, what: &str| {
        if number > 0 {
            let what = what.replace(WERE, was_were(number));
            report(code, format!("{} {what}", count_noun(number, "message")));
        }
    };
    if evidence.drain_over {
        let lost = "WERE acknowledged and had not arrived when the drain was over";
        // A slow server has not lost messages: the text adds whether the server held them.
        let lost = match ledger.stored.zip(ledger.acked) {
            Some((stored, acked)) if stored >= acked => {
                format!("{lost}; the server had acknowledged {acked} and held {stored}")
            }
            _ => lost.to_owned(),
        };
        count("acknowledged-then-lost", ledger.acked_then_lost, &lost);
        count(
            "messages-lost",
            ledger.lost - ledger.acked_then_lost.min(ledger.lost),
            if ledger.acked.is_some() {
                "WERE neither acknowledged nor had arrived when the drain was over"
            } else {
                "had not arrived when the drain was over; no acknowledgement was asked for"
            },
        );
        count("messages-unsent", ledger.unsent, "WERE never sent");
        count("messages-late", ledger.late, "arrived after the drain");
    }
    count(
        "messages-failed",
        ledger.failed,
        "WERE refused by the server or never left this machine",
    );
    count("messages-corrupt", ledger.corrupt, "arrived with a wrong stamp or wrong bytes");
    count("messages-duplicate", ledger.duplicate, "arrived more than once");
    if !evidence.reasons.is_empty() {
        let most: Vec<_> = evidence
            .reasons
            .iter()
            .map(|(reason, count)| format!("{reason} (× {count})"))
            .collect();
        report("send-errors", most.join("; "));
    }
}

fn check_other_runs(evidence: &Evidence<'_>, report: &mut dyn FnMut(&str, String)) {
    let mut runs = evidence.other_runs.to_vec();
    runs.sort();
    runs.dedup();
    if !runs.is_empty() {
        report("other-run", format!("another run shared the hub: {}", runs.join(", ")));
    }
}

fn check_ledger(evidence: &Evidence<'_>, report: &mut dyn FnMut(&str, String)) {
    for contradiction in evidence.ledger.contradictions() {
        report("ledger-contradiction", contradiction);
    }
    let Ledger { stored, acked, delivered, late, .. } = *evidence.ledger;
    if let Some(stored) = stored
        && stored < acked.unwrap_or(0).max(delivered + late)
    {
        let arrived = if late > 0 {
            format!(
                "{} arrived ({late} of them after the drain)",
                count_noun(delivered + late, "message")
            )
        } else {
            format!("{} arrived", count_noun(delivered, "message"))
        };
        let acked = acked.map(|acked| format!("the server acknowledged {acked}, "));
        let acked = acked.unwrap_or_default();
        let text = format!("{acked}{arrived}, and the server holds {stored}");
        report("stored-differs", text);
    }
}

fn check_samples(evidence: &Evidence<'_>, report: &mut dyn FnMut(&str, String)) {
    // A load of a few sampling intervals may miss one sample because of its start time alone.
    let expected = (evidence.seconds.floor() - 1.0) * MIN_SAMPLES_SHARE;
    for (role, samples) in evidence.samples {
        let faults = evidence.faults.iter().filter(|fault| fault.server == *role);
        let away: f64 = faults
            .filter(|fault| fault.planned.kind.stops_server())
            .map(|fault| fault.downtime_seconds() + RESTART_SAMPLE_GAP_SECONDS)
            .sum();
        if evidence.seconds >= 4.0 && (samples.len() as f64) < expected - away {
            report(
                "samples-missing",
                format!("{role}: {} resource samples in {:.0} s", samples.len(), evidence.seconds),
            );
        }
    }
}
