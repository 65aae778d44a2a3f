//! Tests that nothing is ignored in silence, that everything can be reached, and that reasons are said.

use super::*;
use crate::server::HubFacts;

#[test]
fn an_unreadable_records_folder_is_not_shown_as_empty() {
    let mut screen = TestScreen::new();
    screen.press("R");
    screen.respond(ServiceResponse::RecordList(Ok(Vec::new())));
    assert!(screen.frame(80, 24).contains("no records yet"));
    let problem = "/r: Permission denied (os error 13)".to_owned();
    screen.respond(ServiceResponse::RecordList(Err(problem)));
    screen.press("down");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("the records cannot be read: /r: Permission denied"), "{frame}");
    assert!(!frame.contains("no records yet"), "{frame}");
    screen.respond(ServiceResponse::RecordList(Ok(fixture::records::entries())));
    assert!(!screen.frame(80, 24).contains("cannot be read"));
}

#[test]
fn every_line_of_preview_and_explanation_is_reached_on_the_smallest_screen() {
    let mut screen = TestScreen::new();
    screen.send(Msg::Resized(60, 20));
    let mut seen = screen.frame(60, 20);
    assert!(seen.contains("more, pagedown"), "{seen}");
    for _ in 0..12 {
        screen.press("pgdn");
        seen.push_str(&screen.frame(60, 20));
    }
    for words in ["share its cores", "hubmark's own floor", "has to be installed"] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
    screen.press("down");
    assert_eq!(screen.model.setup.scrolled_lines, 0, "another profile is read from its start");
}

#[test]
fn seed_order_drain_baseline_and_settings_of_backends_are_edited_on_the_form() {
    let mut screen = TestScreen::new();
    screen.press("down");
    screen.press("tab");
    for (field, text) in [(Field::Seed, "7"), (Field::Drain, "3 s"), (Field::Baseline, "1 s")] {
        screen.select(field);
        screen.retype(text);
    }
    screen.select(Field::Order);
    screen.press("right");
    let fields = screen.model.setup.fields();
    let setting = |key: &str| {
        let found = fields.iter().find(|field| field.key() == key);
        *found.unwrap_or_else(|| panic!("{key} is on the form"))
    };
    screen.select(setting("kafka.partitions"));
    screen.retype("4");
    screen.select(setting("kafka.producer"));
    assert!(screen.frame(80, 24).contains("kafka.producer"), "{}", screen.frame(80, 24));
    screen.retype("linger.ms 5, compression.type lz4");
    screen.select(setting("mariadb.poll"));
    screen.retype("2 ms");
    let problems = screen.model.setup.problems();
    assert!(problems.is_empty(), "{problems:?}");
    let changes = screen.model.setup.overrides();
    let has = |key: &str, value: &str| {
        let found = changes.iter().any(|(other, text)| other == key && text == value);
        assert!(found, "{key} = {value}: {changes:?}");
    };
    has("run.seed", "7");
    has("workload.drain", "3 s");
    has("run.baseline", "1 s");
    has("run.order", "blocked");
    has("kafka.partitions", "4");
    has("kafka.producer", r#"{ "linger.ms" = 5, "compression.type" = "lz4" }"#);
    has("mariadb.poll", "2 ms");
}

#[test]
fn a_wrong_setting_of_a_backend_is_refused_beside_it() {
    let mut screen = TestScreen::new();
    screen.press("down");
    screen.press("tab");
    let fields = screen.model.setup.fields();
    let partitions = fields.iter().find(|field| field.key() == "kafka.partitions");
    screen.select(*partitions.expect("on the form"));
    screen.retype("many");
    assert!(screen.frame(80, 24).contains("cannot start: 1 problem"), "{}", screen.frame(80, 24));
    let field = screen.model.setup.selected();
    assert!(screen.model.setup.problem(field).is_some());
}

#[test]
fn theme_and_mouse_are_switched_named_and_remembered_while_running() {
    let mut screen = under_load();
    let ctrl_t = KeyEvent::new(KeyCode::Char('t'), KeyModifiers::CONTROL);
    let msg = screen.model.keys.message(ctrl_t, screen.model.input_context());
    screen.send(msg.expect("a key of the screen"));
    assert!(screen.frame(80, 24).contains("theme: dark"), "{}", screen.frame(80, 24));
    assert!(matches!(screen.effects.pop(), Some(Effect::Remember(it)) if it.theme == Theme::Dark));
    screen.press("M");
    assert!(screen.frame(80, 24).contains("the terminal selects text"));
    assert!(matches!(
        screen.effects.as_slice(),
        [Effect::Mouse(MouseOwner::Terminal), Effect::Remember(it)] if it.mouse == MouseOwner::Terminal
    ));
    screen.press("f");
    assert!(!screen.frame(80, 24).contains("the terminal selects text"), "until the next key");
}

#[test]
fn an_action_without_a_key_is_in_the_palette_and_not_in_the_footer() {
    let mut screen = under_load();
    let none = std::collections::BTreeMap::from([("freeze".to_owned(), Vec::new())]);
    screen.model.keys = crate::tui::keys::Keymap::with_overrides(&none).expect("allowed");
    assert!(!screen.frame(80, 24).contains("freeze"), "{}", screen.frame(80, 24));
    screen.press(":");
    screen.type_text("freeze");
    screen.press("enter");
    assert!(screen.frame(120, 40).contains("frozen"), "{}", screen.frame(120, 40));
}

#[test]
fn findings_of_the_study_are_listed_for_records_of_the_study_only() {
    let document = |profile: &str| {
        let mut record =
            fixture::record(&fixture::first_look(), crate::record::RecordStatus::Complete);
        profile.clone_into(&mut record.plan.profile);
        crate::tui::Document::from_record("r", std::path::Path::new("r.json"), &record)
    };
    let names = |profile: &str| {
        document(profile).pages.iter().map(|page| page.name).collect::<Vec<_>>().join(" ")
    };
    assert!(!names("first-look").contains("findings"), "{}", names("first-look"));
    assert!(names("study-throughput").contains("findings"));
}

/// Run on a Pi as it is shipped: no memory is counted.
fn run_without_memory_cgroup() -> TestScreen {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let facts = HubFacts {
        memory_cgroup: Some(false),
        cautions: vec!["the hub's memory cgroup is off: memory is not counted".to_owned()],
        ..HubFacts::default()
    };
    let place = "ssh://pi".to_owned();
    screen.send_events(vec![Event::Hub { place, facts: Box::new(facts) }]);
    let mut events = fixture::load_events(&plan, 0, 20, 900.0);
    for event in &mut events {
        if let Event::Snapshot(snapshot) = event {
            snapshot.servers.values_mut().for_each(|load| load.memory = None);
        }
    }
    screen.send_events(events);
    screen
}

#[test]
fn memory_that_the_hub_cannot_count_says_why_during_the_run_and_in_the_answer() {
    let mut screen = run_without_memory_cgroup();
    assert!(screen.frame(80, 24).contains("– cgroup off"), "{}", screen.frame(80, 24));
    assert!(screen.frame(80, 24).contains("memory cgroup is off"), "{}", screen.frame(80, 24));
    let plan = fixture::sweep();
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete).split_off(3));
    let frame = screen.frame(120, 40);
    assert!(frame.contains("hub     ! the hub's memory cgroup is off"), "{frame}");
}

#[test]
fn what_a_check_of_the_hub_found_is_said_before_the_run() {
    let mut screen = TestScreen::new();
    screen.press("c");
    screen.press("esc");
    let frame = screen.frame(120, 40);
    assert!(frame.contains("! memory cgroup: off"), "{frame}");
    // Another hub was not checked.
    screen.press("down");
    assert!(!screen.frame(120, 40).contains("memory cgroup"), "{}", screen.frame(120, 40));
}

#[test]
fn the_default_engine_is_named() {
    let mut screen = TestScreen::new();
    screen.press("down");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("Engine         unix:///var/run/docker.sock"), "{frame}");
}

#[test]
fn times_are_shown_in_the_chosen_zone() {
    let mut screen = TestScreen::new();
    screen.press("R");
    assert!(screen.frame(80, 24).contains("started (UTC)"));
    screen.model.time_zone = DisplayZone::Local;
    assert!(screen.frame(80, 24).contains("started (local)"));
}
