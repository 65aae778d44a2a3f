//! Tests of the verdict's reasons.

use std::time::Duration;

use super::*;
use crate::{engine::judge::host_spec::HostMonitoring, plan::tests::latency_point, units::Bytes};

/// A host that is read.
fn host_spec() -> HostSpec {
    HostSpec { monitoring: HostMonitoring::Active, ..HostSpec::default() }
}

/// Twenty seconds of a healthy host.
fn readings() -> Vec<HostMetrics> {
    let reading = HostMetrics {
        busy_cores: Some(0.5),
        memory_available: Some(Bytes(1)),
        memory_stalled: Some(0.0),
        swapped: Some(0.0),
        disk_free: Some(Bytes(1)),
        ..HostMetrics::default()
    };
    vec![reading; 20]
}

fn reason_codes(
    ledger: Ledger,
    lag: f64,
    generator: &GeneratorHealth,
    samples: usize,
) -> Vec<String> {
    reason_codes_with(ledger, lag, generator, samples, &[])
}

fn reason_codes_with(
    ledger: Ledger,
    lag: f64,
    generator: &GeneratorHealth,
    samples: usize,
    others: &[String],
) -> Vec<String> {
    let durations = Durations::default();
    let p99 = LagRank {
        name: "p99",
        quantile: 0.99,
        lag,
        response: Some(5_000.0),
        tolerance: lateness::LAG_TOLERANCE_MICROS,
    };
    let verdict = judge(&Evidence {
        point: &latency_point("x", 10, 1),
        ledger: &ledger,
        drain_over: true,
        durations: &durations,
        lag_ranks: &[p99],
        self_test: None,
        generator,
        client_cores: 2.0,
        hub_is_local: true,
        samples: &BTreeMap::from([("kafka".to_owned(), vec![ResourceSample::default(); samples])]),
        seconds: 10.0,
        hub: &readings(),
        hub_health: &HostHealth::new(&HostSpec::default()),
        host_spec: &host_spec(),
        reasons: &BTreeMap::new(),
        faults: &[],
        steered: &[],
        other_runs: others,
    });
    assert_eq!(verdict.status == Judgement::Valid, verdict.reasons.is_empty());
    verdict.reasons.into_iter().map(|reason| reason.code).collect()
}

const COMPLETE_LEDGER: Ledger = Ledger::complete(10);

#[test]
fn a_planned_fault_is_a_reason_without_making_the_repetition_suspect() {
    let planned = crate::plan::Fault {
        at: Duration::from_secs(2),
        duration: Some(Duration::from_secs(3)),
        server: None,
        kind: crate::plan::FaultKind::Kill,
    };
    let fault = FaultResult {
        began: Some(2.0),
        ended: Some(5.0),
        ..FaultResult::new(planned, "server".into())
    };
    let judged = |fault: &FaultResult, lost, samples| {
        let samples = vec![ResourceSample::default(); samples];
        let verdict = judge(&Evidence {
            point: &latency_point("x", 10, 1),
            ledger: &Ledger {
                planned: 10,
                sent: 10,
                delivered: 10 - lost,
                lost,
                ..Ledger::default()
            },
            drain_over: true,
            durations: &Durations::default(),
            lag_ranks: &[],
            self_test: None,
            generator: &GeneratorHealth::default(),
            client_cores: 2.0,
            hub_is_local: false,
            samples: &BTreeMap::from([("server".to_owned(), samples)]),
            seconds: 20.0,
            hub: &readings(),
            hub_health: &HostHealth::new(&HostSpec::default()),
            host_spec: &host_spec(),
            reasons: &BTreeMap::new(),
            faults: std::slice::from_ref(fault),
            steered: &[],
            other_runs: &[],
        });
        let codes: Vec<_> = verdict.reasons.into_iter().map(|reason| reason.code).collect();
        (verdict.status, codes)
    };
    // 7 of the 19 samples are missing while the server is away.
    assert_eq!(judged(&fault, 0, 12), (Judgement::Valid, vec![PLANNED_FAULT_CODE.to_owned()]));
    let lost = judged(&fault, 3, 12);
    assert_eq!(
        lost,
        (Judgement::Suspect, vec![PLANNED_FAULT_CODE.to_owned(), "messages-lost".into()])
    );
    let never = FaultResult { began: None, ..fault };
    assert_eq!(
        judged(&never, 0, 20),
        (Judgement::Suspect, vec!["fault-not-as-planned".to_owned()])
    );
}

#[test]
fn a_complete_repetition_is_valid() {
    assert!(reason_codes(COMPLETE_LEDGER, 60.0, &GeneratorHealth::default(), 10).is_empty());
}

#[test]
fn each_doubt_has_its_reason() {
    let quiet = GeneratorHealth::default();
    let busy = GeneratorHealth { cpu_cores: 1.9, machine_busy: Some(0.99), ..quiet.clone() };
    let lost = Ledger { delivered: 8, lost: 2, acked_then_lost: 1, ..COMPLETE_LEDGER };
    assert_eq!(reason_codes(lost, 60.0, &quiet, 10), ["acknowledged-then-lost", "messages-lost"]);
    assert_eq!(reason_codes(COMPLETE_LEDGER, 2_000.0, &quiet, 10), ["client-saturated"]);
    assert_eq!(
        reason_codes(COMPLETE_LEDGER, 60.0, &busy, 10),
        ["client-saturated", "machine-saturated"]
    );
    assert_eq!(reason_codes(COMPLETE_LEDGER, 60.0, &quiet, 3), ["samples-missing"]);
    assert_eq!(
        reason_codes(Ledger { sent: 9, ..COMPLETE_LEDGER }, 0.0, &quiet, 10),
        ["ledger-contradiction"; 2]
    );
    assert_eq!(
        reason_codes(Ledger { stored: Some(9), ..COMPLETE_LEDGER }, 0.0, &quiet, 10),
        ["stored-differs"]
    );
    // Neither was acknowledged: both arrived, one of them after the drain.
    let unacked = Ledger { acked: Some(8), delivered: 9, late: 1, lost: 1, ..COMPLETE_LEDGER };
    assert!(
        reason_codes(Ledger { stored: Some(9), ..unacked }, 0.0, &quiet, 10)
            .contains(&"stored-differs".to_owned())
    );
    assert!(
        !reason_codes(Ledger { stored: Some(10), ..unacked }, 0.0, &quiet, 10)
            .contains(&"stored-differs".to_owned())
    );
    assert_eq!(
        reason_codes(Ledger { duplicate: 1, ..COMPLETE_LEDGER }, 0.0, &quiet, 10),
        ["messages-duplicate"]
    );
    let others = ["run b (1 container)".to_owned(), "run b (1 container)".to_owned()];
    assert_eq!(reason_codes_with(COMPLETE_LEDGER, 60.0, &quiet, 10, &others), ["other-run"]);
    let unsent = Ledger { planned: 12, unsent: 2, ..COMPLETE_LEDGER };
    assert_eq!(reason_codes(unsent, 0.0, &quiet, 10), ["messages-unsent"]);
}
