//! Whether a repetition's numbers can be trusted: pure judgement over what was measured.

use std::collections::BTreeMap;

use super::fitness::{self, Build};
use crate::{
    measure::{
        Durations, Generator, Judgement, Ledger, Load, PLANNED_FAULT, Reason, Spread, Verdict,
        Vitals,
    },
    plan::{Point, Workload},
    record::FaultResult,
};

/// Lag below which the generator is never blamed, in microseconds: the kernel's own noise.
const LAG_FLOOR: f64 = 1_000.0;
/// Share of the measured response's p99 above which the generator's own p99 lag spoils it.
const LAG_SHARE: f64 = 0.1;
/// Share of the machine's cores above which a client has nothing left to answer with.
const CLIENT_BUSY: f64 = 0.9;
/// Busy share of a machine that hub and client share, above which they wait for each other.
const MACHINE_BUSY: f64 = 0.95;
/// Share of a load's seconds that must have a sample.
const SAMPLES_SHARE: f64 = 0.8;

/// What a judgement is made of.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What was played.
    pub point: &'a Point,
    /// The ledger; while the load goes on, what is still on its way is not held against it.
    pub ledger: &'a Ledger,
    /// Whether the drain is over, so that what did not arrive is lost.
    pub settled: bool,
    /// The four durations.
    pub durations: &'a Durations<Spread>,
    /// The generator's own health over the load.
    pub generator: &'a Generator,
    /// This machine's cores.
    pub cores: f64,
    /// Whether the hub is this machine.
    pub shared: bool,
    /// Samples of each server over the load.
    pub samples: &'a BTreeMap<String, Vec<Load>>,
    /// Length of the load in seconds.
    pub seconds: f64,
    /// The hub itself, second by second.
    pub hub: &'a [Vitals],
    /// What the hub is.
    pub build: &'a Build,
    /// Why messages were refused or given up, with counts.
    pub reasons: &'a BTreeMap<String, u64>,
    /// What was done to servers by plan.
    pub faults: &'a [FaultResult],
    /// Other runs of this program that were seen on the hub.
    pub others: &'a [String],
}

/// Readings that a server misses around a fault by which it ends, in seconds.
const SAMPLES_SLACK: f64 = 4.0;

/// Judges.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut reasons = Vec::new();
    let mut doubt = |code: &str, text: String| reasons.push(Reason { code: code.into(), text });
    faults(evidence, &mut doubt);
    generator(evidence, &mut doubt);
    messages(evidence, &mut doubt);
    for Reason { code, text } in fitness::doubts(evidence.hub, evidence.build) {
        doubt(&code, text);
    }
    others(evidence, &mut doubt);
    if evidence.settled {
        books(evidence, &mut doubt);
        samples(evidence, &mut doubt);
    }
    let explained = reasons.iter().all(|reason| reason.code == PLANNED_FAULT);
    let status = if explained { Judgement::Valid } else { Judgement::Suspect };
    Verdict { status, reasons }
}

/// First of all: what follows may be its consequence.
fn faults(evidence: &Evidence<'_>, doubt: &mut dyn FnMut(&str, String)) {
    for fault in evidence.faults {
        let as_planned = fault.began.is_some() && fault.error.is_none();
        doubt(if as_planned { PLANNED_FAULT } else { "fault-not-as-planned" }, fault.sentence());
    }
}

fn generator(evidence: &Evidence<'_>, doubt: &mut dyn FnMut(&str, String)) {
    let durations = evidence.durations;
    if let (Some(lag), Some(response)) =
        (durations.lag.p99, durations.response.p99.or(durations.ack.p99))
        && lag > LAG_FLOOR
        && lag > LAG_SHARE * response
    {
        doubt(
            "client-saturated",
            format!(
                "hubmark itself was late: lag p99 {:.2} ms of a response p99 of {:.2} ms",
                lag / 1e3,
                response / 1e3
            ),
        );
    }
    let used = evidence.generator.cpu_cores;
    // The throughput workload is meant to use all that there is.
    let paced = matches!(evidence.point.workload, Workload::Latency(_));
    if paced && used > CLIENT_BUSY * evidence.cores {
        doubt("client-saturated", format!("hubmark used {used:.2} of {:.0} cores", evidence.cores));
    }
    if let Some(busy) = evidence.generator.machine_busy
        && paced
        && busy > MACHINE_BUSY
    {
        let who =
            if evidence.shared { "this machine, which is also the hub," } else { "this machine" };
        doubt("machine-saturated", format!("{who} was {:.0} % busy", busy * 100.0));
    }
    let negative =
        durations.delivery.negative + durations.ack.negative + durations.response.negative;
    if negative > 0 {
        doubt("negative-durations", format!("{negative} durations are below zero"));
    }
}

fn messages(evidence: &Evidence<'_>, doubt: &mut dyn FnMut(&str, String)) {
    let ledger = evidence.ledger;
    let mut count = |code: &str, number: u64, what: &str| {
        if number > 0 {
            doubt(code, format!("{number} messages {what}"));
        }
    };
    if evidence.settled {
        let lost = "were acknowledged and had not arrived when the drain was over";
        // Slow is not forgetful: whether the server held them is told beside it.
        let lost = match ledger.stored {
            Some(stored) if stored >= ledger.acked => {
                format!("{lost}; the server had acknowledged {} and held {stored}", ledger.acked)
            }
            _ => lost.to_owned(),
        };
        count("acknowledged-then-lost", ledger.acked_then_lost, &lost);
        count(
            "messages-lost",
            ledger.lost - ledger.acked_then_lost.min(ledger.lost),
            "were neither acknowledged nor had arrived when the drain was over",
        );
        count("messages-unsent", ledger.unsent, "were never sent");
        count("messages-late", ledger.late, "arrived after the drain");
    }
    count(
        "messages-failed",
        ledger.failed,
        "were refused by the server or never left this machine",
    );
    count("messages-corrupt", ledger.corrupt, "arrived with a wrong stamp or wrong bytes");
    count("messages-duplicate", ledger.duplicate, "arrived more than once");
    if !evidence.reasons.is_empty() {
        let most: Vec<_> = evidence
            .reasons
            .iter()
            .map(|(reason, count)| format!("{reason} (× {count})"))
            .collect();
        doubt("send-errors", most.join("; "));
    }
}

fn others(evidence: &Evidence<'_>, doubt: &mut dyn FnMut(&str, String)) {
    let mut seen = evidence.others.to_vec();
    seen.sort();
    seen.dedup();
    if !seen.is_empty() {
        doubt("other-run", format!("it shared the hub with another run: {}", seen.join(", ")));
    }
}

fn books(evidence: &Evidence<'_>, doubt: &mut dyn FnMut(&str, String)) {
    for contradiction in evidence.ledger.contradictions() {
        doubt("ledger-contradiction", contradiction);
    }
    if let Some(stored) = evidence.ledger.stored
        && stored < evidence.ledger.acked
    {
        doubt(
            "stored-differs",
            format!(
                "the server acknowledged {} messages and holds {stored}",
                evidence.ledger.acked
            ),
        );
    }
}

fn samples(evidence: &Evidence<'_>, doubt: &mut dyn FnMut(&str, String)) {
    // A load shorter than a few samples' distance may miss one by its start alone.
    let expected = (evidence.seconds.floor() - 1.0) * SAMPLES_SHARE;
    for (role, samples) in evidence.samples {
        let struck = evidence.faults.iter().filter(|fault| fault.server == *role);
        let away: f64 = struck
            .filter(|fault| fault.planned.kind.ends_the_server())
            .map(|fault| fault.away() + SAMPLES_SLACK)
            .sum();
        if evidence.seconds >= 4.0 && (samples.len() as f64) < expected - away {
            doubt(
                "samples-missing",
                format!("{role}: {} resource samples in {:.0} s", samples.len(), evidence.seconds),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        plan::{Arrival, BackendChoice, Durability, LatencyWorkload, PayloadSource},
        units::Bytes,
    };

    fn point() -> Point {
        Point {
            backend: BackendChoice { name: "x".into(), version: None },
            workload: Workload::Latency(LatencyWorkload {
                users: 10,
                payload: Bytes(1),
                payload_source: PayloadSource::Seeded,
                messages: 1,
                arrival: Arrival::Constant { mean: Duration::from_secs(1) },
                warmup: Duration::ZERO,
                drain: Duration::ZERO,
            }),
            durability: Durability::Default,
        }
    }

    fn codes(ledger: Ledger, lag: f64, generator: Generator, samples: usize) -> Vec<String> {
        judged(ledger, lag, generator, samples, &[])
    }

    fn judged(
        ledger: Ledger,
        lag: f64,
        generator: Generator,
        samples: usize,
        others: &[String],
    ) -> Vec<String> {
        let durations = Durations {
            lag: Spread { p99: Some(lag), ..Spread::default() },
            response: Spread { p99: Some(5_000.0), ..Spread::default() },
            ..Durations::default()
        };
        let verdict = judge(&Evidence {
            point: &point(),
            ledger: &ledger,
            settled: true,
            durations: &durations,
            generator: &generator,
            cores: 2.0,
            shared: true,
            samples: &BTreeMap::from([("kafka".to_owned(), vec![Load::default(); samples])]),
            seconds: 10.0,
            hub: &[],
            build: &Build::default(),
            reasons: &BTreeMap::new(),
            faults: &[],
            others,
        });
        assert_eq!(verdict.status == Judgement::Valid, verdict.reasons.is_empty());
        verdict.reasons.into_iter().map(|reason| reason.code).collect()
    }

    const WHOLE: Ledger = Ledger {
        planned: 10,
        sent: 10,
        unsent: 0,
        acked: 10,
        failed: 0,
        delivered: 10,
        duplicate: 0,
        out_of_order: 0,
        corrupt: 0,
        late: 0,
        lost: 0,
        acked_then_lost: 0,
        on_the_way: 0,
        stored: Some(10),
    };

    #[test]
    fn a_planned_fault_explains_and_does_not_make_doubtful() {
        let planned = crate::plan::Fault {
            at: Duration::from_secs(2),
            lasts: Some(Duration::from_secs(3)),
            server: None,
            kind: crate::plan::FaultKind::Kill,
        };
        let struck = FaultResult {
            began: Some(2.0),
            ended: Some(5.0),
            ..FaultResult::planned(planned, "server".into())
        };
        let judged = |fault: &FaultResult, lost, samples| {
            let samples = vec![Load::default(); samples];
            let verdict = judge(&Evidence {
                point: &point(),
                ledger: &Ledger {
                    planned: 10,
                    sent: 10,
                    delivered: 10 - lost,
                    lost,
                    ..Ledger::default()
                },
                settled: true,
                durations: &Durations::default(),
                generator: &Generator::default(),
                cores: 2.0,
                shared: false,
                samples: &BTreeMap::from([("server".to_owned(), samples)]),
                seconds: 20.0,
                hub: &[],
                build: &Build::default(),
                reasons: &BTreeMap::new(),
                faults: std::slice::from_ref(fault),
                others: &[],
            });
            let codes: Vec<_> = verdict.reasons.into_iter().map(|reason| reason.code).collect();
            (verdict.status, codes)
        };
        // 7 of the 19 samples are missing while the server is away.
        assert_eq!(judged(&struck, 0, 12), (Judgement::Valid, vec![PLANNED_FAULT.to_owned()]));
        let lost = judged(&struck, 3, 12);
        assert_eq!(
            lost,
            (Judgement::Suspect, vec![PLANNED_FAULT.to_owned(), "messages-lost".into()])
        );
        let never = FaultResult { began: None, ..struck };
        assert_eq!(
            judged(&never, 0, 20),
            (Judgement::Suspect, vec!["fault-not-as-planned".to_owned()])
        );
    }

    #[test]
    fn a_whole_repetition_is_valid() {
        assert!(codes(WHOLE, 60.0, Generator::default(), 10).is_empty());
    }

    #[test]
    fn each_doubt_has_its_reason() {
        let quiet = Generator::default();
        let busy = Generator { cpu_cores: 1.9, machine_busy: Some(0.99), ..quiet };
        let lost = Ledger { delivered: 8, lost: 2, acked_then_lost: 1, ..WHOLE };
        assert_eq!(codes(lost, 60.0, quiet, 10), ["acknowledged-then-lost", "messages-lost"]);
        assert_eq!(codes(WHOLE, 2_000.0, quiet, 10), ["client-saturated"]);
        assert_eq!(codes(WHOLE, 60.0, busy, 10), ["client-saturated", "machine-saturated"]);
        assert_eq!(codes(WHOLE, 60.0, quiet, 3), ["samples-missing"]);
        assert_eq!(codes(Ledger { sent: 9, ..WHOLE }, 0.0, quiet, 10), ["ledger-contradiction"; 2]);
        assert_eq!(codes(Ledger { stored: Some(9), ..WHOLE }, 0.0, quiet, 10), ["stored-differs"]);
        assert_eq!(codes(Ledger { duplicate: 1, ..WHOLE }, 0.0, quiet, 10), ["messages-duplicate"]);
        let others = ["run b (1 container)".to_owned(), "run b (1 container)".to_owned()];
        assert_eq!(judged(WHOLE, 60.0, quiet, 10, &others), ["other-run"]);
        let unsent = Ledger { planned: 12, unsent: 2, ..WHOLE };
        assert_eq!(codes(unsent, 0.0, quiet, 10), ["messages-unsent"]);
    }
}
