//! Tests of a load that the operator steers: keys, questions, refusals, frames.

use super::*;
use crate::{
    engine::steering::{FaultChoice, SteeringCommand},
    event::SteeringState,
    workload::active_users::ActiveUsers,
};

/// Terminal sizes with different layouts, the smallest included.
const STEERING_SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 36), (200, 60)];

fn steerable() -> Plan {
    Plan { steering: true, ..fixture::sweep() }
}

/// A screen of a load that can be steered, and is as planned so far.
fn under_steerable_load() -> TestScreen {
    let plan = steerable();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    let mut snapshot = fixture::snapshot(&plan.points[1], 38, 2_100.0);
    snapshot.steering = Some(SteeringState {
        users: ActiveUsers::all(plan.points[1].workload.users()),
        ..SteeringState::default()
    });
    screen.send_events(vec![Event::Snapshot(Box::new(snapshot))]);
    screen
}

fn steered(screen: &TestScreen) -> Vec<SteeringCommand> {
    let commands = screen.effects.iter().map(|effect| match effect {
        Effect::Steer(command) => *command,
        other => panic!("{other:?}"),
    });
    commands.collect()
}

#[test]
fn a_run_that_is_to_be_a_measurement_cannot_be_steered_and_says_how() {
    let mut screen = under_load();
    for key in ["p", "+", "-", "<", ">", "x"] {
        screen.press(key);
        assert!(screen.effects.is_empty(), "{key}: {:?}", screen.effects);
        assert_eq!(screen.model.input_context(), InputContext::Live);
        for (width, height) in STEERING_SIZES {
            let frame = screen.frame(width, height);
            assert!(frame.contains("no steering: set Steering on the form"), "{frame}");
        }
    }
    screen.press("v");
    assert!(!screen.frame(80, 24).contains("no steering"), "the next key clears the message");
}

#[test]
fn a_load_is_paused_resumed_and_changed_in_its_rate() {
    let mut screen = under_steerable_load();
    let hint = |screen: &TestScreen, words: &str| {
        let frame = screen.frame(120, 36);
        assert!(frame.lines().last().is_some_and(|keys| keys.contains(words)), "{words}: {frame}");
    };
    hint(&screen, "p pause");
    screen.press("p");
    hint(&screen, "p resume");
    assert!(screen.frame(80, 24).contains("load paused"), "before the next snapshot");
    for key in ["+", "p", "-", "-"] {
        screen.press(key);
    }
    assert_eq!(
        steered(&screen),
        [
            SteeringCommand::Pause,
            SteeringCommand::Faster,
            SteeringCommand::Resume,
            SteeringCommand::Slower,
            SteeringCommand::Slower,
        ]
    );
    assert!(screen.frame(80, 24).contains("load ×¾"), "{}", screen.frame(80, 24));
}

#[test]
fn half_of_the_users_are_switched_off_and_on_again() {
    let mut screen = under_steerable_load();
    for (key, shown) in [("<", "load 200 users"), ("<", "load 100 users"), (">", "load 200 users")]
    {
        screen.press(key);
        let frame = screen.frame(80, 24);
        assert!(frame.contains(shown), "{key}: {frame}");
    }
    screen.press(">");
    screen.press(">");
    let frame = screen.frame(80, 24);
    let is_named = ["load 200 users", "load 400 users"].iter().any(|words| frame.contains(words));
    assert!(!is_named, "all 400 are as planned: {frame}");
    let (fewer, more) = (SteeringCommand::FewerUsers, SteeringCommand::MoreUsers);
    assert_eq!(steered(&screen), [fewer, fewer, more, more, more]);
}

#[test]
fn a_load_is_steered_only_while_it_is_on() {
    let mut screen = under_steerable_load();
    screen.send_events(vec![Event::Phase { phase: Phase::Drain, seconds: Some(10.0) }]);
    for key in ["p", "x"] {
        screen.press(key);
        assert!(screen.effects.is_empty() && screen.frame(80, 24).contains("the load is not on"));
    }
}

#[test]
fn a_fault_is_chosen_by_a_letter_and_injected_by_enter() {
    let mut screen = under_steerable_load();
    screen.press("x");
    assert_eq!(screen.model.input_context(), InputContext::Fault);
    screen.assert_frames("fault_question", &STEERING_SIZES);
    screen.key(KeyCode::Enter);
    assert!(screen.effects.is_empty(), "the harmless answer is chosen first");
    for (letter, choice) in [
        ('p', FaultChoice::Pause),
        ('c', FaultChoice::Cut),
        ('l', FaultChoice::LimitCpu),
        ('r', FaultChoice::Restart),
        ('k', FaultChoice::Kill),
    ] {
        screen.press("x");
        screen.key(KeyCode::Char(letter));
        assert!(screen.effects.is_empty(), "a letter alone injects nothing");
        screen.key(KeyCode::Enter);
        assert_eq!(steered(&screen), [SteeringCommand::Inject(choice)]);
        screen.effects.clear();
    }
}

#[test]
fn child_processes_can_be_frozen_and_nothing_else() {
    let plan = Plan { steering: true, ..fixture::first_look() };
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 0, 10, 900.0);
    screen.press("x");
    screen.key(KeyCode::Char('k'));
    screen.key(KeyCode::Enter);
    assert!(screen.effects.is_empty(), "{:?}", screen.effects);
    screen.press("x");
    screen.assert_frames("fault_question_local", &[(80, 24)]);
    screen.answer('p');
    assert_eq!(steered(&screen), [SteeringCommand::Inject(FaultChoice::Pause)]);
}

#[test]
fn a_steered_load_is_marked_wherever_it_is_shown() {
    let plan = steerable();
    let mut screen = under_steerable_load();
    let snapshot = fixture::steered_snapshot(&plan.points[1], 39, true);
    screen.send_events(vec![Event::Snapshot(Box::new(snapshot))]);
    screen.assert_frames("steered", &STEERING_SIZES);
    let frame = screen.frame(120, 36);
    assert!(frame.contains('◆') && frame.contains("◇ steered"), "{frame}");
}

#[test]
fn steering_is_a_field_of_the_latency_workload_alone() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Tab);
    screen.select(Field::Steering);
    screen.assert_frames("setup_steering", &[(80, 24), (120, 36)]);
    screen.key(KeyCode::Char(' '));
    screen.start();
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing started") };
    assert!(request.preview.plan.steering);
    assert_eq!(request.overrides, [("run.steering".to_owned(), "true".to_owned())]);
    let mut screen = TestScreen::new();
    for _ in 0..3 {
        screen.key(KeyCode::Down);
    }
    assert!(!screen.model.setup.fields().contains(&Field::Steering), "a throughput profile");
}
