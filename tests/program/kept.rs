//! Runs that are kept: the connection is lost, and the screen comes back to the run.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use hubmark::record::Status;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::terminal::{Folders, SETUP, Terminal, hubmark};

/// Messages of each user in a run that is never waited for.
const MANY: u32 = 100_000;
const HOME: &str = "\x1b[H";
/// Long enough for a busy machine; reached only by a failing test.
const PATIENCE: Duration = Duration::from_mins(1);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends what a failing test leaves.
struct Kept<'a>(&'a Folders);

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        for (process, _) in self.0.kept() {
            if is_alive(process) {
                let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            }
        }
    }
}

/// Whether a process of this program is there, and no zombie.
fn is_alive(process: i32) -> bool {
    let found = procfs::process::Process::new(process);
    found.and_then(|found| found.stat()).is_ok_and(|stat| stat.state != 'Z')
}

fn signal(process: i32, signal: Signal) {
    kill(Pid::from_raw(process), signal).unwrap();
}

/// Opens the screen with `--keep`.
fn keeping(folders: &Folders) -> Terminal {
    let mut command = hubmark(folders);
    command.arg("--keep");
    let terminal = Terminal::open(command, 160, 45);
    terminal.wait("q quit");
    terminal
}

fn attached(folders: &Folders) -> Terminal {
    let mut command = hubmark(folders);
    command.arg("attach");
    Terminal::open(command, 160, 45)
}

/// `hubmark attach` without a terminal.
fn attach(folders: &Folders, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubmark"));
    command.envs(folders.variables()).arg("attach").args(more).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_lost_connection_ends_the_screen_and_attach_brings_it_back() {
    let folders = Folders::new(MANY);
    let _kept = Kept(&folders);
    let mut terminal = keeping(&folders);
    terminal.start();
    assert_eq!(terminal.servers(), 0, "the run and its servers are not of this session");
    terminal.until("some seconds are over", |_| terminal.delivered().is_some_and(|n| n > 60));
    let kept = folders.kept();
    let [(run, socket)] = kept.as_slice() else { panic!("one run is kept: {kept:?}") };
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(socket), mode(socket.parent().unwrap())), (0o600, 0o700));

    terminal.signal(Signal::SIGHUP);
    terminal.hang_up();
    assert_eq!(terminal.exit(), 130);
    signal(*run, Signal::SIGHUP);
    let list = text(&attach(&folders, &["--list"]).stdout);
    assert!(list.contains(&run.to_string()) && list.contains("mine"), "{list}");
    assert!(list.contains("0/1 repetitions, load"), "{list}");

    let mut terminal = attached(&folders);
    terminal.wait_for_messages();
    let now = terminal.delivered().unwrap();
    assert!(now > 60, "it did not begin anew: {now}");
    terminal.press("f");
    terminal.wait("display frozen");
    terminal.press(HOME);
    terminal.until("what was before is there", |_| terminal.delivered().is_some_and(|n| n < 30));
    terminal.press("f");
    terminal.until("the present", |_| terminal.delivered().is_some_and(|n| n >= now));
    // The load is not this process's, so that it may stop.
    let screens = |terminal: &Terminal| {
        terminal.seen().bytes.windows(8).filter(|code| *code == b"\x1b[?1049h").count()
    };
    terminal.press("\x1a");
    terminal.until("it comes back", |_| screens(&terminal) == 2);
    terminal.wait_for_messages();
    terminal.press("q");
    terminal.wait("the run goes on, and hubmark attach shows it again");
    terminal.press("d");
    terminal.wait("hubmark: the run goes on");
    assert_eq!(terminal.exit(), 0);
    assert!(terminal.restored());
    assert!(is_alive(*run));

    let mut terminal = attached(&folders);
    terminal.wait_for_messages();
    terminal.press("sn");
    terminal.wait(" stopped ");
    terminal.wait("back to setup");
    let record = folders.record();
    assert_eq!(record.status, Status::Partial);
    assert!(record.points[0].repetitions[0].ledger.delivered >= now);
    until("the run's process ends", || !is_alive(*run) && folders.kept().is_empty());
    terminal.press("\r");
    terminal.wait(SETUP);
    terminal.press("q");
    assert_eq!(terminal.exit(), 130);
    assert!(terminal.restored());
}

#[test]
fn of_several_runs_one_is_chosen_and_what_died_is_cleared_away() {
    let folders = Folders::new(MANY);
    let _kept = Kept(&folders);
    for _ in 0..2 {
        let mut terminal = keeping(&folders);
        terminal.start();
        terminal.press("qd");
        assert_eq!(terminal.exit(), 0);
    }
    // The socket of a process that is no more: nobody listens.
    let stale = folders.kept()[0].1.with_file_name("1.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let several = attach(&folders, &[]);
    assert_eq!(several.status.code(), Some(2));
    assert!(!stale.exists(), "a dead socket is removed");
    let kept = folders.kept();
    let [(one, _), (other, _)] = kept.as_slice() else { panic!("two runs: {kept:?}") };
    let said = text(&several.stderr);
    assert!(said.contains(&one.to_string()) && said.contains(&other.to_string()), "{said}");
    assert_eq!(attach(&folders, &["1"]).status.code(), Some(2), "there is none of that number");

    let mut terminal = attached(&folders);
    terminal.wait("which process?");
    terminal.press(&format!("{other}\n"));
    terminal.wait_for_messages();
    terminal.press("qd");
    assert_eq!(terminal.exit(), 0);

    signal(*one, Signal::SIGTERM);
    until("it ends in order", || !is_alive(*one) && folders.kept().len() == 1);
    assert_eq!(folders.records().len(), 2);
    // One that is struck dead leaves its socket, and its servers follow it.
    signal(*other, Signal::SIGKILL);
    until("it is dead", || !is_alive(*other));
    // Its threads may hold the socket a moment longer.
    until("its socket is cleared away", || {
        let none = attach(&folders, &[]);
        assert_eq!(none.status.code(), Some(1));
        assert!(text(&none.stderr).contains("no kept run is on"), "{}", text(&none.stderr));
        folders.kept().is_empty()
    });
}

#[test]
fn a_kept_run_ends_by_itself_and_leaves_its_record() {
    let folders = Folders::new(20);
    let _kept = Kept(&folders);
    let mut terminal = keeping(&folders);
    terminal.start();
    let kept = folders.kept();
    let [(run, _)] = kept.as_slice() else { panic!("one run is kept: {kept:?}") };
    // Ctrl-C twice leaves it alone, too.
    terminal.press("\x03\x03");
    assert_eq!(terminal.exit(), 0);
    until("it ends", || !is_alive(*run) && folders.kept().is_empty());
    let record = folders.record();
    assert_eq!(record.status, Status::Complete);
    assert_eq!(record.points[0].repetitions[0].ledger.delivered, 100);
}
