//! A load that the operator steers: what is sent, what is due, and how it is judged.

use std::time::{Duration, Instant};

use tokio::{join, time::sleep};

use super::{
    COMPLETE_LEDGER, PLANNED, SHORT_DRAIN, lag,
    mock::{MockBackend, run_repetition},
    paced, verdict_codes,
};
use crate::{
    engine::{
        RunError,
        control::Control,
        run::repetition::RepetitionOutcome,
        steering::{FaultChoice, SteeringCommand},
    },
    measure::{Judgement, STEERED_CODE},
    plan::{FaultKind, LatencyWorkload, Workload},
    record::{Repetition, Standstill, StandstillCause, SteeringChange},
};

/// Steers as soon as the load has begun.
async fn steer(control: &Control, command: SteeringCommand) {
    while !control.steer(command) {
        sleep(Duration::from_millis(2)).await;
    }
}

/// Runs a repetition that can be steered, with an operator beside it.
async fn steered(
    workload: LatencyWorkload,
    control: &Control,
    operator: impl Future<Output = ()>,
) -> RepetitionOutcome {
    let mock = MockBackend { steering: true, ..MockBackend::default() };
    join!(run_repetition(Workload::Latency(workload), mock, control), operator).0
}

fn changes(repetition: &Repetition) -> Vec<SteeringChange> {
    repetition.steered.iter().map(|action| action.change).collect()
}

fn due(repetition: &Repetition) -> u64 {
    repetition.timeline.iter().map(|second| second.due).sum()
}

/// Checks that no standstill is in the pause, and none outside of it but those of this machine, which may be busy.
#[track_caller]
fn check_standstills(repetition: &Repetition, pause: Option<(f64, f64)>) {
    let is_in_pause = |one: &Standstill| {
        pause.is_some_and(|(paused, resumed)| one.from < resumed && one.to > paused + 0.1)
    };
    for one in &repetition.standstills {
        let is_own = one.cause == Some(StandstillCause::Client);
        assert!(is_own && !is_in_pause(one), "{:?}", repetition.standstills);
    }
}

#[tokio::test]
async fn a_paused_and_faster_load_sends_every_message_once_and_is_no_measurement() {
    let control = Control::default();
    let operator = async {
        steer(&control, SteeringCommand::Pause).await;
        sleep(Duration::from_millis(2_300)).await;
        control.steer(SteeringCommand::Faster);
        control.steer(SteeringCommand::Faster);
        control.steer(SteeringCommand::Resume);
    };
    let done = steered(paced(), &control, operator).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    let repetition = done.repetition;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    let [SteeringChange::Pause, SteeringChange::Rate { factor }, SteeringChange::Resume] =
        changes(&repetition)[..]
    else {
        panic!("{:?}", repetition.steered)
    };
    assert_eq!(factor.to_string(), "×2");
    let (paused, resumed) = (repetition.steered[0].second, repetition.steered[2].second);
    assert!((2.2..4.0).contains(&(resumed - paused)), "{:?}", repetition.steered);
    // A second of the schedule, at twice the rate after a pause at its begin.
    let rest = repetition.seconds - resumed;
    assert!(rest > 0.4 && rest < 0.6 + lag(&repetition).max / 1e6, "{rest} s after the pause");
    assert!(lag(&repetition).max < 1e6, "nothing was due in the pause");
    assert_eq!(due(&repetition), PLANNED);
    let second = repetition.timeline[1];
    assert_eq!((second.due, second.sent), (0, 0), "{:?}", repetition.timeline);
    check_standstills(&repetition, Some((paused, resumed)));
    assert_eq!(repetition.verdict.status, Judgement::Steered);
    assert_eq!(verdict_codes(&repetition), [STEERED_CODE]);
    assert!(!repetition.is_measured() && !repetition.is_conclusive());
    assert!(repetition.events.iter().any(|note| note.text == "steered: load paused"));
}

/// Number of messages of [`paced`] whose users were off at their time, by the record's changes: each user has
/// a message each 10 ms for a second.
fn expected_not_due(repetition: &Repetition) -> f64 {
    let steps = repetition.steered.iter().map(|action| match action.change {
        SteeringChange::Users { to, .. } => (action.second, to),
        other => panic!("{other}"),
    });
    let steps: Vec<(f64, u32)> = steps.chain([(1.0, 10)]).collect();
    let off = |pair: &[(f64, u32)]| f64::from(10 - pair[0].1) * (pair[1].0 - pair[0].0) / 0.01;
    steps.windows(2).map(off).sum()
}

#[tokio::test]
async fn messages_of_users_that_are_off_never_become_due_and_all_others_are_sent_once() {
    let control = Control::default();
    let operator = async {
        steer(&control, SteeringCommand::FewerUsers).await;
        control.steer(SteeringCommand::FewerUsers);
        sleep(Duration::from_millis(400)).await;
        control.steer(SteeringCommand::MoreUsers);
    };
    let done = steered(paced(), &control, operator).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    let repetition = done.repetition;
    let ledger = repetition.ledger;
    assert_eq!(ledger.contradictions(), [""; 0]);
    assert_eq!((ledger.planned, ledger.unsent, ledger.lost), (PLANNED, 0, 0), "{ledger:?}");
    assert_eq!([ledger.sent, ledger.duplicate], [ledger.delivered, 0], "{ledger:?}");
    assert_eq!(due(&repetition), ledger.sent, "{:?}", repetition.timeline);
    let changed = changes(&repetition);
    assert!(matches!(changed[0], SteeringChange::Users { from: 10, .. }), "{changed:?}");
    assert_eq!(changed.last(), Some(&SteeringChange::Users { from: 2, to: 5 }));
    let expected = expected_not_due(&repetition);
    assert!((ledger.not_due as f64 - expected).abs() < 12.0, "{expected}: {ledger:?}");
    assert!(repetition.seconds > 0.9, "the length of the load stays");
    check_standstills(&repetition, None);
    assert_eq!(repetition.verdict.status, Judgement::Steered);
    assert_eq!(verdict_codes(&repetition), [STEERED_CODE]);
}

#[tokio::test]
async fn a_load_that_can_be_steered_and_is_not_is_a_measurement() {
    let done = steered(paced(), &Control::default(), async {}).await;
    let repetition = done.repetition;
    assert_eq!(repetition.ledger, COMPLETE_LEDGER);
    assert_eq!((repetition.steered.len(), due(&repetition)), (0, PLANNED));
    assert!(repetition.is_measured());
}

#[tokio::test]
async fn a_paused_load_is_stopped_at_once_and_has_no_due_message_left() {
    let control = Control::default();
    let workload = LatencyWorkload { messages: 1_000, ..paced() };
    let operator = async {
        steer(&control, SteeringCommand::Slower).await;
        sleep(Duration::from_millis(300)).await;
        control.steer(SteeringCommand::Pause);
        sleep(Duration::from_millis(700)).await;
        control.stop_now();
    };
    let began = Instant::now();
    let done = steered(workload, &control, operator).await;
    assert!(matches!(done.error, Some(RunError::Stopped)), "{:?}", done.error);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let repetition = done.repetition;
    assert_eq!(repetition.verdict.status, Judgement::Failed);
    assert_eq!(changes(&repetition).last(), Some(&SteeringChange::Pause));
    assert!(repetition.ledger.sent > 0);
    assert_eq!(due(&repetition), repetition.ledger.sent, "{:?}", repetition.timeline);
}

#[tokio::test]
async fn a_fault_by_key_is_in_the_record_like_a_planned_one() {
    let control = Control::default();
    let workload = LatencyWorkload { messages: 250, drain: SHORT_DRAIN, ..paced() };
    let operator = async {
        steer(&control, SteeringCommand::Inject(FaultChoice::Pause)).await;
    };
    let done = steered(workload, &control, operator).await;
    assert!(done.error.is_none(), "{:?}", done.error);
    let repetition = done.repetition;
    let [fault] = &repetition.faults[..] else { panic!("{:?}", repetition.faults) };
    assert!(fault.by_key && fault.began.is_some() && fault.error.is_none(), "{fault:?}");
    let lasted = fault.ended.unwrap() - fault.began.unwrap();
    assert!((2.0..4.0).contains(&lasted), "{lasted}");
    assert!(fault.recovery_ack.is_some(), "{fault:?}");
    assert_eq!(changes(&repetition), [SteeringChange::Fault { fault: FaultKind::Pause }]);
    assert_eq!(repetition.verdict.status, Judgement::Steered);
}
