//! Costs of the screen at 120×40 in a pseudo-terminal during a load of 1,000 users: time of its first
//! frame, bytes per second, time until a key is answered, share of a core: `cargo bench --bench screen`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use procfs::{WithCurrentSystemInfo, process::Process, ticks_per_second};
use support::{
    sandbox::Sandbox,
    terminal::{SETUP, Terminal, screen_command},
};

const SIZE: (u16, u16) = (120, 40);
const STARTS: usize = 20;
const WATCHED: Duration = Duration::from_secs(20);
const KEYS: usize = 50;
const RECORDS: u32 = 3_000;
/// Orders of the list that the key chooses one after the other, the first one at the end.
const ORDERS: [&str; 12] = [
    "oldest first",
    "by profile",
    "by backend",
    "most users first",
    "largest payload first",
    "slowest p50 first",
    "slowest p99 first",
    "by hub",
    "longest first",
    "doubtful first",
    "by tags",
    "newest first",
];
/// Title of the help that the key opens.
const HELP: &str = "Keys here";
/// A key of the results.
const RESULTS: &str = " r again";

/// Processor seconds of the screen's threads: of the whole process if the run is detached, else of the
/// main thread and the terminal's thread.
fn screen_cpu_time(id: i32, detached: bool) -> f64 {
    let process = Process::new(id).unwrap();
    let ticks = if detached {
        let stat = process.stat().unwrap();
        stat.utime + stat.stime
    } else {
        let stats = process.tasks().unwrap().filter_map(|task| task.ok()?.stat().ok());
        let ours = stats.filter(|stat| stat.pid == id || stat.comm == "terminal");
        ours.map(|stat| stat.utime + stat.stime).sum()
    };
    ticks as f64 / ticks_per_second() as f64
}

/// Median and maximum of times in milliseconds.
fn summary(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    format!("p50 {:.1} ms, max {:.1} ms", times[times.len() / 2], times[times.len() - 1])
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1_000.0
}

fn first_frame(sandbox: &Sandbox) {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let mut terminal = Terminal::screen(sandbox, SIZE.0, SIZE.1);
        let shown = terminal.first_shown(started, |frame| frame.contains("q quit")).unwrap();
        times.push(millis(started, shown));
        terminal.press("q");
        terminal.wait_for_exit();
    }
    println!("first frame: {}", summary(times));
}

fn live(sandbox: &Sandbox, detached: bool) {
    let mut command = screen_command(sandbox);
    if detached {
        command.arg("--keep");
    }
    let mut terminal = Terminal::screen_of(command, SIZE.0, SIZE.1);
    terminal.start_last_profile();
    let (started, used) = (Instant::now(), screen_cpu_time(terminal.id(), detached));
    let bytes = terminal.output().bytes.len();
    thread::sleep(WATCHED);
    let seconds = started.elapsed().as_secs_f64();
    let bytes = (terminal.output().bytes.len() - bytes) as f64 / seconds;
    let share = (screen_cpu_time(terminal.id(), detached) - used) / seconds;
    let mut times = Vec::new();
    for number in 0..KEYS {
        let open = number % 2 == 0;
        let pressed = terminal.press(if open { "?" } else { "q" });
        terminal.wait_until("the key is answered", |frame| frame.contains(HELP) == open);
        times.push(millis(
            pressed,
            terminal.first_shown(pressed, |frame| frame.contains(HELP) == open).unwrap(),
        ));
        // Varied, so that keys are not synchronous with frames.
        thread::sleep(Duration::from_millis(70 + 13 * (number as u64 % 7)));
    }
    let name = if detached { "with --keep" } else { "1,000 users" };
    println!(
        "{name}: {:.2} kB/s, {:.1} % of a core, a key is answered after {}",
        bytes / 1_000.0,
        share * 100.0,
        summary(times)
    );
    terminal.answer("s", "n");
    terminal.wait_for(RESULTS);
    terminal.press("\r");
    terminal.wait_for(SETUP);
    terminal.press("q");
    terminal.wait_for_exit();
}

/// Costs of a list of many records: time from the key that opens it to its first part and to its end,
/// without and with an index, and times of the list's keys.
fn records() {
    let sandbox = Sandbox::with_profile_of(5, "50 ms", "10 ms", 20);
    let mut command = screen_command(&sandbox);
    command.args(["run", "mine"]);
    Terminal::open(command, SIZE.0, SIZE.1).wait_for_exit();
    let path = sandbox.record_files().remove(0);
    let (text, record) = (fs::read_to_string(&path).unwrap(), sandbox.record());
    for number in 0..RECORDS {
        let started = record.started + jiff::SignedDuration::from_mins(-7 * i64::from(number));
        let text = text
            .replace(&record.started.to_string(), &started.to_string())
            .replace(&record.run, &format!("{}{number}", record.run));
        let name = started.strftime("%Y-%m-%dT%H-%M-%S.%3fZ").to_string();
        fs::write(path.with_file_name(format!("{name}-copy{number}.json")), text).unwrap();
    }
    println!("records: {RECORDS} of {:.0} kB each", text.len() as f64 / 1_000.0);
    for what in ["without an index", "with the index"] {
        let mut terminal = Terminal::screen(&sandbox, SIZE.0, SIZE.1);
        let before = Process::new(terminal.id()).unwrap().stat().unwrap().rss_bytes().get();
        let pressed = terminal.press("R");
        let count = format!("  {} of {}", grouped(RECORDS + 1), grouped(RECORDS + 1));
        let is_complete = |frame: &str| frame.contains(&count) && !frame.contains("reading…");
        terminal.wait_until("the list is complete", is_complete);
        let part =
            terminal.first_shown(pressed, |frame| frame.contains("complete · 1 point")).unwrap();
        let complete = terminal.first_shown(pressed, is_complete).unwrap();
        let after = Process::new(terminal.id()).unwrap().stat().unwrap().rss_bytes().get();
        let mut times = Vec::new();
        let keys = ORDERS.map(|order| ("o", order)).into_iter();
        let keys = keys.chain([("/", "give up"), ("m", "with: m"), ("i", "with: mi")]);
        for (key, shown) in keys.chain([("n", "with: min"), ("e", "with: mine")]) {
            let pressed = terminal.press(key);
            terminal.wait_until("the key is answered", |frame| frame.contains(shown));
            let answered = terminal.first_shown(pressed, |frame| frame.contains(shown)).unwrap();
            times.push(millis(pressed, answered));
        }
        println!(
            "{what}: first part {:.0} ms, complete {:.0} ms, {:.1} MB; a key is answered after {}",
            millis(pressed, part),
            millis(pressed, complete),
            (after.saturating_sub(before)) as f64 / 1e6,
            summary(times)
        );
        terminal.press("\x1b");
        terminal.wait_until("the filter is closed", |frame| !frame.contains("give up"));
        terminal.press("\x1b");
        terminal.wait_for(SETUP);
        terminal.press("q");
        terminal.wait_for_exit();
    }
}

/// A number with commas between thousands, as on the screen.
fn grouped(number: u32) -> String {
    hubmark::format::count(number.into())
}

fn main() {
    records();
    let sandbox = Sandbox::with_profile_of(1_000, "1 s", "250 ms", 100_000);
    first_frame(&sandbox);
    live(&sandbox, false);
    live(&sandbox, true);
}
