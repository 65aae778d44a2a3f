//! The clipboard of the operator's terminal, also through a terminal multiplexer.

use std::fmt;

use crossterm::{Command, clipboard::CopyToClipboard};

/// Longest piece of a control string that GNU screen passes on.
const SCREEN_PIECE: usize = 512;

/// What is between this program and the operator's terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Multiplexer {
    /// Nothing: codes reach the terminal.
    #[default]
    None,
    /// tmux, which takes a text for the clipboard only with its option `set-clipboard on`, and passes
    /// codes on only with `allow-passthrough on`.
    Tmux,
    /// GNU screen, which passes on what is wrapped for it.
    Screen,
}

impl Multiplexer {
    /// Detects the multiplexer from the environment variables that `variable` looks up.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        if is_set("TMUX") {
            Self::Tmux
        } else if is_set("STY") {
            Self::Screen
        } else {
            Self::None
        }
    }

    /// Returns where a text for the clipboard was sent, which is not where it is certain to be: no
    /// terminal confirms it.
    pub const fn clipboard(self) -> &'static str {
        match self {
            Self::None => "sent to the terminal's clipboard",
            Self::Tmux => "sent to the terminal's clipboard (tmux: set-clipboard on)",
            Self::Screen => "sent to the terminal's clipboard through screen",
        }
    }
}

/// Asks the terminal to put a text on its clipboard (OSC 52).
#[derive(Debug)]
pub struct CopyText<'a> {
    /// The text.
    pub text: &'a str,
    /// What the codes pass.
    pub through: Multiplexer,
}

impl Command for CopyText<'_> {
    fn write_ansi(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let mut code = String::new();
        CopyToClipboard::to_clipboard_from(self.text).write_ansi(&mut code)?;
        match self.through {
            Multiplexer::None => out.write_str(&code),
            Multiplexer::Tmux => {
                // tmux takes the first with `set-clipboard on`, and passes on the second with
                // `allow-passthrough on`.
                let doubled = code.replace('\x1b', "\x1b\x1b");
                write!(out, "{code}\x1bPtmux;{doubled}\x1b\\")
            }
            Multiplexer::Screen => {
                // The usual end of the code would end screen's wrapping.
                let symbols: Vec<char> = code.replace("\x1b\\", "\x07").chars().collect();
                symbols.chunks(SCREEN_PIECE).try_for_each(|piece| {
                    let piece: String = piece.iter().collect();
                    write!(out, "\x1bP{piece}\x1b\\")
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, through: Multiplexer) -> String {
        let mut written = String::new();
        CopyText { text, through }.write_ansi(&mut written).unwrap();
        written
    }

    #[test]
    fn a_text_for_the_clipboard_is_wrapped_for_the_multiplexer() {
        assert_eq!(code("hi", Multiplexer::None), "\x1b]52;c;aGk=\x1b\\");
        assert_eq!(
            code("hi", Multiplexer::Tmux),
            "\x1b]52;c;aGk=\x1b\\\x1bPtmux;\x1b\x1b]52;c;aGk=\x1b\x1b\\\x1b\\"
        );
        let long = code(&"x".repeat(1_000), Multiplexer::Screen);
        let pieces: Vec<&str> = long.split_terminator("\x1b\\").collect();
        assert_eq!(pieces.len(), 3, "{long:?}");
        let joined: String = pieces.iter().map(|piece| &piece["\x1bP".len()..]).collect();
        let plain = code(&"x".repeat(1_000), Multiplexer::None);
        assert_eq!(joined, plain.replace("\x1b\\", "\x07"));
    }

    #[test]
    fn the_multiplexer_is_detected_from_its_variable() {
        let inside = |set: &'static str| {
            Multiplexer::detect(move |name: &str| (name == set).then(|| "1".to_owned()))
        };
        assert_eq!(
            [inside("TMUX"), inside("STY"), inside("TERM")],
            [Multiplexer::Tmux, Multiplexer::Screen, Multiplexer::None]
        );
    }
}
