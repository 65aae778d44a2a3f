//! Tests of the setup screen: profiles, the form, the preview.

use super::*;

#[test]
fn setup_at_the_start() {
    let screen = TestScreen::new();
    screen.assert_frames("setup", &[(80, 24), (120, 40), (160, 45)]);
}

#[test]
fn setup_with_changed_fields_and_a_problem() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Tab);
    screen.select(Field::Users);
    screen.key(KeyCode::Enter);
    screen.type_text(", many");
    screen.assert_frames("setup_typing", &[(80, 24)]);
    screen.key(KeyCode::Enter);
    screen.assert_frames("setup_problem", &[(80, 24)]);
    assert!(matches!(screen.model.screen, Screen::Setup));
    screen.start();
    assert!(screen.effects.is_empty(), "an invalid form starts nothing");
    screen.key(KeyCode::Delete);
    screen.start();
    assert!(matches!(screen.effects.as_slice(), [Effect::Start(_)]));
}

#[test]
fn setup_with_the_list_of_backends() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Tab);
    screen.key(KeyCode::Enter);
    screen.key(KeyCode::Down);
    screen.assert_frames("setup_backends", &[(80, 24)]);
}

#[test]
fn one_key_switches_between_warm_and_cold_server() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('w'));
    assert!(screen.frame(80, 24).contains("30 s  warm"));
    screen.key(KeyCode::Char('w'));
    assert!(screen.frame(80, 24).contains("0 s  cold, as the study"));
    screen.key(KeyCode::Char('w'));
    screen.key(KeyCode::Enter);
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    assert_eq!(request.overrides, [("run.server_warmup".to_owned(), "30 s".to_owned())]);
    assert_eq!(request.preview.plan.server_warmup, Duration::from_secs(30));
}

#[test]
fn changes_to_a_profile_persist_while_another_is_selected() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('w'));
    screen.key(KeyCode::Down);
    assert!(screen.frame(80, 24).contains("0 s  cold"));
    assert!(screen.frame(80, 24).contains("first-look *"));
    screen.key(KeyCode::Up);
    assert!(screen.frame(80, 24).contains("30 s  warm"));
}

#[test]
fn choosing_a_backend_switches_to_a_hub_that_can_run_it() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Tab);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Choices);
    screen.key(KeyCode::Char(' '));
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Char(' '));
    screen.key(KeyCode::Enter);
    screen.start();
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    let expected = [("backend", "kafka:2.8.0"), ("hub.kind", "docker")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(request.overrides, expected);
}

/// Opens a field in the first profile's form.
fn field(wanted: Field) -> TestScreen {
    field_of(0, wanted)
}

/// Opens a field in the form of another profile.
fn field_of(profile: usize, wanted: Field) -> TestScreen {
    let mut screen = TestScreen::new();
    for _ in 0..profile {
        screen.key(KeyCode::Down);
    }
    screen.key(KeyCode::Tab);
    screen.select(wanted);
    screen.key(KeyCode::Enter);
    screen
}

fn started(mut screen: TestScreen) -> Vec<(String, String)> {
    screen.start();
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    request.overrides
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn hubs_are_found_and_chosen() {
    let mut screen = field_of(1, Field::Engine);
    assert_eq!(screen.requests, [ServiceRequest::FindHubs]);
    assert_eq!(screen.model.input_context(), InputContext::Choices);
    screen.assert_frames("setup_hubs", &[(80, 24)]);
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Enter);
    let frame = screen.frame(80, 24);
    assert!(frame.contains("ssh://pi  file: none"), "{frame}");
    assert_eq!(started(screen), pairs([("hub.engine", "ssh://pi")]));

    // The built-in broker runs on no engine, and the form reports that.
    let mut screen = field(Field::Engine);
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Enter);
    assert!(screen.frame(120, 40).contains("✗ builtin cannot run on the docker hub"));

    let mut screen = field(Field::Engine);
    for _ in 0..2 {
        screen.key(KeyCode::Down);
    }
    screen.key(KeyCode::Enter);
    assert!(started(screen).is_empty(), "this machine is the file's hub");
}

#[test]
fn an_address_that_is_not_listed_can_be_typed() {
    let mut screen = field_of(1, Field::Engine);
    for _ in 0..9 {
        screen.key(KeyCode::Down);
    }
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Text);
    screen.type_text("tcp://shed");
    screen.key(KeyCode::Enter);
    assert_eq!(started(screen), pairs([("hub.engine", "tcp://shed")]));
}

#[test]
fn limits_and_thresholds_are_typed_in_human_readable_form() {
    let mut screen = field_of(1, Field::Limits);
    screen.type_text("cpus 2");
    screen.key(KeyCode::Enter);
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Enter);
    screen.type_text(", lost 0");
    screen.key(KeyCode::Enter);
    assert!(screen.frame(120, 40).contains("delivery.p99 20 ms, lost 0  file: delivery.p99 20 ms"));
    let expected = [
        ("hub.limits", r#"{ "cpus" = "2 cpus" }"#),
        ("thresholds", r#"{ "delivery.p99" = "20 ms", "lost" = 0 }"#),
    ];
    assert_eq!(started(screen), pairs(expected));
}

#[test]
fn a_field_shows_its_meaning_allowed_values_and_default() {
    let mut screen = field(Field::Users);
    screen.key(KeyCode::Esc);
    let frame = screen.frame(120, 40);
    for text in ["Number of devices", "It may be a whole number from 1 to", "Users (default: 100)"]
    {
        assert!(frame.contains(text), "{text}: {frame}");
    }
}

#[test]
fn the_form_is_compared_with_its_file() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('='));
    assert!(screen.frame(80, 24).contains("the form has no changes"));
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
    screen.key(KeyCode::Char('w'));
    screen.key(KeyCode::Char('='));
    screen.assert_frames("setup_changes", &[(80, 24)]);
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
}

#[test]
fn images_are_built_from_the_form_and_their_steps_are_shown() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('i'));
    assert!(matches!(screen.requests.as_slice(), [ServiceRequest::BuildImages(_)]));
    let frame = screen.frame(80, 24);
    for text in [
        "✓ all images of this run are available",
        "hubmark/kafka:2.8.0  33 % · 12 s · step 3/9 RUN apt-get",
        "hubmark/tools  already available",
    ] {
        assert!(frame.contains(text), "{text}: {frame}");
    }
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
    // During the build the same key shows its progress and starts no other build.
    screen.requests.clear();
    let effects = screen.model.update(Msg::Images);
    assert!(matches!(effects.as_slice(), [Effect::Service(ServiceRequest::BuildImages(_))]));
    assert!(screen.frame(80, 24).contains("building images on the hub"));
    screen.key(KeyCode::Esc);
    assert!(screen.model.update(Msg::Images).is_empty());
    assert!(screen.frame(80, 24).contains("s stop"));
    screen.key(KeyCode::Char('s'));
    assert_eq!(screen.effects.pop(), Some(Effect::StopImages));
    let script = "step 7/21 RUN case \"$KAFKA_VERSION\" in\n  2.*) logging=org.slf4j:slf4j-log4j12 ;;\n esac";
    let step = ImageProgress {
        image: "hubmark/kafka:2.8.0".to_owned(),
        step: script.to_owned(),
        ..ImageProgress::default()
    };
    screen.respond(ServiceResponse::ImageProgress(step));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("0 s · step 7/21 RUN case") && frame.contains("esac"), "{frame}");
    screen.respond(ServiceResponse::ImagesBuilt(Err("no engine answers".to_owned())));
    assert!(screen.frame(80, 24).contains("✗ no engine answers"));
    screen.key(KeyCode::Char('s'));
    assert!(screen.effects.is_empty(), "a finished build is not stopped");
}

#[test]
fn with_nothing_to_choose_there_is_nothing_to_start() {
    let nothing = crate::tui::requests::Catalog {
        profiles: Vec::new(),
        backends: Vec::new(),
        default_engine: String::new(),
    };
    let (model, effects) = Model::new(nothing, Preferences::default());
    let mut screen = TestScreen {
        model,
        effects,
        requests: Vec::new(),
        asked_hubs: Vec::new(),
        now: Duration::ZERO,
    };
    for code in [KeyCode::Down, KeyCode::Char('w'), KeyCode::Tab, KeyCode::Enter, KeyCode::F(5)] {
        screen.key(code);
        screen.frame(80, 24);
    }
    assert!(screen.effects.is_empty());
}

/// Changes of the form as profile keys and values.
fn changes(screen: &TestScreen) -> Vec<(String, String)> {
    screen.model.setup.overrides()
}

#[test]
fn another_kind_of_workload_has_other_fields_and_a_valid_plan() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Tab);
    screen.select(Field::Kind);
    screen.assert_frames("setup_kind_latency", &SIZES);
    screen.key(KeyCode::Right);
    screen.assert_frames("setup_kind_throughput", &SIZES);
    let frame = screen.frame(120, 40);
    for text in ["Volume", "100 MB  100,000 messages", "Scenario", "file: latency"] {
        assert!(frame.contains(text), "{text}: {frame}");
    }
    for other in ["Length", "Arrival", "Objectives", "Load warm-up"] {
        assert!(!frame.contains(other), "{other}: {frame}");
    }
    screen.key(KeyCode::Right);
    screen.assert_frames("setup_kind_capacity", &SIZES);
    let frame = screen.frame(120, 40);
    for text in
        ["delivery.p99 20 ms, undelivered 0", "50..3000 step 5%", "numbers to try", "1 search"]
    {
        assert!(frame.contains(text), "{text}: {frame}");
    }
    for other in ["Repetitions", "Volume"] {
        assert!(!frame.contains(other), "{other}: {frame}");
    }
    screen.key(KeyCode::Right);
    assert!(changes(&screen).is_empty(), "the file's kind has the file's values");
}

#[test]
fn values_of_a_kind_of_workload_are_restored_when_switching_back() {
    let mut screen = field(Field::Users);
    screen.type_text(", 400");
    screen.key(KeyCode::Enter);
    screen.select(Field::Kind);
    screen.key(KeyCode::Right);
    assert!(screen.frame(120, 40).contains("Users          1  file: 100"));
    screen.key(KeyCode::Left);
    assert_eq!(changes(&screen), pairs([("workload.users", "100, 400")]));
    screen.key(KeyCode::Left);
    screen.key(KeyCode::Delete);
    assert!(changes(&screen).is_empty(), "the whole kind is the file's again");
}

#[test]
fn every_profile_can_switch_to_every_kind_of_workload() {
    for profile in 0..fixture::catalog().profiles.len() {
        let mut screen = TestScreen::new();
        for _ in 0..profile {
            screen.key(KeyCode::Down);
        }
        screen.key(KeyCode::Tab);
        screen.select(Field::Kind);
        for _ in 0..3 {
            screen.key(KeyCode::Right);
            let problems = screen.model.setup.problems();
            assert!(problems.is_empty(), "{problems:?}");
            screen.start();
            assert!(matches!(screen.effects.pop(), Some(Effect::Start(_))));
            screen.model.screen = Screen::Setup;
        }
    }
}

#[test]
fn a_load_is_as_long_as_its_messages_or_as_a_time() {
    let mut screen = field(Field::Length);
    assert!(screen.frame(120, 40).contains("60 messages"));
    screen.key(KeyCode::Esc);
    assert!(screen.frame(120, 40).contains("60 messages  each, 1 m 00 s"));
    screen.retype("30 s");
    let frame = screen.frame(120, 40);
    assert!(frame.contains("*Length         30 s  30 messages each  file: 60 messages"), "{frame}");
    assert_eq!(changes(&screen), pairs([("workload.duration", "30 s")]));
    screen.retype("5");
    assert_eq!(changes(&screen), pairs([("workload.messages", "5")]));
    screen.retype("5 miles");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("*Length") && frame.contains("✗"), "{frame}");
    assert!(screen.model.setup.problem(Field::Length).is_some());
}

#[test]
fn arrivals_are_cycled_and_typed() {
    let mut screen = field(Field::Arrival);
    screen.key(KeyCode::Esc);
    assert!(screen.frame(120, 40).contains("◂ normal 1 s ± 250 ms ▸  1.00 msg/s each"));
    screen.key(KeyCode::Right);
    screen.key(KeyCode::Right);
    let frame = screen.frame(120, 40);
    assert!(
        frame.contains("poisson 1 s") && frame.contains("file: normal 1 s ± 250 ms"),
        "{frame}"
    );
    screen.retype("100 ms");
    let frame = screen.frame(120, 40);
    assert!(frame.contains("poisson 100 ms ▸  10.0 msg/s each"), "{frame}");
    let table = r#"{ distribution = "poisson", mean = "100 ms" }"#;
    assert_eq!(changes(&screen), pairs([("workload.arrival", table)]));
    screen.retype("normal 1 s +- 2 s");
    assert!(screen.model.setup.problem(Field::Arrival).is_some());
}

#[test]
fn objectives_are_validated_while_they_are_typed() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Tab);
    screen.select(Field::Kind);
    screen.key(KeyCode::Left);
    screen.select(Field::Objectives);
    screen.key(KeyCode::Enter);
    screen.type_text(", ack.p77 1 ms");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("✗") && frame.contains("ack.p77"), "{frame}");
    assert!(screen.model.setup.problem(Field::Objectives).is_some());
    screen.key(KeyCode::Esc);
    screen.retype("ack.p90 5 ms");
    screen.start();
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    let objectives = request.preview.plan.capacity.expect("a search").objectives;
    assert_eq!(objectives.len(), 2);
    assert_eq!(objectives[1].to_string(), "undelivered ≤ 0");
    assert_eq!((objectives[0].metric.as_str(), objectives[0].at_most), ("ack.p90", 5_000.0));
}

#[test]
fn field_help_fits_on_the_smallest_terminal() {
    for turns in 0..3 {
        let mut screen = TestScreen::new();
        screen.key(KeyCode::Tab);
        screen.select(Field::Kind);
        for _ in 0..turns {
            screen.key(KeyCode::Right);
        }
        for field in screen.model.setup.fields() {
            screen.select(field);
            let frame = screen.frame(80, 24);
            let shown: Vec<&str> =
                frame.lines().skip(18).map(|line| line.trim_matches(['│', ' '])).collect();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let shown = words(&shown.join(" "));
            let meaning = words(&field.help());
            assert!(
                shown.windows(meaning.len()).any(|part| part == meaning),
                "{field:?}:\n{frame}"
            );
        }
    }
}
