//! Tests of the results of a finished run.

use super::*;
use crate::measure::{Judgement, Ledger};

/// Terminal sizes at which the results are recorded.
const FINISHED_SIZES: [(u16, u16); 5] = [(60, 20), (80, 24), (120, 36), (120, 40), (160, 45)];

fn finished(plan: &Plan) -> TestScreen {
    let mut screen = TestScreen::start_run(plan);
    screen.send_events(fixture::run_events(plan, EndStatus::Complete));
    screen
}

#[test]
fn the_answer_has_its_interval_and_what_changed_since_the_last_run() {
    let screen = finished(&fixture::sweep());
    let frame = screen.frame(120, 36);
    assert!(frame.contains("mean delivery latency at 400 users: kafka 2.8.0"), "{frame}");
    assert!(frame.contains("(95 %: "), "{frame}");
    assert!(frame.contains("changed since 2026-11-20 14:02 UTC: "), "{frame}");
    assert!(frame.contains("differ; "), "{frame}");
}

#[test]
fn a_run_that_was_stopped_before_its_load_lost_nothing_and_does_not_boast_of_it() {
    let mut screen = finished(&fixture::first_look());
    let Screen::Finished(results) = &mut screen.model.screen else { panic!("no results") };
    for done in &mut results.done {
        done.ledger = Ledger::default();
        done.verdict.status = Judgement::Failed;
    }
    let frame = screen.frame(120, 36);
    assert!(frame.contains("No message was sent.") && !frame.contains("Nothing lost"), "{frame}");
}

#[test]
fn the_distributions_of_all_points_share_an_axis() {
    let mut screen = finished(&fixture::sweep());
    screen.resize(80, 24);
    assert!(!screen.frame(80, 24).contains('●'));
    screen.key(KeyCode::Tab);
    screen.assert_frames("finished_distributions", &[(60, 20), (80, 24)]);
    let frame = screen.frame(80, 24);
    let medians: Vec<usize> = frame
        .lines()
        .filter(|line| line.contains(" users ") && line.contains('●'))
        .map(|line| line.chars().position(|symbol| symbol == '●').unwrap())
        .collect();
    assert!(medians.len() >= 2 && medians.is_sorted(), "{medians:?}\n{frame}");
}

#[test]
fn the_figures_of_the_sweep_are_shown_at_once_on_a_wide_terminal() {
    let mut screen = finished(&fixture::sweep());
    screen.resize(120, 36);
    assert!(screen.frame(120, 36).contains("Latency by users"), "{}", screen.frame(120, 36));
    screen.key(KeyCode::Right);
    assert!(screen.frame(120, 36).contains("Processor and memory by users"));
    screen.key(KeyCode::Left);
    screen.key(KeyCode::Left);
    assert!(!screen.frame(120, 36).contains("Latency by users"), "the last one precedes the first");
    screen.key(KeyCode::Right);
    screen.key(KeyCode::Tab);
    screen.assert_frames("finished_figure", &[(60, 20), (80, 24), (120, 36)]);
    screen.key(KeyCode::BackTab);
    assert!(screen.frame(120, 36).contains("reps"), "{}", screen.frame(120, 36));
}

#[test]
fn a_finished_run_is_compared_with_the_last_comparable_one() {
    let mut screen = finished(&fixture::sweep());
    assert!(screen.frame(80, 24).contains(" c compare"), "{}", screen.frame(80, 24));
    screen.key(KeyCode::Char('c'));
    let Some(ServiceRequest::CompareRecords(before, now)) = screen.requests.last() else {
        panic!("{:?}", screen.requests)
    };
    assert!(before.ends_with("2026-11-20T14-02-before.json"), "{before:?}");
    assert!(now.ends_with("2026-11-22T14-02-study-latency-users-quick.json"), "{now:?}");
    assert_eq!(screen.model.input_context(), InputContext::Document);

    let mut screen = finished(&fixture::first_look());
    assert!(!screen.frame(80, 24).contains(" c compare"));
    screen.key(KeyCode::Char('c'));
    assert!(screen.frame(80, 24).contains("no earlier record of this profile"));
}

#[test]
fn the_report_of_a_finished_run_is_written_and_its_path_shown() {
    let mut screen = finished(&fixture::sweep());
    screen.key(KeyCode::Char('o'));
    assert!(matches!(screen.requests.last(), Some(ServiceRequest::OpenReport(_))));
    assert_eq!(screen.effects, [Effect::Copy("/home/pi/a-report/index.html".to_owned())]);
    assert!(screen.frame(80, 24).contains("saved: /home/pi/a-report/index.html"));
    screen.respond(ServiceResponse::ReportWritten(Ok(("/a/index.html".into(), true))));
    assert!(screen.frame(80, 24).contains("the browser opens /a/index.html"));
    screen.respond(ServiceResponse::ReportWritten(Err("a-report is a file".to_owned())));
    assert!(screen.frame(80, 24).contains("! a-report is a file"));
}

#[test]
fn results_of_another_run_are_ignored_and_an_unreadable_record_says_why() {
    let mut screen = finished(&fixture::sweep());
    let before = screen.frame(120, 36);
    let other = "records/other.json".into();
    screen.respond(ServiceResponse::RunResults(other, Err("damaged".to_owned())));
    assert_eq!(screen.frame(120, 36), before);
    let Screen::Finished(shown) = &screen.model.screen else { panic!("no results") };
    let own = shown.record.clone().unwrap();
    screen.respond(ServiceResponse::RunResults(own, Err("the record is damaged".to_owned())));
    assert!(screen.frame(80, 24).contains("! the record is damaged"), "{}", screen.frame(80, 24));
}

#[test]
fn the_results_of_a_whole_run_are_shown() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete));
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Down);
    screen.assert_frames("finished", &FINISHED_SIZES);
    let last = screen.model.outcome.last_run.clone().expect("a run ended");
    assert_eq!((last.end, last.undelivered), (EndStatus::Complete, 12));
    screen.key(KeyCode::Char('r'));
    assert!(matches!(screen.effects.as_slice(), [Effect::Start(_)]));
    assert_eq!(screen.model.input_context(), InputContext::Live);
}

#[test]
fn the_results_of_a_throughput_run_are_shown() {
    let plan = fixture::throughput();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete));
    screen.assert_frames("finished_throughput", &[(80, 24)]);
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
    assert_eq!(screen.model.setup.profile, 3, "the form is unchanged");
}

#[test]
fn a_failure_is_shown_in_full() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let error = "no permission to use the Docker engine at unix:///var/run/docker.sock\n  add \
                 yourself to the docker group (sudo usermod -aG docker $USER, then log in again) \
                 or run as root";
    let end = EndStatus::Failed { error: error.to_owned() };
    screen.send_events(vec![Event::Ended { end, record: "records/empty.json".into() }]);
    screen.assert_frames("finished_failed", &[(80, 24)]);
}

#[test]
fn a_run_that_fails_to_start_or_ends_without_a_reason_is_reported() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Enter);
    screen.send(Msg::StartFailed("the records folder cannot be written".to_owned()));
    assert!(screen.frame(80, 24).contains("the records folder cannot be written"));
    screen.key(KeyCode::Char('r'));
    screen.send(Msg::RunEventsClosed);
    assert!(screen.frame(80, 24).contains("ended without a reason"));
}
