//! Watching: what is drawn of a run in progress.

use super::*;

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
    stage.frames("live_images", &[(80, 24)]);
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
    stage.frames("live_baseline", &[(80, 24)]);
}

#[test]
fn live_under_load_with_two_servers() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage.frames("live_load", &[(80, 24), (80, 50), (120, 40), (160, 45), (200, 60)]);
}

#[test]
fn live_under_load_with_the_builtin_broker() {
    let plan = fixture::first_look();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 0, 20, 104.0);
    stage.frames("live_builtin", &[(80, 24), (120, 40)]);
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
    stage.frames("live_suspect", &[(80, 24), (120, 40)]);
    let red = stage.cells(80, 24, |cell| cell.bg == Color::Red);
    assert_eq!(red.trim(), "12", "lost messages are the brightest thing on the screen");
}

#[test]
fn a_doubt_that_is_over_is_taken_back() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 61, 2_100.0);
    let mut snapshot = fixture::suspect(&plan.points[1]);
    assert_eq!(snapshot.verdict.reasons.pop().unwrap().code, "client-saturated");
    stage.tell(vec![Event::Snapshot(Box::new(fixture::suspect(&plan.points[1])))]);
    assert!(!stage.frame(200, 60).contains("no longer suspect"));
    stage.tell(vec![Event::Snapshot(Box::new(snapshot))]);
    let frame = stage.frame(200, 60);
    let said: Vec<_> = frame.lines().filter(|line| line.contains("no longer suspect")).collect();
    let [said] = said.as_slice() else { panic!("{frame}") };
    assert!(said.contains("no longer suspect: hubmark was late"), "{said}");
}

#[test]
fn nothing_shouts_when_all_is_well() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    assert_eq!(stage.cells(120, 40, |cell| cell.bg == Color::Red || cell.fg == Color::Yellow), "");
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
        stage.frames(name, &SIZES);
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
        stage.frames(&format!("live_alone_{name}"), &SIZES);
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
    stage.frames("live_map_focused", &[(80, 24), (120, 40)]);
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
    stage.frames("live_alarm", &SIZES);
    let red = stage.cells(120, 40, |cell| cell.bg == Color::Red);
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
    stage.frames("live_throttled", &SIZES);
    let told = stage.frame(80, 24).matches("the hub is held back").count();
    assert_eq!(told, 1, "{}", stage.frame(80, 24));
    let red = stage.cells(80, 24, |cell| cell.bg == Color::Red);
    assert!(red.contains("THROTTLED"), "{red}");
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
    stage.frames("live_throughput", &[(80, 24), (120, 40)]);
}

/// A search for two capacities at its first repetition.
fn search() -> (Plan, Stage) {
    let plan = fixture::capacity();
    let mut stage = Stage::live(&fixture::sweep());
    let step = Step { point: 5, repetition: 4 };
    stage.tell(vec![
        Event::Started { plan: Box::new(plan.clone()), record: "capacity.json".into(), done: 0 },
        Event::Repetition { step, position: 43, attempt: 1 },
        Event::Phase { phase: Phase::Load, seconds: Some(60.0) },
        Event::Snapshot(Box::new(fixture::snapshot(&plan.points[5], 12, 2_100.0))),
        Event::Capacity { search: 0, state: Box::new(fixture::search()) },
    ]);
    (plan, stage)
}

#[test]
fn a_search_for_a_capacity_is_followed_in_the_log() {
    let (_, mut stage) = search();
    stage.key(KeyCode::Char('e'));
    let frame = stage.frame(120, 40);
    assert!(frame.contains("proof, next 1,000 users"), "{frame}");
}

#[test]
fn a_search_for_a_capacity_has_a_map_of_its_own() {
    let (_, mut stage) = search();
    stage.key(KeyCode::Char('m'));
    stage.frames("search", &SIZES);
    let next = stage.cells(120, 40, |cell| cell.symbol() == "▸");
    assert!(!next.is_empty(), "what comes next is marked");
}

#[test]
fn searches_stand_below_each_other_the_last_to_learn_first() {
    let (_, mut stage) = search();
    let mut other = fixture::search_done();
    other.backend.name = "mariadb".to_owned();
    stage.tell(vec![Event::Capacity { search: 1, state: Box::new(other) }]);
    stage.key(KeyCode::Char('m'));
    stage.frames("searches", &[(120, 40)]);
    let frame = stage.frame(120, 40);
    let line = |text: &str| frame.lines().position(|line| line.contains(text));
    assert!(line("mariadb 2.8.0 · 100 B") < line("kafka 2.8.0 · 100 B"), "{frame}");
}

#[test]
fn a_search_that_is_over_gives_its_answer_first() {
    let (_, mut stage) = search();
    let (search, plan) = (fixture::search_done(), fixture::capacity());
    let mut whole = fixture::snapshot(&plan.points[5], 62, 2_100.0);
    whole.ledger.delivered = whole.ledger.sent;
    whole.ledger.on_the_way = 0;
    let step = Step { point: 5, repetition: 4 };
    stage.tell(vec![
        Event::Finished {
            step,
            repetition: Box::new(fixture::repetition(&plan, step, 43, &whole)),
            seconds_left: None,
            tally: crate::measure::Tally::default(),
        },
        Event::Capacity { search: 0, state: Box::new(search) },
        Event::Ended { end: End::Complete, record: "capacity.json".into() },
    ]);
    stage.frames("search_over", &[(80, 24), (120, 40)]);
    assert!(stage.frame(120, 40).contains("400 to 1,000 users (95 %)"));
}

#[test]
fn a_resumed_run_shows_what_its_record_held_before() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    let told = fixture::run(&plan, End::Complete);
    let mut kept = told.iter().filter_map(|event| match event {
        Event::Finished { step, repetition, .. } => {
            Some(Event::Kept { step: *step, repetition: repetition.clone() })
        }
        _ => None,
    });
    let first = kept.next().expect("a repetition");
    let Event::Kept { step, .. } = &first else { unreachable!() };
    let step = *step;
    stage.tell(vec![first]);
    let Screen::Live(live) = &stage.model.screen else { panic!("it is live") };
    assert!(matches!(live.cell(step), crate::tui::model::Cell::Done(_)));
    let end = Event::Ended { end: End::Stopped, record: "r.json".into() };
    stage.tell(vec![end]);
    let Screen::Finished(finished) = &stage.model.screen else { panic!("it is over") };
    assert_eq!(finished.range(step.point, "delivery.p50").map(|range| range.n), Some(1));
}

#[test]
fn a_footprint_card_is_no_repetition() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::repetition_until(&plan, 0, 5, 2_100.0));
    let before = stage.frame(120, 40);
    assert!(before.contains("rep 1/3"), "{before}");
    let backend = plan.points[2].backend.clone();
    stage.tell(vec![Event::Footprint { backend, what: "cold start 2 of 3".to_owned() }]);
    let frame = stage.frame(120, 40);
    assert!(frame.contains("footprint of mariadb 10.11: cold start 2 of 3"), "{frame}");
    assert!(!frame.contains("rep 1/3") && frame.contains("1/12"), "{frame}");
}

#[test]
fn no_word_takes_the_colour_of_a_frame() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::repetition_until(&plan, 0, 5, 2_100.0));
    for (width, height) in SIZES {
        let framed = stage.cells(width, height, |cell| cell.fg == Color::DarkGray);
        assert!(framed.contains('─'), "{framed}");
        assert!(!framed.chars().any(char::is_alphanumeric), "{width}×{height}: {framed}");
    }
}

#[test]
fn a_long_point_leaves_a_gap_before_the_repetition() {
    let plan = Plan { points: fixture::capacity().points, ..fixture::sweep() };
    let mut stage = Stage::live(&fixture::sweep());
    let step = Step { point: 13, repetition: 0 };
    stage.tell(vec![
        Event::Started { plan: Box::new(plan), record: "r.json".into(), done: 0 },
        Event::Repetition { step, position: 0, attempt: 1 },
    ]);
    let frame = stage.frame(80, 24);
    assert!(frame.lines().next().is_some_and(|line| line.contains("100 B  rep 1/3")), "{frame}");
}

#[test]
fn a_server_at_its_limit_is_loud() {
    let plan = |cpus: f64| {
        let mut plan = fixture::first_look();
        plan.hub.limits.cpus = Some(crate::units::Cpus(cpus));
        plan
    };
    let used = |cpus: f64, limit: f64| {
        let plan = plan(limit);
        let mut stage = Stage::live(&plan);
        stage.tell(fixture::repetition_until(&plan, 0, 5, 104.0));
        let mut snapshot = fixture::snapshot(&plan.points[0], 6, 104.0);
        for load in snapshot.servers.values_mut() {
            load.cpu_cores = Some(cpus);
        }
        stage.tell(vec![Event::Snapshot(Box::new(snapshot))]);
        stage
    };
    let red = |stage: &Stage| stage.cells(80, 24, |cell| cell.bg == Color::Red);
    let stage = used(0.099, 0.1);
    assert!(red(&stage).contains("▲0.099/0.1 cores"), "{}", stage.frame(80, 24));
    let stage = used(0.05, 0.1);
    assert!(!red(&stage).contains("cores"));
    assert!(stage.frame(80, 24).contains(" 0.050/0.1 cores"), "{}", stage.frame(80, 24));
    let stage = used(1.96, 2.0);
    assert!(red(&stage).contains("▲1.96 of 2 cores"), "{}", stage.frame(80, 24));
}
