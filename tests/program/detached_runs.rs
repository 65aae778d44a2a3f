//! Detached runs: they outlive the screen, and `hubmark attach` shows them again.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use hubmark::record::RecordStatus;
use nix::sys::signal::Signal;

use crate::support::{
    process::{ProgramOutput, is_running, send_signal},
    sandbox::Sandbox,
    terminal::{SETUP, Terminal, screen_command},
    wait::until,
};

/// Messages of each user in a run that lasts longer than its test.
const MANY: u32 = 100_000;
const HOME_KEY: &str = "\x1b[H";
const ENTER_ALTERNATE_SCREEN: &[u8] = b"\x1b[?1049h";

/// Kills the detached runs of a failed test when dropped.
pub struct DetachedRuns<'a>(pub &'a Sandbox);

impl Drop for DetachedRuns<'_> {
    fn drop(&mut self) {
        for (process, _) in self.0.detached_runs() {
            if is_running(process) {
                send_signal(process, Signal::SIGKILL);
            }
        }
    }
}

/// Opens the screen with `--keep`.
fn open_keeping(sandbox: &Sandbox) -> Terminal {
    let mut command = screen_command(sandbox);
    command.arg("--keep");
    Terminal::screen_of(command, 160, 45)
}

/// Opens the screen of `hubmark attach`.
fn open_attached(sandbox: &Sandbox) -> Terminal {
    let mut command = screen_command(sandbox);
    command.arg("attach");
    Terminal::open(command, 160, 45)
}

/// Runs `hubmark attach` without a terminal.
fn attach(sandbox: &Sandbox, arguments: &[&str]) -> ProgramOutput {
    sandbox.run([&["attach"], arguments].concat())
}

#[test]
fn a_lost_connection_ends_the_screen_and_attach_shows_the_run_again() {
    let sandbox = Sandbox::with_profile(MANY);
    let _cleanup = DetachedRuns(&sandbox);
    let mut terminal = open_keeping(&sandbox);
    terminal.start_last_profile();
    assert_eq!(
        terminal.session_processes(),
        0,
        "the run and its servers belong to another session"
    );
    terminal.wait_until("messages of some seconds are delivered", |_| {
        terminal.delivered().is_some_and(|n| n > 60)
    });
    let detached = sandbox.detached_runs();
    let [(run, socket)] = detached.as_slice() else { panic!("one detached run: {detached:?}") };
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(socket), mode(socket.parent().unwrap())), (0o600, 0o700));

    terminal.signal(Signal::SIGHUP);
    terminal.close();
    assert_eq!(terminal.wait_for_exit(), 130);
    send_signal(*run, Signal::SIGHUP);
    let list = attach(&sandbox, &["--list"]).stdout;
    assert!(list.contains(&run.to_string()) && list.contains("mine"), "{list}");
    assert!(list.contains("0/1 repetition, load"), "{list}");

    let mut terminal = open_attached(&sandbox);
    terminal.wait_for_messages();
    let now = terminal.delivered().unwrap();
    assert!(now > 60, "the run did not start again: {now}");
    terminal.press("f");
    terminal.wait_for("display frozen");
    terminal.press(HOME_KEY);
    terminal
        .wait_until("an earlier moment is shown", |_| terminal.delivered().is_some_and(|n| n < 30));
    terminal.press("f");
    terminal.wait_until("the present is shown", |_| terminal.delivered().is_some_and(|n| n >= now));
    // This process does not run the load, so it may be suspended.
    terminal.press("\x1a");
    let resumed = |_: &str| terminal.count_code(ENTER_ALTERNATE_SCREEN) == 2;
    terminal.wait_until("the screen resumes", resumed);
    terminal.wait_for_messages();
    terminal.press("q");
    terminal.wait_for("the run goes on, and hubmark attach shows it again");
    terminal.press("d");
    terminal.wait_for("▸ d");
    terminal.press("\r");
    terminal.wait_for("hubmark: the run goes on");
    assert_eq!(terminal.wait_for_exit(), 0);
    assert!(terminal.was_restored());
    assert!(is_running(*run));

    let mut terminal = open_attached(&sandbox);
    terminal.wait_for_messages();
    terminal.answer("s", "n");
    terminal.wait_for(" stopped ");
    terminal.wait_for(" r again");
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Partial);
    assert!(record.points[0].repetitions[0].ledger.delivered >= now);
    until("the run's process ends", || !is_running(*run) && sandbox.detached_runs().is_empty());
    terminal.press("\r");
    terminal.wait_for(SETUP);
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 130);
    assert!(terminal.was_restored());
}

#[test]
fn attach_asks_which_of_several_runs_and_removes_dead_sockets() {
    let sandbox = Sandbox::with_profile(MANY);
    let _cleanup = DetachedRuns(&sandbox);
    for _ in 0..2 {
        let mut terminal = open_keeping(&sandbox);
        terminal.start_last_profile();
        terminal.answer("q", "d");
        assert_eq!(terminal.wait_for_exit(), 0);
    }
    // The socket of a process that has ended: it has no listener.
    let stale = sandbox.detached_runs()[0].1.with_file_name("1.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let several = attach(&sandbox, &[]);
    assert_eq!(several.status, Some(2));
    assert!(!stale.exists(), "a dead socket is removed");
    let detached = sandbox.detached_runs();
    let [(one, _), (other, _)] = detached.as_slice() else { panic!("two runs: {detached:?}") };
    let listed = &several.stderr;
    assert!(listed.contains(&one.to_string()) && listed.contains(&other.to_string()), "{listed}");
    assert_eq!(attach(&sandbox, &["1"]).status, Some(2), "no run has that number");

    let mut terminal = open_attached(&sandbox);
    terminal.wait_for("which process?");
    terminal.press(&format!("{other}\n"));
    terminal.wait_for_messages();
    terminal.answer("q", "d");
    assert_eq!(terminal.wait_for_exit(), 0);

    send_signal(*one, Signal::SIGTERM);
    until("it ends in order", || !is_running(*one) && sandbox.detached_runs().len() == 1);
    assert_eq!(sandbox.record_files().len(), 2);
    // A killed run leaves its socket; its servers end with it.
    send_signal(*other, Signal::SIGKILL);
    until("it has ended", || !is_running(*other));
    // Its threads may keep the socket open a moment longer.
    until("its socket is removed", || {
        let none = attach(&sandbox, &[]);
        assert_eq!(none.status, Some(1));
        assert!(none.stderr.contains("no detached run is in progress"), "{}", none.stderr);
        sandbox.detached_runs().is_empty()
    });
}

#[test]
fn a_detached_run_ends_by_itself_and_saves_its_record() {
    let sandbox = Sandbox::with_profile(20);
    let _cleanup = DetachedRuns(&sandbox);
    let mut terminal = open_keeping(&sandbox);
    terminal.start_last_profile();
    let detached = sandbox.detached_runs();
    let [(run, _)] = detached.as_slice() else { panic!("one detached run: {detached:?}") };
    // Ctrl-C twice ends only the screen.
    terminal.press("\x03\x03");
    assert_eq!(terminal.wait_for_exit(), 0);
    until("it ends", || !is_running(*run) && sandbox.detached_runs().is_empty());
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Complete);
    assert_eq!(record.points[0].repetitions[0].ledger.delivered, 100);
}
