//! Tests of the band of earlier repetitions behind the one in progress.

use super::*;

/// A screen during the third repetition of a point, whose median is `median` and that of the two before it 2
/// and 2.2 ms.
fn third_repetition(median: f64) -> TestScreen {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let point = &plan.points[1];
    for (position, median) in [(1, 2_000.0), (5, 2_200.0)] {
        send_load_events(&mut screen, &plan, position, 61, median);
        let last = fixture::snapshot(point, 62, median);
        screen.send_events(fixture::repetition_end_events(&plan, position, &last));
    }
    send_load_events(&mut screen, &plan, 9, 38, median);
    screen
}

#[test]
fn a_running_repetition_is_shown_against_the_band_of_those_before_it() {
    let screen = third_repetition(2_100.0);
    screen.assert_frames("live_band", &[(60, 20), (80, 24), (120, 36), (160, 45)]);
    let frame = screen.frame(120, 36);
    assert!(frame.contains("░ 2 before") && !frame.contains("above"), "{frame}");
    assert!(frame.matches('░').count() > 20, "the band of seconds not yet reached:\n{frame}");

    let screen = third_repetition(4_400.0);
    let frame = screen.frame(120, 36);
    assert!(frame.contains("░ 2 before: 38 s above"), "{frame}");
    let frame = under_load().frame(120, 36);
    assert!(!frame.contains("before"), "the first repetition has no band:\n{frame}");
}

#[test]
fn an_earlier_repetition_is_not_compared_with_the_band_that_includes_it() {
    let mut screen = third_repetition(2_100.0);
    screen.key(KeyCode::Char('['));
    let frame = screen.frame(120, 36);
    assert!(!frame.contains("░ 2 before"), "{frame}");
    screen.key(KeyCode::Char(']'));
    assert!(screen.frame(120, 36).contains("░ 2 before"));
}
