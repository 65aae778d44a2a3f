//! Reading: what is drawn when a run is over.

use super::*;

#[test]
fn a_whole_run_is_read_at_its_end() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::run(&plan, End::Complete));
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Down);
    stage.frames("finished", &[(80, 24), (120, 40), (160, 45)]);
    let last = stage.model.outcome.last.clone().expect("a run ended");
    assert_eq!((last.end, last.undelivered), (End::Complete, 12));
    stage.key(KeyCode::Char('r'));
    assert!(matches!(stage.effects.as_slice(), [Effect::Start(_)]));
    assert_eq!(stage.model.place(), Place::Live);
}

#[test]
fn a_throughput_run_is_read_at_its_end() {
    let plan = fixture::throughput();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::run(&plan, End::Complete));
    stage.frames("finished_throughput", &[(80, 24)]);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
    assert_eq!(stage.model.setup.profile, 3, "the form is as it was left");
}

#[test]
fn a_failure_is_told_in_full() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    let error = "no permission to use the Docker engine at unix:///var/run/docker.sock\n  add \
                 yourself to the docker group (sudo usermod -aG docker $USER, then log in again) \
                 or run as root";
    let end = End::Failed { error: error.to_owned() };
    stage.tell(vec![Event::Ended { end, record: "records/empty.json".into() }]);
    stage.frames("finished_failed", &[(80, 24)]);
}

#[test]
fn a_run_that_cannot_begin_and_one_that_falls_silent_say_so() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Enter);
    stage.say(Msg::Refused("the records folder cannot be written".to_owned()));
    assert!(stage.frame(80, 24).contains("the records folder cannot be written"));
    stage.key(KeyCode::Char('r'));
    stage.say(Msg::EngineGone);
    assert!(stage.frame(80, 24).contains("ended without saying why"));
}
