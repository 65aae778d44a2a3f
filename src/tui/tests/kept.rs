//! Runs that go on without the screen, and terminals that are slow or left for a while.

use super::*;
use crate::tui::{
    model::{Live, Pace, Slow},
    preferences::Runs,
};

fn kept() -> Stage {
    let mut stage = under_load();
    stage.model.runs = Runs::Kept;
    stage
}

#[test]
fn a_kept_run_is_left_alone_or_stopped_as_the_operator_says() {
    let mut stage = kept();
    stage.key(KeyCode::Char('q'));
    stage.frames("quit_kept", &[(80, 24)]);
    stage.key(KeyCode::Char('d'));
    assert_eq!(stage.effects, [Effect::Quit]);
    assert!(stage.model.outcome.runs_on && stage.model.outcome.last.is_none());

    let mut stage = kept();
    stage.key(KeyCode::Char('q'));
    stage.key(KeyCode::Char('n'));
    assert_eq!(stage.effects, [Effect::Stop(Stop::Now)]);
    stage.tell(vec![Event::Ended { end: End::Stopped, record: "r.json".into() }]);
    assert_eq!(stage.effects.last(), Some(&Effect::Quit));
    assert!(!stage.model.outcome.runs_on);
}

#[test]
fn a_lost_terminal_stops_no_kept_run() {
    let mut stage = kept();
    stage.say(Msg::Terminate);
    assert_eq!(stage.effects, [Effect::Quit]);
    let outcome = &stage.model.outcome;
    assert!(outcome.terminated && outcome.runs_on);
}

#[test]
fn a_run_of_the_screen_itself_cannot_be_left_going_on() {
    let mut stage = under_load();
    stage.key(KeyCode::Char('q'));
    stage.key(KeyCode::Char('d'));
    assert!(stage.effects.is_empty(), "{:?}", stage.effects);
    assert_eq!(stage.model.place(), Place::Quit);
}

#[test]
fn the_screen_is_suspended_unless_the_load_would_be() {
    let ctrl_z = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
    let press = |stage: &mut Stage| {
        let msg = stage.model.keys.message(ctrl_z, stage.model.place()).expect("a key");
        stage.say(msg);
    };
    let mut stage = Stage::new();
    press(&mut stage);
    assert_eq!(stage.effects, [Effect::Suspend]);
    let mut stage = kept();
    press(&mut stage);
    assert_eq!(stage.effects, [Effect::Suspend]);
    let mut stage = under_load();
    press(&mut stage);
    assert!(stage.effects.is_empty());
    assert!(stage.frame(80, 24).contains("no ctrl-z while a run is on"), "{}", stage.frame(80, 24));
    stage.key(KeyCode::Char('v'));
    assert!(!stage.frame(80, 24).contains("ctrl-z"), "the next key takes the word away");
}

#[test]
fn a_screen_that_comes_later_shows_the_same_run() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 61, 2_000.0);
    let last = fixture::snapshot(&plan.points[0], 62, 2_000.0);
    stage.tell(fixture::repetition_end(&plan, 0, &last));
    load(&mut stage, &plan, 1, 38, 2_100.0);
    let Screen::Live(live) = &stage.model.screen else { panic!("a run is on") };
    let written = serde_json::to_string(live).expect("all of it can be written");
    let read: Live = serde_json::from_str(&written).expect("and read");
    let mut later = Stage::new();
    later.pass(stage.now.as_secs());
    later.model.attach(Box::new(read));
    assert_eq!(later.model.runs, Runs::Kept);
    for (width, height) in SIZES {
        assert_eq!(later.frame(width, height), stage.frame(width, height));
    }
    // The seconds before, the repetition before, and what comes next.
    for keys in ["f", "f[", "m"] {
        for key in keys.chars() {
            stage.key(KeyCode::Char(key));
            later.key(KeyCode::Char(key));
        }
        for _ in 0..3 {
            stage.key(KeyCode::Left);
            later.key(KeyCode::Left);
        }
        assert_eq!(later.frame(120, 40), stage.frame(120, 40), "{keys}");
        stage.key(KeyCode::Esc);
        later.key(KeyCode::Esc);
    }
    for stage in [&mut stage, &mut later] {
        stage.tell(vec![Event::Ended { end: End::Complete, record: "r.json".into() }]);
    }
    assert_eq!(later.frame(80, 24), stage.frame(80, 24));
}

#[test]
fn what_a_terminal_takes_is_shown_and_a_slow_one_is_named() {
    let mut stage = under_load();
    let fast = Pace { bytes_per_second: Some(2_700.0), slow: None };
    stage.say(Msg::Pace(fast));
    for _ in 0..4 {
        stage.key(KeyCode::Tab);
    }
    stage.key(KeyCode::Enter);
    let frame = stage.frame(120, 40);
    assert!(frame.contains("this screen") && frame.contains("2.70 kB/s"), "{frame}");
    assert!(!frame.contains("slow"), "{frame}");
    let slow = Slow { each: Duration::from_millis(1_400), takes: 1_100.0 };
    stage.say(Msg::Pace(Pace { slow: Some(slow), ..fast }));
    let frame = stage.frame(120, 40);
    assert!(frame.contains("slow terminal (1.10 kB/s): a frame each 1.40 s"), "{frame}");
}
