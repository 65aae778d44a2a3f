//! Keys found, themes, symbols, help, sizes.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::*;

#[test]
fn without_colours_there_is_no_colour() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.model.theme = Theme::None;
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage.tell(vec![Event::Snapshot(Box::new(fixture::suspect(&plan.points[1])))]);
    assert_eq!(stage.cells(120, 40, |cell| cell.fg != Color::Reset || cell.bg != Color::Reset), "");
    assert!(stage.frame(120, 40).contains("! suspect"));
}

#[test]
fn a_command_is_found_by_a_few_letters() {
    let mut stage = under_load();
    stage.key(KeyCode::Char(':'));
    assert_eq!(stage.model.place(), Place::Palette);
    stage.frames("palette", &SIZES);
    stage.type_text("heat");
    stage.frames("palette_heat", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.place(), Place::Live);
    assert!(stage.frame(80, 24).contains("dark = many"));
    stage.key(KeyCode::Char(':'));
    stage.type_text("zzz");
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.place(), Place::Palette, "nothing of that name does nothing");
    stage.key(KeyCode::Esc);
    assert!(stage.effects.is_empty());
}

#[test]
fn without_unicode_everything_is_ascii() {
    let mut stage = under_load();
    stage.model.symbols = Symbols::Ascii;
    stage.frames("live_ascii", &SIZES);
    for key in ['5', 'm', '?'] {
        stage.key(KeyCode::Char(key));
        assert!(stage.frame(120, 40).is_ascii(), "{}", stage.frame(120, 40));
    }
}

#[test]
fn each_theme_has_its_colours_and_the_same_text() {
    let mut stage = under_load();
    let text = stage.frame(120, 40);
    let mut styles = std::collections::BTreeSet::new();
    for (theme, name) in Theme::ALL {
        stage.model.theme = theme;
        assert_eq!(stage.frame(120, 40), text, "{name}");
        let terminal = stage.terminal(120, 40);
        let cells = terminal.backend().buffer().content().iter();
        styles.insert(format!("{:?}", cells.map(|cell| (cell.fg, cell.bg)).collect::<Vec<_>>()));
    }
    assert_eq!(styles.len(), Theme::ALL.len());
}

#[test]
fn questions_and_help_lie_over_the_screen() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage.key(KeyCode::Char('s'));
    stage.frames("stop", &[(80, 24)]);
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Char('q'));
    stage.frames("quit", &[(80, 24)]);
    stage.key(KeyCode::Char('g'));
    stage.key(KeyCode::Char('?'));
    stage.frames("help", &[(80, 24), (120, 40)]);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Live);
    assert!(stage.effects.is_empty(), "looking at questions stops nothing");
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    let stage = Stage::new();
    let frame = stage.frame(79, 24);
    assert!(frame.contains("79×24: too small. hubmark needs 80×24"), "{frame}");
}

fn click(stage: &mut Stage, width: u16, height: u16, text: &str) -> Option<Msg> {
    let frame = stage.frame(width, height);
    let (row, line) = frame
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(text))
        .unwrap_or_else(|| panic!("{text} is not there:\n{frame}"));
    let column = line[..line.find(text).unwrap_or(0)].chars().count();
    let mouse = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: column as u16,
        row: row as u16,
        modifiers: KeyModifiers::NONE,
    };
    let msg = view::pointed(&stage.model, Rect::new(0, 0, width, height), mouse);
    if let Some(msg) = msg.clone() {
        stage.say(msg);
    }
    msg
}

#[test]
fn a_click_chooses_and_one_more_does_what_enter_does() {
    let mut stage = Stage::new();
    click(&mut stage, 80, 24, "study-throughput");
    assert_eq!(stage.model.setup.profile, 3);
    click(&mut stage, 80, 24, "Repetitions");
    assert_eq!(stage.model.place(), Place::Form);
    click(&mut stage, 80, 24, "Repetitions");
    assert_eq!(stage.model.place(), Place::Text);
    assert!(click(&mut stage, 80, 24, "study-latency-users").is_none(), "what is typed stays");
    stage.key(KeyCode::Esc);
    click(&mut stage, 80, 24, "F5 start");
    assert!(matches!(stage.effects.as_slice(), [Effect::Start(_)]));

    for (width, height) in SIZES {
        let mut stage = under_load();
        click(&mut stage, width, height, "ledger (messages)");
        assert!(stage.frame(width, height).contains("▸ledger"));
        click(&mut stage, width, height, "ledger (messages)");
        assert!(!stage.frame(width, height).contains("throughput"), "it is alone");
        stage.key(KeyCode::Esc);
        click(&mut stage, width, height, "s stop");
        assert_eq!(stage.model.place(), Place::Stop);
        assert!(click(&mut stage, width, height, "n  now").is_none(), "no click stops a run");
        assert!(stage.effects.is_empty());
    }

    let mut stage = Stage::live(&fixture::sweep());
    stage.tell(fixture::run(&fixture::sweep(), End::Complete));
    click(&mut stage, 80, 24, "mariadb");
    let Screen::Finished(finished) = &stage.model.screen else { panic!("the run is over") };
    assert_eq!(finished.selected, 2);
}

#[test]
fn a_command_of_the_palette_is_clicked() {
    let mut stage = under_load();
    stage.key(KeyCode::Char(':'));
    stage.type_text("heat");
    click(&mut stage, 80, 24, "latency as heat map");
    assert!(stage.frame(80, 24).contains("dark = many"));
}

#[test]
fn the_help_begins_with_the_keys_of_its_place_and_holds_those_of_all() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('?'));
    let first = stage.frame(80, 24);
    assert!(first.contains("enter             start the run"), "{first}");
    assert!(!first.contains("freeze"), "{first}");
    let whole = stage.frame(80, 100);
    for text in ["Choosing", "lag ", "warm or cold server"] {
        assert!(whole.contains(text), "{text}: {whole}");
    }
    let mut seen = String::new();
    for _ in 0..200 {
        seen.push_str(&stage.frame(80, 24));
        stage.key(KeyCode::Down);
    }
    for action in super::super::keys::ACTIONS {
        assert!(seen.contains(action.what), "{}", action.name);
    }
    assert_eq!(stage.model.place(), Place::Help);
}
