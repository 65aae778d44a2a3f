//! The key map: from a key and the place where it is pressed to a message. The operator's own map
//! replaces the keys of single actions and is checked for clashes before the screen opens.

mod chord;
mod table;

use std::collections::BTreeMap;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;

pub use chord::Chord;
pub use table::{ACTIONS, Action, Scope};

use super::{model::Place, msg::Msg};

/// The keys of each action, in the order of [`ACTIONS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    keys: Vec<Vec<Chord>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let read =
            |action: &Action| action.keys.iter().filter_map(|key| Chord::read(key)).collect();
        Self { keys: ACTIONS.iter().map(read).collect() }
    }
}

/// Places in which actions have keys.
pub const PLACES: [(Place, &str); 13] = [
    (Place::Profiles, "the list of profiles"),
    (Place::Form, "the form"),
    (Place::Choices, "a list of choices"),
    (Place::Live, "a run"),
    (Place::Finished, "the results"),
    (Place::Records, "the list of records"),
    (Place::Record, "a record"),
    (Place::Remove, "the question whether to delete"),
    (Place::Export, "the question how to export"),
    (Place::Help, "the help"),
    (Place::Stop, "the question how to stop"),
    (Place::Add, "the question how many to add"),
    (Place::Quit, "the question whether to leave"),
];

impl Keymap {
    /// The key map with the operator's `changes`: names of actions and their keys.
    ///
    /// # Errors
    /// Everything that is wrong: unknown actions and keys, actions without a key, clashes.
    pub fn changed(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<String>> {
        let mut map = Self::default();
        let mut problems = Vec::new();
        let mut own = vec![false; ACTIONS.len()];
        for (name, keys) in changes {
            let Some(place) = ACTIONS.iter().position(|action| action.name == name) else {
                problems.push(unknown(name));
                continue;
            };
            let mut chords = Vec::new();
            for key in keys {
                match Chord::read(key) {
                    Some(chord) => chords.push(chord),
                    None => problems.push(format!(
                        "keys.{name}: {key:?} is not a key; write f, F5, ctrl-p, enter, pageup"
                    )),
                }
            }
            if chords.is_empty() {
                problems.push(format!("keys.{name}: an action needs a key"));
            }
            map.keys[place] = chords;
            own[place] = true;
        }
        problems.extend(map.clashes(&own));
        if problems.is_empty() { Ok(map) } else { Err(problems) }
    }

    /// Keys that would mean two things at once because of the operator's `own` ones.
    fn clashes(&self, own: &[bool]) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        for (place, name) in PLACES {
            let mut seen: Vec<(Chord, usize)> = Vec::new();
            for (number, chord) in self.of(place) {
                let other = seen.iter().find(|(taken, _)| *taken == chord).map(|(_, other)| *other);
                if let Some(other) = other
                    && (own[number] || own[other])
                {
                    let (one, two) = (ACTIONS[other].name, ACTIONS[number].name);
                    problems.push(format!("in {name} {chord} would mean both {one} and {two}"));
                }
                seen.push((chord, number));
            }
            if seen.iter().any(|(chord, _)| Chord::read("ctrl-c") == Some(*chord)) {
                problems.push("ctrl-c always leaves and cannot mean anything else".to_owned());
            }
        }
        problems.dedup();
        problems
    }

    /// The actions of a place with their keys, those with the right of way first.
    fn of(&self, place: Place) -> impl Iterator<Item = (usize, Chord)> {
        Scope::of(place).iter().flat_map(move |scope| {
            let there = move |(_, action): &(usize, &Action)| action.scope == *scope;
            ACTIONS.iter().enumerate().filter(there).flat_map(move |(number, _)| {
                self.keys[number].iter().map(move |chord| (number, *chord))
            })
        })
    }

    /// The actions of a place, each with its keys in words.
    pub fn actions(&self, place: Place) -> Vec<(&'static Action, String)> {
        let words = |number: usize| {
            let keys: Vec<String> = self.keys[number].iter().map(Chord::to_string).collect();
            keys.join(" ")
        };
        let scopes = Scope::of(place).iter();
        scopes
            .flat_map(|scope| {
                ACTIONS.iter().enumerate().filter(move |(_, action)| action.scope == *scope)
            })
            .map(|(number, action)| (action, words(number)))
            .collect()
    }

    /// The action of this name.
    #[expect(clippy::unused_self, reason = "asked of the key map, as everything about actions")]
    pub fn action(&self, name: &str) -> Option<&'static Action> {
        ACTIONS.iter().find(|action| action.name == name)
    }

    /// The first key of the action `name`, as the screen shows it.
    pub fn key(&self, name: &str) -> String {
        let place = ACTIONS.iter().position(|action| action.name == name);
        let first = place.and_then(|place| self.keys[place].first());
        first.map_or_else(String::new, |chord| match chord.to_string().as_str() {
            "up" => "↑".to_owned(),
            "down" => "↓".to_owned(),
            "left" => "←".to_owned(),
            "right" => "→".to_owned(),
            "delete" => "del".to_owned(),
            other => other.to_owned(),
        })
    }

    /// What a key means.
    pub fn message(&self, key: KeyEvent, place: Place) -> Option<Msg> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Some(Msg::Quit);
        }
        match place {
            Place::Text | Place::Filter | Place::RecordText | Place::Name => text(key),
            Place::Palette => palette(key),
            _ => {
                // The terminal reports Shift with capital letters; the letter says it already.
                let pressed = Chord::of(key)?;
                let (number, _) = self.of(place).find(|(_, chord)| *chord == pressed)?;
                Some((ACTIONS[number].msg)())
            }
        }
    }
}

fn unknown(name: &str) -> String {
    let near = ACTIONS
        .iter()
        .map(|action| (strsim::jaro_winkler(name, action.name), action.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = near.map_or_else(
        || "the commands on the screen (ctrl-p) show the names".to_owned(),
        |(_, near)| format!("is {near} meant?"),
    );
    format!("keys.{name}: there is no such action; {hint}")
}

fn text(key: KeyEvent) -> Option<Msg> {
    match key.code {
        KeyCode::Enter => Some(Msg::Accept),
        KeyCode::Esc => Some(Msg::Back),
        _ => to_input_request(&Event::Key(key)).map(Msg::Type),
    }
}

fn palette(key: KeyEvent) -> Option<Msg> {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Up => Some(Msg::Up),
        KeyCode::Down | KeyCode::Tab => Some(Msg::Down),
        KeyCode::Char('p') if ctrl => Some(Msg::Up),
        KeyCode::Char('n') if ctrl => Some(Msg::Down),
        _ => text(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: KeyCode, modifiers: KeyModifiers, place: Place) -> String {
        format!("{:?}", Keymap::default().message(KeyEvent::new(code, modifiers), place))
    }

    #[test]
    fn keys_mean_what_the_screen_says() {
        use KeyCode::{Char, Enter, Esc, F};
        let cases = [
            (Place::Profiles, Enter, "Some(Start)"),
            (Place::Profiles, F(5), "Some(Start)"),
            (Place::Profiles, Char('j'), "Some(Down)"),
            (Place::Form, Enter, "Some(Accept)"),
            (Place::Form, F(5), "Some(Start)"),
            (Place::Form, Char('w'), "Some(ToggleWarmup)"),
            (Place::Form, Char(' '), "Some(Toggle)"),
            (Place::Form, Char('q'), "Some(Quit)"),
            (Place::Text, Char('q'), "Some(Type(InsertChar('q')))"),
            (Place::Text, Char('w'), "Some(Type(InsertChar('w')))"),
            (Place::Text, Esc, "Some(Back)"),
            (Place::Choices, Char(' '), "Some(Toggle)"),
            (Place::Live, Char('f'), "Some(Freeze)"),
            (Place::Live, Char('s'), "Some(AskStop)"),
            (Place::Live, Char('?'), "Some(Help)"),
            (Place::Live, Enter, "Some(Accept)"),
            (Place::Live, Char('3'), "Some(ViewNumber(2))"),
            (Place::Live, Char('['), "Some(Turn(-1))"),
            (Place::Filter, Char('s'), "Some(Type(InsertChar('s')))"),
            (Place::Add, Enter, "Some(Accept)"),
            (Place::Stop, Char('k'), "Some(Skip)"),
            (Place::Live, Char('n'), "None"),
            (Place::Stop, Char('a'), "Some(Stop(AfterRepetition))"),
            (Place::Stop, Char('n'), "Some(Stop(Now))"),
            (Place::Stop, Esc, "Some(Back)"),
            (Place::Stop, Enter, "None"),
            (Place::Quit, Char('n'), "Some(QuitAfter(Now))"),
            (Place::Quit, Char('q'), "None"),
            (Place::Finished, Char('r'), "Some(Start)"),
            (Place::Finished, Esc, "Some(Back)"),
            (Place::Help, Char('?'), "Some(Help)"),
        ];
        for (place, key, meaning) in cases {
            assert_eq!(said(key, KeyModifiers::NONE, place), meaning, "{key:?} in {place:?}");
        }
    }

    #[test]
    fn ctrl_c_leaves_from_everywhere() {
        let places = [Place::Text, Place::Form, Place::Live, Place::Stop, Place::Help, Place::Quit];
        for place in places {
            assert_eq!(said(KeyCode::Char('c'), KeyModifiers::CONTROL, place), "Some(Quit)");
        }
    }

    #[test]
    fn no_key_with_control_or_alt_stops_a_run() {
        for modifiers in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
            assert_eq!(said(KeyCode::Char('n'), modifiers, Place::Stop), "None");
            assert_eq!(said(KeyCode::Char('s'), modifiers, Place::Live), "None");
        }
    }

    #[test]
    fn every_action_has_a_name_of_its_own_and_keys_that_can_be_read() {
        for (number, action) in ACTIONS.iter().enumerate() {
            let same = ACTIONS.iter().filter(|other| other.name == action.name).count();
            assert_eq!(same, 1, "{}", action.name);
            let read = &Keymap::default().keys[number];
            assert_eq!(read.len(), action.keys.len(), "{}", action.name);
        }
    }

    #[test]
    fn within_a_group_no_key_means_two_things() {
        for (number, action) in ACTIONS.iter().enumerate() {
            for other in ACTIONS[number + 1..].iter().filter(|other| other.scope == action.scope) {
                let both = action.keys.iter().find(|key| other.keys.contains(key));
                assert_eq!(both, None, "{} and {}", action.name, other.name);
            }
        }
    }

    fn changes(pairs: &[(&str, &[&str])]) -> Result<Keymap, Vec<String>> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Keymap::changed(
            &pairs.iter().map(|(name, keys)| ((*name).to_owned(), owned(keys))).collect(),
        )
    }

    #[test]
    fn the_operator_s_keys_replace_ours() {
        let map = changes(&[("freeze", &["z", "space"]), ("choose", &["y"])]).unwrap();
        let said = |code| format!("{:?}", map.message(KeyEvent::from(code), Place::Live));
        assert_eq!(said(KeyCode::Char('z')), "Some(Freeze)");
        assert_eq!(said(KeyCode::Char(' ')), "Some(Freeze)");
        assert_eq!(said(KeyCode::Char('f')), "None");
        assert_eq!(map.key("freeze"), "z");
    }

    #[test]
    fn everything_that_is_wrong_with_a_key_map_is_said_at_once() {
        let problems = changes(&[
            ("freeze", &["s"]),
            ("fliter", &["x"]),
            ("map", &["hyper-m"]),
            ("log", &["ctrl-c"]),
        ])
        .unwrap_err();
        for text in [
            "in a run s would mean both freeze and stop",
            "keys.fliter: there is no such action; is filter meant?",
            "keys.map: \"hyper-m\" is not a key",
            "keys.map: an action needs a key",
            "ctrl-c always leaves",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(text)), "{text}: {problems:#?}");
        }
    }
}
