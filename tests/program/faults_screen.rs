//! The screen when it is ended from outside: the run ends in order and the terminal is given back.

use std::{
    io::{Read, Write},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
};

use crate::support_faults::{Bench, NO_ENGINE, program, runs, until};
use hubmark::record::Status;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// What turns the alternate screen on and off, and shows the cursor.
const TAKEN: &str = "\x1b[?1049h";
const GIVEN_BACK: &str = "\x1b[?1049l";
const CURSOR: &str = "\x1b[?25h";

/// The screen in a terminal of its own.
struct Screen {
    bench: Bench,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    /// The terminal lives as long as this.
    _master: Box<dyn MasterPty + Send>,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    fn open() -> Self {
        let bench = Bench::new();
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program());
        for (variable, folder) in [
            ("HUBMARK_RECORDS_DIR", "records"),
            ("HUBMARK_STATE_DIR", "state"),
            ("HUBMARK_CONFIG_DIR", "config"),
            ("HUBMARK_TMP", "tmp"),
        ] {
            command.env(variable, bench.path(folder));
        }
        command.env("DOCKER_HOST", NO_ENGINE);
        command.env("TERM", "xterm-256color");
        command.cwd("/");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let screen = Self { bench, child, writer, _master: pair.master, shown };
        until("the screen is there", || screen.text().contains("first-look"));
        screen
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Starts the chosen profile; returns its server once there is one.
    fn start(&mut self) -> i32 {
        self.writer.write_all(b"\r").unwrap();
        self.bench.server()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.process_id().unwrap().cast_signed();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    fn end(&mut self) -> u32 {
        let mut code = None;
        until("the screen ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().exit_code()
    }

    /// What the run left: a partial record, and nothing else.
    fn is_in_order(&self, server: i32) {
        assert_eq!(self.bench.record().status, Status::Partial);
        assert!(self.bench.record().finished.is_some(), "it ended in order");
        assert!(!runs(server));
        assert_eq!(self.bench.folders().len(), 0);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn signals_end_the_run_in_order_and_give_the_terminal_back() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut screen = Screen::open();
        let server = screen.start();
        screen.signal(signal);
        assert_eq!(screen.end(), 130, "{signal}");
        screen.is_in_order(server);
        until("the terminal is given back", || {
            let text = screen.text();
            let after = text.rsplit_once(TAKEN).map_or("", |(_, after)| after);
            after.split_once(GIVEN_BACK).is_some_and(|(_, rest)| rest.contains(CURSOR))
        });
    }
}

/// A terminal that goes away with the program that shows it, as when a connection breaks.
#[test]
fn a_lost_terminal_ends_the_run_in_order() {
    let bench = Bench::new();
    let mut shower = bench.command("script");
    let line = format!("stty rows 24 cols 80; exec '{}'", program());
    shower.args(["--quiet", "--command", &line, "/dev/null"]).env("TERM", "xterm-256color");
    let mut shower = shower.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut keys = shower.stdin.take().unwrap();
    until("the run starts", || {
        // Keys that come before the screen does are lost.
        keys.write_all(b"\r").unwrap();
        !bench.servers().is_empty()
    });
    let (server, hubmark) = (bench.server(), bench.maker());
    shower.kill().unwrap();
    shower.wait().unwrap();
    until("the run ends", || !runs(hubmark));
    assert_eq!(bench.record().status, Status::Partial);
    assert!(bench.record().finished.is_some(), "it ended in order");
    assert!(!runs(server));
    assert_eq!(bench.folders().len(), 0);
}

#[test]
fn a_signal_without_a_run_gives_the_terminal_back() {
    let mut screen = Screen::open();
    screen.signal(Signal::SIGTERM);
    assert_eq!(screen.end(), 130);
    until("the terminal is given back", || screen.text().contains(GIVEN_BACK));
}

#[test]
fn a_killed_server_is_told_on_the_screen() {
    let mut screen = Screen::open();
    let first = screen.start();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    // It is tried again, once.
    let other = |bench: &Bench| bench.servers().into_iter().find(|&server| server != first);
    until("the next try's server runs", || other(&screen.bench).is_some());
    kill(Pid::from_raw(other(&screen.bench).unwrap()), Signal::SIGKILL).unwrap();
    until("the failure is told", || screen.text().contains("broker"));
    until("nothing is left", || screen.bench.folders().is_empty());
    screen.signal(Signal::SIGTERM);
    screen.end();
    assert_eq!(screen.bench.record().status, Status::Partial);
}
