//! Choosing: profiles, the form, what will happen.

use super::*;
use crate::tui::outside::{Ask, Told};

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

/// Opens the field of this number on the first profile's form.
fn field(number: usize) -> Stage {
    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    for _ in 0..number {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    stage
}

fn started(mut stage: Stage) -> Vec<(String, String)> {
    stage.key(KeyCode::F(5));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    request.overrides
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn places_that_can_be_a_hub_are_found_and_chosen() {
    let mut stage = field(2);
    assert_eq!(stage.asked, [Ask::Hubs]);
    assert_eq!(stage.model.place(), Place::Choices);
    stage.frames("setup_hubs", &[(80, 24)]);
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Enter);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("ssh://pi  file: none"), "{frame}");
    assert!(frame.contains("docker  file: local"), "{frame}");
    assert_eq!(started(stage), pairs([("hub.kind", "docker"), ("hub.engine", "ssh://pi")]));

    let mut stage = field(2);
    for _ in 0..2 {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    assert!(started(stage).is_empty(), "this machine is the file's own hub");
}

#[test]
fn an_address_that_was_not_found_is_typed() {
    let mut stage = field(2);
    for _ in 0..9 {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.place(), Place::Text);
    stage.type_text("tcp://shed");
    stage.key(KeyCode::Enter);
    assert_eq!(started(stage), pairs([("hub.engine", "tcp://shed")]));
}

#[test]
fn limits_and_thresholds_are_typed_as_people_write_them() {
    let mut stage = field(8);
    stage.type_text("cpus 2");
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Enter);
    stage.type_text(", lost 0");
    stage.key(KeyCode::Enter);
    assert!(stage.frame(120, 40).contains("delivery.p99 20 ms, lost 0  file: delivery.p99 20 ms"));
    let expected = [
        ("hub.limits", r#"{ "cpus" = "2 cpus" }"#),
        ("thresholds", r#"{ "delivery.p99" = "20 ms", "lost" = 0 }"#),
    ];
    assert_eq!(started(stage), pairs(expected));
}

#[test]
fn a_field_says_what_it_means_what_it_may_be_and_what_it_usually_is() {
    let mut stage = field(3);
    stage.key(KeyCode::Esc);
    let frame = stage.frame(120, 40);
    for said in ["How many devices", "It may be a whole number from 1 to", "Users (usual: 100)"] {
        assert!(frame.contains(said), "{said}: {frame}");
    }
}

#[test]
fn the_form_is_compared_with_its_file() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('='));
    assert!(stage.frame(80, 24).contains("the form is as the file"));
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Char('='));
    stage.frames("setup_changes", &[(80, 24)]);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
}

#[test]
fn images_are_made_from_the_form_and_their_steps_are_seen() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('i'));
    assert!(matches!(stage.asked.as_slice(), [Ask::Build(_)]));
    let frame = stage.frame(80, 24);
    for said in [
        "✓ all images of this run are there",
        "hubmark/kafka:2.8.0  33 % · 12 s · step 3/9 RUN apt-get",
        "hubmark/tools  was there already",
    ] {
        assert!(frame.contains(said), "{said}: {frame}");
    }
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
    // While they are made the same key shows how far, and asks for nothing.
    stage.asked.clear();
    let effects = stage.model.update(Msg::Images);
    assert!(matches!(effects.as_slice(), [Effect::Shelf(Ask::Build(_))]));
    assert!(stage.frame(80, 24).contains("images are made on the hub"));
    stage.key(KeyCode::Esc);
    assert!(stage.model.update(Msg::Images).is_empty());
    stage.say(Msg::Shelf(Box::new(Told::Built(Err("no engine answers".to_owned())))));
    assert!(stage.frame(80, 24).contains("✗ no engine answers"));
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
