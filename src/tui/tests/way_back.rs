//! Tests of the way back: Esc, what is asked before something is lost or started, the last run's results.

use super::*;

fn finished() -> TestScreen {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete));
    screen
}

#[test]
fn esc_returns_to_the_results_from_everything_that_they_open() {
    let mut screen = finished();
    screen.press("R");
    assert_eq!(screen.model.input_context(), InputContext::Records);
    screen.press("down");
    screen.press("enter");
    assert_eq!(screen.model.input_context(), InputContext::Document);
    screen.press("esc");
    assert_eq!(screen.model.input_context(), InputContext::Records);
    screen.press("esc");
    assert_eq!(screen.model.input_context(), InputContext::Finished, "the result is not lost");
    screen.press("f");
    assert_eq!(screen.model.input_context(), InputContext::Document);
    screen.press("esc");
    assert_eq!(screen.model.input_context(), InputContext::Finished);
}

#[test]
fn the_results_of_the_last_run_are_shown_again_from_the_setup() {
    let mut screen = TestScreen::new();
    screen.press("L");
    assert!(screen.frame(80, 24).contains("no run has ended in this session"));
    let mut screen = finished();
    screen.press("esc");
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
    screen.press("L");
    assert_eq!(screen.model.input_context(), InputContext::Finished);
    assert!(screen.frame(80, 24).contains("LOST"), "{}", screen.frame(80, 24));
}

#[test]
fn results_that_arrive_while_the_records_are_shown_reach_the_finished_run() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let path = "records/late.json";
    let end = Event::Ended { end: EndStatus::Complete, record: path.into() };
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete).split_off(1));
    screen.model.screen = match std::mem::replace(&mut screen.model.screen, Screen::Setup) {
        Screen::Finished(mut run) => {
            (run.record, run.results) = (Some(path.into()), None);
            Screen::Finished(run)
        }
        _ => panic!("the run is over: {end:?}"),
    };
    screen.press("R");
    let results = Ok(Box::new(fixture::results::run_results(&plan)));
    screen.respond(ServiceResponse::RunResults(path.into(), results));
    screen.press("esc");
    let Screen::Finished(run) = &screen.model.screen else { panic!("the results") };
    assert!(run.results.is_some());
}

#[test]
fn a_long_run_is_started_only_after_a_question_that_says_how_long_it_is() {
    let mut screen = TestScreen::new();
    screen.press("down");
    screen.press("tab");
    screen.select(Field::Repetitions);
    screen.retype("50");
    screen.press("esc");
    screen.press("enter");
    assert_eq!(screen.model.input_context(), InputContext::Start);
    assert_eq!(screen.effects, [], "nothing is started yet");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("200 repetitions") && frame.contains("h 26 m"), "{frame}");
    screen.press("enter");
    assert_eq!(screen.model.input_context(), InputContext::Profiles, "Enter alone starts nothing");
    screen.press("enter");
    screen.answer('y');
    assert!(matches!(screen.effects.as_slice(), [Effect::Start(_)]), "{:?}", screen.effects);
    assert_eq!(screen.model.input_context(), InputContext::Live);
}

#[test]
fn a_short_run_starts_at_once() {
    let mut screen = TestScreen::new();
    screen.press("enter");
    assert!(matches!(screen.effects.as_slice(), [Effect::Start(_)]));
}

#[test]
fn leaving_with_unsaved_changes_asks() {
    let mut screen = TestScreen::new();
    screen.press("w");
    screen.press("q");
    assert_eq!(screen.model.input_context(), InputContext::Unsaved);
    let frame = screen.frame(80, 24);
    assert!(frame.contains("changes of first-look"), "{frame}");
    screen.press("enter");
    assert_eq!(screen.effects, [], "Enter alone stays");
    screen.press("q");
    screen.answer('y');
    assert_eq!(screen.effects, [Effect::Quit]);

    // Ctrl-C twice leaves from everywhere.
    let mut screen = TestScreen::new();
    screen.press("w");
    screen.send(Msg::Quit);
    screen.send(Msg::Quit);
    assert_eq!(screen.effects, [Effect::Quit]);

    // A signal cannot wait for an answer.
    let mut screen = TestScreen::new();
    screen.press("w");
    screen.send(Msg::Terminate);
    assert_eq!(screen.effects, [Effect::Quit]);
}

#[test]
fn a_record_that_was_never_saved_is_neither_offered_nor_resumed() {
    let mut screen = TestScreen::start_run(&fixture::sweep());
    let error = "the record could not be saved".to_owned();
    let end = EndStatus::Failed { error };
    screen.send_events(vec![Event::Ended { end, record: std::path::PathBuf::new() }]);
    let frame = screen.frame(80, 24);
    assert!(!frame.contains("g resume") && !frame.contains("record  "), "{frame}");
    assert_eq!(screen.model.outcome.last_run.as_ref().and_then(|last| last.record.clone()), None);
    screen.press("g");
    assert_eq!(screen.requests, []);
}
