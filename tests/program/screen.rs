//! The program itself in a terminal: what it draws, what its keys do, and how it leaves.

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use hubmark::{
    record::Status,
    tui::{
        Ask, Controller, Inputs, PlanPreview, Planner, Problem, ProfileEntry, Request, Shelf,
        Started, Told, run,
    },
};
use nix::sys::signal::Signal;
use portable_pty::CommandBuilder;
use tokio_util::sync::CancellationToken;

use crate::terminal::{Folders, LAST_PROFILE, SETUP, Terminal, hubmark};

/// Messages of each user in a run that is over at once.
const FEW: u32 = 3;
/// Messages of each user in a run that is never waited for.
const MANY: u32 = 100_000;
const LIVE: &str = "ledger (messages)";
const F5: &str = "\x1b[15~";
/// From the list of profiles into the text of the field for users.
const USERS: &str = "\tjjjj\r";
const CTRL_U: &str = "\x15";

/// Whether any style among what was written has a colour.
fn coloured(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let styles =
        text.split("\x1b[").filter_map(|code| code.split_once('m').map(|(style, _)| style));
    styles
        .filter(|style| style.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
        .flat_map(|style| style.split(';').map(str::parse::<u8>).collect::<Vec<_>>())
        .any(|part| matches!(part, Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)))
}

#[test]
fn the_first_frame_says_what_can_be_run_and_q_leaves() {
    let folders = Folders::new(FEW);
    for (columns, rows) in [(80, 24), (160, 45)] {
        let mut terminal = Terminal::screen(&folders, columns, rows);
        let frame = terminal.frame();
        assert!(frame.contains("▸first-look") && frame.contains(" mine"), "{frame}");
        let keys = frame.lines().last().unwrap();
        assert!(keys.contains("enter start") && keys.contains("q quit"), "{frame}");
        assert!(terminal.seen().parser.screen().alternate_screen());
        let asked = terminal.seen().bytes.windows(4).any(|code| code == b"\x1b[6n");
        assert!(!asked, "where the cursor is takes a round trip to tell");
        terminal.press("q");
        assert_eq!(terminal.exit(), 0);
        assert!(terminal.restored());
    }
    assert!(folders.records().is_empty());
}

#[test]
fn a_run_is_chosen_changed_watched_read_and_repeated() {
    let folders = Folders::new(FEW);
    let mut terminal = Terminal::screen(&folders, 160, 45);
    terminal.press(LAST_PROFILE);
    terminal.press(USERS);
    terminal.press(CTRL_U);
    terminal.press("20\r");
    terminal.wait("60 messages");
    terminal.press(F5);
    terminal.wait("Nothing lost: 60 messages delivered.");
    for shown in [LIVE, "delivery latency", "idle baseline", "durations"] {
        assert!(terminal.showed(shown), "{shown}");
    }
    let path = folders.records().remove(0);
    terminal.wait(&path.display().to_string());
    let record = folders.record();
    assert_eq!(record.status, Status::Complete);
    let [point] = record.points.as_slice() else { panic!("one point was asked for") };
    assert_eq!(point.repetitions[0].ledger.delivered, 60);
    assert_eq!(terminal.servers(), 0);

    terminal.press("r");
    terminal.wait(LIVE);
    terminal.wait("Nothing lost: 60 messages delivered.");
    assert_eq!(folders.records().len(), 2, "the first record is kept");
    terminal.press("\r");
    terminal.wait(SETUP);
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    assert!(terminal.restored());
}

#[test]
fn a_profile_that_was_kept_on_the_screen_is_run_without_it() {
    let folders = Folders::new(FEW);
    let mut terminal = Terminal::screen(&folders, 80, 24);
    terminal.press(LAST_PROFILE);
    terminal.press(USERS);
    terminal.press(CTRL_U);
    terminal.press("7\r");
    terminal.wait("21 messages");
    terminal.press("S");
    terminal.wait("under which name?");
    terminal.press(CTRL_U);
    terminal.press("other\r");
    terminal.wait("▸other");
    terminal.press("q");
    assert_eq!(terminal.exit(), 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubmark"));
    let run = command.envs(folders.variables()).args(["run", "other", "--quiet"]).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let record = folders.record();
    assert_eq!(
        (record.plan.profile.as_str(), record.plan.points[0].workload.users()),
        ("other", 7)
    );
}

#[test]
fn a_run_that_is_stopped_leaves_a_partial_record_and_the_screen_stays() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::running(&folders);
    terminal.press("s");
    terminal.wait("stop or change the run?");
    terminal.press("n");
    terminal.wait(" stopped ");
    terminal.wait("back to setup");
    assert_eq!(terminal.servers(), 0);
    let record = folders.record();
    assert_eq!(record.status, Status::Partial);
    assert!(record.points[0].repetitions[0].ledger.delivered > 0, "recorded as far as it came");
    terminal.press("q");
    assert_eq!(terminal.exit(), 130);
    assert!(terminal.restored());
}

#[test]
fn points_are_skipped_repetitions_are_added_and_earlier_ones_looked_at_again() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::screen(&folders, 160, 45);
    terminal.press(LAST_PROFILE);
    terminal.press(USERS);
    terminal.press(CTRL_U);
    terminal.press("5, 6\r");
    terminal.wait("2 points");
    terminal.press(F5);
    terminal.wait_for_messages();
    terminal.press("s+");
    terminal.wait("how many more of each point");
    terminal.press("\r");
    terminal.wait("1 more after this repetition");
    terminal.press("sk");
    terminal.wait("rep 1/2");
    terminal.wait("1/4");
    terminal.wait_for_messages();
    terminal.press("[");
    terminal.wait("earlier repetition, the run goes on");
    terminal.press("]");
    terminal.until("the display follows the run", |frame| !frame.contains("earlier repetition"));
    terminal.press("m");
    terminal.wait("repetition 1: running");
    terminal.press("sk");
    terminal.wait(" stopped ");
    terminal.wait("back to setup");
    let record = folders.record();
    assert_eq!((record.status, record.plan.repetitions), (Status::Partial, 2));
    assert_eq!(record.plan.schedule.len(), 4);
    for point in &record.points {
        let [repetition] = point.repetitions.as_slice() else { panic!("one was begun of each") };
        assert_eq!(repetition.ledger.contradictions(), [""; 0]);
    }
    assert_eq!(terminal.servers(), 0);
    terminal.press("q");
    assert_eq!(terminal.exit(), 130);
}

#[test]
fn a_signal_ends_the_run_in_order() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::running(&folders);
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.exit(), 130);
    assert!(terminal.restored());
    assert_eq!(folders.record().status, Status::Partial);
}

#[test]
fn a_terminal_that_goes_away_ends_the_run_in_order() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::running(&folders);
    terminal.hang_up();
    assert_eq!(terminal.exit(), 130);
    assert_eq!(folders.record().status, Status::Partial);
}

#[test]
fn a_storm_of_sizes_is_weathered() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::running(&folders);
    for step in 1..=100 {
        terminal.resize(1 + step * 37 % 250, 1 + step * 23 % 70);
    }
    terminal.resize(10, 3);
    terminal.wait("10×3");
    terminal.resize(80, 24);
    terminal.wait(LIVE);
    terminal.press("qn");
    assert_eq!(terminal.exit(), 130);
    assert!(terminal.restored());
    assert_eq!(folders.record().status, Status::Partial);
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let folders = Folders::new(FEW);
    for (value, expected) in [("", true), ("1", false)] {
        let mut command = hubmark(&folders);
        command.env("NO_COLOR", value);
        let mut terminal = Terminal::open(command, 80, 24);
        terminal.wait(SETUP);
        terminal.press(LAST_PROFILE);
        terminal.press("\r");
        terminal.wait("Nothing lost");
        terminal.press("q");
        assert_eq!(terminal.exit(), 0);
        assert_eq!(coloured(&terminal.seen().bytes), expected, "NO_COLOR={value}");
    }
}

#[test]
fn without_a_terminal_the_command_without_a_screen_is_named() {
    let folders = Folders::new(FEW);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubmark"));
    let out = command.envs(folders.variables()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8(out.stderr).unwrap().contains("hubmark run"));

    let mut command = hubmark(&folders);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::open(command, 80, 24);
    terminal.wait("hubmark run");
    assert_eq!(terminal.exit(), 2);
    assert!(!terminal.seen().bytes.contains(&0x1b), "a dumb terminal is sent no codes");
}

#[test]
fn a_blocked_terminal_holds_up_neither_the_run_nor_its_end() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::running(&folders);
    terminal.hold(true);
    // Far more than the line between takes: every frame is another one.
    for _ in 0..200 {
        terminal.press("v");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.exit(), 130);
    assert_eq!(folders.record().status, Status::Partial);
    assert!(folders.record().points[0].repetitions[0].ledger.delivered > 0);
}

#[test]
fn ctrl_z_gives_the_terminal_back_but_not_while_a_run_is_on() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::screen(&folders, 80, 24);
    let count = |terminal: &Terminal, code: &[u8]| {
        terminal.seen().bytes.windows(code.len()).filter(|there| *there == code).count()
    };
    terminal.press("\x1a");
    // No shell watches this process, so that it goes on at once.
    terminal.until("it comes back", |_| count(&terminal, b"\x1b[?1049h") == 2);
    assert_eq!(count(&terminal, b"\x1b[?1049l"), 1);
    terminal.wait("q quit");
    terminal.signal(Signal::SIGSTOP);
    terminal.signal(Signal::SIGCONT);
    terminal.until("all is drawn anew", |_| count(&terminal, b"\x1b[?1049h") == 3);
    terminal.start();
    terminal.press("\x1a");
    terminal.wait("no ctrl-z while a run is on");
    assert_eq!(count(&terminal, b"\x1b[?1049l"), 1);
    terminal.press("qn");
    assert_eq!(terminal.exit(), 130);
    assert!(terminal.restored());
}

#[test]
fn a_shell_gets_its_terminal_on_ctrl_z_and_gives_it_back_on_fg() {
    let folders = Folders::new(FEW);
    let mut command = CommandBuilder::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env("PS1", "shell> ");
    for (variable, folder) in folders.variables() {
        command.env(variable, folder);
    }
    let mut terminal = Terminal::open(command, 80, 24);
    terminal.wait("shell> ");
    terminal.press(&format!("{}\n", env!("CARGO_BIN_EXE_hubmark")));
    terminal.wait("q quit");
    terminal.press("\x1a");
    terminal.wait("Stopped");
    assert!(!terminal.seen().parser.screen().alternate_screen());
    // What is typed is seen again: the shell's own modes are back.
    terminal.press("echo $((6 * 7))\n");
    terminal.wait("42");
    terminal.press("fg\n");
    terminal.wait("q quit");
    terminal.press("j?");
    terminal.wait("Keys here");
    terminal.press("q");
    terminal.press("q");
    terminal.wait("42");
    terminal.press("exit\n");
    assert_eq!(terminal.exit(), 0);
    assert!(terminal.restored());
}

/// Most bytes that a second of the live screen may send.
const MOST: f64 = 20_000.0;

#[test]
fn a_run_sends_the_terminal_no_more_than_a_slow_line_takes() {
    let folders = Folders::new(MANY);
    let mut terminal = Terminal::screen(&folders, 120, 40);
    terminal.start();
    let (began, before) = (std::time::Instant::now(), terminal.seen().bytes.len());
    std::thread::sleep(std::time::Duration::from_secs(8));
    let rate = (terminal.seen().bytes.len() - before) as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} bytes per second at 120x40");
    assert!(rate > 0.0 && rate < MOST, "{rate:.0} bytes per second");
    terminal.press("qn");
    assert_eq!(terminal.exit(), 130);
}

const PANIC: &str = "HUBMARK_TEST_PANIC";

/// Fails on the screen's own thread.
struct Failing;

impl Planner for Failing {
    fn plan(&self, _: &str, _: &[(String, String)]) -> Result<PlanPreview, Vec<Problem>> {
        panic!("told after the screen")
    }
}

impl Shelf for Failing {
    fn stop_images(&self) {}

    fn answer(&self, _: &Ask, _: &dyn Fn(Told)) -> Told {
        Told::Listed(Err("not part of this test".to_owned()))
    }
}

impl Controller for Failing {
    fn start(&mut self, _: &Request) -> Result<Started, String> {
        Err("not part of this test".to_owned())
    }
}

#[tokio::test]
#[ignore = "the test below runs it in a terminal of its own"]
async fn panicking_screen() {
    if std::env::var_os(PANIC).is_some() {
        let entry = ProfileEntry {
            name: "p".into(),
            description: "d".into(),
            text: "t".into(),
            own: false,
        };
        let planner = Arc::new(Failing);
        let terminate = CancellationToken::new();
        let preferences = hubmark::tui::Preferences::default();
        let inputs = Inputs {
            shelf: Arc::new(Failing),
            profiles: vec![entry],
            backends: Vec::new(),
            planner,
            preferences,
            attached: None,
            terminate,
        };
        let _ = run(inputs, Failing).await;
    }
}

#[test]
fn a_panic_is_told_on_a_restored_terminal() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "screen::panicking_screen"]);
    command.env(PANIC, "1");
    let mut terminal = Terminal::open(command, 80, 24);
    terminal.wait("told after the screen");
    assert!(!terminal.seen().parser.screen().alternate_screen());
    assert_ne!(terminal.exit(), 0);
    // What is told comes after the way back, so that the latter was seen as well.
    let left = terminal.seen().bytes.windows(8).any(|code| code == b"\x1b[?1049l");
    assert!(left, "the screen was shown");
    assert!(terminal.restored());
}
