//! The program in a terminal: what it draws, what its keys do, and how it ends.

use std::sync::Arc;

use hubmark::{
    record::RecordStatus,
    tui::{
        Controller, FormProblem, PlanPreview, Planner, ProfileEntry, RecordService, ServiceRequest,
        ServiceResponse, StartRequest, StartedRun, TuiInputs, run,
    },
};
use nix::sys::signal::Signal;
use portable_pty::CommandBuilder;
use tokio_util::sync::CancellationToken;

use crate::support::{
    process::program,
    sandbox::Sandbox,
    terminal::{LAST_PROFILE, SETUP, Terminal, screen_command},
    wait::until,
};

/// Messages of each user in a short run.
const FEW: u32 = 3;
/// Messages of each user in a run that lasts longer than its test.
const MANY: u32 = 100_000;
/// A text of the live screen.
const LIVE: &str = "ledger (messages)";
const F5: &str = "\x1b[15~";
/// Keys from the list of profiles into the field for users.
const EDIT_USERS: &str = "\tjjjj\r";
const CTRL_U: &str = "\x15";
const CTRL_Z: &str = "\x1a";
const ENTER_ALTERNATE_SCREEN: &[u8] = b"\x1b[?1049h";
const LEAVE_ALTERNATE_SCREEN: &[u8] = b"\x1b[?1049l";
const ASK_CURSOR_POSITION: &[u8] = b"\x1b[6n";

/// Whether any style in the output has a colour.
fn has_colours(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let styles =
        text.split("\x1b[").filter_map(|code| code.split_once('m').map(|(style, _)| style));
    styles
        .filter(|style| style.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
        .flat_map(|style| style.split(';').map(str::parse::<u8>).collect::<Vec<_>>())
        .any(|part| matches!(part, Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)))
}

#[test]
fn the_first_frame_lists_profiles_and_q_quits() {
    let sandbox = Sandbox::with_profile(FEW);
    for (columns, rows) in [(80, 24), (160, 45)] {
        let mut terminal = Terminal::screen(&sandbox, columns, rows);
        let frame = terminal.frame();
        assert!(frame.contains("▸first-look") && frame.contains(" mine"), "{frame}");
        let keys = frame.lines().last().unwrap();
        assert!(keys.contains("enter start") && keys.contains("q quit"), "{frame}");
        assert!(terminal.output().parser.screen().alternate_screen());
        let asked = terminal.count_code(ASK_CURSOR_POSITION) > 0;
        assert!(!asked, "asking for the cursor's position costs a round trip");
        terminal.press("q");
        assert_eq!(terminal.wait_for_exit(), 0);
        assert!(terminal.was_restored());
    }
    assert!(sandbox.record_files().is_empty());
}

/// Selects the last profile and enters its number of users.
fn enter_users(terminal: &mut Terminal, users: &str) {
    terminal.press(LAST_PROFILE);
    terminal.press(EDIT_USERS);
    terminal.press(CTRL_U);
    terminal.press(&format!("{users}\r"));
}

#[test]
fn a_profile_is_selected_changed_run_and_repeated() {
    let sandbox = Sandbox::with_profile(FEW);
    let mut terminal = Terminal::screen(&sandbox, 160, 45);
    enter_users(&mut terminal, "20");
    terminal.wait_for("60 messages");
    terminal.press(F5);
    terminal.wait_for("Nothing lost: 60 messages delivered.");
    for shown in [LIVE, "delivery latency", "idle baseline", "durations"] {
        assert!(terminal.has_shown(shown), "{shown}");
    }
    let path = sandbox.record_files().remove(0);
    terminal.wait_for(&path.display().to_string());
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Complete);
    let [point] = record.points.as_slice() else { panic!("not one point") };
    assert_eq!(point.repetitions[0].ledger.delivered, 60);
    assert_eq!(terminal.session_processes(), 0);

    terminal.press("r");
    // A frame may be read when only a part of it has arrived.
    terminal.wait_until("the run is shown", |frame| {
        frame.contains(LIVE) && !frame.contains("Nothing lost")
    });
    terminal.wait_for("Nothing lost: 60 messages delivered.");
    assert_eq!(sandbox.record_files().len(), 2, "the first record is still there");
    terminal.press("\r");
    terminal.wait_for(SETUP);
    // The changed number of users is not saved.
    terminal.answer("q", "y");
    assert_eq!(terminal.wait_for_exit(), 0);
    let last = sandbox.record_files().into_iter().max().unwrap();
    terminal.wait_for(&format!("record: {}", last.display()));
    terminal.wait_for("mean delivery latency");
    assert!(terminal.was_restored());
}

#[test]
fn a_theme_chosen_on_the_screen_is_remembered_until_screen_toml_has_another() {
    const CTRL_T: &str = "\x14";
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    terminal.press(CTRL_T);
    terminal.wait_for("theme: dark");
    let choices = sandbox.path("state").join("screen-choices.toml");
    until("the theme is remembered", || choices.exists());
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    terminal.press(CTRL_T);
    terminal.wait_for("theme: light");
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    std::fs::create_dir_all(sandbox.path("config")).unwrap();
    std::fs::write(sandbox.path("config").join("screen.toml"), "theme = \"none\"").unwrap();
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    terminal.press(CTRL_T);
    terminal.wait_for("theme: 16");
}

#[test]
fn a_profile_file_with_any_name_is_listed_and_an_unreadable_folder_is_reported() {
    let sandbox = Sandbox::with_profile(FEW);
    let profiles = sandbox.path("config").join("profiles");
    let saved = std::fs::read_dir(&profiles).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(saved).unwrap();
    std::fs::write(profiles.join("zé pi.toml"), text).unwrap();
    let mut terminal = Terminal::screen(&sandbox, 80, 30);
    terminal.press(LAST_PROFILE);
    terminal.wait_for("▸zé pi");
    terminal.press("\r");
    terminal.wait_for("Nothing lost");
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);

    let sandbox = Sandbox::new();
    let config = sandbox.path("config");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("profiles"), "a file instead of a folder").unwrap();
    // The message is in place of the keys.
    let terminal = Terminal::open(screen_command(&sandbox), 120, 30);
    terminal.wait_for("saved profiles are missing");
}

#[test]
fn a_profile_saved_on_the_screen_runs_without_the_screen() {
    let sandbox = Sandbox::with_profile(FEW);
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    enter_users(&mut terminal, "7");
    terminal.wait_for("21 messages");
    terminal.press("S");
    terminal.wait_for("under which name?");
    terminal.press(CTRL_U);
    terminal.press("other\r");
    terminal.wait_for("▸other");
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    sandbox.run(["run", "other", "--quiet"]).exits_with(0);
    let record = sandbox.record();
    assert_eq!(
        (record.plan.profile.as_str(), record.plan.points[0].workload.users()),
        ("other", 7)
    );
}

#[test]
fn a_stopped_run_saves_a_partial_record_and_the_screen_stays() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::running(&sandbox);
    terminal.press("s");
    terminal.wait_for("stop or change the run?");
    terminal.press("ny");
    terminal.wait_for("▸ n");
    terminal.press("\r");
    terminal.wait_for(" stopped ");
    terminal.wait_for(" r again");
    assert_eq!(terminal.session_processes(), 0);
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Partial);
    assert!(
        record.points[0].repetitions[0].ledger.delivered > 0,
        "delivered messages are recorded"
    );
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 130);
    assert!(terminal.was_restored());
}

/// Begins and ends text that a terminal pastes.
const PASTE: (&str, &str) = ("\x1b[200~", "\x1b[201~");
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\x1b[?2004l";

#[test]
fn pasted_text_stops_no_run() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::running(&sandbox);
    assert_eq!(terminal.count_code(PASTE_ON), 1);
    terminal.press(&format!("{}sn\rqn\r{}", PASTE.0, PASTE.1));
    terminal.wait_for("pasted text has no effect here");
    // A terminal that does not mark pasted text.
    terminal.press("sn\r");
    terminal.wait_for("keys came faster than hands type");
    terminal.press("\x1b");
    terminal
        .wait_until("the question is closed", |frame| !frame.contains("stop or change the run?"));
    terminal.answer("q", "n");
    assert_eq!(terminal.wait_for_exit(), 130);
    terminal.wait_until("pasting is as before", |_| terminal.count_code(PASTE_OFF) == 1);
    assert!(terminal.was_restored());
}

#[test]
fn points_are_skipped_repetitions_added_and_earlier_repetitions_shown() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::screen(&sandbox, 160, 45);
    enter_users(&mut terminal, "5, 6");
    terminal.wait_for("2 points");
    terminal.start_with(F5);
    terminal.wait_for_messages();
    terminal.answer("s", "+");
    terminal.wait_for("how many more of each point");
    terminal.press("\r");
    terminal.wait_for("1 more after this repetition");
    terminal.answer("s", "k");
    terminal.wait_for("rep 1/2");
    terminal.wait_for("1/4");
    terminal.wait_for_messages();
    terminal.press("[");
    terminal.wait_for("earlier repetition, the run goes on");
    terminal.press("]");
    terminal
        .wait_until("the display follows the run", |frame| !frame.contains("earlier repetition"));
    terminal.press("m");
    terminal.wait_for("repetition 1: running");
    terminal.answer("s", "k");
    terminal.wait_for(" stopped ");
    terminal.wait_for(" r again");
    let record = sandbox.record();
    assert_eq!((record.status, record.plan.repetitions), (RecordStatus::Partial, 2));
    assert_eq!(record.plan.schedule.len(), 4);
    for point in &record.points {
        let [repetition] = point.repetitions.as_slice() else { panic!("not one repetition") };
        assert_eq!(repetition.ledger.contradictions(), [""; 0]);
    }
    assert_eq!(terminal.session_processes(), 0);
    terminal.answer("q", "y");
    assert_eq!(terminal.wait_for_exit(), 130);
}

#[test]
fn a_signal_ends_the_run_in_order() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::running(&sandbox);
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.wait_for_exit(), 130);
    assert!(terminal.was_restored());
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
}

#[test]
fn a_closed_terminal_ends_the_run_in_order() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::running(&sandbox);
    terminal.close();
    assert_eq!(terminal.wait_for_exit(), 130);
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
}

#[test]
fn many_changes_of_size_do_no_harm() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::running(&sandbox);
    for step in 1..=100 {
        terminal.resize(1 + step * 37 % 250, 1 + step * 23 % 70);
    }
    terminal.resize(10, 3);
    terminal.wait_for("too small");
    terminal.resize(80, 24);
    terminal.wait_for(LIVE);
    terminal.answer("q", "n");
    assert_eq!(terminal.wait_for_exit(), 130);
    assert!(terminal.was_restored());
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
}

#[test]
fn no_color_turns_colours_off() {
    let sandbox = Sandbox::with_profile(FEW);
    for (value, expected) in [("", true), ("1", false)] {
        let mut command = screen_command(&sandbox);
        command.env("NO_COLOR", value);
        let mut terminal = Terminal::open(command, 80, 24);
        terminal.wait_for(SETUP);
        terminal.press(LAST_PROFILE);
        terminal.wait_for_selected_profile();
        terminal.press("\r");
        terminal.wait_for("Nothing lost");
        terminal.press("q");
        assert_eq!(terminal.wait_for_exit(), 0);
        assert_eq!(has_colours(&terminal.output().bytes), expected, "NO_COLOR={value}");
    }
}

#[test]
fn without_a_usable_terminal_the_run_command_is_named() {
    let sandbox = Sandbox::with_profile(FEW);
    sandbox.run([""; 0]).reports(2, &["hubmark run"]);

    let mut command = screen_command(&sandbox);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::open(command, 80, 24);
    terminal.wait_for("hubmark run");
    assert_eq!(terminal.wait_for_exit(), 2);
    assert!(!terminal.output().bytes.contains(&0x1b), "a dumb terminal receives no codes");
}

#[test]
fn a_blocked_terminal_delays_neither_the_run_nor_its_end() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::running(&sandbox);
    terminal.pause(true);
    // Far more output than the pseudo-terminal buffers: every frame differs.
    for _ in 0..200 {
        terminal.press("v");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.wait_for_exit(), 130);
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
    assert!(sandbox.record().points[0].repetitions[0].ledger.delivered > 0);
}

#[test]
fn ctrl_z_suspends_the_screen_but_not_during_a_run() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    terminal.press(CTRL_Z);
    // Without a shell's job control the process resumes at once.
    terminal.wait_until("the screen resumes", |_| terminal.count_code(ENTER_ALTERNATE_SCREEN) == 2);
    assert_eq!(terminal.count_code(LEAVE_ALTERNATE_SCREEN), 1);
    terminal.wait_for("q quit");
    terminal.signal(Signal::SIGSTOP);
    terminal.signal(Signal::SIGCONT);
    terminal
        .wait_until("everything is redrawn", |_| terminal.count_code(ENTER_ALTERNATE_SCREEN) == 3);
    terminal.start_last_profile();
    terminal.press(CTRL_Z);
    terminal.wait_for("no ctrl-z while a run is on");
    assert_eq!(terminal.count_code(LEAVE_ALTERNATE_SCREEN), 1);
    terminal.answer("q", "n");
    assert_eq!(terminal.wait_for_exit(), 130);
    assert!(terminal.was_restored());
}

#[test]
fn a_shell_gets_its_terminal_on_ctrl_z_and_resumes_the_screen_on_fg() {
    let sandbox = Sandbox::with_profile(FEW);
    let mut command = CommandBuilder::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env("PS1", "shell> ");
    for (variable, value) in sandbox.variables() {
        command.env(variable, value);
    }
    let mut terminal = Terminal::open(command, 80, 24);
    terminal.wait_for("shell> ");
    terminal.press(&format!("{}\n", program()));
    terminal.wait_for("q quit");
    terminal.press(CTRL_Z);
    terminal.wait_for("Stopped");
    assert!(!terminal.output().parser.screen().alternate_screen());
    // The terminal echoes again: the shell's modes are restored.
    terminal.press("echo $((6 * 7))\n");
    terminal.wait_for("42");
    terminal.press("fg\n");
    terminal.wait_for("q quit");
    terminal.press("j?");
    terminal.wait_for("Keys here");
    terminal.press("q");
    terminal.press("q");
    terminal.wait_for("42");
    terminal.press("exit\n");
    assert_eq!(terminal.wait_for_exit(), 0);
    assert!(terminal.was_restored());
}

/// Limit for the output of the live screen in bytes per second.
const MAX_OUTPUT_RATE: f64 = 20_000.0;

#[test]
fn the_live_screen_suits_a_slow_connection() {
    let sandbox = Sandbox::with_profile(MANY);
    let mut terminal = Terminal::screen(&sandbox, 120, 40);
    terminal.start_last_profile();
    let (started, before) = (std::time::Instant::now(), terminal.output().bytes.len());
    std::thread::sleep(std::time::Duration::from_secs(4));
    let rate = (terminal.output().bytes.len() - before) as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.0} bytes per second at 120x40");
    assert!(rate > 0.0 && rate < MAX_OUTPUT_RATE, "{rate:.0} bytes per second");
    terminal.answer("q", "n");
    assert_eq!(terminal.wait_for_exit(), 130);
}

/// Lets the child process of a test panic.
const PANIC_VARIABLE: &str = "HUBMARK_TEST_PANIC";

/// A planner that panics on the screen's thread.
struct PanickingPlanner;

impl Planner for PanickingPlanner {
    fn plan(&self, _: &str, _: &[(String, String)]) -> Result<PlanPreview, Vec<FormProblem>> {
        panic!("reported after the screen")
    }
}

impl RecordService for PanickingPlanner {
    fn stop_images(&self) {}

    fn remember(&self, _: hubmark::tui::DisplayChoices) {}

    fn handle(&self, _: &ServiceRequest, _: &dyn Fn(ServiceResponse)) -> ServiceResponse {
        ServiceResponse::RecordList(Err("not part of this test".to_owned()))
    }
}

impl Controller for PanickingPlanner {
    fn start(&mut self, _: &StartRequest) -> Result<StartedRun, String> {
        Err("not part of this test".to_owned())
    }
}

#[tokio::test]
#[ignore = "the next test runs this one in a terminal"]
async fn panicking_screen() {
    if std::env::var_os(PANIC_VARIABLE).is_some() {
        let entry = ProfileEntry {
            name: "p".into(),
            description: "d".into(),
            text: "t".into(),
            own: false,
        };
        let planner = Arc::new(PanickingPlanner);
        let terminate = CancellationToken::new();
        let preferences = hubmark::tui::Preferences::default();
        let inputs = TuiInputs {
            service: Arc::new(PanickingPlanner),
            notice: None,
            profiles: vec![entry],
            backends: Vec::new(),
            default_engine: String::new(),
            planner,
            preferences,
            attached: None,
            terminate,
        };
        let _ = run(inputs, PanickingPlanner).await;
    }
}

#[test]
fn a_panic_is_reported_on_a_restored_terminal() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "screen::panicking_screen"]);
    command.env(PANIC_VARIABLE, "1");
    let mut terminal = Terminal::open(command, 80, 24);
    // A backtrace may have moved it out of the screen.
    terminal.wait_until("the panic is reported", |_| {
        terminal.count_code(b"reported after the screen") > 0
    });
    assert!(!terminal.output().parser.screen().alternate_screen());
    assert_ne!(terminal.wait_for_exit(), 0);
    // The message comes after the codes that restore the terminal.
    assert_ne!(terminal.count_code(LEAVE_ALTERNATE_SCREEN), 0, "the screen was shown");
    assert!(terminal.was_restored());
}
