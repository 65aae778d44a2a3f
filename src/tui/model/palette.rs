//! The command palette: every action of the place below it, found by a few letters of its name.

use tui_input::Input;

use super::Place;
use crate::tui::{
    keys::{Action, Keymap},
    msg::Msg,
};

/// The palette while it is open.
#[derive(Debug, Clone)]
pub struct Palette {
    /// The place whose actions are offered.
    place: Place,
    /// What was typed.
    pub input: Input,
    /// The line that is chosen.
    pub line: usize,
}

impl Palette {
    /// The palette over `place`.
    pub fn over(place: Place) -> Self {
        Self { place, input: Input::default(), line: 0 }
    }

    /// The actions that match what was typed, the best first; all of them while nothing was.
    pub fn found(&self, keys: &Keymap) -> Vec<(&'static Action, String)> {
        let offered: Vec<_> = keys
            .actions(self.place)
            .into_iter()
            .filter(|(action, _)| action.name != "commands")
            .collect();
        let typed = self.input.value();
        if typed.trim().is_empty() {
            return offered;
        }
        let mut scored: Vec<_> = offered
            .into_iter()
            .filter_map(|entry| {
                let text = format!("{} {}", entry.0.name, entry.0.what);
                Some((score(typed, &text)?, entry))
            })
            .collect();
        // A stable sort: among equals the table's own order stays.
        scored.sort_by_key(|(score, _)| *score);
        scored.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Applies a key. The chosen action's message, when one was chosen.
    pub fn update(&mut self, msg: &Msg, keys: &Keymap) -> Option<Msg> {
        let last = self.found(keys).len().saturating_sub(1);
        match msg {
            Msg::Type(request) => {
                self.input.handle(*request);
                self.line = 0;
            }
            Msg::Up => self.line = self.line.min(last).saturating_sub(1),
            Msg::Down => self.line = (self.line + 1).min(last),
            Msg::Line(line) if self.line == *line => return self.update(&Msg::Accept, keys),
            Msg::Line(line) => self.line = (*line).min(last),
            Msg::Accept => {
                let found = self.found(keys);
                return found.get(self.line.min(last)).map(|(action, _)| (action.msg)());
            }
            _ => {}
        }
        None
    }
}

/// How far apart the letters of `typed` lie in `text`, in their order and in whatever case; `None`
/// where one is missing. The start of a word is as near as the letter that follows.
fn score(typed: &str, text: &str) -> Option<usize> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut gaps = 0;
    let mut from = 0;
    for wanted in typed.to_lowercase().chars().filter(|symbol| !symbol.is_whitespace()) {
        let place = from + text[from..].iter().position(|symbol| *symbol == wanted)?;
        let starts = place == 0 || !text[place - 1].is_alphanumeric();
        gaps += if starts && from > 0 { 1 } else { place - from };
        from = place + 1;
    }
    Some(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(place: Place, typed: &str) -> Option<&'static str> {
        let palette = Palette { input: Input::new(typed.to_owned()), ..Palette::over(place) };
        palette.found(&Keymap::default()).first().map(|(action, _)| action.name)
    }

    #[test]
    fn a_few_letters_find_an_action() {
        for (typed, name) in
            [("heat", "view-heat"), ("freez", "freeze"), ("map", "map"), ("LOG", "log")]
        {
            let palette =
                Palette { input: Input::new(typed.to_owned()), ..Palette::over(Place::Live) };
            let found = palette.found(&Keymap::default());
            assert!(found.iter().take(3).any(|(action, _)| action.name == name), "{typed}");
        }
        assert_eq!(first(Place::Live, "zzzz"), None);
        assert_eq!(first(Place::Profiles, "warm"), Some("warm"));
    }

    #[test]
    fn only_what_the_place_can_do_is_offered() {
        assert_eq!(first(Place::Finished, "freeze"), None);
    }
}
