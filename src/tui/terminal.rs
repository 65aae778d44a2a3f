//! The terminal's lifetime: taken at the start, given back on every way out.
//!
//! ratatui's own start and end print to stderr when the terminal is gone, which panics when stderr
//! is that same terminal: a lost SSH session would abort the run. Here a terminal that is gone is
//! left alone in silence.

use std::{
    io::{self, IsTerminal, Write, stdout},
    mem::ManuallyDrop,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::preferences::Mouse;
use crossterm::{
    cursor::Show,
    execute,
    style::Print,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{DefaultTerminal, Frame, Terminal, layout::Rect, prelude::CrosstermBackend};

/// Asks for clicks and the wheel, not for every way that the mouse takes.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
/// Asks for nothing any more.
const NO_MOUSE: &str = "\x1b[?1006l\x1b[?1000l";

/// A terminal that shows the screen, until it is dropped.
pub struct ScreenTerminal {
    // Never dropped: ratatui would print when it cannot show the cursor.
    terminal: ManuallyDrop<DefaultTerminal>,
    taken: Taken,
}

impl ScreenTerminal {
    /// Whether there is a terminal that can place characters.
    pub fn is_there() -> bool {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !dumb && io::stdin().is_terminal() && stdout().is_terminal()
    }

    /// Takes the terminal. A panic on this thread gives it back before the panic is told; a panic
    /// on another one would only be scribbled over the screen, and goes to the log.
    pub fn take(mouse: Mouse) -> io::Result<Self> {
        let taken = Taken(Arc::new(AtomicBool::new(true)));
        let (shown, screen) = (Arc::clone(&taken.0), thread::current().id());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == screen {
                give_back(&shown);
            }
            if shown.load(Ordering::Relaxed) {
                tracing::error!("{info}");
            } else {
                before(info);
            }
        }));
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        if mouse == Mouse::Screen {
            execute!(stdout(), Print(MOUSE))?;
        }
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(Self { terminal: ManuallyDrop::new(terminal), taken })
    }

    /// Draws a frame.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(view).map(|_| ())
    }

    /// The size that the last frame had.
    pub fn area(&mut self) -> Rect {
        self.terminal.get_frame().area()
    }

    /// Sends what is no part of a frame: the bell, a text for the clipboard. A terminal that
    /// cannot take it is noticed at the next frame.
    pub fn send(code: &str) {
        let _ = stdout().write_all(code.as_bytes()).and_then(|()| stdout().flush());
    }

    /// Forgets a terminal that is gone.
    pub fn forget(self) {
        self.taken.0.store(false, Ordering::Relaxed);
    }
}

/// Whether the terminal is taken; gives it back when dropped.
struct Taken(Arc<AtomicBool>);

impl Drop for Taken {
    fn drop(&mut self) {
        give_back(&self.0);
    }
}

fn give_back(taken: &AtomicBool) {
    if taken.swap(false, Ordering::Relaxed) {
        // A terminal that is gone cannot be restored, and nobody is there to be told.
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), Print(NO_MOUSE), LeaveAlternateScreen, Show);
    }
}
