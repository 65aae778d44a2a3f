//! Objectives of a capacity search on messages that a server refuses or never gets.

use super::*;
use crate::plan::Threshold;

/// Runs a repetition with the objectives of a profile that names `metrics`, each limited to an hour or to no
/// message, and returns those that were missed.
async fn missed(script: fn(u64) -> MessageScript, metrics: &[&str]) -> Vec<String> {
    let limit = |metric: &&str| Threshold {
        metric: (*metric).to_owned(),
        at_most: if metric.contains('.') { 3.6e9 } else { 0.0 },
    };
    let objectives = metrics.iter().map(limit).collect();
    let workload = LatencyWorkload { drain: SHORT_DRAIN, ..paced() };
    run_to_end(workload, MockBackend { script, objectives, ..MockBackend::default() }).await.missed
}

#[tokio::test]
async fn a_server_that_refuses_messages_carries_no_users() {
    // As with a trigger that refuses three of ten rows: no message is lost.
    let script = |number| match number % 10 {
        0..3 => MessageScript {
            answer: ScriptedAnswer::Refused,
            arrival: ScriptedArrival::Never,
            ..ARRIVES_ONCE
        },
        _ => ARRIVES_ONCE,
    };
    let missed_with = |metrics: &'static [&str]| missed(script, metrics);
    let undelivered = "undelivered is 300, above 0 (lost 0, failed 300, unsent 0)";
    assert_eq!(missed_with(&["delivery.p50", "lost"]).await, [undelivered]);
    let missed = missed_with(&["delivery.p90"]).await;
    assert!(
        missed.len() == 2
            && missed[0].contains("300 of 1,000 measured messages were not delivered"),
        "{missed:?}"
    );
}

#[tokio::test]
async fn messages_that_were_never_sent_miss_every_objective() {
    let script = |_| MessageScript { answer: ScriptedAnswer::NotTaken, ..ARRIVES_ONCE };
    let missed = missed(script, &["delivery.p50", "ack.max", "lag.p99", "lost"]).await;
    assert_eq!(missed.len(), 4, "{missed:?}");
    assert!(missed[2].contains("1,000 of 1,000 measured messages were not sent"), "{missed:?}");
    assert_eq!(missed[3], "undelivered is 1000, above 0 (lost 0, failed 0, unsent 1000)");
}

#[tokio::test]
async fn an_undelivered_message_of_the_warm_up_does_not_count_as_slow() {
    let workload =
        LatencyWorkload { warmup: Duration::from_millis(300), drain: SHORT_DRAIN, ..paced() };
    // The first messages of all users are due in the warm-up.
    let script = |number| match number {
        0..10 => MessageScript { answer: ScriptedAnswer::NotTaken, ..ARRIVES_ONCE },
        _ => ARRIVES_ONCE,
    };
    let objectives = vec![Threshold { metric: "delivery.max".into(), at_most: 3.6e9 }];
    let mock = MockBackend { script, objectives, ..MockBackend::default() };
    let repetition = run_to_end(workload, mock).await;
    assert_eq!(repetition.missed.len(), 1, "{:?}", repetition.missed);
    assert!(repetition.missed[0].starts_with("undelivered is 10"), "{:?}", repetition.missed);
}
