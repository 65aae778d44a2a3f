//! A pseudo-terminal with a program in it: a test reads its screen, types into it and closes it.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

use super::{
    process::{program, send_signal},
    sandbox::Sandbox,
    wait::{WAIT_LIMIT, until},
};

/// Time without output after which the output of a program that has ended counts as read.
const LAST_OUTPUT_PAUSE: Duration = Duration::from_millis(50);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A text of the setup screen.
pub const SETUP: &str = "what will happen";
/// Keys that move to the last profile, however many there are.
pub const LAST_PROFILE: &str = "jjjjjjjjjjjjjjjjjjjj";

/// Shortest time between two keys that are pressed by hand.
const HANDS: Duration = Duration::from_millis(25);

/// The program's output so far.
pub struct TerminalOutput {
    pub parser: vt100::Parser,
    pub bytes: Vec<u8>,
    /// The screen after each piece of output.
    frames: Vec<String>,
    /// When each frame was complete.
    times: Vec<Instant>,
    /// The terminal is closed: stop reading.
    closed: bool,
    /// Read nothing for now.
    paused: bool,
}

/// A terminal with a program in it.
pub struct Terminal {
    output: Arc<Mutex<TerminalOutput>>,
    reader: JoinHandle<()>,
    child: Box<dyn Child + Send + Sync>,
    /// The master and its writer; `None` once closed.
    ends: Option<(Box<dyn MasterPty + Send>, Box<dyn Write + Send>)>,
    slave: Box<dyn SlavePty + Send>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

impl Terminal {
    /// Starts a command in a new terminal.
    pub fn open(mut command: CommandBuilder, columns: u16, rows: u16) -> Self {
        if command.get_env("TERM").is_none_or(|term| term != "dumb") {
            command.env("TERM", "xterm-256color");
        }
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let output = Arc::new(Mutex::new(TerminalOutput {
            parser: vt100::Parser::new(cells(rows), cells(columns), 0),
            bytes: Vec::new(),
            frames: Vec::new(),
            times: Vec::new(),
            closed: false,
            paused: false,
        }));
        let source = pair.master.try_clone_reader().unwrap();
        let reader = thread::spawn({
            let output = Arc::clone(&output);
            move || read_output(source, &output)
        });
        let writer = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { output, reader, child, ends: Some((pair.master, writer)), slave: pair.slave }
    }

    /// Opens the screen and waits for its first frame.
    pub fn screen(sandbox: &Sandbox, columns: u16, rows: u16) -> Self {
        Self::screen_of(screen_command(sandbox), columns, rows)
    }

    /// Opens the screen by a command and waits for its first frame.
    pub fn screen_of(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let terminal = Self::open(command, columns, rows);
        // A frame writes this last.
        terminal.wait_for("q quit");
        terminal
    }

    /// Opens the screen and starts the last profile.
    pub fn running(sandbox: &Sandbox) -> Self {
        let mut terminal = Self::screen(sandbox, 160, 45);
        terminal.start_last_profile();
        assert_ne!(terminal.session_processes(), 0, "a run has a server");
        terminal
    }

    /// Starts the last profile and waits for delivered messages.
    pub fn start_last_profile(&mut self) {
        self.press(LAST_PROFILE);
        self.wait_for_selected_profile();
        self.start_with("\r");
        self.wait_for_messages();
    }

    /// Starts a run with a key, and answers the question that is asked before a long run.
    pub fn start_with(&mut self, key: &str) {
        const QUESTION: &str = "start this run?";
        self.press(key);
        self.wait_until("a run or the question before it", |frame| {
            frame.contains(QUESTION) || frame.contains("s stop")
        });
        if self.frame().contains(QUESTION) {
            self.answer("", "y");
        }
    }

    /// When the first frame since `since` that fulfils `holds` was complete.
    pub fn first_shown(&self, since: Instant, holds: impl Fn(&str) -> bool) -> Option<Instant> {
        let output = self.output();
        let mut frames = output.frames.iter().zip(&output.times).rev();
        let mut first = None;
        while let Some((frame, at)) = frames.next().filter(|(_, at)| **at >= since) {
            if holds(frame) {
                first = Some(*at);
            }
        }
        first
    }

    /// The number of delivered messages on the screen.
    pub fn delivered(&self) -> Option<u64> {
        let frame = self.frame();
        let (_, rest) = frame.split_once("delivered")?;
        let digits = rest.trim_start().chars().take_while(|symbol| !symbol.is_whitespace());
        digits.filter(char::is_ascii_digit).collect::<String>().parse().ok()
    }

    /// Waits until another profile than the first is selected: a key that follows others at once counts
    /// as pasted.
    pub fn wait_for_selected_profile(&self) {
        self.wait_until("another profile is selected", |frame| {
            frame.contains('▸') && !frame.contains("▸first-look")
        });
    }

    /// Opens a question, chooses an answer by its letter, and gives it.
    pub fn answer(&mut self, question: &str, letter: &str) {
        self.press(question);
        self.press(letter);
        self.wait_for(&format!("▸ {letter}"));
        self.press("\r");
    }

    /// Waits until the repetition on the screen has delivered a message.
    pub fn wait_for_messages(&mut self) {
        self.wait_until("messages are delivered", |frame| {
            let delivered = frame.split_once("delivered").map_or("", |(_, rest)| rest.trim_start());
            delivered.starts_with(|first| matches!(first, '1'..='9'))
        });
    }

    /// Pauses or resumes reading the program's output, as Ctrl-S and Ctrl-Q do in a terminal.
    pub fn pause(&self, paused: bool) {
        self.output().paused = paused;
    }

    pub fn output(&self) -> MutexGuard<'_, TerminalOutput> {
        self.output.lock().unwrap()
    }

    /// How often the program has written `code`.
    pub fn count_code(&self, code: &[u8]) -> usize {
        self.output().bytes.windows(code.len()).filter(|bytes| *bytes == code).count()
    }

    /// The text on the screen.
    pub fn frame(&self) -> String {
        self.output().parser.screen().contents()
    }

    /// Waits until a frame fulfils `holds`.
    #[track_caller]
    pub fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        self.wait_until_within(WAIT_LIMIT, what, holds);
    }

    /// Waits at most `limit` until a frame fulfils `holds`.
    #[track_caller]
    pub fn wait_until_within(&self, limit: Duration, what: &str, holds: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + limit;
        while !holds(&self.frame()) {
            assert!(Instant::now() < deadline, "not within {limit:?}: {what}\n{}", self.frame());
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |frame| frame.contains(text));
    }

    /// Whether any frame showed a text.
    pub fn has_shown(&self, text: &str) -> bool {
        self.output().frames.iter().any(|frame| frame.contains(text))
    }

    /// Presses keys at once, not sooner after what the screen shows than hands could: keys that follow each
    /// other faster count as pasted. Returns when they were pressed, after that wait.
    pub fn press(&mut self, keys: &str) -> Instant {
        thread::sleep(HANDS);
        let (_, writer) = self.ends.as_mut().unwrap();
        let pressed = Instant::now();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
        pressed
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.output().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.ends.as_ref().unwrap().0.resize(size(columns, rows)).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        send_signal(self.id(), signal);
    }

    /// Closes the terminal, as a lost connection does.
    pub fn close(&mut self) {
        self.output().closed = true;
        self.ends = None;
    }

    /// The program's process number.
    pub fn id(&self) -> i32 {
        self.child.process_id().unwrap().try_into().unwrap()
    }

    /// How many other processes belong to this terminal's session.
    pub fn session_processes(&self) -> usize {
        let stats = procfs::process::all_processes().unwrap();
        let stats = stats.filter_map(|process| process.ok()?.stat().ok());
        stats.filter(|stat| stat.session == self.id() && stat.pid != self.id()).count()
    }

    /// Waits for the program's end; returns its exit status. Checks that it left no process.
    pub fn wait_for_exit(&mut self) -> u32 {
        until("the program ends", || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        self.wait_for_last_output();
        assert_eq!(status.signal(), None);
        assert_eq!(self.session_processes(), 0, "no server outlives its run");
        status.exit_code()
    }

    /// Waits until the reader has what the program wrote before its end: then nothing comes any more.
    fn wait_for_last_output(&self) {
        let mut known = None;
        until("the last output is read", || {
            thread::sleep(LAST_OUTPUT_PAUSE);
            let length = self.output().bytes.len();
            known.replace(length) == Some(length)
        });
    }

    /// Whether the program that has ended restored the terminal for a shell.
    pub fn was_restored(self) -> bool {
        let (master, writer) = self.ends.unwrap();
        let modes = format!("{:?}", master.get_termios().unwrap().local_flags);
        // The reader ends when the last slave is closed.
        drop(self.slave);
        until("the terminal is released", || self.reader.is_finished());
        drop(writer);
        let output = self.output.lock().unwrap();
        let screen = output.parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && modes.contains("ICANON")
            && modes.contains("ECHO")
    }
}

/// Collects the program's output until its end or until the terminal is closed.
fn read_output(mut source: impl Read, output: &Mutex<TerminalOutput>) {
    let mut piece = [0; 1 << 12];
    let is_paused = || output.lock().unwrap().paused;
    while let Ok(length @ 1..) = source.read(&mut piece) {
        let mut output = output.lock().unwrap();
        output.bytes.extend(&piece[..length]);
        output.parser.process(&piece[..length]);
        let frame = output.parser.screen().contents();
        output.frames.push(frame);
        output.times.push(Instant::now());
        if output.closed {
            break;
        }
        drop(output);
        while is_paused() {
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// The program with a screen.
pub fn screen_command(sandbox: &Sandbox) -> CommandBuilder {
    let mut command = CommandBuilder::new(program());
    command.env_remove("NO_COLOR");
    for (variable, value) in sandbox.variables() {
        command.env(variable, value);
    }
    command
}
