//! Command palette: finds an action of the screen below by a few letters of its name.

use tui_input::Input;

use crate::tui::{
    keys::{Action, InputContext, Keymap},
    msg::Msg,
};

/// The open palette.
#[derive(Debug, Clone)]
pub struct Palette {
    /// Context whose actions are offered.
    context: InputContext,
    /// Search text.
    pub input: Input,
    /// Selected line.
    pub line: usize,
}

impl Palette {
    /// Creates a palette of the actions of a context.
    pub fn new(context: InputContext) -> Self {
        Self { context, input: Input::default(), line: 0 }
    }

    /// Actions that match the search text, best match first; all actions if the text is empty.
    pub fn matches(&self, keys: &Keymap) -> Vec<(&'static Action, String)> {
        let offered: Vec<_> = keys
            .actions(self.context)
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
                let text = format!("{} {}", entry.0.name, entry.0.description);
                Some((match_score(typed, &text)?, entry))
            })
            .collect();
        // A stable sort keeps the table's order among equal scores.
        scored.sort_by_key(|(score, _)| *score);
        scored.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Applies a message and returns the chosen action's message, if one was chosen.
    pub fn update(&mut self, msg: &Msg, keys: &Keymap) -> Option<Msg> {
        let last = self.matches(keys).len().saturating_sub(1);
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
                let found = self.matches(keys);
                return found.get(self.line.min(last)).map(|(action, _)| (action.msg)());
            }
            _ => {}
        }
        None
    }
}

/// Returns the sum of the gaps between the letters of `typed` in `text`, in order and without regard
/// to case; `None` if a letter is missing. The start of a word counts as adjacent.
fn match_score(typed: &str, text: &str) -> Option<usize> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut gaps = 0;
    let mut from = 0;
    for letter in typed.to_lowercase().chars().filter(|symbol| !symbol.is_whitespace()) {
        let position = from + text[from..].iter().position(|symbol| *symbol == letter)?;
        let starts = position == 0 || !text[position - 1].is_alphanumeric();
        gaps += if starts && from > 0 { 1 } else { position - from };
        from = position + 1;
    }
    Some(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(context: InputContext, typed: &str) -> Option<&'static str> {
        let palette = Palette { input: Input::new(typed.to_owned()), ..Palette::new(context) };
        palette.matches(&Keymap::default()).first().map(|(action, _)| action.name)
    }

    #[test]
    fn a_few_letters_find_an_action() {
        for (typed, name) in
            [("heat", "view-heat"), ("freez", "freeze"), ("map", "map"), ("LOG", "log")]
        {
            let palette =
                Palette { input: Input::new(typed.to_owned()), ..Palette::new(InputContext::Live) };
            let found = palette.matches(&Keymap::default());
            assert!(found.iter().take(3).any(|(action, _)| action.name == name), "{typed}");
        }
        assert_eq!(first(InputContext::Live, "zzzz"), None);
        assert_eq!(first(InputContext::Profiles, "warm"), Some("warm"));
    }

    #[test]
    fn only_actions_of_the_context_are_offered() {
        assert_eq!(first(InputContext::Finished, "freeze"), None);
    }
}
