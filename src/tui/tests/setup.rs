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
    stage.select(Field::Users);
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

/// Opens a field on the first profile's form.
fn field(wanted: Field) -> Stage {
    field_of(0, wanted)
}

/// The same on the form of another profile.
fn field_of(profile: usize, wanted: Field) -> Stage {
    let mut stage = Stage::new();
    for _ in 0..profile {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Tab);
    stage.select(wanted);
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
    let mut stage = field_of(1, Field::Engine);
    assert_eq!(stage.asked, [Ask::Hubs]);
    assert_eq!(stage.model.place(), Place::Choices);
    stage.frames("setup_hubs", &[(80, 24)]);
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Enter);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("ssh://pi  file: none"), "{frame}");
    assert_eq!(started(stage), pairs([("hub.engine", "ssh://pi")]));

    // The built-in broker runs on no engine, and the form says so.
    let mut stage = field(Field::Engine);
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Enter);
    assert!(stage.frame(120, 40).contains("✗ builtin cannot run on the docker hub"));

    let mut stage = field(Field::Engine);
    for _ in 0..2 {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    assert!(started(stage).is_empty(), "this machine is the file's own hub");
}

#[test]
fn an_address_that_was_not_found_is_typed() {
    let mut stage = field_of(1, Field::Engine);
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
    let mut stage = field_of(1, Field::Limits);
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
    let mut stage = field(Field::Users);
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
    assert!(stage.frame(80, 24).contains("s stop"));
    stage.key(KeyCode::Char('s'));
    assert_eq!(stage.effects.pop(), Some(Effect::StopImages));
    let script = "step 7/21 RUN case \"$KAFKA_VERSION\" in\n  2.*) logging=org.slf4j:slf4j-log4j12 ;;\n esac";
    let step = ImageStep {
        image: "hubmark/kafka:2.8.0".to_owned(),
        step: script.to_owned(),
        ..ImageStep::default()
    };
    stage.say(Msg::Shelf(Box::new(Told::Image(step))));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("0 s · step 7/21 RUN case") && !frame.contains("esac"), "{frame}");
    stage.say(Msg::Shelf(Box::new(Told::Built(Err("no engine answers".to_owned())))));
    assert!(stage.frame(80, 24).contains("✗ no engine answers"));
    stage.key(KeyCode::Char('s'));
    assert!(stage.effects.is_empty(), "what is over is not stopped");
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

/// The values of the form's changes in the profile's own words.
fn changes(stage: &Stage) -> Vec<(String, String)> {
    stage.model.setup.overrides()
}

#[test]
fn another_kind_of_workload_has_fields_of_its_own_and_is_a_plan_at_once() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    stage.select(Field::Kind);
    stage.frames("setup_kind_latency", &SIZES);
    stage.key(KeyCode::Right);
    stage.frames("setup_kind_throughput", &SIZES);
    let frame = stage.frame(120, 40);
    for said in ["Volume", "100 MB  100,000 messages", "Scenario", "file: latency"] {
        assert!(frame.contains(said), "{said}: {frame}");
    }
    for other in ["Length", "Arrival", "Objectives", "Load warm-up"] {
        assert!(!frame.contains(other), "{other}: {frame}");
    }
    stage.key(KeyCode::Right);
    stage.frames("setup_kind_capacity", &SIZES);
    let frame = stage.frame(120, 40);
    for said in ["delivery.p99 20 ms, lost 0", "50..3000 step 5%", "numbers to try", "1 search"] {
        assert!(frame.contains(said), "{said}: {frame}");
    }
    for other in ["Repetitions", "Volume"] {
        assert!(!frame.contains(other), "{other}: {frame}");
    }
    stage.key(KeyCode::Right);
    assert!(changes(&stage).is_empty(), "the file's own kind has the file's own values");
}

#[test]
fn what_was_typed_in_a_kind_of_workload_is_there_again_on_the_way_back() {
    let mut stage = field(Field::Users);
    stage.type_text(", 400");
    stage.key(KeyCode::Enter);
    stage.select(Field::Kind);
    stage.key(KeyCode::Right);
    assert!(stage.frame(120, 40).contains("Users          1  file: 100"));
    stage.key(KeyCode::Left);
    assert_eq!(changes(&stage), pairs([("workload.users", "100, 400")]));
    stage.key(KeyCode::Left);
    stage.key(KeyCode::Delete);
    assert!(changes(&stage).is_empty(), "the whole kind is the file's again");
}

#[test]
fn every_kind_of_workload_can_be_made_of_every_profile() {
    for profile in 0..fixture::catalog().profiles.len() {
        let mut stage = Stage::new();
        for _ in 0..profile {
            stage.key(KeyCode::Down);
        }
        stage.key(KeyCode::Tab);
        stage.select(Field::Kind);
        for _ in 0..3 {
            stage.key(KeyCode::Right);
            let problems = stage.model.setup.problems();
            assert!(problems.is_empty(), "{problems:?}");
            stage.key(KeyCode::F(5));
            assert!(matches!(stage.effects.pop(), Some(Effect::Start(_))));
            stage.model.screen = Screen::Setup;
        }
    }
}

#[test]
fn a_load_is_as_long_as_its_messages_or_as_a_time() {
    let mut stage = field(Field::Length);
    assert!(stage.frame(120, 40).contains("60 messages"));
    stage.key(KeyCode::Esc);
    assert!(stage.frame(120, 40).contains("60 messages  each, 1 m 00 s"));
    stage.retype("30 s");
    let frame = stage.frame(120, 40);
    assert!(frame.contains("*Length         30 s  30 messages each  file: 60 messages"), "{frame}");
    assert_eq!(changes(&stage), pairs([("workload.duration", "30 s")]));
    stage.retype("5");
    assert_eq!(changes(&stage), pairs([("workload.messages", "5")]));
    stage.retype("5 miles");
    let frame = stage.frame(80, 24);
    assert!(frame.contains("*Length") && frame.contains("✗"), "{frame}");
    assert!(stage.model.setup.problem(Field::Length).is_some());
}

#[test]
fn arrivals_are_turned_and_typed() {
    let mut stage = field(Field::Arrival);
    stage.key(KeyCode::Esc);
    assert!(stage.frame(120, 40).contains("◂ normal 1 s ± 250 ms ▸  1.00 msg/s each"));
    stage.key(KeyCode::Right);
    stage.key(KeyCode::Right);
    let frame = stage.frame(120, 40);
    assert!(
        frame.contains("poisson 1 s") && frame.contains("file: normal 1 s ± 250 ms"),
        "{frame}"
    );
    stage.retype("100 ms");
    let frame = stage.frame(120, 40);
    assert!(frame.contains("poisson 100 ms ▸  10.0 msg/s each"), "{frame}");
    let table = r#"{ distribution = "poisson", mean = "100 ms" }"#;
    assert_eq!(changes(&stage), pairs([("workload.arrival", table)]));
    stage.retype("normal 1 s +- 2 s");
    assert!(stage.model.setup.problem(Field::Arrival).is_some());
}

#[test]
fn objectives_of_a_search_are_judged_while_they_are_typed() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    stage.select(Field::Kind);
    stage.key(KeyCode::Left);
    stage.select(Field::Objectives);
    stage.key(KeyCode::Enter);
    stage.type_text(", ack.p77 1 ms");
    let frame = stage.frame(80, 24);
    assert!(frame.contains("✗") && frame.contains("ack.p77"), "{frame}");
    assert!(stage.model.setup.problem(Field::Objectives).is_some());
    stage.key(KeyCode::Esc);
    stage.retype("ack.p90 5 ms");
    stage.key(KeyCode::F(5));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    let objectives = request.preview.plan.capacity.expect("a search").objectives;
    assert_eq!(objectives.len(), 1);
    assert_eq!((objectives[0].metric.as_str(), objectives[0].at_most), ("ack.p90", 5_000.0));
}

#[test]
fn what_a_field_means_is_whole_at_the_smallest_size() {
    for turns in 0..3 {
        let mut stage = Stage::new();
        stage.key(KeyCode::Tab);
        stage.select(Field::Kind);
        for _ in 0..turns {
            stage.key(KeyCode::Right);
        }
        for field in stage.model.setup.fields() {
            stage.select(field);
            let frame = stage.frame(80, 24);
            let shown: Vec<&str> =
                frame.lines().skip(18).map(|line| line.trim_matches(['│', ' '])).collect();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let shown = words(&shown.join(" "));
            let meaning = words(&field.meaning());
            assert!(
                shown.windows(meaning.len()).any(|part| part == meaning),
                "{field:?}:\n{frame}"
            );
        }
    }
}
