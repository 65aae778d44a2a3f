//! Set-up of the terminal at the start, and its restoration on every exit path.
//!
//! ratatui's own init and restore print to stderr when the terminal is lost, which panics when stderr
//! is that same terminal: a lost SSH session would abort the run. This module silently ignores errors
//! of a lost terminal.

use std::{
    fs::File,
    io::{self, IsTerminal, stdout},
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
    Command,
    cursor::Show,
    event::{DisableBracketedPaste, EnableBracketedPaste},
    execute,
    style::Print,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use nix::sys::signal::{Signal, raise};
use ratatui::{Frame, Terminal, layout::Rect, prelude::CrosstermBackend};

use super::writer::{TermWriter, WriteStats};

/// Enables reports of clicks and the wheel, not of mouse movement.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
/// Disables mouse reports.
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";
/// Longest wait for a blocked terminal to accept the restoring codes.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Receiver of mouse events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MouseOwner {
    /// The screen: the mouse selects and scrolls.
    #[default]
    Screen,
    /// The terminal: the mouse selects text.
    Terminal,
}

impl MouseOwner {
    /// The other receiver.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Screen => Self::Terminal,
            Self::Terminal => Self::Screen,
        }
    }

    /// What the mouse does, for the operator.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Screen => "mouse: clicks and the wheel act on the screen",
            Self::Terminal => "mouse: the terminal selects text",
        }
    }
}

/// Terminal in screen mode; restored when it is dropped.
pub struct ScreenTerminal {
    // Never dropped: ratatui's drop would print when it cannot show the cursor.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<TermWriter>>>,
    mouse: MouseOwner,
    guard: TerminalGuard,
}

impl ScreenTerminal {
    /// Whether input and output are a terminal that can position the cursor.
    pub fn is_available() -> bool {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !dumb && io::stdin().is_terminal() && stdout().is_terminal()
    }

    /// Switches the terminal to screen mode. A panic on this thread restores the terminal before the
    /// panic is printed; a panic on another thread would garble the screen and goes to the log instead.
    pub fn acquire(mouse: MouseOwner) -> io::Result<Self> {
        // Bypass the lock of the standard output: a thread blocked in a write would hold it.
        let mut writer = TermWriter::spawn(File::from(stdout().as_fd().try_clone_to_owned()?))?;
        let mut guard =
            TerminalGuard { active: Arc::new(AtomicBool::new(true)), writer: writer.clone() };
        let (hook, screen) = (guard.clone(), thread::current().id());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == screen {
                hook.clone().restore();
            }
            if hook.active.load(Ordering::Relaxed) {
                tracing::error!("{info}");
            } else {
                before(info);
            }
        }));
        let entered = enter_screen(mouse, &mut writer)
            .and_then(|()| Terminal::new(CrosstermBackend::new(writer)));
        let terminal = entered.inspect_err(|_| guard.restore())?;
        Ok(Self { terminal: ManuallyDrop::new(terminal), mouse, guard })
    }

    /// Draws a frame; the writer thread sends it.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(view).map(|_| ())
    }

    /// Handle to the writer thread, to wait for it.
    pub fn writer(&self) -> TermWriter {
        self.guard.writer.clone()
    }

    /// Statistics of the writes so far.
    pub fn write_stats(&self) -> WriteStats {
        self.guard.writer.stats()
    }

    /// Area of the last frame.
    pub fn area(&mut self) -> Rect {
        self.terminal.get_frame().area()
    }

    /// Sends a command outside of a frame: the bell, a text for the clipboard. A write error is
    /// reported at the next frame.
    pub fn send(&self, command: impl Command) {
        // The macro evaluates its first argument twice: what one handle holds, another cannot flush.
        let mut writer = self.guard.writer.clone();
        let _ = execute!(writer, command);
    }

    /// Lets the screen or the terminal handle the mouse.
    pub fn set_mouse(&mut self, mouse: MouseOwner) {
        self.mouse = mouse;
        self.send(Print(match mouse {
            MouseOwner::Screen => MOUSE_ON,
            MouseOwner::Terminal => MOUSE_OFF,
        }));
    }

    /// Restores the terminal, suspends this process until it is resumed, and sets the terminal up
    /// again.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.guard.restore();
        raise(Signal::SIGTSTP)?;
        self.reacquire()
    }

    /// Sets the terminal up as for the first time: its mode and contents are unknown.
    pub fn reacquire(&mut self) -> io::Result<()> {
        // A shell may have changed the terminal's modes meanwhile.
        let _ = disable_raw_mode();
        let mut writer = self.guard.writer.clone();
        enter_screen(self.mouse, &mut writer)?;
        self.guard.active.store(true, Ordering::Relaxed);
        self.terminal = ManuallyDrop::new(Terminal::new(CrosstermBackend::new(writer))?);
        Ok(())
    }

    /// Drops a lost terminal without trying to restore it.
    pub fn discard(self) {
        self.guard.active.store(false, Ordering::Relaxed);
    }
}

impl Drop for ScreenTerminal {
    fn drop(&mut self) {
        self.guard.restore();
    }
}

fn enter_screen(mouse: MouseOwner, writer: &mut TermWriter) -> io::Result<()> {
    enable_raw_mode()?;
    // A pasted text then arrives as one event instead of as keys, which would be commands.
    execute!(writer, EnterAlternateScreen, EnableBracketedPaste, Print("\x1b[2J"))?;
    if mouse == MouseOwner::Screen {
        execute!(writer, Print(MOUSE_ON))?;
    }
    Ok(())
}

/// Restores the terminal once, if it is in screen mode.
#[derive(Clone)]
struct TerminalGuard {
    active: Arc<AtomicBool>,
    writer: TermWriter,
}

impl TerminalGuard {
    fn restore(&mut self) {
        if self.active.swap(false, Ordering::Relaxed) {
            // Ignore errors: a lost terminal can neither be restored nor show a message.
            let _ = execute!(
                self.writer,
                Print(MOUSE_OFF),
                DisableBracketedPaste,
                LeaveAlternateScreen,
                Show
            );
            self.writer.drain(RESTORE_TIMEOUT);
            let _ = disable_raw_mode();
        }
    }
}
