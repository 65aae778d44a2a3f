//! What the screen costs at 120×40, in a pseudo-terminal, while 1,000 users are played: its first
//! frame, bytes a second, the time until a key is answered, its share of a core.
//! `cargo bench --bench screen`

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

#[path = "../tests/terminal/mod.rs"]
mod terminal;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use procfs::{WithCurrentSystemInfo, process::Process, ticks_per_second};
use terminal::{Folders, Terminal, hubmark};

const SIZE: (u16, u16) = (120, 40);
const STARTS: usize = 20;
const WATCHED: Duration = Duration::from_secs(20);
const KEYS: usize = 50;
const RECORDS: u32 = 3_000;
/// The head of what the key opens.
const HELP: &str = "Keys here";
const CTRL_C: &str = "\x03";

/// Seconds of processor time of the screen's threads: of all where the run is another process, of
/// its own and the terminal's otherwise.
fn processor(id: i32, kept: bool) -> f64 {
    let process = Process::new(id).unwrap();
    let ticks = if kept {
        let stat = process.stat().unwrap();
        stat.utime + stat.stime
    } else {
        let stats = process.tasks().unwrap().filter_map(|task| task.ok()?.stat().ok());
        let ours = stats.filter(|stat| stat.pid == id || stat.comm == "terminal");
        ours.map(|stat| stat.utime + stat.stime).sum()
    };
    ticks as f64 / ticks_per_second() as f64
}

/// Middle and largest, in milliseconds.
fn summary(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    format!("p50 {:.1} ms, max {:.1} ms", times[times.len() / 2], times[times.len() - 1])
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1_000.0
}

fn first_frame(folders: &Folders) {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut terminal = Terminal::screen(folders, SIZE.0, SIZE.1);
        let shown = terminal.first(began, |frame| frame.contains("q quit")).unwrap();
        times.push(millis(began, shown));
        terminal.press("q");
        terminal.exit();
    }
    println!("first frame: {}", summary(times));
}

fn live(folders: &Folders, kept: bool) {
    let mut command = hubmark(folders);
    if kept {
        command.arg("--keep");
    }
    let mut terminal = Terminal::open(command, SIZE.0, SIZE.1);
    terminal.wait("q quit");
    terminal.start();
    let (began, used) = (Instant::now(), processor(terminal.id(), kept));
    let bytes = terminal.seen().bytes.len();
    thread::sleep(WATCHED);
    let seconds = began.elapsed().as_secs_f64();
    let bytes = (terminal.seen().bytes.len() - bytes) as f64 / seconds;
    let share = (processor(terminal.id(), kept) - used) / seconds;
    let mut times = Vec::new();
    for number in 0..KEYS {
        let open = number % 2 == 0;
        let pressed = Instant::now();
        terminal.press(if open { "?" } else { "q" });
        terminal.until("the key is answered", |frame| frame.contains(HELP) == open);
        times.push(millis(
            pressed,
            terminal.first(pressed, |frame| frame.contains(HELP) == open).unwrap(),
        ));
        // Not in step with the frames of the run.
        thread::sleep(Duration::from_millis(70 + 13 * (number as u64 % 7)));
    }
    let name = if kept { "with --keep" } else { "1,000 users" };
    println!(
        "{name}: {:.2} kB/s, {:.1} % of a core, a key is answered after {}",
        bytes / 1_000.0,
        share * 100.0,
        summary(times)
    );
    terminal.press("sn");
    terminal.wait("back to setup");
    terminal.press(CTRL_C);
    terminal.exit();
}

/// What a list of so many records costs: from the key that opens it to its first part and to the
/// whole of it, with nothing known of them and with the index; then the keys of the list.
fn records() {
    let folders = Folders::with(5, "50 ms", "10 ms", 20);
    let mut command = hubmark(&folders);
    command.args(["run", "mine"]);
    Terminal::open(command, SIZE.0, SIZE.1).exit();
    let path = folders.records().remove(0);
    let (text, record) = (fs::read_to_string(&path).unwrap(), folders.record());
    for number in 0..RECORDS {
        let started = record.started + jiff::SignedDuration::from_mins(-7 * i64::from(number));
        let text = text
            .replace(&record.started.to_string(), &started.to_string())
            .replace(&record.run, &format!("{}{number}", record.run));
        let name = started.strftime("%Y-%m-%dT%H-%M-%S.%3fZ").to_string();
        fs::write(path.with_file_name(format!("{name}-copy{number}.json")), text).unwrap();
    }
    println!("records: {RECORDS} of {:.0} kB each", text.len() as f64 / 1_000.0);
    for what in ["nothing known of them", "with the index"] {
        let mut terminal = Terminal::screen(&folders, SIZE.0, SIZE.1);
        let before = Process::new(terminal.id()).unwrap().stat().unwrap().rss_bytes().get();
        let pressed = Instant::now();
        terminal.press("R");
        let whole = format!("  {} of {}", grouped(RECORDS + 1), grouped(RECORDS + 1));
        let is_whole = |frame: &str| frame.contains(&whole) && !frame.contains("reading…");
        terminal.until("the list is whole", is_whole);
        let part = terminal.first(pressed, |frame| frame.contains("complete · 1 point")).unwrap();
        let whole = terminal.first(pressed, is_whole).unwrap();
        let after = Process::new(terminal.id()).unwrap().stat().unwrap().rss_bytes().get();
        let mut times = Vec::new();
        let keys = [("o", "oldest first"), ("o", "by profile"), ("o", "by backend")];
        let keys = keys.into_iter().chain([("o", "doubtful first"), ("o", "newest first")]);
        let keys = keys.chain([("/", "give up"), ("m", "with: m"), ("i", "with: mi")]);
        for (key, shown) in keys.chain([("n", "with: min"), ("e", "with: mine")]) {
            let pressed = Instant::now();
            terminal.press(key);
            terminal.until("the key is answered", |frame| frame.contains(shown));
            let answered = terminal.first(pressed, |frame| frame.contains(shown)).unwrap();
            times.push(millis(pressed, answered));
        }
        println!(
            "{what}: first part {:.0} ms, whole {:.0} ms, {:.1} MB; a key is answered after {}",
            millis(pressed, part),
            millis(pressed, whole),
            (after.saturating_sub(before)) as f64 / 1e6,
            summary(times)
        );
        terminal.press("\x1b");
        terminal.until("the filter is left", |frame| !frame.contains("give up"));
        terminal.press("\x1b");
        terminal.wait("what will happen");
        terminal.press("q");
        terminal.exit();
    }
}

/// With commas between thousands, as the screen writes it.
fn grouped(number: u32) -> String {
    hubmark::format::count(number.into())
}

fn main() {
    records();
    let folders = Folders::with(1_000, "1 s", "250 ms", 100_000);
    first_frame(&folders);
    live(&folders, false);
    live(&folders, true);
}
