//! Tests of the rules of measurement, one by one, on a mock server with scripted behaviour.

mod client;
mod mock;
mod mock_hub;
mod mock_queue;
mod objectives;
mod search;
mod steering;
mod time;

use std::{ops::Range, time::Duration};

use mock::{
    ACK_MICROS, ARRIVES_ONCE, DELIVERY_MICROS, MessageScript, MockBackend, SEED, ScriptedAnswer,
    ScriptedArrival, run_repetition,
};

use super::{RunError, control::Control};
use crate::{
    measure::{Judgement, Ledger, Reason},
    plan::{
        ArrivalDistribution, Fault, FaultKind, LatencyWorkload, PayloadSource, Scenario,
        ThroughputWorkload, Workload,
    },
    record::{Latency, Repetition, THROUGHPUT, histogram},
    stats::rate::MIN_RATE_SECONDS,
    units::Bytes,
    workload::arrival::ArrivalSchedule,
};

/// 10 users × 100 messages, one every 10 ms: 1,000 messages in a second, as many as a p99 needs.
fn paced() -> LatencyWorkload {
    LatencyWorkload {
        users: 10,
        payload: Bytes(16),
        payload_source: PayloadSource::Seeded,
        messages: 100,
        arrival: ArrivalDistribution::Constant { mean: Duration::from_millis(10) },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(30),
    }
}

const PLANNED: u64 = 1_000;
/// Short drain, for tests that wait until its end.
const SHORT_DRAIN: Duration = Duration::from_millis(200);

/// Runs a repetition that must not fail.
async fn run_to_end(workload: LatencyWorkload, mock: MockBackend) -> Repetition {
    let done = run_repetition(Workload::Latency(workload), mock, &Control::default()).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    assert_eq!(done.repetition.ledger.contradictions(), [""; 0]);
    done.repetition
}

/// Treats a message of [`paced`] as a server does that stops while the messages `held` are sent: they
/// arrive at their end.
fn arrives_at_end_of(held: Range<u64>, number: u64) -> MessageScript {
    if !held.contains(&number) {
        return ARRIVES_ONCE;
    }
    MessageScript { delivery: (held.end - number).cast_signed() * 1_000, ..ARRIVES_ONCE }
}

/// The last ten messages arrive 400 ms after they were sent.
fn last_ten_arrive_late(number: u64) -> MessageScript {
    let arrival = match number {
        990.. => ScriptedArrival::After(Duration::from_millis(400)),
        _ => return ARRIVES_ONCE,
    };
    MessageScript { arrival, ..ARRIVES_ONCE }
}

fn lag(repetition: &Repetition) -> &Latency {
    repetition.latency.lag.as_ref().unwrap()
}
fn ack(repetition: &Repetition) -> &Latency {
    repetition.latency.ack.as_ref().unwrap()
}
fn delivery(repetition: &Repetition) -> &Latency {
    repetition.latency.delivery.as_ref().unwrap()
}
fn response(repetition: &Repetition) -> &Latency {
    repetition.latency.response.as_ref().unwrap()
}

/// Counts samples of at least `micros` (buckets are a thousandth wide).
fn samples_at_least(latency: &Latency, micros: u64) -> u64 {
    let distribution = histogram::decode_latency(latency).unwrap();
    distribution.histogram().count_between(micros - micros / 1_000, u64::MAX)
}

/// Codes of the verdict, without those that a busy machine may add to any run.
fn verdict_codes(repetition: &Repetition) -> Vec<&str> {
    let codes = repetition.verdict.reasons.iter().map(|reason| reason.code.as_str());
    let machine_codes = [
        "client-delayed",
        "client-saturated",
        "client-stolen",
        "client-timer",
        "machine-saturated",
    ];
    codes.filter(|code| !machine_codes.contains(code)).collect()
}

const COMPLETE_LEDGER: Ledger = Ledger::complete(PLANNED);

#[tokio::test]
async fn four_durations_are_measured_apart() {
    let repetition = run_to_end(paced(), MockBackend::default()).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    assert_eq!(verdict_codes(&repetition), [""; 0]);
    let exactly = |latency: &Latency, micros: i64| {
        let micros = micros as f64;
        assert_eq!((latency.count, latency.min, latency.max), (PLANNED, micros, micros));
        assert_eq!(latency.p50, Some(micros));
    };
    exactly(ack(&repetition), ACK_MICROS);
    exactly(delivery(&repetition), DELIVERY_MICROS);
    let (lag, response) = (lag(&repetition), response(&repetition));
    assert!(lag.min >= 0.0, "nothing is sent before its time");
    assert_eq!((lag.count, response.count), (PLANNED, PLANNED));
    // The response time is the client's lag plus the delivery time, to the microsecond.
    assert!((response.mean - lag.mean - DELIVERY_MICROS as f64).abs() < 1e-6);
    assert!((response.max - lag.max - DELIVERY_MICROS as f64).abs() < 1e-6);
}

#[tokio::test]
async fn a_percentile_needs_ten_samples_beyond_it() {
    let repetition = run_to_end(paced(), MockBackend::default()).await;
    let latency = delivery(&repetition);
    assert!(latency.p99.is_some() && latency.p999.is_none() && latency.p9999.is_none());
    let fewer =
        run_to_end(LatencyWorkload { messages: 99, ..paced() }, MockBackend::default()).await;
    let latency = delivery(&fewer);
    assert!(latency.p90.is_some() && latency.p99.is_none());
}

#[tokio::test]
async fn a_stalled_client_sends_late_skips_nothing_and_is_reported() {
    let stall = Some((100, Duration::from_millis(500)));
    let repetition = run_to_end(paced(), MockBackend { stall, ..MockBackend::default() }).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER, "an open loop leaves nothing out");
    // For half a second, a message was due every millisecond: those of the first fifth waited at
    // least 400 ms, which is lag of the client.
    let waited = samples_at_least(lag(&repetition), 400_000);
    assert!(waited >= 90, "{waited}");
    assert!(samples_at_least(response(&repetition), 400_000) >= waited);
    // The uncorrected latency does not show the stall.
    assert_eq!(delivery(&repetition).max as i64, DELIVERY_MICROS);
    assert_eq!(repetition.verdict.status, Judgement::Suspect);
    assert_eq!(repetition.verdict.reasons[0].code, "client-saturated");
    assert_eq!(repetition.generator.lag_p99, lag(&repetition).p99);
}

#[tokio::test]
async fn a_stalled_server_delays_every_message_that_waited() {
    // All messages of half a second arrive at its end.
    let script = |number| arrives_at_end_of(200..700, number);
    let repetition = run_to_end(paced(), MockBackend { script, ..MockBackend::default() }).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    assert_eq!(samples_at_least(delivery(&repetition), 400_000), 101);
    assert!(samples_at_least(response(&repetition), 400_000) >= 101);
    assert_eq!(delivery(&repetition).max as i64, 500_000);
    let difference = response(&repetition).mean - delivery(&repetition).mean;
    assert!((difference - lag(&repetition).mean).abs() < 1e-6);
}

#[tokio::test]
async fn the_warm_up_is_accounted_for_and_not_measured() {
    let warmup = Duration::from_millis(300);
    let workload = LatencyWorkload { warmup, ..paced() };
    let schedule = ArrivalSchedule::new(&workload, SEED, 0);
    let measured = schedule.filter(|(due, _)| *due >= 300_000).count() as u64;
    assert!(measured > 600 && measured < 800, "precondition of the test: {measured}");
    let repetition = run_to_end(workload, MockBackend::default()).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    for latency in
        [lag(&repetition), ack(&repetition), delivery(&repetition), response(&repetition)]
    {
        assert_eq!(latency.count, measured);
    }
    assert!((repetition.warmup.load_seconds - 0.3).abs() < 1e-9);
}

#[tokio::test]
async fn the_drain_waits_for_messages_on_their_way() {
    let backend = MockBackend { script: last_ten_arrive_late, ..MockBackend::default() };
    let repetition = run_to_end(paced(), backend).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    assert!(repetition.phases["drain"] < 30.0, "and no longer than it must");
}

#[tokio::test]
async fn the_drain_ends_after_its_time_and_later_messages_are_late() {
    let script = |number: u64| match number {
        990.. => MessageScript { arrival: ScriptedArrival::WhenCounted, ..ARRIVES_ONCE },
        _ => ARRIVES_ONCE,
    };
    let workload = LatencyWorkload { drain: SHORT_DRAIN, ..paced() };
    let repetition = run_to_end(workload, MockBackend { script, ..MockBackend::default() }).await;
    let expected =
        Ledger { delivered: 990, late: 10, lost: 10, acked_then_lost: 10, ..COMPLETE_LEDGER };
    assert_eq!(repetition.ledger, expected);
    assert_eq!(delivery(&repetition).count, 990);
    assert_eq!(verdict_codes(&repetition), ["acknowledged-then-lost", "messages-late"]);
    assert_eq!(repetition.verdict.status, Judgement::Suspect);
}

#[tokio::test]
async fn stored_messages_are_counted_after_the_last_acknowledgement() {
    let script = |number: u64| match number {
        990.. => MessageScript {
            answer: ScriptedAnswer::AtClose,
            arrival: ScriptedArrival::Never,
            ..ARRIVES_ONCE
        },
        _ => ARRIVES_ONCE,
    };
    let workload = LatencyWorkload { drain: SHORT_DRAIN, ..paced() };
    let repetition = run_to_end(workload, MockBackend { script, ..MockBackend::default() }).await;
    let expected = Ledger { delivered: 990, lost: 10, acked_then_lost: 10, ..COMPLETE_LEDGER };
    assert_eq!(repetition.ledger, expected);
    assert_eq!(verdict_codes(&repetition), ["acknowledged-then-lost"]);
    let lost = |reason: &&Reason| reason.code == "acknowledged-then-lost";
    let text = &repetition.verdict.reasons.iter().find(lost).unwrap().text;
    assert!(text.ends_with("the server had acknowledged 1000 and held 1000"), "{text}");
}

#[tokio::test]
async fn negative_durations_are_measured_and_counted() {
    let script = |number: u64| match number {
        500..507 => MessageScript { delivery: -50, ..ARRIVES_ONCE },
        _ => ARRIVES_ONCE,
    };
    let repetition = run_to_end(paced(), MockBackend { script, ..MockBackend::default() }).await;
    let latency = delivery(&repetition);
    assert_eq!((latency.negative, latency.count, latency.min), (7, PLANNED, -50.0));
    let mean = (993.0 * DELIVERY_MICROS as f64 - 7.0 * 50.0) / 1_000.0;
    assert!((latency.mean - mean).abs() < 1e-6, "{}", latency.mean);
    assert_eq!(histogram::decode_latency(latency).unwrap().histogram().len(), 993);
    assert_eq!(verdict_codes(&repetition), ["negative-durations"]);
}

#[tokio::test]
async fn no_duration_is_too_long_for_the_histogram() {
    const TEN_HOURS: i64 = 36_000_000_000;
    let script = |number: u64| match number {
        500 => MessageScript { delivery: TEN_HOURS, ..ARRIVES_ONCE },
        _ => ARRIVES_ONCE,
    };
    let repetition = run_to_end(paced(), MockBackend { script, ..MockBackend::default() }).await;
    let latency = delivery(&repetition);
    assert_eq!((latency.count, latency.overflow), (PLANNED, 0));
    assert_eq!(latency.max as i64, TEN_HOURS);
    assert_eq!(samples_at_least(latency, TEN_HOURS as u64), 1);
}

#[tokio::test]
async fn every_outcome_is_counted_in_the_ledger() {
    let script = |number| match number % 10 {
        0 => MessageScript { answer: ScriptedAnswer::NotTaken, ..ARRIVES_ONCE },
        1 => MessageScript {
            answer: ScriptedAnswer::Refused,
            arrival: ScriptedArrival::Never,
            ..ARRIVES_ONCE
        },
        2 => MessageScript {
            answer: ScriptedAnswer::Unknown,
            arrival: ScriptedArrival::Never,
            ..ARRIVES_ONCE
        },
        3 => MessageScript { answer: ScriptedAnswer::Unknown, ..ARRIVES_ONCE },
        4 => MessageScript { answer: ScriptedAnswer::Silence, ..ARRIVES_ONCE },
        5 => MessageScript { arrivals: 2, ..ARRIVES_ONCE },
        6 => MessageScript { intact: false, ..ARRIVES_ONCE },
        7 => MessageScript { arrival: ScriptedArrival::Never, ..ARRIVES_ONCE },
        _ => ARRIVES_ONCE,
    };
    let workload = LatencyWorkload { drain: SHORT_DRAIN, ..paced() };
    let repetition = run_to_end(workload, MockBackend { script, ..MockBackend::default() }).await;
    let expected = Ledger {
        planned: PLANNED,
        sent: 900,
        unsent: 100,
        not_due: 0,
        acked: Some(500),
        failed: 100,
        delivered: 500,
        duplicate: 100,
        out_of_order: 0,
        corrupt: 100,
        late: 0,
        lost: 300,
        acked_then_lost: 200,
        on_the_way: 0,
        stored: Some(900),
    };
    assert_eq!(repetition.ledger, expected);
    assert_eq!((lag(&repetition).count, ack(&repetition).count), (900, 500));
    assert_eq!((delivery(&repetition).count, response(&repetition).count), (500, 500));
    let expected = [
        "acknowledged-then-lost",
        "messages-lost",
        "messages-unsent",
        "messages-failed",
        "messages-corrupt",
        "messages-duplicate",
        "send-errors",
    ];
    assert_eq!(verdict_codes(&repetition), expected);
}

#[tokio::test]
async fn a_server_that_holds_less_than_it_acknowledged_is_suspect() {
    let repetition =
        run_to_end(paced(), MockBackend { uncounted: 1, ..MockBackend::default() }).await;
    assert_eq!(repetition.ledger, Ledger { stored: Some(PLANNED - 1), ..COMPLETE_LEDGER });
    assert_eq!(verdict_codes(&repetition), ["stored-differs"]);
}

#[tokio::test]
async fn messages_that_a_server_stores_after_the_count_are_counted_again() {
    let late = MockBackend { uncounted: 1, counts_late: true, ..MockBackend::default() };
    let repetition = run_to_end(paced(), late).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    assert_eq!(verdict_codes(&repetition), [""; 0]);
}

#[tokio::test]
async fn a_server_that_exits_again_is_restarted_until_its_messages_are_counted() {
    // After the last message, so that no acknowledgement shows the recovery.
    let fault = Fault {
        at: Duration::from_millis(1_200),
        duration: Some(Duration::from_millis(50)),
        server: None,
        kind: FaultKind::Kill,
    };
    let repetition =
        run_to_end(paced(), MockBackend { fault: Some(fault), ..MockBackend::default() }).await;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    assert_eq!(repetition.faults[0].starts, 2);
}

#[tokio::test]
async fn messages_that_a_stopped_load_did_not_send_are_counted() {
    let control = Control::default();
    let stopper = control.clone();
    let workload = LatencyWorkload { messages: 100_000, ..paced() };
    let script = |number| {
        if number == 0 {
            MessageScript { arrival: ScriptedArrival::Never, ..ARRIVES_ONCE }
        } else {
            ARRIVES_ONCE
        }
    };
    let stop = async {
        // Long enough for a busy machine to begin the load.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        stopper.stop_now();
    };
    let (done, ()) = tokio::join!(
        run_repetition(
            Workload::Latency(workload),
            MockBackend { script, ..MockBackend::default() },
            &control
        ),
        stop
    );
    assert!(matches!(done.error, Some(RunError::Stopped)));
    let ledger = done.repetition.ledger;
    assert_eq!(ledger.planned, 1_000_000);
    assert!(ledger.sent > 0 && ledger.unsent > 0, "{ledger:?}");
    assert_eq!(ledger.contradictions(), [""; 0]);
    assert_eq!((ledger.lost, ledger.acked_then_lost), (0, 0), "a stopped repetition has no drain");
    assert!(ledger.on_the_way > 0, "{ledger:?}");
    assert_eq!(done.repetition.verdict.status, Judgement::Failed);
    assert_eq!(done.repetition.verdict.reasons[0].code, "stopped");
}

/// Sends a hundred kilobytes in a thousand messages.
async fn run_throughput(scenario: Scenario) -> Repetition {
    let workload = ThroughputWorkload {
        users: 2,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        volume: Bytes(100_000),
        scenario,
        drain: Duration::from_secs(30),
    };
    let done =
        run_repetition(Workload::Throughput(workload), MockBackend::default(), &Control::default())
            .await;
    assert!(done.error.is_none(), "{:?}", done.error);
    assert_eq!(done.repetition.ledger, COMPLETE_LEDGER, "{scenario:?}");
    if let Some(throughput) = done.repetition.throughput {
        assert_eq!(throughput.bytes, Bytes(100_000), "{scenario:?}");
        assert!(throughput.seconds >= MIN_RATE_SECONDS && throughput.bytes_per_second > 0.0);
        assert!(done.repetition.missing.is_empty(), "{scenario:?}");
    } else {
        // The mock server takes the volume in a few milliseconds: no basis for a rate.
        let reason = &done.repetition.missing[THROUGHPUT];
        assert!(reason.starts_with("1,000 messages in "), "{scenario:?}: {reason}");
    }
    let messages: u64 = done.repetition.timeline.iter().map(|second| second.bytes).sum();
    assert_eq!(messages, 100_000, "{scenario:?}");
    done.repetition
}

#[tokio::test]
async fn each_scenario_measures_one_side_and_accounts_for_both() {
    let producer = run_throughput(Scenario::Producer).await.latency;
    assert!(producer.ack.is_some() && producer.delivery.is_none());
    let consumer = run_throughput(Scenario::Consumer).await.latency;
    assert!(consumer.ack.is_none() && consumer.delivery.is_none());
    let both = run_throughput(Scenario::Both).await.latency;
    assert!(both.ack.is_some() && both.delivery.is_some());
    for latency in [producer, consumer, both] {
        assert!(latency.lag.is_none() && latency.response.is_none(), "nothing was due");
    }
}
