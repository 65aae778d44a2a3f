//! Stopping, skipping, adding, leaving.

use super::*;

#[test]
fn a_point_is_skipped_and_repetitions_are_added_each_asked_once() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 10, 2_100.0);
    stage.key(KeyCode::Char('s'));
    stage.key(KeyCode::Char('+'));
    stage.key(KeyCode::Up);
    stage.frames("add", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.effects, [Effect::Add(2)]);
    assert!(stage.frame(80, 24).contains("2 more after this repetition"));
    let mut more = plan.clone();
    more.repeat(5);
    stage.tell(vec![Event::Replanned { plan: Box::new(more) }]);
    assert!(stage.frame(80, 24).contains("rep 1/5"));
    for _ in 0..2 {
        stage.key(KeyCode::Char('s'));
        stage.key(KeyCode::Char('k'));
    }
    assert_eq!(stage.effects.len(), 2, "a point is skipped once: {:?}", stage.effects);
    assert_eq!(stage.effects[1], Effect::Skip(1));
    stage.key(KeyCode::Char('m'));
    assert!(stage.frame(80, 24).contains("· 400"), "{}", stage.frame(80, 24));
    stage.frames("live_map_skipped", &[(80, 24)]);
}

#[test]
fn a_run_stops_as_it_is_told() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 10, 2_100.0);
    stage.key(KeyCode::Char('s'));
    stage.key(KeyCode::Char('a'));
    assert_eq!(stage.effects, [Effect::Stop(Stop::AfterRepetition)]);
    stage.frames("stopping", &[(80, 24)]);
    stage.key(KeyCode::Char('s'));
    stage.key(KeyCode::Char('n'));
    assert_eq!(stage.effects.last(), Some(&Effect::Stop(Stop::Now)));
    let record = "records/partial.json".into();
    stage.tell(vec![Event::Ended { end: End::Stopped, record }]);
    assert_eq!(stage.model.place(), Place::Finished);
    assert_eq!(stage.effects.len(), 2, "stopping is not leaving");
    stage.frames("finished_stopped", &[(80, 24)]);
}

#[test]
fn leaving_waits_for_the_run_to_end() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    for _ in 0..2 {
        let msg =
            stage.model.keys.message(ctrl_c, stage.model.place()).expect("ctrl-c works everywhere");
        stage.say(msg);
    }
    assert_eq!(stage.effects, [Effect::Stop(Stop::Now)]);
    stage.tell(vec![Event::Ended { end: End::Stopped, record: "r.json".into() }]);
    assert_eq!(stage.effects.last(), Some(&Effect::Quit));
    let last = stage.model.outcome.last.expect("a run ended");
    assert_eq!(last.end, End::Stopped);
}

#[test]
fn a_signal_ends_run_and_screen_in_order() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.key(KeyCode::Char('?'));
    stage.say(Msg::Terminate);
    assert_eq!(stage.effects, [Effect::Stop(Stop::Now)]);
    stage.tell(vec![Event::Ended { end: End::Stopped, record: "r.json".into() }]);
    assert_eq!(stage.effects.last(), Some(&Effect::Quit));
    assert!(stage.model.outcome.terminated);

    let mut stage = Stage::new();
    stage.say(Msg::Terminate);
    assert_eq!(stage.effects, [Effect::Quit]);
}
