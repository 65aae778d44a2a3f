//! Images built on the screen with a real engine: progress step by step, stopping, and images that exist
//! already.

use crate::support::{
    sandbox::Sandbox,
    terminal::{LAST_PROFILE, SETUP, Terminal},
};

/// A release that no other test builds.
const RELEASE: &str = "3.7.2";

/// Opens the screen with a saved profile for `backend` selected.
fn open_with_profile(sandbox: &Sandbox, backend: &str) -> Terminal {
    // The name sorts behind all others.
    let text = format!("name = \"zz\"\nbackend = {backend:?}\n[hub]\nkind = \"docker\"\n");
    sandbox.save_profile("zz", &text);
    let mut terminal = Terminal::screen(sandbox, 120, 40);
    terminal.press(LAST_PROFILE);
    terminal.wait_until("the profile is selected", |frame| frame.contains("▸zz"));
    terminal
}

/// Output of `hubmark images list`.
fn list_images(sandbox: &Sandbox) -> String {
    sandbox.run(["images", "list"]).exits_with(0).stdout
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_build_shows_its_steps_and_can_be_stopped() {
    let sandbox = Sandbox::with_engine();
    assert!(!list_images(&sandbox).contains(RELEASE), "no other test builds it");
    let mut terminal = open_with_profile(&sandbox, &format!("kafka:{RELEASE}"));
    terminal.press("i");
    let step = |frame: &str| {
        let mut lines = frame.lines();
        lines.any(|line| line.contains(RELEASE) && line.contains(" s · ") && line.contains("step"))
    };
    terminal.wait_until("a step is shown with its time", step);
    terminal.press("s");
    terminal.wait_for("✗ stopped; finished steps are saved");
    terminal.press("\x1b");
    terminal.wait_for(SETUP);
    assert!(!list_images(&sandbox).contains(RELEASE), "no image was built");
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    assert!(terminal.was_restored());
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_existing_image_is_not_built_again() {
    let sandbox = Sandbox::with_engine();
    for _ in 0..2 {
        let mut terminal = open_with_profile(&sandbox, "mariadb");
        terminal.press("i");
        terminal.wait_for("✓ all images of this run are available");
        terminal.press("\x1b");
        terminal.wait_for(SETUP);
        terminal.press("i");
        terminal.wait_for("already available");
        terminal.press("\x1b");
        terminal.wait_for(SETUP);
        terminal.press("q");
        assert_eq!(terminal.wait_for_exit(), 0);
    }
}
