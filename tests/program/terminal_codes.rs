//! Codes outside of the frames: a question to the terminal and its reply, a text for its clipboard.

use std::fs;

use crate::support::{
    sandbox::Sandbox,
    terminal::{Terminal, screen_command},
    wait::until,
};

/// Messages of each user of the saved profile.
const FEW: u32 = 3;
/// Asks a terminal for its background, as xterm understands it.
const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";
/// Begins a text for the clipboard.
const CLIPBOARD: &[u8] = b"\x1b]52;c;";

#[test]
fn a_terminals_reply_about_its_background_is_no_command() {
    let sandbox = Sandbox::with_profile(FEW);
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    until("the terminal is asked", || terminal.count_code(QUESTION) == 1);
    terminal.press("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    terminal.press("?");
    terminal.wait_for("Keys here");
    terminal.press("\x1b");
    terminal.wait_until("the help is closed", |frame| !frame.contains("Keys here"));
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    assert!(terminal.was_restored());
    assert!(sandbox.record_files().is_empty());
}

#[test]
fn the_path_of_a_report_reaches_the_terminals_clipboard() {
    let sandbox = Sandbox::with_profile(FEW);
    let mut command = screen_command(&sandbox);
    // The report goes into the current folder, and no browser of this machine opens.
    command.cwd(sandbox.path("tmp"));
    for variable in ["DISPLAY", "WAYLAND_DISPLAY", "TMUX", "STY"] {
        command.env_remove(variable);
    }
    let mut terminal = Terminal::screen_of(command, 160, 45);
    terminal.start_last_profile();
    terminal.wait_for("Nothing lost");
    terminal.press("o");
    terminal.wait_for("saved: ");
    until("the path is sent", || terminal.count_code(CLIPBOARD) == 1);
    let written: Vec<_> = fs::read_dir(sandbox.path("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-report"))
        .collect();
    assert_eq!(written.len(), 1, "{written:?}");
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
}
