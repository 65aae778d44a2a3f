//! Tests of command palette, themes, symbols, help, mouse, sizes.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::*;

#[test]
fn pasted_text_goes_into_an_open_field_only() {
    let mut screen = under_load();
    screen.send(Msg::Paste("sn\rdynamic\rqx\r".to_owned()));
    assert_eq!(screen.effects, [], "pasted text gives no command");
    assert_eq!(screen.model.input_context(), InputContext::Live);
    assert!(screen.frame(80, 24).contains("pasted text has no effect here"));
    screen.key(KeyCode::Up);
    assert!(!screen.frame(80, 24).contains("pasted text has no effect here"));

    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('S'));
    screen.send(Msg::Paste("\nbro\x1b[31mker\rsecond line".to_owned()));
    assert!(screen.frame(80, 24).contains("bro[31mker"), "{}", screen.frame(80, 24));
    assert!(!screen.frame(80, 24).contains("second"));
    assert_eq!(screen.model.input_context(), InputContext::Name, "no Enter is pasted");
}

#[test]
fn without_colours_there_is_no_colour() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.model.theme = Theme::None;
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    screen.send_events(vec![Event::Snapshot(Box::new(fixture::suspect_snapshot(&plan.points[1])))]);
    assert_eq!(
        screen.cells(120, 40, |cell| cell.fg != Color::Reset || cell.bg != Color::Reset),
        ""
    );
    assert!(screen.frame(120, 40).contains("! suspect"));
}

#[test]
fn a_command_is_found_by_a_few_letters() {
    let mut screen = under_load();
    screen.key(KeyCode::Char(':'));
    assert_eq!(screen.model.input_context(), InputContext::Palette);
    screen.assert_frames("palette", &SIZES);
    screen.type_text("heat");
    screen.assert_frames("palette_heat", &[(80, 24)]);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Live);
    assert!(screen.frame(80, 24).contains("dark = many"));
    screen.key(KeyCode::Char(':'));
    screen.type_text("zzzz");
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Palette, "an unknown name does nothing");
    screen.key(KeyCode::Esc);
    assert!(screen.effects.is_empty());
}

#[test]
fn without_unicode_everything_is_ascii() {
    let mut screen = under_load();
    screen.model.symbols = Symbols::Ascii;
    screen.assert_frames("live_ascii", &SIZES);
    for key in ['5', 'm', '?'] {
        screen.key(KeyCode::Char(key));
        assert!(screen.frame(120, 40).is_ascii(), "{}", screen.frame(120, 40));
    }
}

#[test]
fn each_theme_has_its_colours_and_the_same_text() {
    let mut screen = under_load();
    let text = screen.frame(120, 40);
    let mut styles = std::collections::BTreeSet::new();
    for (theme, name) in Theme::ALL {
        screen.model.theme = theme;
        assert_eq!(screen.frame(120, 40), text, "{name}");
        let terminal = screen.terminal(120, 40);
        let cells = terminal.backend().buffer().content().iter();
        styles.insert(format!("{:?}", cells.map(|cell| (cell.fg, cell.bg)).collect::<Vec<_>>()));
    }
    assert_eq!(styles.len(), Theme::ALL.len());
}

#[test]
fn dialogs_and_help_are_drawn_over_the_screen() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    screen.key(KeyCode::Char('s'));
    screen.assert_frames("stop", &[(80, 24)]);
    screen.key(KeyCode::Esc);
    screen.key(KeyCode::Char('q'));
    screen.assert_frames("quit", &[(80, 24)]);
    screen.key(KeyCode::Char('g'));
    screen.key(KeyCode::Char('?'));
    screen.assert_frames("help", &[(80, 24), (120, 40)]);
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Live);
    assert!(screen.effects.is_empty(), "opening dialogs stops nothing");
}

#[test]
fn a_terminal_that_is_too_small_says_so_and_takes_no_unseen_command() {
    let mut screen = TestScreen::new();
    screen.send(Msg::Resized(59, 24));
    let frame = screen.frame(59, 24);
    assert!(frame.contains("too small: needs 60×20. q leaves"), "{frame}");
    for code in [KeyCode::Enter, KeyCode::F(5), KeyCode::Char('R'), KeyCode::Char('D')] {
        screen.key(code);
        assert_eq!(screen.model.input_context(), InputContext::Profiles, "{code:?} has no effect");
    }
    assert_eq!(screen.effects, [], "no run is started");
    screen.key(KeyCode::Char('q'));
    assert_eq!(screen.effects, [Effect::Quit]);
}

#[test]
fn a_run_on_a_tiny_terminal_shows_a_line_of_figures_and_can_be_left() {
    let mut screen = under_load();
    screen.send(Msg::Resized(40, 5));
    let frame = screen.frame(40, 5);
    assert!(frame.contains("p99") && frame.contains("valid"), "{frame}");
    screen.key(KeyCode::Char('s'));
    assert_eq!(screen.model.input_context(), InputContext::Live, "no unseen question");
    screen.key(KeyCode::Char('q'));
    assert!(screen.frame(40, 5).contains("▸ go on"), "{}", screen.frame(40, 5));
    screen.key(KeyCode::Char('n'));
    assert!(screen.frame(40, 5).contains("▸ stop now"), "{}", screen.frame(40, 5));
    screen.key(KeyCode::Enter);
    assert_eq!(screen.effects, [Effect::Stop(StopMode::Now)]);
}

fn click(screen: &mut TestScreen, width: u16, height: u16, text: &str) -> Option<Msg> {
    let frame = screen.frame(width, height);
    let (row, line) = frame
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(text))
        .unwrap_or_else(|| panic!("{text} is not in the frame:\n{frame}"));
    let column = line[..line.find(text).unwrap_or(0)].chars().count();
    let mouse = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: column as u16,
        row: row as u16,
        modifiers: KeyModifiers::NONE,
    };
    let msg = view::hit_test(&screen.model, Rect::new(0, 0, width, height), mouse);
    if let Some(msg) = msg.clone() {
        screen.send(msg);
    }
    msg
}

#[test]
fn a_click_selects_and_a_second_click_acts_as_enter() {
    let mut screen = TestScreen::new();
    click(&mut screen, 80, 24, "study-throughput");
    assert_eq!(screen.model.setup.profile, 3);
    click(&mut screen, 80, 24, "Repetitions");
    assert_eq!(screen.model.input_context(), InputContext::Form);
    click(&mut screen, 80, 24, "Repetitions");
    assert_eq!(screen.model.input_context(), InputContext::Text);
    assert!(
        click(&mut screen, 80, 24, "study-latency-users").is_none(),
        "a click does not end typing"
    );
    screen.key(KeyCode::Esc);
    click(&mut screen, 80, 24, "F5 start");
    assert!(matches!(screen.effects.as_slice(), [Effect::Start(_)]));

    for (width, height) in SIZES {
        let mut screen = under_load();
        click(&mut screen, width, height, "ledger (messages)");
        assert!(screen.frame(width, height).contains("▸ledger"));
        click(&mut screen, width, height, "ledger (messages)");
        assert!(!screen.frame(width, height).contains("throughput"), "the panel is maximized");
        screen.key(KeyCode::Esc);
        click(&mut screen, width, height, "s stop");
        assert_eq!(screen.model.input_context(), InputContext::Stop);
        assert!(click(&mut screen, width, height, "n  now").is_none(), "no click stops a run");
        assert!(screen.effects.is_empty());
    }

    let mut screen = TestScreen::start_run(&fixture::sweep());
    screen.send_events(fixture::run_events(&fixture::sweep(), EndStatus::Complete));
    click(&mut screen, 80, 24, "mariadb 10.11 · 100");
    let Screen::Finished(finished) = &screen.model.screen else { panic!("the run is over") };
    assert_eq!(finished.selected, 2);
}

#[test]
fn a_command_of_the_palette_is_clicked() {
    let mut screen = under_load();
    screen.key(KeyCode::Char(':'));
    screen.type_text("heat");
    click(&mut screen, 80, 24, "latency as heat map");
    assert!(screen.frame(80, 24).contains("dark = many"));
}

#[test]
fn the_help_begins_with_the_keys_of_its_context_and_lists_all() {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('?'));
    let first = screen.frame(80, 24);
    assert!(first.contains("enter             start the run"), "{first}");
    assert!(!first.contains("freeze"), "{first}");
    let whole = screen.frame(80, 100);
    for text in ["Choosing", "lag ", "warm or cold server"] {
        assert!(whole.contains(text), "{text}: {whole}");
    }
    let mut seen = String::new();
    for _ in 0..300 {
        seen.push_str(&screen.frame(80, 24));
        screen.key(KeyCode::Down);
    }
    for action in crate::tui::keys::ACTIONS {
        assert!(seen.contains(action.description), "{}", action.name);
    }
    assert_eq!(screen.model.input_context(), InputContext::Help);
}

#[test]
fn the_state_in_the_footer_keeps_a_gap_to_the_keys() {
    let mut screen = under_load();
    screen.press("f");
    for width in 60..=200 {
        let frame = screen.frame(width, 24);
        let footer = frame.lines().last().unwrap_or_default();
        let (keys, _) = footer.split_once("display frozen").expect("the state");
        assert!(keys.ends_with("  "), "{width}: {footer}");
        assert!(keys.contains("f go on"), "the way back, {width}: {footer}");
    }
}

#[test]
fn a_narrow_question_wraps_its_answers() {
    let mut screen = under_load();
    screen.send(Msg::Resized(60, 20));
    screen.key(KeyCode::Char('s'));
    let frame = screen.frame(60, 20);
    assert!(frame.contains("n  now: this repetition is recorded as far"), "{frame}");
    assert!(frame.lines().any(|line| line.contains("        came ")), "{frame}");
    assert!(!frame.contains("came…"), "{frame}");
}

#[test]
fn every_item_of_the_footer_is_clicked() {
    let mut screen = TestScreen::start_run(&fixture::sweep());
    screen.send_events(fixture::run_events(&fixture::sweep(), EndStatus::Complete));
    screen.resize(120, 36);
    let figure = |screen: &TestScreen| {
        let Screen::Finished(finished) = &screen.model.screen else { panic!("no results") };
        finished.figure
    };
    // A hint of two keys: each acts as its own.
    click(&mut screen, 120, 36, "→ figure");
    assert_eq!(figure(&screen), 1);
    click(&mut screen, 120, 36, "←→ figure");
    assert_eq!(figure(&screen), 0);
    click(&mut screen, 120, 36, "c compare");
    assert!(matches!(screen.requests.last(), Some(ServiceRequest::CompareRecords(..))));
}

#[test]
fn pages_and_paths_are_clicked() {
    let mut screen = TestScreen::start_run(&fixture::sweep());
    screen.send_events(fixture::run_events(&fixture::sweep(), EndStatus::Complete));
    screen.resize(80, 24);
    click(&mut screen, 80, 24, "records/2026-11-22T14-02");
    assert!(matches!(screen.requests.last(), Some(ServiceRequest::OpenRecord(_))));
    for page in ["percentiles", "summary", "provenance", "points"] {
        click(&mut screen, 80, 24, page);
        assert!(screen.frame(80, 24).contains(&format!("▸{page}")), "{}", screen.frame(80, 24));
    }
}

#[test]
fn a_notice_leaves_the_keys_visible() {
    let mut screen = TestScreen::start_run(&fixture::sweep());
    screen.send_events(fixture::run_events(&fixture::sweep(), EndStatus::Complete));
    screen.key(KeyCode::Char('o'));
    for (width, height) in [(60, 20), (80, 24), (160, 45)] {
        let frame = screen.frame(width, height);
        assert!(frame.contains("saved: /home/pi/a-report/index.html"), "{frame}");
        assert!(frame.lines().last().unwrap().contains("? help"), "{frame}");
    }
    let mut screen = under_load();
    screen.send(Msg::Paste("R".to_owned()));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("pasted text has no effect here"), "{frame}");
    assert!(frame.lines().last().unwrap().contains("? help"), "{frame}");
    screen.key(KeyCode::Char('f'));
    let frame = screen.frame(80, 24);
    let last = frame.lines().last().unwrap();
    assert!(last.contains("display frozen") && last.contains("? help"), "{frame}");
}

#[test]
fn a_light_background_changes_the_terminals_own_colours_and_no_other_theme() {
    let mut screen = TestScreen::start_run(&fixture::sweep());
    screen.send_events(fixture::run_events(&fixture::sweep(), EndStatus::Complete));
    let is_yellow = |cell: &ratatui::buffer::Cell| cell.fg == Color::Yellow;
    assert!(!screen.cells(80, 24, is_yellow).is_empty());
    screen.send(Msg::Background(Background::Light));
    assert!(screen.cells(80, 24, is_yellow).is_empty());
    assert_eq!(screen.model.theme.name(), "16");
    for _ in Theme::ALL {
        screen.send(Msg::NextTheme);
    }
    assert!(screen.cells(80, 24, is_yellow).is_empty(), "after all other themes");
}
