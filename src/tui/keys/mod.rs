//! Key map: maps a key in an input context to a message.
//!
//! The operator's key map replaces the keys of single actions and is checked for clashes before the
//! screen opens.

mod burst;
mod chord;
mod context;
mod table;

use std::collections::BTreeMap;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;

pub use burst::KeyBurst;
pub use chord::Chord;
pub use context::{INPUT_CONTEXTS, InputContext};
pub use table::{ACTIONS, Action, Scope};

use super::msg::Msg;

/// The keys of each action, in the order of [`ACTIONS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    keys: Vec<Vec<Chord>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let read =
            |action: &Action| action.keys.iter().filter_map(|key| Chord::parse(key)).collect();
        Self { keys: ACTIONS.iter().map(read).collect() }
    }
}

impl Keymap {
    /// Returns the default key map with the operator's `changes`: names of actions and their keys.
    ///
    /// # Errors
    /// All problems: unknown actions and keys, actions that need a key and have none, clashes.
    pub fn with_overrides(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<String>> {
        let mut map = Self::default();
        let mut problems = Vec::new();
        let mut own = vec![false; ACTIONS.len()];
        for (name, keys) in changes {
            let Some(index) = ACTIONS.iter().position(|action| action.name == name) else {
                problems.push(unknown_action(name));
                continue;
            };
            let mut chords = Vec::new();
            for key in keys {
                match Chord::parse(key) {
                    Some(chord) => chords.push(chord),
                    None => problems.push(format!(
                        "keys.{name}: {key:?} is not a key; write f, F5, ctrl-p, enter, pageup"
                    )),
                }
            }
            if chords.is_empty() && (!keys.is_empty() || !ACTIONS[index].may_have_no_key()) {
                problems.push(format!("keys.{name}: this action needs a key"));
            }
            map.keys[index] = chords;
            own[index] = true;
        }
        problems.extend(map.clashes(&own));
        if problems.is_empty() { Ok(map) } else { Err(problems) }
    }

    /// Reports keys with two actions in one context, if the operator changed one of the two (`own`).
    fn clashes(&self, own: &[bool]) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        for (context, name) in INPUT_CONTEXTS {
            let mut seen: Vec<(Chord, usize)> = Vec::new();
            for (number, chord) in self.bindings(context) {
                let other = seen.iter().find(|(taken, _)| *taken == chord).map(|(_, other)| *other);
                if let Some(other) = other
                    && (own[number] || own[other])
                {
                    let (one, two) = (ACTIONS[other].name, ACTIONS[number].name);
                    problems.push(format!("{chord} is the key of both {one} and {two} in {name}"));
                }
                seen.push((chord, number));
            }
            if seen.iter().any(|(chord, _)| Chord::parse("ctrl-c") == Some(*chord)) {
                problems.push(
                    "ctrl-c always leaves and cannot be the key of another action".to_owned(),
                );
            }
        }
        problems.dedup();
        problems
    }

    /// Key bindings of a context by precedence: action numbers and chords.
    fn bindings(&self, context: InputContext) -> impl Iterator<Item = (usize, Chord)> {
        Scope::of_context(context).iter().flat_map(move |scope| {
            let in_scope = move |(_, action): &(usize, &Action)| action.scope == *scope;
            ACTIONS.iter().enumerate().filter(in_scope).flat_map(move |(number, _)| {
                self.keys[number].iter().map(move |chord| (number, *chord))
            })
        })
    }

    /// Actions of a context, each with its keys as text.
    pub fn actions(&self, context: InputContext) -> Vec<(&'static Action, String)> {
        let words = |number: usize| {
            let keys: Vec<String> = self.keys[number].iter().map(Chord::to_string).collect();
            keys.join(" ")
        };
        let scopes = Scope::of_context(context).iter();
        scopes
            .flat_map(|scope| {
                ACTIONS.iter().enumerate().filter(move |(_, action)| action.scope == *scope)
            })
            .map(|(number, action)| (action, words(number)))
            .collect()
    }

    /// Action of this name.
    #[expect(clippy::unused_self, reason = "a method like the other queries about actions")]
    pub fn action(&self, name: &str) -> Option<&'static Action> {
        ACTIONS.iter().find(|action| action.name == name)
    }

    /// Label of the first key of the action `name`.
    pub fn key_label(&self, name: &str) -> String {
        let index = ACTIONS.iter().position(|action| action.name == name);
        let first = index.and_then(|index| self.keys[index].first());
        first.map_or_else(String::new, |chord| match chord.to_string().as_str() {
            "up" => "↑".to_owned(),
            "down" => "↓".to_owned(),
            "left" => "←".to_owned(),
            "right" => "→".to_owned(),
            "delete" => "del".to_owned(),
            other => other.to_owned(),
        })
    }

    /// Message for a key in a context; `None` if the key has no action there.
    pub fn message(&self, key: KeyEvent, context: InputContext) -> Option<Msg> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Some(Msg::Quit);
        }
        match context {
            InputContext::Text
            | InputContext::Filter
            | InputContext::RecordInput
            | InputContext::Name => text_message(key),
            InputContext::Palette => palette_message(key),
            _ => {
                // Shift is ignored: the case of the letter already includes it.
                let pressed = Chord::from_event(key)?;
                let (number, _) = self.bindings(context).find(|(_, chord)| *chord == pressed)?;
                Some((ACTIONS[number].msg)())
            }
        }
    }
}

fn unknown_action(name: &str) -> String {
    let near = ACTIONS
        .iter()
        .map(|action| (strsim::jaro_winkler(name, action.name), action.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = near.map_or_else(
        || "the command list on the screen (ctrl-p) shows all names".to_owned(),
        |(_, near)| format!("did you mean {near}?"),
    );
    format!("keys.{name}: unknown action; {hint}")
}

fn text_message(key: KeyEvent) -> Option<Msg> {
    match key.code {
        KeyCode::Enter => Some(Msg::Accept),
        KeyCode::Esc => Some(Msg::Back),
        _ => to_input_request(&Event::Key(key)).map(Msg::Type),
    }
}

fn palette_message(key: KeyEvent) -> Option<Msg> {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Up => Some(Msg::Up),
        KeyCode::Down | KeyCode::Tab => Some(Msg::Down),
        KeyCode::Char('p') if ctrl => Some(Msg::Up),
        KeyCode::Char('n') if ctrl => Some(Msg::Down),
        _ => text_message(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_for(code: KeyCode, modifiers: KeyModifiers, context: InputContext) -> String {
        format!("{:?}", Keymap::default().message(KeyEvent::new(code, modifiers), context))
    }

    #[test]
    fn default_keys_have_their_actions() {
        use KeyCode::{Char, Enter, Esc, F};
        let cases = [
            (InputContext::Profiles, Enter, "Some(Start)"),
            (InputContext::Profiles, F(5), "Some(Start)"),
            (InputContext::Profiles, Char('j'), "Some(Down)"),
            (InputContext::Form, Enter, "Some(Accept)"),
            (InputContext::Form, F(5), "Some(Start)"),
            (InputContext::Form, Char('w'), "Some(ToggleWarmup)"),
            (InputContext::Form, Char(' '), "Some(Toggle)"),
            (InputContext::Form, Char('q'), "Some(Quit)"),
            (InputContext::Text, Char('q'), "Some(Type(InsertChar('q')))"),
            (InputContext::Text, Char('w'), "Some(Type(InsertChar('w')))"),
            (InputContext::Text, Esc, "Some(Back)"),
            (InputContext::Choices, Char(' '), "Some(Toggle)"),
            (InputContext::Live, Char('f'), "Some(Freeze)"),
            (InputContext::Live, Char('s'), "Some(AskStop)"),
            (InputContext::Live, Char('?'), "Some(Help)"),
            (InputContext::Live, Enter, "Some(Accept)"),
            (InputContext::Live, Char('3'), "Some(ViewNumber(2))"),
            (InputContext::Live, Char('['), "Some(SwitchRepetition(-1))"),
            (InputContext::Filter, Char('s'), "Some(Type(InsertChar('s')))"),
            (InputContext::Add, Enter, "Some(Accept)"),
            (InputContext::Stop, Char('k'), "Some(Choose(Skip))"),
            (InputContext::Live, Char('n'), "None"),
            (InputContext::Stop, Char('a'), "Some(Choose(StopAfter))"),
            (InputContext::Stop, Char('n'), "Some(Choose(StopNow))"),
            (InputContext::Stop, Esc, "Some(Back)"),
            (InputContext::Stop, Enter, "Some(Accept)"),
            (InputContext::Quit, Char('n'), "Some(Choose(LeaveNow))"),
            (InputContext::Quit, Char('q'), "None"),
            (InputContext::Finished, Char('r'), "Some(Start)"),
            (InputContext::Finished, Esc, "Some(Back)"),
            (InputContext::Help, Char('?'), "Some(Help)"),
        ];
        for (context, key, meaning) in cases {
            assert_eq!(
                message_for(key, KeyModifiers::NONE, context),
                meaning,
                "{key:?} in {context:?}"
            );
        }
    }

    #[test]
    fn ctrl_c_leaves_in_every_context() {
        let contexts = [
            InputContext::Text,
            InputContext::Form,
            InputContext::Live,
            InputContext::Stop,
            InputContext::Help,
            InputContext::Quit,
        ];
        for context in contexts {
            assert_eq!(
                message_for(KeyCode::Char('c'), KeyModifiers::CONTROL, context),
                "Some(Quit)"
            );
        }
    }

    #[test]
    fn no_key_with_control_or_alt_stops_a_run() {
        for modifiers in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
            assert_eq!(message_for(KeyCode::Char('n'), modifiers, InputContext::Stop), "None");
            assert_eq!(message_for(KeyCode::Char('s'), modifiers, InputContext::Live), "None");
        }
    }

    #[test]
    fn action_names_are_unique_and_default_keys_parse() {
        for (number, action) in ACTIONS.iter().enumerate() {
            let same = ACTIONS.iter().filter(|other| other.name == action.name).count();
            assert_eq!(same, 1, "{}", action.name);
            let read = &Keymap::default().keys[number];
            assert_eq!(read.len(), action.keys.len(), "{}", action.name);
        }
    }

    #[test]
    fn no_key_has_two_actions_in_a_scope() {
        for (number, action) in ACTIONS.iter().enumerate() {
            for other in ACTIONS[number + 1..].iter().filter(|other| other.scope == action.scope) {
                let both = action.keys.iter().find(|key| other.keys.contains(key));
                assert_eq!(both, None, "{} and {}", action.name, other.name);
            }
        }
    }

    fn changes(pairs: &[(&str, &[&str])]) -> Result<Keymap, Vec<String>> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Keymap::with_overrides(
            &pairs.iter().map(|(name, keys)| ((*name).to_owned(), owned(keys))).collect(),
        )
    }

    #[test]
    fn the_operator_s_keys_replace_the_defaults() {
        let map = changes(&[("freeze", &["z", "space"]), ("choose", &["y"])]).unwrap();
        let message = |code| format!("{:?}", map.message(KeyEvent::from(code), InputContext::Live));
        assert_eq!(message(KeyCode::Char('z')), "Some(Freeze)");
        assert_eq!(message(KeyCode::Char(' ')), "Some(Freeze)");
        assert_eq!(message(KeyCode::Char('f')), "None");
        assert_eq!(map.key_label("freeze"), "z");
    }

    #[test]
    fn an_action_that_the_palette_offers_may_have_no_key() {
        let map = changes(&[("suspend", &[]), ("bell", &[])]).unwrap();
        let ctrl_z = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
        assert!(map.message(ctrl_z, InputContext::Live).is_none());
        let offered = map.actions(InputContext::Live);
        assert!(offered.iter().any(|(action, keys)| action.name == "bell" && keys.is_empty()));
        // Without these, the palette could not be opened, or a question not be answered.
        for name in ["commands", "accept", "answer", "remove-it", "stay"] {
            let problems = changes(&[(name, &[])]).unwrap_err();
            assert!(problems[0].contains("needs a key"), "{name}: {problems:?}");
        }
    }

    #[test]
    fn all_problems_of_a_key_map_are_reported_at_once() {
        let problems = changes(&[
            ("freeze", &["s"]),
            ("fliter", &["x"]),
            ("map", &["hyper-m"]),
            ("log", &["ctrl-c"]),
        ])
        .unwrap_err();
        for text in [
            "s is the key of both freeze and stop in a run",
            "keys.fliter: unknown action; did you mean filter?",
            "keys.map: \"hyper-m\" is not a key",
            "keys.map: this action needs a key",
            "ctrl-c always leaves",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(text)), "{text}: {problems:#?}");
        }
    }
}
