//! Images made on the screen, on a real engine: seen step by step, stopped, and left alone where they
//! are there already.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod terminal;

use std::{fs, process::Command};

use terminal::{Folders, LAST_PROFILE, Terminal, hubmark};

/// A release that no other test builds.
const RELEASE: &str = "3.7.2";

/// Saves a profile behind all others and chooses it.
fn chosen(folders: &Folders, backend: &str) -> Terminal {
    let [(_, config), ..] = folders.variables();
    let text = format!("name = \"zz\"\nbackend = {backend:?}\n[hub]\nkind = \"docker\"\n");
    fs::write(config.join("profiles/zz.toml"), text).unwrap();
    let mut terminal = Terminal::open(hubmark(folders), 120, 40);
    terminal.wait("q quit");
    terminal.press(LAST_PROFILE);
    terminal.until("the profile is chosen", |frame| frame.contains("▸zz"));
    terminal
}

/// What `hubmark images list` says.
fn images(folders: &Folders) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubmark"));
    command.args(["images", "list"]).envs(folders.variables());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_image_is_made_step_by_step_until_it_is_stopped() {
    let folders = Folders::new(1);
    assert!(!images(&folders).contains(RELEASE), "this test builds it, and nobody else");
    let mut terminal = chosen(&folders, &format!("kafka:{RELEASE}"));
    terminal.press("i");
    let step = |frame: &str| {
        let mut lines = frame.lines();
        lines.any(|line| line.contains(RELEASE) && line.contains(" s · ") && line.contains("step"))
    };
    terminal.until("a step is told with its time", step);
    terminal.press("s");
    terminal.wait("✗ stopped; what was finished is kept");
    terminal.press("\x1b");
    terminal.wait("what will happen");
    assert!(!images(&folders).contains(RELEASE), "nothing was made");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    assert!(terminal.restored());
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_image_that_is_there_is_not_made_again() {
    let folders = Folders::new(1);
    for _ in 0..2 {
        let mut terminal = chosen(&folders, "mariadb");
        terminal.press("i");
        terminal.wait("✓ all images of this run are there");
        terminal.press("\x1b");
        terminal.wait("what will happen");
        terminal.press("i");
        terminal.wait("was there already");
        terminal.press("\x1b");
        terminal.wait("what will happen");
        terminal.press("q");
        assert_eq!(terminal.exit(), 0);
    }
}
