//! The operator's terminal: its set-up, a writer that never blocks the screen, its abilities.

mod background;
mod clipboard;
mod input;
mod pace;
mod screen;
mod symbols;
mod writer;

pub use background::{ASK_BACKGROUND, Background, may_ask_background};
pub use clipboard::{CopyText, Multiplexer};
pub use input::{Input, TerminalInput, TimedInput};
pub use pace::{SlowTerminal, TerminalPace};
pub use screen::{MouseOwner, ScreenTerminal};
pub use symbols::Symbols;
pub use writer::TermWriter;
