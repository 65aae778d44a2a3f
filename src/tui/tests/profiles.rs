//! Tests of saving, renaming and deleting profiles, and of the hub check.

use std::sync::Arc;

use super::*;
use crate::engine::doctor::{Check, CheckStatus};

#[test]
fn a_profile_is_saved_under_a_name_with_its_changes() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('w'));
    screen.key(KeyCode::Char('S'));
    assert_eq!(screen.model.input_context(), InputContext::Name);
    screen.type_text("mine");
    screen.assert_frames("setup_name", &[(80, 24)]);
    screen.key(KeyCode::Enter);
    let Some(ServiceRequest::SaveProfile { name, overrides, replace, .. }) = screen.requests.last()
    else {
        panic!("{:?}", screen.requests)
    };
    assert_eq!((name.as_str(), *replace), ("mine", false));
    assert_eq!(overrides, &[("run.server_warmup".to_owned(), "30 s".to_owned())]);
    let frame = screen.frame(80, 24);
    assert!(frame.contains("▸mine") && !frame.contains("first-look *"), "{frame}");
}

#[test]
fn a_renamed_profile_keeps_its_unsaved_changes() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('w'));
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Char('w'));
    let previous = screen.model.setup.entry().unwrap().name.clone();
    let mut catalog = (*screen.model.catalog).clone();
    catalog.profiles.iter_mut().find(|entry| entry.name == previous).unwrap().name =
        "renamed".into();
    screen.model.catalog = catalog.into();
    screen.model.setup.reload(Arc::clone(&screen.model.catalog), "renamed");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("▸renamed") && frame.contains(" renamed *"), "{frame}");
    assert!(frame.contains("first-look"), "{frame}");
    assert!(screen.model.setup.is_changed(0), "changes to another profile stay");
}

#[test]
fn changes_to_an_own_profile_are_saved_to_it() {
    let mut screen = TestScreen::new();
    for _ in 0..3 {
        screen.key(KeyCode::Down);
    }
    let ctrl_s = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
    let save = |screen: &mut TestScreen| {
        let msg = screen.model.keys.message(ctrl_s, screen.model.input_context()).unwrap();
        screen.send(msg);
    };
    save(&mut screen);
    assert!(screen.requests.is_empty() && screen.frame(80, 24).contains("no changes to save"));
    screen.key(KeyCode::Char('w'));
    assert!(screen.frame(80, 24).contains("study-throughput *"));
    save(&mut screen);
    assert!(matches!(
        screen.requests.last(),
        Some(ServiceRequest::SaveProfile { replace: true, .. })
    ));
    assert!(!screen.frame(80, 24).contains("study-throughput *"));
    screen.key(KeyCode::Char('N'));
    screen.type_text("2");
    screen.key(KeyCode::Enter);
    assert!(
        matches!(screen.requests.last(), Some(ServiceRequest::RenameProfile { to, .. }) if to == "study-throughput2")
    );
    assert!(screen.frame(80, 24).contains("! study-throughput2.toml exists already"));
    screen.key(KeyCode::Char('D'));
    assert!(screen.frame(80, 24).contains("delete the profile?"));
    screen.answer('y');
    assert!(
        matches!(screen.requests.last(), Some(ServiceRequest::DeleteProfile(name)) if name == "study-throughput")
    );
    assert!(!screen.frame(80, 24).contains("study-throughput"));
}

#[test]
fn a_built_in_profile_cannot_be_changed() {
    let mut screen = TestScreen::new();
    for key in ['N', 'D'] {
        screen.key(KeyCode::Char(key));
        assert_eq!(screen.model.input_context(), InputContext::Profiles);
        assert!(screen.frame(80, 24).contains("a built-in profile cannot be changed"));
    }
    assert!(screen.requests.is_empty());
}

#[test]
fn the_hub_is_checked_before_a_run() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('c'));
    assert!(matches!(screen.requests.last(), Some(ServiceRequest::CheckHub { .. })));
    screen.assert_frames("setup_check", &SIZES);
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
}

#[test]
fn each_check_of_the_hub_is_shown_as_soon_as_it_is_known() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('c'));
    let Some(ServiceRequest::CheckHub { number, .. }) = screen.requests.last() else {
        panic!("{:?}", screen.requests)
    };
    let number = *number;
    let responses = |number, count: usize, is_complete| {
        let check = |subject: &str| Check {
            subject: subject.into(),
            finding: CheckStatus::Ok,
            seen: "fine".into(),
            advice: None,
        };
        let checks = ["engine", "clock"].iter().take(count).map(|one| check(one)).collect();
        ServiceResponse::HubChecks { number, checks, is_complete }
    };
    screen.respond(responses(number, 1, false));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("checking the hub") && frame.contains("✓ engine"), "{frame}");
    assert!(!frame.contains("clock"), "{frame}");
    screen.respond(responses(number - 1, 2, true));
    assert!(!screen.frame(80, 24).contains("clock"), "of an earlier request");
    screen.respond(responses(number, 2, true));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("everything is ready") && frame.contains("✓ clock"), "{frame}");
}

#[test]
fn what_is_missing_on_a_hub_is_said_as_soon_as_a_plan_names_it() {
    let mut screen = TestScreen::new();
    assert_eq!(screen.asked_hubs, [], "the first profile needs no engine");
    screen.key(KeyCode::Down);
    let [hub] = &screen.asked_hubs[..] else { panic!("{:?}", screen.asked_hubs) };
    let missing = "the hub's memory cgroup is off: the servers' memory is not counted";
    let response = ServiceResponse::HubCautions(Box::new(hub.clone()), vec![missing.to_owned()]);
    screen.respond(response);
    screen.assert_frames("setup_hub_caution", &[(80, 24)]);
    screen.key(KeyCode::Down);
    assert!(screen.frame(80, 24).contains("! the hub's memory cgroup"));
    assert_eq!(screen.asked_hubs.len(), 1, "an engine is asked once");
    screen.key(KeyCode::Tab);
    screen.select(Field::Engine);
    screen.key(KeyCode::Enter);
    for _ in 0..9 {
        screen.key(KeyCode::Down);
    }
    screen.key(KeyCode::Enter);
    screen.type_text("ssh://pi");
    assert_eq!(screen.asked_hubs.len(), 1, "half an address is no hub");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.asked_hubs[1].engine.as_deref(), Some("ssh://pi"));
    assert!(!screen.frame(80, 24).contains("memory cgroup"), "of the other hub");
}

#[test]
fn a_value_is_validated_while_it_is_typed() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Tab);
    screen.select(Field::Users);
    screen.key(KeyCode::Enter);
    screen.type_text(", x");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("✗") && frame.contains("is not a whole number"), "{frame}");
    screen.key(KeyCode::Backspace);
    screen.type_text("400");
    assert!(screen.frame(80, 24).contains("2 points"));
    screen.key(KeyCode::Enter);
    screen.key(KeyCode::F(5));
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    assert_eq!(request.overrides, [("workload.users".to_owned(), "100, 400".to_owned())]);

    let mut screen = TestScreen::new();
    screen.key(KeyCode::Tab);
    screen.select(Field::Users);
    screen.key(KeyCode::Enter);
    screen.type_text(", 400");
    screen.key(KeyCode::Esc);
    assert!(screen.frame(80, 24).contains("1 point "), "a cancelled text changes nothing");
}
