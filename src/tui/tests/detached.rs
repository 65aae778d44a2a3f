//! Tests of detached runs, suspension and slow terminals.

use super::*;
use crate::tui::{
    model::LiveRun,
    preferences::RunOwner,
    terminal::{SlowTerminal, TerminalPace},
};

fn under_detached_load() -> TestScreen {
    let mut screen = under_load();
    screen.model.run_owner = RunOwner::DetachedProcess;
    screen
}

#[test]
fn a_detached_run_continues_or_stops_as_the_operator_chooses() {
    let mut screen = under_detached_load();
    screen.key(KeyCode::Char('q'));
    screen.assert_frames("quit_kept", &[(80, 24)]);
    screen.answer('d');
    assert_eq!(screen.effects, [Effect::Quit]);
    assert!(screen.model.outcome.run_continues && screen.model.outcome.last_run.is_none());

    let mut screen = under_detached_load();
    screen.key(KeyCode::Char('q'));
    screen.answer('n');
    assert_eq!(screen.effects, [Effect::Stop(StopMode::Now)]);
    screen.send_events(vec![Event::Ended { end: EndStatus::Stopped, record: "r.json".into() }]);
    assert_eq!(screen.effects.last(), Some(&Effect::Quit));
    assert!(!screen.model.outcome.run_continues);
}

#[test]
fn a_lost_terminal_stops_no_detached_run() {
    let mut screen = under_detached_load();
    screen.send(Msg::Terminate);
    assert_eq!(screen.effects, [Effect::Quit]);
    let outcome = &screen.model.outcome;
    assert!(outcome.terminated && outcome.run_continues);
}

#[test]
fn a_run_of_the_screen_s_process_cannot_be_detached() {
    let mut screen = under_load();
    screen.key(KeyCode::Char('q'));
    screen.answer('d');
    assert!(screen.effects.is_empty(), "{:?}", screen.effects);
    assert_eq!(screen.model.input_context(), InputContext::Live, "the run goes on");
}

#[test]
fn the_screen_is_suspended_unless_its_process_executes_the_run() {
    let ctrl_z = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
    let press = |screen: &mut TestScreen| {
        let msg = screen.model.keys.message(ctrl_z, screen.model.input_context()).expect("a key");
        screen.send(msg);
    };
    let mut screen = TestScreen::new();
    press(&mut screen);
    assert_eq!(screen.effects, [Effect::Suspend]);
    let mut screen = under_detached_load();
    press(&mut screen);
    assert_eq!(screen.effects, [Effect::Suspend]);
    let mut screen = under_load();
    press(&mut screen);
    assert!(screen.effects.is_empty());
    assert!(
        screen.frame(80, 24).contains("no ctrl-z while a run is on"),
        "{}",
        screen.frame(80, 24)
    );
    screen.key(KeyCode::Char('v'));
    assert!(!screen.frame(80, 24).contains("ctrl-z"), "the next key clears the message");
}

#[test]
fn an_attached_screen_shows_the_same_run() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 0, 61, 2_000.0);
    let last = fixture::snapshot(&plan.points[0], 62, 2_000.0);
    screen.send_events(fixture::repetition_end_events(&plan, 0, &last));
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    let Screen::Live(live) = &screen.model.screen else { panic!("a run is on") };
    let json = serde_json::to_string(live).expect("the run can be serialized");
    let restored: LiveRun = serde_json::from_str(&json).expect("the run can be deserialized");
    let mut later = TestScreen::new();
    later.advance(screen.now.as_secs());
    later.model.attach(Box::new(restored));
    assert_eq!(later.model.run_owner, RunOwner::DetachedProcess);
    for (width, height) in SIZES {
        assert_eq!(later.frame(width, height), screen.frame(width, height));
    }
    // Earlier seconds, the previous repetition, the map.
    for keys in ["f", "f[", "m"] {
        for key in keys.chars() {
            screen.key(KeyCode::Char(key));
            later.key(KeyCode::Char(key));
        }
        for _ in 0..3 {
            screen.key(KeyCode::Left);
            later.key(KeyCode::Left);
        }
        assert_eq!(later.frame(120, 40), screen.frame(120, 40), "{keys}");
        screen.key(KeyCode::Esc);
        later.key(KeyCode::Esc);
    }
    for screen in [&mut screen, &mut later] {
        screen
            .send_events(vec![Event::Ended { end: EndStatus::Complete, record: "r.json".into() }]);
    }
    assert_eq!(later.frame(80, 24), screen.frame(80, 24));
}

#[test]
fn the_terminal_s_throughput_is_shown_and_a_slow_terminal_is_reported() {
    let mut screen = under_load();
    let fast = TerminalPace { bytes_per_second: Some(2_700.0), slow: None };
    screen.send(Msg::TerminalPace(fast));
    for _ in 0..4 {
        screen.key(KeyCode::Tab);
    }
    screen.key(KeyCode::Enter);
    let frame = screen.frame(120, 40);
    assert!(frame.contains("this screen") && frame.contains("2.70 kB/s"), "{frame}");
    assert!(!frame.contains("slow"), "{frame}");
    let slow =
        SlowTerminal { frame_interval: Duration::from_millis(1_400), bytes_per_second: 1_100.0 };
    screen.send(Msg::TerminalPace(TerminalPace { slow: Some(slow), ..fast }));
    let frame = screen.frame(120, 40);
    assert!(frame.contains("slow terminal (1.10 kB/s): a frame each 1.40 s"), "{frame}");
}
