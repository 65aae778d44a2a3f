//! Tests of the frozen display, earlier repetitions and the log.

use super::*;

#[test]
fn seconds_of_a_repetition_are_shown_again_while_it_continues() {
    let plan = fixture::sweep();
    let mut screen = under_load();
    for _ in 0..3 {
        screen.key(KeyCode::PageUp);
    }
    screen.assert_frames("live_back", &SIZES);
    let then = screen.frame(120, 40);
    assert!(then.contains("at 8 s"), "{then}");
    screen.send_events(vec![Event::Snapshot(Box::new(fixture::snapshot(
        &plan.points[1],
        39,
        2_100.0,
    )))]);
    assert_eq!(screen.frame(120, 40), then);
    screen.key(KeyCode::Right);
    assert!(screen.frame(120, 40).contains("at 9 s"));
    screen.key(KeyCode::Home);
    assert!(screen.frame(120, 40).contains("at 1 s"));
    screen.key(KeyCode::Esc);
    assert!(!screen.frame(120, 40).contains("display frozen"));
}

#[test]
fn earlier_repetitions_are_shown_while_the_run_continues() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 0, 61, 900.0);
    let last = fixture::snapshot(&plan.points[0], 62, 900.0);
    screen.send_events(fixture::repetition_end_events(&plan, 0, &last));
    send_load_events(&mut screen, &plan, 1, 10, 2_100.0);
    screen.key(KeyCode::Char('['));
    screen.assert_frames("live_earlier", &[(80, 24), (120, 40)]);
    assert!(screen.frame(80, 24).contains("earlier repetition, the run goes on"));
    screen.key(KeyCode::Char(']'));
    assert!(!screen.frame(80, 24).contains("earlier repetition"));
    // The same through the map: the cell of the first point's first repetition.
    for key in [KeyCode::Char('m'), KeyCode::Up, KeyCode::Enter] {
        screen.key(key);
    }
    assert!(screen.frame(80, 24).contains("earlier repetition, the run goes on"));
}

#[test]
fn the_log_is_filtered_and_scrolled() {
    let mut screen = under_load();
    let events = (0..60).map(|line| Event::Log {
        level: if line % 10 == 0 { LogLevel::Warn } else { LogLevel::Info },
        text: format!("line {line}"),
    });
    screen.send_events(events.collect());
    screen.key(KeyCode::Char('e'));
    assert!(screen.frame(80, 24).contains("line 59"));
    for _ in 0..5 {
        screen.key(KeyCode::Up);
    }
    let frame = screen.frame(80, 24);
    assert!(!frame.contains("line 59") && frame.contains("5 newer lines below"), "{frame}");
    screen.key(KeyCode::Char('!'));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("line 50") && !frame.contains("line 49"), "{frame}");
    screen.key(KeyCode::Char('/'));
    assert_eq!(screen.model.input_context(), InputContext::Filter);
    screen.type_text("LINE 4q");
    screen.key(KeyCode::Backspace);
    screen.assert_frames("live_log_filter", &[(80, 24)]);
    screen.key(KeyCode::Enter);
    let frame = screen.frame(80, 24);
    assert!(frame.contains("line 40") && !frame.contains("line 50"), "{frame}");
}

#[test]
fn a_frozen_display_does_not_change_while_the_run_continues() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 20, 2_100.0);
    screen.key(KeyCode::Char('f'));
    let frozen = screen.frame(120, 40);
    assert!(frozen.contains("display frozen"));
    send_load_events(&mut screen, &plan, 2, 30, 4_200.0);
    screen.advance(5);
    assert_eq!(screen.frame(120, 40), frozen);
    screen.key(KeyCode::Char('f'));
    assert_ne!(screen.frame(120, 40), frozen);
    assert!(screen.frame(120, 40).contains("mariadb"));
}
