//! Profiles kept, renamed and deleted; the hub checked.

use std::sync::Arc;

use super::*;
use crate::tui::outside::Ask;

#[test]
fn a_profile_is_kept_under_a_name_with_its_changes() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Char('S'));
    assert_eq!(stage.model.place(), Place::Name);
    stage.type_text("mine");
    stage.frames("setup_name", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    let Some(Ask::Keep { name, overrides, replace, .. }) = stage.asked.last() else {
        panic!("{:?}", stage.asked)
    };
    assert_eq!((name.as_str(), *replace), ("mine", false));
    assert_eq!(overrides, &[("run.server_warmup".to_owned(), "30 s".to_owned())]);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("▸mine") && !frame.contains("first-look *"), "{frame}");
}

#[test]
fn a_renamed_profile_takes_along_what_was_not_saved() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Char('w'));
    let was = stage.model.setup.entry().unwrap().name.clone();
    let mut catalog = (*stage.model.catalog).clone();
    catalog.profiles.iter_mut().find(|entry| entry.name == was).unwrap().name = "renamed".into();
    stage.model.catalog = catalog.into();
    stage.model.setup.reload(Arc::clone(&stage.model.catalog), "renamed");
    let frame = stage.frame(80, 24);
    assert!(frame.contains("▸renamed") && frame.contains(" renamed *"), "{frame}");
    assert!(frame.contains("first-look"), "{frame}");
    assert!(stage.model.setup.is_changed(0), "changes of another profile stay");
}

#[test]
fn changes_of_one_s_own_profile_are_kept_in_it() {
    let mut stage = Stage::new();
    for _ in 0..3 {
        stage.key(KeyCode::Down);
    }
    let ctrl_s = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
    let save = |stage: &mut Stage| {
        let msg = stage.model.keys.message(ctrl_s, stage.model.place()).unwrap();
        stage.say(msg);
    };
    save(&mut stage);
    assert!(stage.asked.is_empty() && stage.frame(80, 24).contains("nothing was changed"));
    stage.key(KeyCode::Char('w'));
    assert!(stage.frame(80, 24).contains("study-throughput *"));
    save(&mut stage);
    assert!(matches!(stage.asked.last(), Some(Ask::Keep { replace: true, .. })));
    assert!(!stage.frame(80, 24).contains("study-throughput *"));
    stage.key(KeyCode::Char('N'));
    stage.type_text("2");
    stage.key(KeyCode::Enter);
    assert!(
        matches!(stage.asked.last(), Some(Ask::Rename { to, .. }) if to == "study-throughput2")
    );
    assert!(stage.frame(80, 24).contains("! study-throughput2.toml exists already"));
    stage.key(KeyCode::Char('D'));
    assert!(stage.frame(80, 24).contains("delete the profile?"));
    stage.key(KeyCode::Char('y'));
    assert!(matches!(stage.asked.last(), Some(Ask::Forget(name)) if name == "study-throughput"));
    assert!(!stage.frame(80, 24).contains("study-throughput"));
}

#[test]
fn a_built_in_profile_stays() {
    let mut stage = Stage::new();
    for key in ['N', 'D'] {
        stage.key(KeyCode::Char(key));
        assert_eq!(stage.model.place(), Place::Profiles);
        assert!(stage.frame(80, 24).contains("a built-in profile stays as it is"));
    }
    assert!(stage.asked.is_empty());
}

#[test]
fn the_hub_is_checked_before_a_run() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('c'));
    assert!(matches!(stage.asked.last(), Some(Ask::Check(_))));
    stage.frames("setup_check", &SIZES);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
}

#[test]
fn a_value_is_judged_while_it_is_typed() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    stage.select(Field::Users);
    stage.key(KeyCode::Enter);
    stage.type_text(", x");
    let frame = stage.frame(80, 24);
    assert!(frame.contains("✗") && frame.contains("is not a whole number"), "{frame}");
    stage.key(KeyCode::Backspace);
    stage.type_text("400");
    assert!(stage.frame(80, 24).contains("2 points"));
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::F(5));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    assert_eq!(request.overrides, [("workload.users".to_owned(), "100, 400".to_owned())]);

    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    stage.select(Field::Users);
    stage.key(KeyCode::Enter);
    stage.type_text(", 400");
    stage.key(KeyCode::Esc);
    assert!(stage.frame(80, 24).contains("1 point "), "what is given up changes nothing");
}
