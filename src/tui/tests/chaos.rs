//! Whatever happens in whatever order.

use proptest::prelude::*;

use super::*;

/// What may happen to a screen.
#[derive(Debug, Clone)]
enum Happening {
    Key(KeyCode),
    Engine(usize),
    Look(u16, u16),
    Pass,
}

fn happening() -> impl Strategy<Value = Happening> {
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
        4 => keys.prop_map(Happening::Key),
        4 => letters.prop_map(|letter| Happening::Key(KeyCode::Char(letter))),
        4 => (0_usize..200).prop_map(Happening::Engine),
        1 => (1_u16..300, 1_u16..100).prop_map(|(width, height)| Happening::Look(width, height)),
        1 => Just(Happening::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_events_and_sizes_breaks_the_screen(
        happenings in prop::collection::vec(happening(), 500),
    ) {
        let mut stage = Stage::new();
        let events = fixture::run(&fixture::sweep(), End::Complete);
        for happening in happenings {
            match happening {
                Happening::Key(code) => stage.key(code),
                Happening::Engine(place) => {
                    let place = place * events.len() / 199;
                    let event = events[place.min(events.len() - 1)].clone();
                    stage.say(Msg::Engine(Box::new(event)));
                }
                Happening::Look(width, height) => {
                    stage.frame(width, height);
                }
                Happening::Pass => stage.pass(1),
            }
            if matches!(stage.model.screen, Screen::Live(_)) {
                prop_assert!(stage.model.outcome.last.is_none() || !stage.effects.is_empty());
            }
        }
        stage.frame(80, 24);
        stage.frame(300, 100);
    }
}
