//! Looking back while the run goes on.

use super::*;

#[test]
fn the_seconds_of_a_repetition_are_gone_back_through_while_it_goes_on() {
    let plan = fixture::sweep();
    let mut stage = under_load();
    for _ in 0..3 {
        stage.key(KeyCode::PageUp);
    }
    stage.frames("live_back", &SIZES);
    let then = stage.frame(120, 40);
    assert!(then.contains("at 8 s"), "{then}");
    stage.tell(vec![Event::Snapshot(Box::new(fixture::snapshot(&plan.points[1], 39, 2_100.0)))]);
    assert_eq!(stage.frame(120, 40), then);
    stage.key(KeyCode::Right);
    assert!(stage.frame(120, 40).contains("at 9 s"));
    stage.key(KeyCode::Home);
    assert!(stage.frame(120, 40).contains("at 1 s"));
    stage.key(KeyCode::Esc);
    assert!(!stage.frame(120, 40).contains("display frozen"));
}

#[test]
fn earlier_repetitions_are_looked_at_while_the_run_goes_on() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 61, 900.0);
    let last = fixture::snapshot(&plan.points[0], 62, 900.0);
    stage.tell(fixture::repetition_end(&plan, 0, &last));
    load(&mut stage, &plan, 1, 10, 2_100.0);
    stage.key(KeyCode::Char('['));
    stage.frames("live_earlier", &[(80, 24), (120, 40)]);
    assert!(stage.frame(80, 24).contains("earlier repetition, the run goes on"));
    stage.key(KeyCode::Char(']'));
    assert!(!stage.frame(80, 24).contains("earlier repetition"));
    // The same by the map: the cell of the first point's first repetition.
    for key in [KeyCode::Char('m'), KeyCode::Up, KeyCode::Enter] {
        stage.key(key);
    }
    assert!(stage.frame(80, 24).contains("earlier repetition, the run goes on"));
}

#[test]
fn the_log_is_filtered_and_scrolled() {
    let mut stage = under_load();
    let told = (0..60).map(|line| Event::Log {
        level: if line % 10 == 0 { Level::Warn } else { Level::Info },
        text: format!("line {line}"),
    });
    stage.tell(told.collect());
    stage.key(KeyCode::Char('e'));
    assert!(stage.frame(80, 24).contains("line 59"));
    for _ in 0..5 {
        stage.key(KeyCode::Up);
    }
    let frame = stage.frame(80, 24);
    assert!(!frame.contains("line 59") && frame.contains("5 newer lines below"), "{frame}");
    stage.key(KeyCode::Char('!'));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("line 50") && !frame.contains("line 49"), "{frame}");
    stage.key(KeyCode::Char('/'));
    assert_eq!(stage.model.place(), Place::Filter);
    stage.type_text("LINE 4q");
    stage.key(KeyCode::Backspace);
    stage.frames("live_log_filter", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("line 40") && !frame.contains("line 50"), "{frame}");
}

#[test]
fn a_frozen_display_stands_still_while_the_run_goes_on() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 20, 2_100.0);
    stage.key(KeyCode::Char('f'));
    let frozen = stage.frame(120, 40);
    assert!(frozen.contains("display frozen"));
    load(&mut stage, &plan, 2, 30, 4_200.0);
    stage.pass(5);
    assert_eq!(stage.frame(120, 40), frozen);
    stage.key(KeyCode::Char('f'));
    assert_ne!(stage.frame(120, 40), frozen);
    assert!(stage.frame(120, 40).contains("mariadb"));
}
