//! Tests of the time of a load: its seconds, its ends, and times in which it stood still.

use std::time::Duration;

use super::{
    PLANNED, SHORT_DRAIN, arrives_at_end_of, last_ten_arrive_late,
    mock::{
        ARRIVES_ONCE, DELIVERY_MICROS, MessageScript, MockBackend, SEED, ScriptedAnswer,
        run_repetition,
    },
    paced, run_to_end,
};
use crate::{
    engine::control::Control,
    plan::{LatencyWorkload, Workload},
    record::{Repetition, StandstillKind, histogram, interval_log},
    stats::distribution::Distribution,
    workload::arrival::ArrivalSchedule,
};

/// 10 users × 250 messages: 1,000 a second for two and a half seconds.
fn longer() -> LatencyWorkload {
    LatencyWorkload { messages: 250, ..paced() }
}

/// Checks that the timeline has every second once, and every message in it.
fn check_timeline(repetition: &Repetition, workload: &LatencyWorkload) {
    let timeline = &repetition.timeline;
    let numbers: Vec<_> = timeline.iter().map(|second| second.second).collect();
    assert_eq!(numbers, (0..timeline.len() as u32).collect::<Vec<_>>());
    let scheduled = ArrivalSchedule::count_due(workload, SEED, 0).per_second;
    let mut due: Vec<_> = timeline.iter().map(|second| second.due).collect();
    due.truncate(scheduled.len());
    assert_eq!(due, scheduled);
    let ledger = repetition.ledger;
    let sums = [
        timeline.iter().map(|second| second.due).sum(),
        timeline.iter().map(|second| second.sent).sum(),
        timeline.iter().filter_map(|second| second.acked).sum(),
        timeline.iter().map(|second| second.delivered).sum::<u64>(),
    ];
    assert_eq!(sums, [ledger.planned, ledger.sent, ledger.acked.unwrap(), ledger.delivered]);
}

#[tokio::test]
async fn no_second_is_left_out_while_the_process_is_stopped() {
    let stop = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        // Nothing on this runtime runs meanwhile, the observer included.
        std::thread::sleep(Duration::from_millis(1_700));
    };
    let workload = longer();
    let control = Control::default();
    let run = run_repetition(Workload::Latency(workload.clone()), MockBackend::default(), &control);
    let (done, ()) = tokio::join!(run, stop);
    assert!(done.error.is_none(), "{:?}", done.error);
    let repetition = done.repetition;
    check_timeline(&repetition, &workload);
    assert!(repetition.timeline.len() >= 3, "{:?}", repetition.timeline);
    // The threads that send and receive were not stopped: each second has its own messages.
    for second in &repetition.timeline[..3] {
        assert!(second.acked.unwrap() * 2 > second.due, "{:?}", repetition.timeline);
    }
}

#[tokio::test]
async fn a_load_that_falls_behind_shows_it_in_each_second() {
    let stall = Some((500, Duration::from_secs(1)));
    let workload = longer();
    let repetition =
        run_to_end(workload.clone(), MockBackend { stall, ..MockBackend::default() }).await;
    check_timeline(&repetition, &workload);
    let first = repetition.timeline[0];
    assert!(first.due > 900 && first.sent <= 500, "{first:?}");
    assert!(repetition.timeline[1..].iter().any(|second| second.sent > second.due + 400));
}

#[tokio::test]
async fn the_interval_logs_merge_to_the_whole_load() {
    let script = |number: u64| MessageScript {
        delivery: DELIVERY_MICROS + (number.cast_signed() * 7_919) % 40_000 - 500,
        ..ARRIVES_ONCE
    };
    let repetition = run_to_end(longer(), MockBackend { script, ..MockBackend::default() }).await;
    let latency = &repetition.latency;
    let all = [
        ("lag", &latency.lag),
        ("ack", &latency.ack),
        ("delivery", &latency.delivery),
        ("response", &latency.response),
    ];
    for (name, whole) in all {
        let whole = whole.as_ref().unwrap();
        let seconds = interval_log::distributions(&repetition.intervals, name).unwrap();
        let mut merged = Distribution::default();
        for (second, distribution) in &seconds {
            merged.merge(distribution);
            let entry = repetition.timeline[*second as usize];
            let count = match name {
                "lag" => entry.sent,
                "ack" => entry.acked.unwrap(),
                _ => entry.delivered,
            };
            assert_eq!(distribution.count(), count, "{name} in second {second}");
            if name == "delivery" {
                assert_eq!(distribution.percentile(0.5), entry.delivery_p50);
                assert_eq!(distribution.max(), entry.delivery_max);
            }
        }
        let samples = |of: &Distribution| {
            let values = of.histogram().iter_recorded();
            values.map(|one| (one.value_iterated_to(), one.count_at_value())).collect::<Vec<_>>()
        };
        let total = histogram::decode_latency(whole).unwrap();
        assert_eq!(samples(&merged), samples(&total), "{name}");
        assert_eq!((merged.count(), merged.max()), (whole.count, Some(whole.max)), "{name}");
        assert_eq!((merged.percentile(0.5), merged.percentile(0.99)), (whole.p50, whole.p99));
    }
}

#[tokio::test]
async fn an_acknowledgement_after_the_drain_is_in_the_timeline() {
    let script = |number: u64| match number {
        990.. => MessageScript { answer: ScriptedAnswer::AtClose, ..ARRIVES_ONCE },
        _ => ARRIVES_ONCE,
    };
    let workload = LatencyWorkload { drain: SHORT_DRAIN, ..paced() };
    let repetition =
        run_to_end(workload.clone(), MockBackend { script, ..MockBackend::default() }).await;
    assert_eq!(repetition.ledger.acked, Some(PLANNED));
    check_timeline(&repetition, &workload);
}

#[tokio::test]
async fn load_and_drain_are_measured_apart() {
    let backend = MockBackend { script: last_ten_arrive_late, ..MockBackend::default() };
    let repetition = run_to_end(paced(), backend).await;
    let end = ArrivalSchedule::count_due(&paced(), SEED, 0).end as f64 / 1e6;
    let drain = repetition.drain_seconds.unwrap();
    // The last message was sent shortly before the load's end, and arrives 400 ms later.
    assert!(drain >= 0.39, "{drain}");
    let late = repetition.latency.lag.as_ref().unwrap().max / 1e6;
    assert!(repetition.seconds >= end, "{} of {end}", repetition.seconds);
    assert!(repetition.seconds - end < late + drain, "{} of {end}", repetition.seconds);
}

#[tokio::test]
async fn a_time_without_arrivals_is_reported_with_its_seconds() {
    // The messages of three tenths of a second arrive at its end.
    let script = |number| arrives_at_end_of(400..700, number);
    let repetition = run_to_end(paced(), MockBackend { script, ..MockBackend::default() }).await;
    assert_eq!(repetition.ledger.delivered, PLANNED);
    let deliveries =
        repetition.standstills.iter().find(|one| one.what == StandstillKind::Deliveries);
    let found = deliveries.unwrap_or_else(|| panic!("{:?}", repetition.standstills));
    assert!(found.length() > 0.25, "{found:?}");
    assert!(repetition.events.iter().any(|note| note.text == found.describe()));
    let in_seconds: f64 = repetition.timeline.iter().map(|second| second.standstill).sum();
    let all: f64 = repetition.standstills.iter().map(crate::record::Standstill::length).sum();
    assert!((in_seconds - all).abs() < 1e-6, "{in_seconds} of {all}");
}
