//! The terminal's lifetime: taken at the start, given back on every way out.
//!
//! ratatui's own start and end print to stderr when the terminal is gone, which panics when stderr
//! is that same terminal: a lost SSH session would abort the run. Here a terminal that is gone is
//! left alone in silence.

use std::{
    fs::File,
    io::{self, IsTerminal, Write, stdout},
    mem::ManuallyDrop,
    os::fd::AsFd,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossterm::{
    cursor::Show,
    execute,
    style::Print,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use nix::sys::signal::{Signal, raise};
use ratatui::{Frame, Terminal, layout::Rect, prelude::CrosstermBackend};

use super::{
    pipe::{Pipe, Speed},
    preferences::Mouse,
};

/// Asks for clicks and the wheel, not for every way that the mouse takes.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
/// Asks for nothing any more.
const NO_MOUSE: &str = "\x1b[?1006l\x1b[?1000l";
/// Longest wait for a terminal that does not take its last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A terminal that shows the screen, until it is dropped.
pub struct ScreenTerminal {
    // Never dropped: ratatui would print when it cannot show the cursor.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Pipe>>>,
    mouse: Mouse,
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
        // Not through the standard output's lock: a thread that hangs in it would keep it.
        let pipe = Pipe::open(File::from(stdout().as_fd().try_clone_to_owned()?))?;
        let mut taken = Taken { shown: Arc::new(AtomicBool::new(true)), pipe: pipe.clone() };
        let (hook, screen) = (taken.clone(), thread::current().id());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == screen {
                hook.clone().give_back();
            }
            if hook.shown.load(Ordering::Relaxed) {
                tracing::error!("{info}");
            } else {
                before(info);
            }
        }));
        let mut own = pipe;
        let entered =
            enter(mouse, &mut own).and_then(|()| Terminal::new(CrosstermBackend::new(own)));
        let terminal = entered.inspect_err(|_| taken.give_back())?;
        Ok(Self { terminal: ManuallyDrop::new(terminal), mouse, taken })
    }

    /// Draws a frame; it leaves by itself.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(view).map(|_| ())
    }

    /// The way to the terminal, to wait for.
    pub fn pipe(&self) -> Pipe {
        self.taken.pipe.clone()
    }

    /// What the terminal took so far.
    pub fn speed(&self) -> Speed {
        self.taken.pipe.speed()
    }

    /// The size that the last frame had.
    pub fn area(&mut self) -> Rect {
        self.terminal.get_frame().area()
    }

    /// Sends what is no part of a frame: the bell, a text for the clipboard. A terminal that
    /// cannot take it is noticed at the next frame.
    pub fn send(&self, code: &str) {
        let mut pipe = self.taken.pipe.clone();
        let _ = pipe.write_all(code.as_bytes()).and_then(|()| pipe.flush());
    }

    /// Gives the terminal back, stops this process until somebody continues it, and takes the
    /// terminal again.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.taken.give_back();
        raise(Signal::SIGTSTP)?;
        self.again()
    }

    /// Takes the terminal as if for the first time: nobody knows what it shows.
    pub fn again(&mut self) -> io::Result<()> {
        // A shell may have changed its modes meanwhile.
        let _ = disable_raw_mode();
        let mut pipe = self.taken.pipe.clone();
        enter(self.mouse, &mut pipe)?;
        self.taken.shown.store(true, Ordering::Relaxed);
        self.terminal = ManuallyDrop::new(Terminal::new(CrosstermBackend::new(pipe))?);
        Ok(())
    }

    /// Forgets a terminal that is gone.
    pub fn forget(self) {
        self.taken.shown.store(false, Ordering::Relaxed);
    }
}

impl Drop for ScreenTerminal {
    fn drop(&mut self) {
        self.taken.give_back();
    }
}

fn enter(mouse: Mouse, pipe: &mut Pipe) -> io::Result<()> {
    enable_raw_mode()?;
    execute!(pipe, EnterAlternateScreen, Print("\x1b[2J"))?;
    if mouse == Mouse::Screen {
        execute!(pipe, Print(MOUSE))?;
    }
    Ok(())
}

/// Whether the terminal is taken, and the way to it.
#[derive(Clone)]
struct Taken {
    shown: Arc<AtomicBool>,
    pipe: Pipe,
}

impl Taken {
    fn give_back(&mut self) {
        if self.shown.swap(false, Ordering::Relaxed) {
            // A terminal that is gone cannot be restored, and nobody is there to be told.
            let _ = execute!(self.pipe, Print(NO_MOUSE), LeaveAlternateScreen, Show);
            self.pipe.drain(LAST_WORDS);
            let _ = disable_raw_mode();
        }
    }
}
