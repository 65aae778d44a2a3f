//! Capacity searches on servers that die, and on a hub that does not start them.

use std::sync::Arc;

use super::{
    mock::{MockServerState, mock_plan},
    mock_hub::MockHub,
    *,
};
use crate::{
    engine::run::{
        record_writer::RecordWriter,
        runner::{RunOutcome, Runner},
        start,
        strategy::Strategy,
    },
    event,
    plan::Threshold,
    record::{Capacity, RecordStatus},
};

/// Searches the capacity among one number of users, with one retry.
async fn search(mock: MockBackend) -> RunOutcome {
    let workload = LatencyWorkload {
        users: 1,
        messages: 20,
        arrival: ArrivalDistribution::Constant { mean: Duration::from_millis(1) },
        drain: SHORT_DRAIN,
        ..paced()
    };
    let objectives = vec![Threshold { metric: "undelivered".into(), at_most: 0.0 }];
    let mock = MockBackend { objectives, ..mock };
    let mut plan = mock_plan(Workload::Latency(workload), &mock);
    (plan.retries, plan.schedule) = (1, Vec::new());
    let folder = tempfile::tempdir().unwrap();
    let (events, _receiver) = event::channel();
    let control = Control::default();
    let record = start::new_record(&plan, "", "test".into());
    let strategy = Strategy::new(&plan, &record).unwrap();
    let writer = RecordWriter::new(folder.path().join("record.json"), &events);
    let hub = Arc::new(MockHub::new(Arc::clone(&mock.server)));
    let mut runner =
        Runner::new(&events, &control, hub, vec![Arc::new(mock)], strategy, record, writer);
    let error = Box::pin(runner.run_steps(&plan)).await.err();
    runner.finish(error).await
}

fn refusing(refused: fn(u32) -> bool) -> MockBackend {
    let server = MockServerState { refused: Some(refused), ..MockServerState::default() };
    MockBackend { server: Arc::new(server), ..MockBackend::default() }
}

fn capacity(outcome: &RunOutcome) -> &Capacity {
    &outcome.record.capacity[0]
}

#[tokio::test]
async fn a_server_that_dies_is_a_missed_repetition_and_not_drawn_again() {
    let outcome =
        search(MockBackend { dies: |start| start % 2 == 0, ..MockBackend::default() }).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let (point, capacity) = (&outcome.record.points[0], capacity(&outcome));
    assert_eq!(point.failed_tries, [], "no death is hidden behind a retry");
    assert_eq!((capacity.lower, capacity.upper), (None, None), "{capacity:?}");
    let probe = capacity.probes[0];
    assert_eq!(probe.held + probe.missed, point.repetitions.len() as u32);
    assert_eq!((probe.failed, probe.not_counted), (probe.missed, 0));
    assert!(probe.failed >= 3, "{probe:?}");
    assert_eq!(capacity.decisions[0].failed, capacity.decisions[0].missed);
    let caution = format!("{} of {} repetitions failed", probe.failed, point.repetitions.len());
    assert!(capacity.cautions[0].starts_with(&caution), "{:?}", capacity.cautions);
    assert!(capacity.cautions[0].contains("server mock ended"), "{:?}", capacity.cautions);
    let text = crate::report::capacity::section(&outcome.record);
    assert!(text.contains(&format!("{} failed", probe.failed)), "{text}");
}

#[tokio::test]
async fn a_start_that_the_hub_refuses_is_tried_again_and_does_not_count() {
    let outcome = search(refusing(|start| start == 3)).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.record.status, RecordStatus::Complete);
    let capacity = capacity(&outcome);
    assert_eq!((capacity.lower, capacity.upper), (Some(1), None));
    assert_eq!((capacity.probes[0].missed, capacity.probes[0].not_counted), (0, 1));
    assert!(capacity.cautions.iter().any(|it| it.contains("no room")), "{:?}", capacity.cautions);
}

#[tokio::test]
async fn a_search_ends_when_the_hub_refuses_every_start() {
    let outcome = search(refusing(|start| start >= 1)).await;
    let Some(RunError::TooManyFailures { count: 3, last }) = &outcome.error else {
        panic!("{:?}", outcome.error)
    };
    assert!(last.contains("no room"), "{last}");
    let probe = capacity(&outcome).probes[0];
    assert_eq!((probe.held, probe.missed, probe.not_counted), (1, 0, 6), "{probe:?}");
}
