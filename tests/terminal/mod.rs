//! A terminal that a test can look at, type into and close, with a program in it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    fs,
    io::{Read, Write},
    num::NonZeroU16,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hubmark::record::{Record, store};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use tempfile::TempDir;

/// Long enough for a busy machine; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(30);
pub const SETUP: &str = "what will happen";
/// Moves to the last profile, wherever that is.
pub const LAST_PROFILE: &str = "jjjjjjjjjjjjjjjjjjjj";

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The program's folders, with one saved profile.
pub struct Folders(TempDir);

impl Folders {
    pub fn new(messages: u32) -> Self {
        Self::with(5, "250 ms", "50 ms", messages)
    }

    /// With a profile of so many users, each with a message every `mean`.
    pub fn with(users: u32, mean: &str, deviation: &str, messages: u32) -> Self {
        let folders = Self(tempfile::tempdir().unwrap());
        for folder in ["config/profiles", "records", "state", "tmp"] {
            fs::create_dir_all(folders.0.path().join(folder)).unwrap();
        }
        let profile = format!(
            r#"name = "mine"
description = "a few devices"
backend = "builtin"
[hub]
kind = "local"
[workload]
kind = "latency"
users = {users}
payload = "100 B"
messages = {messages}
arrival = {{ distribution = "normal", mean = "{mean}", deviation = "{deviation}" }}
warmup = "0 s"
drain = "2 s"
[run]
repetitions = 1
baseline = "0.3 s"
server_warmup = "0 s"
"#
        );
        fs::write(folders.0.path().join("config/profiles/mine.toml"), profile).unwrap();
        folders
    }

    pub fn variables(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("HUBMARK_CONFIG_DIR", "config"),
            ("HUBMARK_RECORDS_DIR", "records"),
            ("HUBMARK_STATE_DIR", "state"),
            ("HUBMARK_TMP", "tmp"),
        ]
        .map(|(variable, folder)| (variable, self.0.path().join(folder)))
    }

    /// Processes of the runs that are kept, and where each listens.
    pub fn kept(&self) -> Vec<(i32, PathBuf)> {
        let entries = fs::read_dir(self.0.path().join("state/runs")).into_iter().flatten();
        let sockets = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_stem()?.to_str()?.parse().ok()?, path))
        });
        sockets.collect()
    }

    pub fn records(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join("records")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect()
    }

    /// The only record there is.
    pub fn record(&self) -> Record {
        let records = self.records();
        let [path] = records.as_slice() else { panic!("not one record: {records:?}") };
        store::load(path).unwrap()
    }
}

/// What came out of the program so far.
pub struct Seen {
    pub parser: vt100::Parser,
    pub bytes: Vec<u8>,
    /// The screen after each piece of output, so that nothing is missed between two looks.
    frames: Vec<String>,
    /// When each of them was there.
    times: Vec<Instant>,
    /// Nobody looks any more.
    gone: bool,
    /// Whether nothing more is taken for now.
    held: bool,
}

/// A terminal with a program in it.
pub struct Terminal {
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
    child: Box<dyn Child + Send + Sync>,
    /// Both ends; `None` once hung up.
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
    pub fn open(mut command: CommandBuilder, columns: u16, rows: u16) -> Self {
        if command.get_env("TERM").is_none_or(|term| term != "dumb") {
            command.env("TERM", "xterm-256color");
        }
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(cells(rows), cells(columns), 0),
            bytes: Vec::new(),
            frames: Vec::new(),
            times: Vec::new(),
            gone: false,
            held: false,
        }));
        let output = pair.master.try_clone_reader().unwrap();
        let reader = thread::spawn({
            let seen = Arc::clone(&seen);
            move || look(output, &seen)
        });
        let writer = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { seen, reader, child, ends: Some((pair.master, writer)), slave: pair.slave }
    }

    /// Opens the screen and waits for its first frame.
    pub fn screen(folders: &Folders, columns: u16, rows: u16) -> Self {
        let terminal = Self::open(hubmark(folders), columns, rows);
        // The last that a frame writes.
        terminal.wait("q quit");
        terminal
    }

    /// Opens the screen and starts the saved profile.
    pub fn running(folders: &Folders) -> Self {
        let mut terminal = Self::screen(folders, 160, 45);
        terminal.start();
        assert_ne!(terminal.servers(), 0, "a run has a server");
        terminal
    }

    /// Starts the saved profile.
    pub fn start(&mut self) {
        self.press(LAST_PROFILE);
        self.press("\r");
        self.wait_for_messages();
    }

    /// When a frame of which `holds` is true was first there, not before `since`.
    pub fn first(&self, since: Instant, holds: impl Fn(&str) -> bool) -> Option<Instant> {
        let seen = self.seen();
        let mut frames = seen.frames.iter().zip(&seen.times).rev();
        let mut first = None;
        while let Some((frame, at)) = frames.next().filter(|(_, at)| **at >= since) {
            if holds(frame) {
                first = Some(*at);
            }
        }
        first
    }

    /// Messages delivered, as the screen shows them.
    pub fn delivered(&self) -> Option<u64> {
        let frame = self.frame();
        let (_, rest) = frame.split_once("delivered")?;
        let digits = rest.trim_start().chars().take_while(|symbol| !symbol.is_whitespace());
        digits.filter(char::is_ascii_digit).collect::<String>().parse().ok()
    }

    /// Waits until the repetition on the screen has delivered something.
    pub fn wait_for_messages(&mut self) {
        self.until("messages are delivered", |frame| {
            let delivered = frame.split_once("delivered").map_or("", |(_, rest)| rest.trim_start());
            delivered.starts_with(|first| matches!(first, '1'..='9'))
        });
    }

    /// Takes nothing more of what the program writes, as a terminal after Ctrl-S, or goes on.
    pub fn hold(&self, held: bool) {
        self.seen().held = held;
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub fn frame(&self) -> String {
        self.seen().parser.screen().contents()
    }

    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        self.until_within(PATIENCE, what, holds);
    }

    pub fn until_within(&self, patience: Duration, what: &str, holds: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + patience;
        while !holds(&self.frame()) {
            assert!(Instant::now() < deadline, "waited in vain: {what}\n{}", self.frame());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn wait(&self, text: &str) {
        self.until(text, |frame| frame.contains(text));
    }

    /// Whether a text was to be seen at any time.
    pub fn showed(&self, text: &str) -> bool {
        self.seen().frames.iter().any(|frame| frame.contains(text))
    }

    pub fn press(&mut self, keys: &str) {
        let (_, writer) = self.ends.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.ends.as_ref().unwrap().0.resize(size(columns, rows)).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id()), signal).unwrap();
    }

    /// Closes the terminal's window.
    pub fn hang_up(&mut self) {
        self.seen().gone = true;
        self.ends = None;
    }

    /// The program's process.
    pub fn id(&self) -> i32 {
        self.child.process_id().unwrap().try_into().unwrap()
    }

    /// How many other processes live in this terminal's session.
    pub fn servers(&self) -> usize {
        let stats = procfs::process::all_processes().unwrap();
        let stats = stats.filter_map(|process| process.ok()?.stat().ok());
        stats.filter(|stat| stat.session == self.id() && stat.pid != self.id()).count()
    }

    /// Waits for the program to end; its exit status. Everything that it wrote was then seen,
    /// and nothing that it started is left.
    pub fn exit(&mut self) -> u32 {
        until("the program ends", || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), None);
        assert_eq!(self.servers(), 0, "no server outlives its run");
        status.exit_code()
    }

    /// Whether the terminal is as a shell wants it: seen when the program has ended.
    pub fn restored(self) -> bool {
        let (master, writer) = self.ends.unwrap();
        let modes = format!("{:?}", master.get_termios().unwrap().local_flags);
        // The reader ends with the last holder of the other end.
        drop(self.slave);
        until("the terminal is let go", || self.reader.is_finished());
        drop(writer);
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && modes.contains("ICANON")
            && modes.contains("ECHO")
    }
}

/// Reads all that the program writes, until it ends or nobody looks any more.
fn look(mut output: impl Read, seen: &Mutex<Seen>) {
    let mut piece = [0; 1 << 12];
    let held = || seen.lock().unwrap().held;
    while let Ok(length @ 1..) = output.read(&mut piece) {
        let mut seen_now = seen.lock().unwrap();
        seen_now.bytes.extend(&piece[..length]);
        seen_now.parser.process(&piece[..length]);
        let frame = seen_now.parser.screen().contents();
        seen_now.frames.push(frame);
        seen_now.times.push(Instant::now());
        if seen_now.gone {
            break;
        }
        drop(seen_now);
        while held() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn hubmark(folders: &Folders) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hubmark"));
    command.env_remove("NO_COLOR");
    for (variable, folder) in folders.variables() {
        command.env(variable, folder);
    }
    command
}
