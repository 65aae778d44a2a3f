//! The screen as its operator sees it: keys and events in, frames out.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::{
    fixture::{self, FixturePlanner},
    keys,
    model::{Catalog, Model, Place, Screen},
    msg::{Effect, Msg},
    outside::{Planner, Stop},
    theme::Theme,
    view,
};
use crate::{
    event::{Alarm, End, Event, ImageStep, Level, Phase},
    measure::Vitals,
    plan::Plan,
    units::{Bytes, Celsius},
};

/// A screen without a terminal and without an engine.
struct Stage {
    model: Model,
    /// Effects other than questions to the planner, which are answered at once.
    effects: Vec<Effect>,
    now: Duration,
}

impl Stage {
    fn new() -> Self {
        let (model, effects) = Model::new(fixture::catalog(), Theme::Colour);
        let mut stage = Self { model, effects: Vec::new(), now: Duration::ZERO };
        stage.perform(effects);
        stage
    }

    /// A run of `plan` that was just started.
    fn live(plan: &Plan) -> Self {
        let mut stage = Self::new();
        let place =
            stage.model.catalog.profiles.iter().position(|entry| entry.name == plan.profile);
        for _ in 0..place.expect("a profile of the fixture") {
            stage.key(KeyCode::Down);
        }
        stage.key(KeyCode::Enter);
        assert!(matches!(stage.effects.pop(), Some(Effect::Start(_))));
        stage.tell(fixture::beginning(plan));
        stage
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Preview { text, overrides } => {
                    let answer = FixturePlanner.plan(&text, &overrides);
                    self.say(Msg::Previewed(Box::new(answer)));
                }
                other => self.effects.push(other),
            }
        }
    }

    fn say(&mut self, msg: Msg) {
        let effects = self.model.update(msg);
        self.perform(effects);
    }

    fn key(&mut self, code: KeyCode) {
        if let Some(msg) = keys::message(KeyEvent::from(code), self.model.place()) {
            self.say(msg);
        }
    }

    fn type_text(&mut self, text: &str) {
        for symbol in text.chars() {
            self.key(KeyCode::Char(symbol));
        }
    }

    /// Lets the engine tell `events`; a second passes at each snapshot.
    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            if matches!(event, Event::Snapshot(_)) {
                self.pass(1);
            }
            self.say(Msg::Engine(Box::new(event)));
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.say(Msg::Tick(self.now));
    }

    fn terminal(&self, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a test backend never fails");
        terminal.draw(|frame| view::view(&self.model, frame)).expect("a test backend never fails");
        terminal
    }

    fn frame(&self, width: u16, height: u16) -> String {
        let terminal = self.terminal(width, height);
        let buffer = terminal.backend().buffer();
        let rows = (0..height).map(|y| {
            let row: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

fn load(stage: &mut Stage, plan: &Plan, position: usize, seconds: u32, median: f64) {
    stage.tell(fixture::repetition_until(plan, position, seconds, median));
}

macro_rules! frames {
    ($stage:expr, $name:literal, $($width:literal x $height:literal),+) => {
        $(insta::assert_snapshot!(
            concat!($name, "_", $width, "x", $height),
            $stage.frame($width, $height)
        );)+
    };
}

#[test]
fn setup_at_the_start() {
    let stage = Stage::new();
    frames!(stage, "setup", 80 x 24, 120 x 40, 160 x 45);
}

#[test]
fn setup_with_changed_fields_and_a_problem() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Tab);
    for _ in 0..3 {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    stage.type_text(", many");
    frames!(stage, "setup_typing", 80 x 24);
    stage.key(KeyCode::Enter);
    frames!(stage, "setup_problem", 80 x 24);
    assert!(matches!(stage.model.screen, Screen::Setup));
    stage.key(KeyCode::F(5));
    assert!(stage.effects.is_empty(), "a wrong form starts nothing");
    stage.key(KeyCode::Delete);
    stage.key(KeyCode::F(5));
    assert!(matches!(stage.effects.as_slice(), [Effect::Start(_)]));
}

#[test]
fn setup_with_the_list_of_backends() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::Down);
    frames!(stage, "setup_backends", 80 x 24);
}

#[test]
fn live_while_an_image_is_built() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(vec![
        Event::Repetition { step: plan.schedule[0], position: 0, attempt: 1 },
        Event::Phase { phase: Phase::Images, seconds: None },
        Event::Image(ImageStep {
            image: "hubmark/kafka:2.8.0".to_owned(),
            step: "step 3/9 RUN apt-get install -y openjdk-17-jre-headless".to_owned(),
            percent: Some(33),
            seconds: 41.0,
            fetched: Some(Bytes(80_400_000)),
            size: Some(Bytes(257_000_000)),
        }),
    ]);
    stage.pass(41);
    frames!(stage, "live_images", 80 x 24);
}

#[test]
fn live_during_the_baseline() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(vec![
        Event::Repetition { step: plan.schedule[0], position: 0, attempt: 1 },
        Event::Phase { phase: Phase::Servers, seconds: None },
        Event::Log { level: Level::Info, text: "kafka 2.8.0 is ready after 2.4 s".to_owned() },
        Event::Phase { phase: Phase::Baseline, seconds: Some(5.0) },
    ]);
    stage.pass(3);
    frames!(stage, "live_baseline", 80 x 24);
}

#[test]
fn live_under_load_with_two_servers() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    frames!(stage, "live_load", 80 x 24, 80 x 50, 120 x 40, 160 x 45, 200 x 60);
}

#[test]
fn live_under_load_with_the_builtin_broker() {
    let plan = fixture::first_look();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 20, 104.0);
    frames!(stage, "live_builtin", 80 x 24, 120 x 40);
}

#[test]
fn live_suspect_with_lost_messages() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 61, 2_100.0);
    let lost = fixture::suspect(&plan.points[1]);
    let mut events = fixture::repetition_end(&plan, 1, &lost);
    events.truncate(3);
    stage.tell(events);
    frames!(stage, "live_suspect", 80 x 24, 120 x 40);
    let terminal = stage.terminal(80, 24);
    let red: String = terminal
        .backend()
        .buffer()
        .content()
        .iter()
        .filter(|cell| cell.bg == Color::Red)
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert_eq!(red.trim(), "12", "lost messages are the brightest thing on the screen");
}

#[test]
fn nothing_shouts_when_all_is_well() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    let terminal = stage.terminal(120, 40);
    let loud = terminal
        .backend()
        .buffer()
        .content()
        .iter()
        .filter(|cell| cell.bg == Color::Red || cell.fg == Color::Yellow);
    assert_eq!(loud.count(), 0);
}

#[test]
fn without_colours_there_is_no_colour() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.model.theme = Theme::Plain;
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage.tell(vec![Event::Snapshot(Box::new(fixture::suspect(&plan.points[1])))]);
    let terminal = stage.terminal(120, 40);
    let coloured = terminal
        .backend()
        .buffer()
        .content()
        .iter()
        .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
    assert_eq!(coloured.count(), 0);
    assert!(stage.frame(120, 40).contains("! suspect"));
}

/// What is drawn at every size that has a layout of its own.
fn frames_at_all_sizes(stage: &Stage, name: &str) {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), stage.frame(width, height));
    }
}

fn under_load() -> Stage {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage
}

#[test]
fn each_view_of_the_latency() {
    let mut stage = under_load();
    for (key, name) in ['2', '3', '4', '5'].into_iter().zip([
        "live_view_percentiles",
        "live_view_durations",
        "live_view_corrected",
        "live_view_heat",
    ]) {
        stage.key(KeyCode::Char(key));
        frames_at_all_sizes(&stage, name);
    }
    stage.key(KeyCode::Char('v'));
    assert_eq!(stage.frame(80, 24), under_load().frame(80, 24), "after the last comes the first");
    stage.key(KeyCode::Char('V'));
    assert!(stage.frame(120, 40).contains("dark = many"));
}

#[test]
fn each_panel_alone() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 61, 2_100.0);
    stage.tell(fixture::repetition_end(&plan, 0, &fixture::suspect(&plan.points[0])));
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage.key(KeyCode::Enter);
    for name in ["latency", "time", "throughput", "servers", "ledger", "log", "map"] {
        frames_at_all_sizes(&stage, &format!("live_alone_{name}"));
        stage.key(KeyCode::Tab);
    }
    assert!(stage.frame(80, 24).contains("delivery latency"), "tab goes around");
    stage.key(KeyCode::BackTab);
    assert!(stage.frame(80, 24).contains("✓ done ▸ running"));
    stage.key(KeyCode::Esc);
    assert!(stage.frame(80, 24).contains("ledger (messages)"));
}

#[test]
fn a_panel_without_a_place_takes_the_latency_s_while_it_has_the_keys() {
    let mut stage = under_load();
    stage.key(KeyCode::BackTab);
    frames!(stage, "live_map_focused", 80 x 24, 120 x 40);
    stage.key(KeyCode::Tab);
    assert!(stage.frame(80, 24).contains("delivery latency (ms)"));
}

#[test]
fn a_crossed_threshold_is_loud_marked_in_time_and_rings_when_wanted() {
    let mut stage = under_load();
    let plan = fixture::sweep();
    let mut crossed = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    crossed.alarms = vec![Alarm {
        metric: "delivery.p99".to_owned(),
        at_most: 5_000.0,
        value: Some(6_200.0),
        since: 38.6,
    }];
    let mut silent = under_load();
    silent.tell(vec![Event::Snapshot(Box::new(crossed.clone()))]);
    assert!(silent.effects.is_empty());
    stage.key(KeyCode::Char('b'));
    let event = Event::Snapshot(Box::new(crossed));
    stage.tell(vec![event.clone(), event]);
    assert_eq!(stage.effects, [Effect::Bell], "once");
    frames_at_all_sizes(&stage, "live_alarm");
    let terminal = stage.terminal(120, 40);
    let red: String = terminal
        .backend()
        .buffer()
        .content()
        .iter()
        .filter(|cell| cell.bg == Color::Red)
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert!(red.contains("delivery.p99 6.20 ms > 5.00 ms, first at 39 s"), "{red}");
    assert!(red.contains('▲'), "{red}");
}

#[test]
fn a_hub_that_throttles_is_loud_and_told_in_the_log() {
    let mut stage = under_load();
    let plan = fixture::sweep();
    let mut hot = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    hot.hub = Some(Vitals {
        temperature: Some(Celsius::from(61.2)),
        clock_mhz: Some(1_500.0),
        throttle_bits: Some(0),
        ..Vitals::default()
    });
    stage.tell(vec![Event::Snapshot(Box::new(hot.clone()))]);
    assert!(stage.frame(80, 24).contains("hub 61 °C 1.50 GHz"), "{}", stage.frame(80, 24));
    hot.hub = Some(Vitals {
        temperature: Some(Celsius::from(84.0)),
        clock_mhz: Some(600.0),
        throttle_bits: Some(0b110),
        ..Vitals::default()
    });
    stage.tell(vec![Event::Snapshot(Box::new(hot.clone())), Event::Snapshot(Box::new(hot))]);
    frames_at_all_sizes(&stage, "live_throttled");
    let told = stage.frame(80, 24).matches("the hub is held back").count();
    assert_eq!(told, 1, "{}", stage.frame(80, 24));
    let terminal = stage.terminal(80, 24);
    let red: String = terminal
        .backend()
        .buffer()
        .content()
        .iter()
        .filter(|cell| cell.bg == Color::Red)
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert!(red.contains("THROTTLED"), "{red}");
}

#[test]
fn the_seconds_of_a_repetition_are_gone_back_through_while_it_goes_on() {
    let plan = fixture::sweep();
    let mut stage = under_load();
    for _ in 0..3 {
        stage.key(KeyCode::PageUp);
    }
    frames_at_all_sizes(&stage, "live_back");
    let then = stage.frame(120, 40);
    assert!(then.contains("at 8 s"), "{then}");
    stage.tell(vec![Event::Snapshot(Box::new(fixture::snapshot(&plan.points[1], 39, 2_100.0)))]);
    assert_eq!(stage.frame(120, 40), then);
    stage.key(KeyCode::Right);
    assert!(stage.frame(120, 40).contains("at 9 s"));
    stage.key(KeyCode::Home);
    assert!(stage.frame(120, 40).contains("at 1 s"));
    stage.key(KeyCode::Esc);
    assert!(!stage.frame(120, 40).contains("display frozen"));
}

#[test]
fn earlier_repetitions_are_looked_at_while_the_run_goes_on() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 61, 900.0);
    let last = fixture::snapshot(&plan.points[0], 62, 900.0);
    stage.tell(fixture::repetition_end(&plan, 0, &last));
    load(&mut stage, &plan, 1, 10, 2_100.0);
    stage.key(KeyCode::Char('['));
    frames!(stage, "live_earlier", 80 x 24, 120 x 40);
    assert!(stage.frame(80, 24).contains("earlier repetition, the run goes on"));
    stage.key(KeyCode::Char(']'));
    assert!(!stage.frame(80, 24).contains("earlier repetition"));
    // The same by the map: the cell of the first point's first repetition.
    for key in [KeyCode::Char('m'), KeyCode::Up, KeyCode::Enter] {
        stage.key(key);
    }
    assert!(stage.frame(80, 24).contains("earlier repetition, the run goes on"));
}

#[test]
fn the_log_is_filtered_and_scrolled() {
    let mut stage = under_load();
    let told = (0..60).map(|line| Event::Log {
        level: if line % 10 == 0 { Level::Warn } else { Level::Info },
        text: format!("line {line}"),
    });
    stage.tell(told.collect());
    stage.key(KeyCode::Char('e'));
    assert!(stage.frame(80, 24).contains("line 59"));
    for _ in 0..5 {
        stage.key(KeyCode::Up);
    }
    let frame = stage.frame(80, 24);
    assert!(!frame.contains("line 59") && frame.contains("5 newer lines below"), "{frame}");
    stage.key(KeyCode::Char('!'));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("line 50") && !frame.contains("line 49"), "{frame}");
    stage.key(KeyCode::Char('/'));
    assert_eq!(stage.model.place(), Place::Filter);
    stage.type_text("LINE 4q");
    stage.key(KeyCode::Backspace);
    frames!(stage, "live_log_filter", 80 x 24);
    stage.key(KeyCode::Enter);
    let frame = stage.frame(80, 24);
    assert!(frame.contains("line 40") && !frame.contains("line 50"), "{frame}");
}

#[test]
fn a_point_is_skipped_and_repetitions_are_added_each_asked_once() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 10, 2_100.0);
    stage.key(KeyCode::Char('s'));
    stage.key(KeyCode::Char('+'));
    stage.key(KeyCode::Up);
    frames!(stage, "add", 80 x 24);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.effects, [Effect::Add(2)]);
    assert!(stage.frame(80, 24).contains("2 more after this repetition"));
    let mut more = plan.clone();
    more.repeat(5);
    stage.tell(vec![Event::Replanned { plan: Box::new(more) }]);
    assert!(stage.frame(80, 24).contains("rep 1/5"));
    for _ in 0..2 {
        stage.key(KeyCode::Char('s'));
        stage.key(KeyCode::Char('k'));
    }
    assert_eq!(stage.effects.len(), 2, "a point is skipped once: {:?}", stage.effects);
    assert_eq!(stage.effects[1], Effect::Skip(1));
    stage.key(KeyCode::Char('m'));
    assert!(stage.frame(80, 24).contains("· 400"), "{}", stage.frame(80, 24));
    frames!(stage, "live_map_skipped", 80 x 24);
}

#[test]
fn live_throughput() {
    let plan = fixture::throughput();
    let mut stage = Stage::live(&plan);
    stage.tell(vec![
        Event::Repetition { step: plan.schedule[2], position: 2, attempt: 1 },
        Event::Phase { phase: Phase::Load, seconds: None },
    ]);
    let point = &plan.points[plan.schedule[2].point];
    for second in 0..4 {
        stage.tell(vec![Event::Snapshot(Box::new(fixture::snapshot(point, second, 9_400.0)))]);
    }
    frames!(stage, "live_throughput", 80 x 24, 120 x 40);
}

#[test]
fn questions_and_help_lie_over_the_screen() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage.key(KeyCode::Char('s'));
    frames!(stage, "stop", 80 x 24);
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Char('q'));
    frames!(stage, "quit", 80 x 24);
    stage.key(KeyCode::Char('g'));
    stage.key(KeyCode::Char('?'));
    frames!(stage, "help", 80 x 24, 120 x 40);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Live);
    assert!(stage.effects.is_empty(), "looking at questions stops nothing");
}

#[test]
fn a_run_stops_as_it_is_told() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 10, 2_100.0);
    stage.key(KeyCode::Char('s'));
    stage.key(KeyCode::Char('a'));
    assert_eq!(stage.effects, [Effect::Stop(Stop::AfterRepetition)]);
    frames!(stage, "stopping", 80 x 24);
    stage.key(KeyCode::Char('s'));
    stage.key(KeyCode::Char('n'));
    assert_eq!(stage.effects.last(), Some(&Effect::Stop(Stop::Now)));
    let record = "records/partial.json".into();
    stage.tell(vec![Event::Ended { end: End::Stopped, record }]);
    assert_eq!(stage.model.place(), Place::Finished);
    assert_eq!(stage.effects.len(), 2, "stopping is not leaving");
    frames!(stage, "finished_stopped", 80 x 24);
}

#[test]
fn leaving_waits_for_the_run_to_end() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    for _ in 0..2 {
        let msg = keys::message(ctrl_c, stage.model.place()).expect("ctrl-c works everywhere");
        stage.say(msg);
    }
    assert_eq!(stage.effects, [Effect::Stop(Stop::Now)]);
    stage.tell(vec![Event::Ended { end: End::Stopped, record: "r.json".into() }]);
    assert_eq!(stage.effects.last(), Some(&Effect::Quit));
    let last = stage.model.outcome.last.expect("a run ended");
    assert_eq!(last.end, End::Stopped);
}

#[test]
fn a_signal_ends_run_and_screen_in_order() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.key(KeyCode::Char('?'));
    stage.say(Msg::Terminate);
    assert_eq!(stage.effects, [Effect::Stop(Stop::Now)]);
    stage.tell(vec![Event::Ended { end: End::Stopped, record: "r.json".into() }]);
    assert_eq!(stage.effects.last(), Some(&Effect::Quit));
    assert!(stage.model.outcome.terminated);

    let mut stage = Stage::new();
    stage.say(Msg::Terminate);
    assert_eq!(stage.effects, [Effect::Quit]);
}

#[test]
fn a_frozen_display_stands_still_while_the_run_goes_on() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 20, 2_100.0);
    stage.key(KeyCode::Char('f'));
    let frozen = stage.frame(120, 40);
    assert!(frozen.contains("display frozen"));
    load(&mut stage, &plan, 2, 30, 4_200.0);
    stage.pass(5);
    assert_eq!(stage.frame(120, 40), frozen);
    stage.key(KeyCode::Char('f'));
    assert_ne!(stage.frame(120, 40), frozen);
    assert!(stage.frame(120, 40).contains("mariadb"));
}

#[test]
fn a_whole_run_is_read_at_its_end() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::run(&plan, End::Complete));
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Down);
    frames!(stage, "finished", 80 x 24, 120 x 40, 160 x 45);
    let last = stage.model.outcome.last.clone().expect("a run ended");
    assert_eq!((last.end, last.lost), (End::Complete, 12));
    stage.key(KeyCode::Char('r'));
    assert!(matches!(stage.effects.as_slice(), [Effect::Start(_)]));
    assert_eq!(stage.model.place(), Place::Live);
}

#[test]
fn a_throughput_run_is_read_at_its_end() {
    let plan = fixture::throughput();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::run(&plan, End::Complete));
    frames!(stage, "finished_throughput", 80 x 24);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
    assert_eq!(stage.model.setup.profile, 3, "the form is as it was left");
}

#[test]
fn a_failure_is_told_in_full() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    let error = "no permission to use the Docker engine at unix:///var/run/docker.sock\n  add \
                 yourself to the docker group (sudo usermod -aG docker $USER, then log in again) \
                 or run as root";
    let end = End::Failed { error: error.to_owned() };
    stage.tell(vec![Event::Ended { end, record: "records/empty.json".into() }]);
    frames!(stage, "finished_failed", 80 x 24);
}

#[test]
fn a_run_that_cannot_begin_and_one_that_falls_silent_say_so() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Enter);
    stage.say(Msg::Refused("the records folder cannot be written".to_owned()));
    assert!(stage.frame(80, 24).contains("the records folder cannot be written"));
    stage.key(KeyCode::Char('r'));
    stage.say(Msg::EngineGone);
    assert!(stage.frame(80, 24).contains("ended without saying why"));
}

#[test]
fn one_key_warms_the_server_and_cools_it() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('w'));
    assert!(stage.frame(80, 24).contains("30 s  warm"));
    stage.key(KeyCode::Char('w'));
    assert!(stage.frame(80, 24).contains("0 s  cold, as the study"));
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Enter);
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    assert_eq!(request.overrides, [("run.server_warmup".to_owned(), "30 s".to_owned())]);
    assert_eq!(request.preview.plan.server_warmup, Duration::from_secs(30));
}

#[test]
fn changes_of_a_profile_wait_while_another_one_is_looked_at() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('w'));
    stage.key(KeyCode::Down);
    assert!(stage.frame(80, 24).contains("0 s  cold"));
    assert!(stage.frame(80, 24).contains("first-look *"));
    stage.key(KeyCode::Up);
    assert!(stage.frame(80, 24).contains("30 s  warm"));
}

#[test]
fn a_backend_takes_the_hub_along_on_which_it_can_run() {
    let mut stage = Stage::new();
    stage.key(KeyCode::Tab);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.place(), Place::Choices);
    stage.key(KeyCode::Char(' '));
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Char(' '));
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::F(5));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    let expected = [("backend", "kafka:2.8.0"), ("hub.kind", "docker")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(request.overrides, expected);
}

#[test]
fn with_nothing_to_choose_there_is_nothing_to_start() {
    let nothing = Catalog { profiles: Vec::new(), backends: Vec::new() };
    let (model, effects) = Model::new(nothing, Theme::Plain);
    let mut stage = Stage { model, effects, now: Duration::ZERO };
    for code in [KeyCode::Down, KeyCode::Char('w'), KeyCode::Tab, KeyCode::Enter, KeyCode::F(5)] {
        stage.key(code);
        stage.frame(80, 24);
    }
    assert!(stage.effects.is_empty());
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    let stage = Stage::new();
    let frame = stage.frame(79, 24);
    assert!(frame.contains("79×24: too small. hubmark needs 80×24"), "{frame}");
}

/// What may happen to a screen.
#[derive(Debug, Clone)]
enum Happening {
    Key(KeyCode),
    Engine(usize),
    Look(u16, u16),
    Pass,
}

fn happening() -> impl Strategy<Value = Happening> {
    let keys = prop::sample::select(vec![
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Tab,
        KeyCode::Enter,
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Delete,
        KeyCode::Backspace,
        KeyCode::BackTab,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::F(5),
    ]);
    let letters =
        prop::sample::select("wfs?qangxrkvVme[]/!b+h0123456 ,µ字".chars().collect::<Vec<_>>());
    prop_oneof![
        4 => keys.prop_map(Happening::Key),
        4 => letters.prop_map(|letter| Happening::Key(KeyCode::Char(letter))),
        4 => (0_usize..200).prop_map(Happening::Engine),
        1 => (1_u16..300, 1_u16..100).prop_map(|(width, height)| Happening::Look(width, height)),
        1 => Just(Happening::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_events_and_sizes_breaks_the_screen(
        happenings in prop::collection::vec(happening(), 500),
    ) {
        let mut stage = Stage::new();
        let events = fixture::run(&fixture::sweep(), End::Complete);
        for happening in happenings {
            match happening {
                Happening::Key(code) => stage.key(code),
                Happening::Engine(place) => {
                    let place = place * events.len() / 199;
                    let event = events[place.min(events.len() - 1)].clone();
                    stage.say(Msg::Engine(Box::new(event)));
                }
                Happening::Look(width, height) => {
                    stage.frame(width, height);
                }
                Happening::Pass => stage.pass(1),
            }
            if matches!(stage.model.screen, Screen::Live(_)) {
                prop_assert!(stage.model.outcome.last.is_none() || !stage.effects.is_empty());
            }
        }
        stage.frame(80, 24);
        stage.frame(300, 100);
    }
}
