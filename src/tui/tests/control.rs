//! Tests of stopping a run, skipping a point, adding repetitions, quitting.

use super::*;

#[test]
fn a_point_is_skipped_once_and_repetitions_are_added() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 10, 2_100.0);
    screen.key(KeyCode::Char('s'));
    screen.answer('+');
    screen.key(KeyCode::Up);
    screen.assert_frames("add", &[(80, 24)]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.effects, [Effect::Add(2)]);
    assert!(screen.frame(80, 24).contains("2 more after this repetition"));
    let mut more = plan.clone();
    more.set_repetitions(5);
    screen.send_events(vec![Event::Replanned { plan: Box::new(more) }]);
    assert!(screen.frame(80, 24).contains("rep 1/5"));
    for _ in 0..2 {
        screen.key(KeyCode::Char('s'));
        screen.answer('k');
    }
    assert_eq!(screen.effects.len(), 2, "a point is skipped once: {:?}", screen.effects);
    assert_eq!(screen.effects[1], Effect::Skip(1));
    screen.key(KeyCode::Char('m'));
    assert!(screen.frame(80, 24).contains("· 400"), "{}", screen.frame(80, 24));
    screen.assert_frames("live_map_skipped", &[(80, 24)]);
}

#[test]
fn a_run_stops_in_the_chosen_mode() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 0, 10, 2_100.0);
    screen.key(KeyCode::Char('s'));
    screen.answer('a');
    assert_eq!(screen.effects, [Effect::Stop(StopMode::AfterRepetition)]);
    screen.assert_frames("stopping", &[(80, 24)]);
    screen.key(KeyCode::Char('s'));
    screen.answer('n');
    assert_eq!(screen.effects.last(), Some(&Effect::Stop(StopMode::Now)));
    let record = "records/partial.json".into();
    screen.send_events(vec![Event::Ended { end: EndStatus::Stopped, record }]);
    assert_eq!(screen.model.input_context(), InputContext::Finished);
    assert_eq!(screen.effects.len(), 2, "stopping does not quit");
    screen.assert_frames("finished_stopped", &[(80, 24)]);
}

#[test]
fn quitting_waits_for_the_run_to_end() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    for _ in 0..2 {
        let msg = screen
            .model
            .keys
            .message(ctrl_c, screen.model.input_context())
            .expect("ctrl-c works everywhere");
        screen.send(msg);
    }
    assert_eq!(screen.effects, [Effect::Stop(StopMode::Now)]);
    screen.send_events(vec![Event::Ended { end: EndStatus::Stopped, record: "r.json".into() }]);
    assert_eq!(screen.effects.last(), Some(&Effect::Quit));
    let last = screen.model.outcome.last_run.expect("a run ended");
    assert_eq!(last.end, EndStatus::Stopped);
}

#[test]
fn a_signal_ends_run_and_screen_in_order() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.key(KeyCode::Char('?'));
    screen.send(Msg::Terminate);
    assert_eq!(screen.effects, [Effect::Stop(StopMode::Now)]);
    screen.send_events(vec![Event::Ended { end: EndStatus::Stopped, record: "r.json".into() }]);
    assert_eq!(screen.effects.last(), Some(&Effect::Quit));
    assert!(screen.model.outcome.terminated);

    let mut screen = TestScreen::new();
    screen.send(Msg::Terminate);
    assert_eq!(screen.effects, [Effect::Quit]);
}
