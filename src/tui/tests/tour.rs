//! Tests of the tour of a first start.

use super::*;
use crate::tui::preferences::ShowTour;

fn first_start() -> TestScreen {
    TestScreen::with_preferences(Preferences { tour: ShowTour::Yes, ..Preferences::default() })
}

#[test]
fn the_tour_explains_each_place_when_it_is_reached() {
    let plan = fixture::first_look();
    let mut screen = first_start();
    screen.assert_frames("tour_setup", &[(60, 20), (80, 24), (160, 45)]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.requests, [ServiceRequest::RememberTour]);
    assert!(screen.effects.is_empty(), "the key closes the step and starts no run");
    screen.key(KeyCode::Enter);
    assert!(matches!(screen.effects.pop(), Some(Effect::Start(_))));
    screen.send_events(fixture::start_events(&plan));
    screen.assert_frames("tour_live", &[(60, 20), (80, 24)]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Live);
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete));
    screen.assert_frames("tour_results", &[(60, 20), (80, 24)]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Finished);
    screen.key(KeyCode::Char('r'));
    assert_eq!(screen.model.input_context(), InputContext::Live, "each step is shown once");
}

#[test]
fn the_tour_can_be_skipped() {
    let mut screen = first_start();
    screen.key(KeyCode::Esc);
    assert_eq!(screen.requests, [ServiceRequest::RememberTour]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Live, "no step follows");
}

#[test]
fn a_later_start_shows_no_tour() {
    assert_eq!(TestScreen::new().model.input_context(), InputContext::Profiles);
}
