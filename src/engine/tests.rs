//! What makes a number true, rule by rule, on a server that does exactly as it is told.

mod mock;

use std::time::Duration;

use mock::{ACK, Answer, DELIVERY, FINE, Fate, Mock, SEED, Seen, play};

use super::{EngineError, control::Control};
use crate::{
    measure::{Judgement, Ledger, Reason},
    plan::{
        Arrival, Fault, FaultKind, LatencyWorkload, PayloadSource, Scenario, ThroughputWorkload,
        Workload,
    },
    record::{Latency, Repetition, histogram},
    units::Bytes,
    workload::arrival::Schedule,
};

/// 10 users × 100 messages, one each 10 ms: a thousand in a second, as many as a p99 needs.
fn paced() -> LatencyWorkload {
    LatencyWorkload {
        users: 10,
        payload: Bytes(16),
        payload_source: PayloadSource::Seeded,
        messages: 100,
        arrival: Arrival::Constant { mean: Duration::from_millis(10) },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(30),
    }
}

const PLANNED: u64 = 1_000;
/// A drain that some tests must wait out.
const BRIEF: Duration = Duration::from_millis(200);

/// Plays to the end.
async fn played(workload: LatencyWorkload, mock: Mock) -> Repetition {
    let done = play(Workload::Latency(workload), mock, &Control::default()).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    assert_eq!(done.repetition.ledger.contradictions(), [""; 0]);
    done.repetition
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

/// Samples of at least `micros` (buckets are a thousandth wide).
fn at_least(latency: &Latency, micros: u64) -> u64 {
    let distribution = histogram::distribution(latency).unwrap();
    distribution.histogram().count_between(micros - micros / 1_000, u64::MAX)
}

/// Codes of the verdict, but for those that a busy machine adds to any run.
fn codes(repetition: &Repetition) -> Vec<&str> {
    let codes = repetition.verdict.reasons.iter().map(|reason| reason.code.as_str());
    codes.filter(|code| !["client-saturated", "machine-saturated"].contains(code)).collect()
}

const WHOLE: Ledger = Ledger {
    planned: PLANNED,
    sent: PLANNED,
    unsent: 0,
    acked: PLANNED,
    failed: 0,
    delivered: PLANNED,
    duplicate: 0,
    out_of_order: 0,
    corrupt: 0,
    late: 0,
    lost: 0,
    acked_then_lost: 0,
    on_the_way: 0,
    stored: Some(PLANNED),
};

#[tokio::test]
async fn four_durations_are_measured_apart() {
    let repetition = played(paced(), Mock::default()).await;
    assert_eq!(repetition.ledger, WHOLE);
    assert_eq!(codes(&repetition), [""; 0]);
    let exactly = |latency: &Latency, micros: i64| {
        let micros = micros as f64;
        assert_eq!((latency.count, latency.min, latency.max), (PLANNED, micros, micros));
        assert_eq!(latency.p50, Some(micros));
    };
    exactly(ack(&repetition), ACK);
    exactly(delivery(&repetition), DELIVERY);
    let (lag, response) = (lag(&repetition), response(&repetition));
    assert!(lag.min >= 0.0, "nothing is sent before its time");
    assert_eq!((lag.count, response.count), (PLANNED, PLANNED));
    // What a device's owner feels is our lateness and the way of the message, to the microsecond.
    assert!((response.mean - lag.mean - DELIVERY as f64).abs() < 1e-6);
    assert!((response.max - lag.max - DELIVERY as f64).abs() < 1e-6);
}

#[tokio::test]
async fn a_percentile_is_shown_where_ten_samples_lie_beyond_it() {
    let repetition = played(paced(), Mock::default()).await;
    let latency = delivery(&repetition);
    assert!(latency.p99.is_some() && latency.p999.is_none() && latency.p9999.is_none());
    let fewer = played(LatencyWorkload { messages: 99, ..paced() }, Mock::default()).await;
    let latency = delivery(&fewer);
    assert!(latency.p90.is_some() && latency.p99.is_none());
}

#[tokio::test]
async fn a_client_that_stalls_sends_late_skips_nothing_and_says_so() {
    let stall = Some((100, Duration::from_millis(500)));
    let repetition = played(paced(), Mock { stall, ..Mock::default() }).await;
    assert_eq!(repetition.ledger, WHOLE, "an open loop leaves nothing out");
    // Half a second long a message was due each millisecond: those of the first fifth waited at
    // least 400 ms, and the lateness was ours.
    let waited = at_least(lag(&repetition), 400_000);
    assert!(waited >= 90, "{waited}");
    assert!(at_least(response(&repetition), 400_000) >= waited);
    // The uncorrected latency knows nothing of it.
    assert_eq!(delivery(&repetition).max as i64, DELIVERY);
    assert_eq!(repetition.verdict.status, Judgement::Suspect);
    assert_eq!(repetition.verdict.reasons[0].code, "client-saturated");
    assert_eq!(repetition.generator.lag_p99, lag(&repetition).p99);
}

#[tokio::test]
async fn a_server_that_stalls_is_seen_by_every_message_that_waited() {
    // Half a second's messages all arrive at its end.
    let fate = |number: u64| match number {
        200..700 => Fate { delivery: 500_000 - (number.cast_signed() - 200) * 1_000, ..FINE },
        _ => FINE,
    };
    let repetition = played(paced(), Mock { fate, ..Mock::default() }).await;
    assert_eq!(repetition.ledger, WHOLE);
    assert_eq!(at_least(delivery(&repetition), 400_000), 101);
    assert!(at_least(response(&repetition), 400_000) >= 101);
    assert_eq!(delivery(&repetition).max as i64, 500_000);
    let difference = response(&repetition).mean - delivery(&repetition).mean;
    assert!((difference - lag(&repetition).mean).abs() < 1e-6);
}

#[tokio::test]
async fn the_warm_up_is_accounted_for_and_not_measured() {
    let warmup = Duration::from_millis(300);
    let workload = LatencyWorkload { warmup, ..paced() };
    let schedule = Schedule::new(&workload, SEED, 0);
    let measured = schedule.filter(|(due, _)| *due >= 300_000).count() as u64;
    assert!(measured > 600 && measured < 800, "the test's own sense: {measured}");
    let repetition = played(workload, Mock::default()).await;
    assert_eq!(repetition.ledger, WHOLE);
    for latency in
        [lag(&repetition), ack(&repetition), delivery(&repetition), response(&repetition)]
    {
        assert_eq!(latency.count, measured);
    }
    assert!((repetition.warmup.load_seconds - 0.3).abs() < 1e-9);
}

#[tokio::test]
async fn the_drain_waits_for_what_is_on_its_way() {
    let fate = |number: u64| match number {
        990.. => Fate { seen: Seen::After(Duration::from_millis(400)), ..FINE },
        _ => FINE,
    };
    let repetition = played(paced(), Mock { fate, ..Mock::default() }).await;
    assert_eq!(repetition.ledger, WHOLE);
    assert!(repetition.phases["drain"] < 30.0, "and no longer than it must");
}

#[tokio::test]
async fn the_drain_gives_up_after_its_time_and_what_comes_then_is_late() {
    let fate = |number: u64| match number {
        990.. => Fate { seen: Seen::WhenCounted, ..FINE },
        _ => FINE,
    };
    let workload = LatencyWorkload { drain: BRIEF, ..paced() };
    let repetition = played(workload, Mock { fate, ..Mock::default() }).await;
    let expected = Ledger { delivered: 990, late: 10, lost: 10, acked_then_lost: 10, ..WHOLE };
    assert_eq!(repetition.ledger, expected);
    assert_eq!(delivery(&repetition).count, 990);
    assert_eq!(codes(&repetition), ["acknowledged-then-lost", "messages-late"]);
    assert_eq!(repetition.verdict.status, Judgement::Suspect);
}

#[tokio::test]
async fn the_server_is_asked_what_it_holds_when_nothing_can_be_acknowledged_any_more() {
    let fate = |number: u64| match number {
        990.. => Fate { answer: Answer::AtClose, seen: Seen::Never, ..FINE },
        _ => FINE,
    };
    let workload = LatencyWorkload { drain: BRIEF, ..paced() };
    let repetition = played(workload, Mock { fate, ..Mock::default() }).await;
    let expected = Ledger { delivered: 990, lost: 10, acked_then_lost: 10, ..WHOLE };
    assert_eq!(repetition.ledger, expected);
    assert_eq!(codes(&repetition), ["acknowledged-then-lost"]);
    let lost = |reason: &&Reason| reason.code == "acknowledged-then-lost";
    let text = &repetition.verdict.reasons.iter().find(lost).unwrap().text;
    assert!(text.ends_with("the server had acknowledged 1000 and held 1000"), "{text}");
}

#[tokio::test]
async fn negative_durations_are_kept_and_counted() {
    let fate = |number: u64| match number {
        500..507 => Fate { delivery: -50, ..FINE },
        _ => FINE,
    };
    let repetition = played(paced(), Mock { fate, ..Mock::default() }).await;
    let latency = delivery(&repetition);
    assert_eq!((latency.negative, latency.count, latency.min), (7, PLANNED, -50.0));
    let mean = (993.0 * DELIVERY as f64 - 7.0 * 50.0) / 1_000.0;
    assert!((latency.mean - mean).abs() < 1e-6, "{}", latency.mean);
    assert_eq!(histogram::distribution(latency).unwrap().histogram().len(), 993);
    assert_eq!(codes(&repetition), ["negative-durations"]);
}

#[tokio::test]
async fn no_duration_is_too_long_for_the_histogram() {
    const TEN_HOURS: i64 = 36_000_000_000;
    let fate = |number: u64| match number {
        500 => Fate { delivery: TEN_HOURS, ..FINE },
        _ => FINE,
    };
    let repetition = played(paced(), Mock { fate, ..Mock::default() }).await;
    let latency = delivery(&repetition);
    assert_eq!((latency.count, latency.overflow), (PLANNED, 0));
    assert_eq!(latency.max as i64, TEN_HOURS);
    assert_eq!(at_least(latency, TEN_HOURS as u64), 1);
}

#[tokio::test]
async fn every_fate_has_its_place_in_the_ledger() {
    let fate = |number| match number % 10 {
        0 => Fate { answer: Answer::NotTaken, ..FINE },
        1 => Fate { answer: Answer::Refused, seen: Seen::Never, ..FINE },
        2 => Fate { answer: Answer::Unknown, seen: Seen::Never, ..FINE },
        3 => Fate { answer: Answer::Unknown, ..FINE },
        4 => Fate { answer: Answer::Silence, ..FINE },
        5 => Fate { arrivals: 2, ..FINE },
        6 => Fate { intact: false, ..FINE },
        7 => Fate { seen: Seen::Never, ..FINE },
        _ => FINE,
    };
    let workload = LatencyWorkload { drain: BRIEF, ..paced() };
    let repetition = played(workload, Mock { fate, ..Mock::default() }).await;
    let expected = Ledger {
        planned: PLANNED,
        sent: 900,
        unsent: 100,
        acked: 500,
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
    assert_eq!(codes(&repetition), expected);
}

#[tokio::test]
async fn a_server_that_holds_less_than_it_acknowledged_is_suspect() {
    let repetition = played(paced(), Mock { forgotten: 1, ..Mock::default() }).await;
    assert_eq!(repetition.ledger, Ledger { stored: Some(PLANNED - 1), ..WHOLE });
    assert_eq!(codes(&repetition), ["stored-differs"]);
}

#[tokio::test]
async fn a_server_that_does_not_stay_up_is_started_anew_until_it_was_asked_what_it_holds() {
    // After the last message, so that no acknowledgement tells that it is back.
    let fault = Fault {
        at: Duration::from_millis(1_200),
        lasts: Some(Duration::from_millis(50)),
        server: None,
        kind: FaultKind::Kill,
    };
    let repetition = played(paced(), Mock { fault: Some(fault), ..Mock::default() }).await;
    assert_eq!(repetition.ledger, WHOLE);
    assert_eq!(repetition.faults[0].starts, 2);
}

#[tokio::test]
async fn what_a_stopped_load_did_not_send_is_counted() {
    let control = Control::default();
    let stopper = control.clone();
    let workload = LatencyWorkload { messages: 100_000, ..paced() };
    let fate = |number| if number == 0 { Fate { seen: Seen::Never, ..FINE } } else { FINE };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stopper.stop_now();
    };
    let (done, ()) = tokio::join!(
        play(Workload::Latency(workload), Mock { fate, ..Mock::default() }, &control),
        stop
    );
    assert!(matches!(done.error, Some(EngineError::Stopped)));
    let ledger = done.repetition.ledger;
    assert_eq!(ledger.planned, 1_000_000);
    assert!(ledger.sent > 0 && ledger.unsent > 0, "{ledger:?}");
    assert_eq!(ledger.contradictions(), [""; 0]);
    assert_eq!((ledger.lost, ledger.acked_then_lost), (0, 0), "nobody waited for the rest");
    assert!(ledger.on_the_way > 0, "{ledger:?}");
    assert_eq!(done.repetition.verdict.status, Judgement::Failed);
    assert_eq!(done.repetition.verdict.reasons[0].code, "stopped");
}

/// Plays a hundred kilobytes in a thousand messages.
async fn bulk(scenario: Scenario) -> Repetition {
    let workload = ThroughputWorkload {
        users: 2,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        volume: Bytes(100_000),
        scenario,
        drain: Duration::from_secs(30),
    };
    let done = play(Workload::Throughput(workload), Mock::default(), &Control::default()).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    assert_eq!(done.repetition.ledger, WHOLE, "{scenario:?}");
    let throughput = done.repetition.throughput.unwrap();
    assert_eq!(throughput.bytes, Bytes(100_000), "{scenario:?}");
    assert!(throughput.seconds > 0.0 && throughput.bytes_per_second > 0.0);
    let messages: u64 = done.repetition.timeline.iter().map(|second| second.bytes).sum();
    assert_eq!(messages, 100_000, "{scenario:?}");
    done.repetition
}

#[tokio::test]
async fn each_scenario_measures_its_own_side_and_accounts_for_both() {
    let producer = bulk(Scenario::Producer).await.latency;
    assert!(producer.ack.is_some() && producer.delivery.is_none());
    let consumer = bulk(Scenario::Consumer).await.latency;
    assert!(consumer.ack.is_none() && consumer.delivery.is_none());
    let both = bulk(Scenario::Both).await.latency;
    assert!(both.ack.is_some() && both.delivery.is_some());
    for latency in [producer, consumer, both] {
        assert!(latency.lag.is_none() && latency.response.is_none(), "nothing was due");
    }
}
