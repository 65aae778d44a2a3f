//! Tests of the client's own share of a result: whose lateness, and which thread.

use std::time::Duration;

use super::{Control, LatencyWorkload, MockBackend, Repetition, Workload, paced, run_repetition};
use crate::{engine::judge::host_spec::HostMonitoring, hot_thread::ThreadRole, measure::Judgement};

async fn run(workload: LatencyWorkload, mock: MockBackend) -> Repetition {
    let done = run_repetition(Workload::Latency(workload), mock, &Control::default()).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    done.repetition
}

fn has_reason(repetition: &Repetition, code: &str, words: &str) -> bool {
    let mut reasons = repetition.verdict.reasons.iter();
    reasons.any(|reason| reason.code == code && reason.text.contains(words))
}

#[tokio::test]
async fn a_stall_among_a_hundred_messages_is_reported() {
    let workload = LatencyWorkload { messages: 10, ..paced() };
    let stall = Some((20, Duration::from_millis(300)));
    let repetition = run(workload, MockBackend { stall, ..MockBackend::default() }).await;
    let lag = repetition.latency.lag.as_ref().unwrap();
    assert!(lag.p99.is_none() && lag.p90.is_some(), "precondition of the test");
    assert_eq!(repetition.verdict.status, Judgement::Suspect);
    assert!(
        has_reason(&repetition, "client-saturated", "hubmark itself was late"),
        "{:?}",
        repetition.verdict.reasons
    );
}

#[tokio::test]
async fn a_stalled_reader_is_named() {
    let reader_stall = Some((50, Duration::from_millis(150)));
    let workload = LatencyWorkload { messages: 40, ..paced() };
    let repetition = run(workload, MockBackend { reader_stall, ..MockBackend::default() }).await;
    assert!(
        has_reason(&repetition, "client-delayed", "thread consumer"),
        "{:?}",
        repetition.verdict.reasons
    );
}

#[tokio::test]
async fn a_reader_that_stalls_only_in_the_drain_is_named() {
    // The last of 400 messages but five arrives 5 ms before the last one is sent.
    let reader_stall = Some((395, Duration::from_millis(300)));
    let workload = LatencyWorkload { messages: 40, ..paced() };
    let repetition = run(workload, MockBackend { reader_stall, ..MockBackend::default() }).await;
    assert!(repetition.drain_seconds > Some(0.2), "precondition: {:?}", repetition.drain_seconds);
    assert!(
        has_reason(&repetition, "client-delayed", "thread consumer"),
        "{:?}",
        repetition.verdict.reasons
    );
}

#[tokio::test]
async fn a_hub_that_is_not_read_is_a_reason() {
    let unreadable =
        MockBackend { monitoring: HostMonitoring::Unavailable, ..MockBackend::default() };
    let repetition = run(paced(), unreadable).await;
    assert_eq!(repetition.verdict.status, Judgement::Suspect);
    assert!(has_reason(&repetition, "hub-not-read", "heat, load and memory"));
}

#[tokio::test]
async fn the_threads_that_all_messages_pass_through_are_in_the_record() {
    let repetition = run(paced(), MockBackend::default()).await;
    let threads: Vec<_> = repetition
        .generator
        .hot_threads
        .iter()
        .map(|thread| (thread.name.as_str(), thread.role))
        .collect();
    assert_eq!(threads, [("consumer", ThreadRole::Receives), ("sender", ThreadRole::Sends)]);
    assert!(repetition.generator.hot_threads.iter().all(|thread| thread.longest_pass.is_some()));
    assert!(repetition.generator.stolen.is_some());
}
