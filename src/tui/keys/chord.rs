//! Key chords in human-readable form: `f`, `F5`, `ctrl-p`, `enter`, `pagedown`.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with or without Ctrl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd)]
pub struct Chord {
    ctrl: bool,
    code: KeyCode,
}

/// Keys that are written by name.
const NAMED_KEYS: [(&str, KeyCode); 15] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("delete", KeyCode::Delete),
    ("backspace", KeyCode::Backspace),
];

impl Chord {
    /// Parses a chord such as `ctrl-p`.
    pub fn parse(text: &str) -> Option<Self> {
        let (ctrl, name) = match text.strip_prefix("ctrl-") {
            Some(name) if !name.is_empty() => (true, name),
            _ => (false, text),
        };
        let mut symbols = name.chars();
        let code = match (symbols.next(), symbols.as_str()) {
            (Some(symbol), "") if !symbol.is_whitespace() => KeyCode::Char(symbol),
            (Some('F'), number) => {
                KeyCode::F(number.parse().ok().filter(|n| (1..=12).contains(n))?)
            }
            _ => NAMED_KEYS.iter().find(|(named, _)| *named == name)?.1,
        };
        Some(Self { ctrl, code })
    }

    /// Converts a key event; `None` if it has Alt, Super or Meta, which no chord has.
    pub fn from_event(key: KeyEvent) -> Option<Self> {
        let other = KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META;
        (!key.modifiers.intersects(other))
            .then_some(Self { ctrl: key.modifiers.contains(KeyModifiers::CONTROL), code: key.code })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctrl = if self.ctrl { "ctrl-" } else { "" };
        match (NAMED_KEYS.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => write!(f, "{ctrl}{name}"),
            (None, KeyCode::Char(symbol)) => write!(f, "{ctrl}{symbol}"),
            (None, KeyCode::F(number)) => write!(f, "{ctrl}F{number}"),
            (None, other) => write!(f, "{ctrl}{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_chords_are_displayed_the_same() {
        for text in ["f", "F", "F5", "ctrl-p", "enter", "space", "pageup", "?", "[", "-", "ctrl--"]
        {
            assert_eq!(Chord::parse(text).map(|chord| chord.to_string()).as_deref(), Some(text));
        }
        for text in ["", "ff", "ctrl-", "F13", "alt-x", " "] {
            assert_eq!(Chord::parse(text), None, "{text:?}");
        }
    }
}
