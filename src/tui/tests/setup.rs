//! Choosing: profiles, the form, what will happen.

use super::*;

#[test]
fn setup_at_the_start() {
    let stage = Stage::new();
    stage.frames("setup", &[(80, 24), (120, 40), (160, 45)]);
}

#[test]
fn setup_with_changed_fields_and_a_problem() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Tab);
    for _ in 0..3 {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    stage.type_text(", many");
    stage.frames("setup_typing", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    stage.frames("setup_problem", &[(80, 24)]);
    assert!(matches!(stage.model.screen, Screen::Setup));
    stage.key(KeyCode::F(5));
    assert!(stage.effects.is_empty(), "a wrong form starts nothing");
    stage.key(KeyCode::Delete);
    stage.key(KeyCode::F(5));
    assert!(matches!(stage.effects.as_slice(), [Effect::Start(_)]));
}

#[test]
fn setup_with_the_list_of_backends() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::Down);
    stage.frames("setup_backends", &[(80, 24)]);
}

#[test]
fn one_key_warms_the_server_and_cools_it() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('w'));
    assert!(stage.frame(80, 24).contains("30 s  warm"));
    stage.key(KeyCode::Char('w'));
    assert!(stage.frame(80, 24).contains("0 s  cold, as the study"));
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Enter);
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    assert_eq!(request.overrides, [("run.server_warmup".to_owned(), "30 s".to_owned())]);
    assert_eq!(request.preview.plan.server_warmup, Duration::from_secs(30));
}

#[test]
fn changes_of_a_profile_wait_while_another_one_is_looked_at() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Down);
    assert!(stage.frame(80, 24).contains("0 s  cold"));
    assert!(stage.frame(80, 24).contains("first-look *"));
    stage.key(KeyCode::Up);
    assert!(stage.frame(80, 24).contains("30 s  warm"));
}

#[test]
fn a_backend_takes_the_hub_along_on_which_it_can_run() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.place(), Place::Choices);
    stage.key(KeyCode::Char(' '));
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Char(' '));
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::F(5));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    let expected = [("backend", "kafka:2.8.0"), ("hub.kind", "docker")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(request.overrides, expected);
}

#[test]
fn with_nothing_to_choose_there_is_nothing_to_start() {
    let nothing = Catalog { profiles: Vec::new(), backends: Vec::new() };
    let (model, effects) = Model::new(nothing, Preferences::default());
    let mut stage = Stage { model, effects, asked: Vec::new(), now: Duration::ZERO };
    for code in [KeyCode::Down, KeyCode::Char('w'), KeyCode::Tab, KeyCode::Enter, KeyCode::F(5)] {
        stage.key(code);
        stage.frame(80, 24);
    }
    assert!(stage.effects.is_empty());
}
