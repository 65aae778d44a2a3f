//! The screen when it is ended from outside: the run ends in order and the terminal is restored.

use std::{io::Write, process::Stdio};

use hubmark::record::RecordStatus;
use nix::sys::signal::Signal;

use crate::support::{
    process::{is_running, program, send_signal},
    sandbox::Sandbox,
    terminal::Terminal,
    wait::until,
};

const ENTER_ALTERNATE_SCREEN: &str = "\x1b[?1049h";
const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Everything that the program has written to its terminal.
fn written(terminal: &Terminal) -> String {
    String::from_utf8_lossy(&terminal.output().bytes).into_owned()
}

/// Starts the selected profile; returns its server once it runs.
fn start_run(sandbox: &Sandbox, terminal: &mut Terminal) -> i32 {
    terminal.press("\r");
    sandbox.wait_for_server()
}

/// Checks that a run left a finished partial record and nothing else.
fn check_orderly_end(sandbox: &Sandbox, server: i32) {
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
    assert!(sandbox.record().finished.is_some(), "it ended in order");
    assert!(!is_running(server));
    assert_eq!(sandbox.server_folders().len(), 0);
}

#[test]
fn signals_end_the_run_in_order_and_restore_the_terminal() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::screen(&sandbox, 80, 24);
        let server = start_run(&sandbox, &mut terminal);
        terminal.signal(signal);
        assert_eq!(terminal.wait_for_exit(), 130, "{signal}");
        check_orderly_end(&sandbox, server);
        until("the terminal is restored", || {
            let text = written(&terminal);
            let after = text.rsplit_once(ENTER_ALTERNATE_SCREEN).map_or("", |(_, after)| after);
            let left = after.split_once(LEAVE_ALTERNATE_SCREEN);
            left.is_some_and(|(_, rest)| rest.contains(SHOW_CURSOR))
        });
    }
}

/// A lost connection: the terminal disappears with the program that shows it.
#[test]
fn a_lost_terminal_ends_the_run_in_order() {
    let sandbox = Sandbox::new();
    let mut emulator = sandbox.other_command("script");
    let line = format!("stty rows 24 cols 80; exec '{}'", program());
    emulator.args(["--quiet", "--command", &line, "/dev/null"]).env("TERM", "xterm-256color");
    let mut emulator = emulator.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut keys = emulator.stdin.take().unwrap();
    until("the run starts", || {
        // Keys are lost until the screen reads them.
        keys.write_all(b"\r").unwrap();
        !sandbox.servers().is_empty()
    });
    let (server, hubmark) = (sandbox.wait_for_server(), sandbox.server_owner());
    emulator.kill().unwrap();
    emulator.wait().unwrap();
    until("the run ends", || !is_running(hubmark));
    check_orderly_end(&sandbox, server);
}

#[test]
fn a_signal_without_a_run_restores_the_terminal() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.wait_for_exit(), 130);
    until("the terminal is restored", || written(&terminal).contains(LEAVE_ALTERNATE_SCREEN));
}

#[test]
fn a_killed_server_is_reported_on_the_screen() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    let first = start_run(&sandbox, &mut terminal);
    send_signal(first, Signal::SIGKILL);
    // The repetition is retried once.
    let other = || sandbox.servers().into_iter().find(|&server| server != first);
    until("the next try's server runs", || other().is_some());
    send_signal(other().unwrap(), Signal::SIGKILL);
    until("the failure is shown", || written(&terminal).contains("broker"));
    until("nothing is left", || sandbox.server_folders().is_empty());
    terminal.signal(Signal::SIGTERM);
    terminal.wait_for_exit();
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
}
