//! Property test: random keys, events and sizes in random order.

use proptest::prelude::*;

use super::*;

/// Random input to a screen.
#[derive(Debug, Clone)]
enum RandomInput {
    Key(KeyCode),
    RunEvent(usize),
    Draw(u16, u16),
    Tick,
}

fn random_input() -> impl Strategy<Value = RandomInput> {
    let keys = prop::sample::select(vec![
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Tab,
        KeyCode::Enter,
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Delete,
        KeyCode::Backspace,
        KeyCode::BackTab,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::F(5),
    ]);
    let letters = prop::sample::select(
        ":wfs?qangxrkvVme[]/!b+h0123456 ,µ字RotcdyjlPSND=i".chars().collect::<Vec<_>>(),
    );
    prop_oneof![
        4 => keys.prop_map(RandomInput::Key),
        4 => letters.prop_map(|letter| RandomInput::Key(KeyCode::Char(letter))),
        4 => (0_usize..200).prop_map(RandomInput::RunEvent),
        1 => (1_u16..300, 1_u16..100).prop_map(|(width, height)| RandomInput::Draw(width, height)),
        1 => Just(RandomInput::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_events_and_sizes_breaks_the_screen(
        inputs in prop::collection::vec(random_input(), 500),
    ) {
        let mut screen = TestScreen::new();
        let events = fixture::run_events(&fixture::sweep(), EndStatus::Complete);
        for input in inputs {
            match input {
                RandomInput::Key(code) => screen.key(code),
                RandomInput::RunEvent(index) => {
                    let index = index * events.len() / 199;
                    let event = events[index.min(events.len() - 1)].clone();
                    screen.send(Msg::RunEvent(Box::new(event)));
                }
                RandomInput::Draw(width, height) => {
                    screen.frame(width, height);
                }
                RandomInput::Tick => screen.advance(1),
            }
            if matches!(screen.model.screen, Screen::Live(_)) {
                prop_assert!(screen.model.outcome.last_run.is_none() || !screen.effects.is_empty());
            }
        }
        screen.frame(80, 24);
        screen.frame(300, 100);
    }
}
