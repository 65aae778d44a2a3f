//! Tests of the display of a run in progress.

use super::*;

#[test]
fn live_while_an_image_is_built() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(vec![
        Event::Repetition { step: plan.schedule[0], position: 0, attempt: 1 },
        Event::Phase { phase: Phase::Images, seconds: None },
        Event::Image(ImageProgress {
            image: "hubmark/kafka:2.8.0".to_owned(),
            step: "step 3/9 RUN apt-get install -y openjdk-17-jre-headless".to_owned(),
            percent: Some(33),
            seconds: 41.0,
            fetched: Some(Bytes(80_400_000)),
            size: Some(Bytes(257_000_000)),
        }),
    ]);
    screen.advance(41);
    screen.assert_frames("live_images", &[(80, 24)]);
}

#[test]
fn live_during_the_baseline() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(vec![
        Event::Repetition { step: plan.schedule[0], position: 0, attempt: 1 },
        Event::Phase { phase: Phase::Servers, seconds: None },
        Event::Log { level: LogLevel::Info, text: "kafka 2.8.0 is ready after 2.4 s".to_owned() },
        Event::Phase { phase: Phase::Baseline, seconds: Some(5.0) },
    ]);
    screen.advance(3);
    screen.assert_frames("live_baseline", &[(80, 24)]);
}

#[test]
fn live_under_load_with_two_servers() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    screen.assert_frames("live_load", &[(80, 24), (80, 50), (120, 40), (160, 45), (200, 60)]);
}

#[test]
fn live_under_load_with_the_builtin_broker() {
    let plan = fixture::first_look();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 0, 20, 104.0);
    screen.assert_frames("live_builtin", &[(80, 24), (120, 40)]);
}

#[test]
fn live_suspect_with_lost_messages() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 61, 2_100.0);
    let lost = fixture::suspect_snapshot(&plan.points[1]);
    let mut events = fixture::repetition_end_events(&plan, 1, &lost);
    events.truncate(3);
    screen.send_events(events);
    screen.assert_frames("live_suspect", &[(80, 24), (120, 40)]);
    let red = screen.cells(80, 24, |cell| cell.bg == Color::Red);
    assert_eq!(red.trim(), "12", "lost messages are the brightest thing on the screen");
}

#[test]
fn a_resolved_reason_for_doubt_is_logged() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 61, 2_100.0);
    let mut snapshot = fixture::suspect_snapshot(&plan.points[1]);
    assert_eq!(snapshot.verdict.reasons.pop().unwrap().code, "client-saturated");
    screen.send_events(vec![Event::Snapshot(Box::new(fixture::suspect_snapshot(&plan.points[1])))]);
    assert!(!screen.frame(200, 60).contains("no longer suspect"));
    screen.send_events(vec![Event::Snapshot(Box::new(snapshot))]);
    let frame = screen.frame(200, 60);
    let lines: Vec<_> = frame.lines().filter(|line| line.contains("no longer suspect")).collect();
    let [line] = lines.as_slice() else { panic!("{frame}") };
    assert!(line.contains("no longer suspect: hubmark was late"), "{line}");
}

#[test]
fn a_valid_run_has_no_alarm_colours() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    assert_eq!(screen.cells(120, 40, |cell| cell.bg == Color::Red || cell.fg == Color::Yellow), "");
}

#[test]
fn each_view_of_the_latency() {
    let mut screen = under_load();
    for (key, name) in ['2', '3', '4', '5'].into_iter().zip([
        "live_view_percentiles",
        "live_view_durations",
        "live_view_corrected",
        "live_view_heat",
    ]) {
        screen.key(KeyCode::Char(key));
        screen.assert_frames(name, &SIZES);
    }
    screen.key(KeyCode::Char('v'));
    assert_eq!(screen.frame(80, 24), under_load().frame(80, 24), "views wrap around");
    screen.key(KeyCode::Char('V'));
    assert!(screen.frame(120, 40).contains("dark = many"));
}

#[test]
fn each_panel_maximized() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 0, 61, 2_100.0);
    screen.send_events(fixture::repetition_end_events(
        &plan,
        0,
        &fixture::suspect_snapshot(&plan.points[0]),
    ));
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    screen.key(KeyCode::Enter);
    for name in ["latency", "time", "throughput", "servers", "ledger", "log", "map"] {
        screen.assert_frames(&format!("live_alone_{name}"), &SIZES);
        screen.key(KeyCode::Tab);
    }
    assert!(screen.frame(80, 24).contains("delivery latency"), "tab wraps around");
    screen.key(KeyCode::BackTab);
    assert!(screen.frame(80, 24).contains("✓ done ▸ running"));
    screen.key(KeyCode::Esc);
    assert!(screen.frame(80, 24).contains("ledger (messages)"));
}

#[test]
fn a_focused_panel_that_does_not_fit_replaces_the_latency_panel() {
    let mut screen = under_load();
    screen.key(KeyCode::BackTab);
    screen.assert_frames("live_map_focused", &[(80, 24), (120, 40)]);
    screen.key(KeyCode::Tab);
    assert!(screen.frame(80, 24).contains("delivery latency (ms)"));
}

#[test]
fn a_crossed_threshold_is_highlighted_marked_in_time_and_rings_the_bell_if_on() {
    let mut screen = under_load();
    let plan = fixture::sweep();
    let mut crossed = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    crossed.alarms = vec![ThresholdAlarm {
        metric: "delivery.p99".to_owned(),
        at_most: 5_000.0,
        value: Some(6_200.0),
        since: 38.6,
    }];
    let mut silent = under_load();
    silent.send_events(vec![Event::Snapshot(Box::new(crossed.clone()))]);
    assert!(silent.effects.is_empty());
    screen.key(KeyCode::Char('b'));
    let event = Event::Snapshot(Box::new(crossed));
    screen.send_events(vec![event.clone(), event]);
    assert_eq!(screen.effects, [Effect::Bell], "once");
    screen.assert_frames("live_alarm", &SIZES);
    let red = screen.cells(120, 40, |cell| cell.bg == Color::Red);
    assert!(red.contains("delivery.p99 6.20 ms > 5.00 ms, first at 39 s"), "{red}");
    assert!(red.contains('▲'), "{red}");
}

#[test]
fn a_standstill_is_marked_at_its_time() {
    let mut screen = under_load();
    let plan = fixture::sweep();
    let mut still = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    let marked = |screen: &TestScreen| screen.cells(120, 40, |cell| cell.symbol() == "═");
    assert_eq!(marked(&screen).trim(), "");
    still.standstills =
        vec![Standstill { from: 10.1, to: 20.7, what: StandstillKind::Answers, cause: None }];
    screen.send_events(vec![Event::Snapshot(Box::new(still))]);
    assert!(marked(&screen).contains("═══"), "{}", screen.frame(120, 40));
}

#[test]
fn a_throttled_hub_is_highlighted_and_logged_once() {
    let mut screen = under_load();
    let plan = fixture::sweep();
    let mut hot = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    hot.hub = Some(HostMetrics {
        temperature: Some(Celsius::from(61.2)),
        clock_mhz: Some(1_500.0),
        throttle_bits: Some(0),
        ..HostMetrics::default()
    });
    screen.send_events(vec![Event::Snapshot(Box::new(hot.clone()))]);
    assert!(screen.frame(80, 24).contains("hub 61 °C 1.50 GHz"), "{}", screen.frame(80, 24));
    hot.hub = Some(HostMetrics {
        temperature: Some(Celsius::from(84.0)),
        clock_mhz: Some(600.0),
        throttle_bits: Some(0b110),
        ..HostMetrics::default()
    });
    screen
        .send_events(vec![Event::Snapshot(Box::new(hot.clone())), Event::Snapshot(Box::new(hot))]);
    screen.assert_frames("live_throttled", &SIZES);
    let logged = screen.frame(80, 24).matches("the hub is held back").count();
    assert_eq!(logged, 1, "{}", screen.frame(80, 24));
    let red = screen.cells(80, 24, |cell| cell.bg == Color::Red);
    assert!(red.contains("THROTTLED"), "{red}");
}

#[test]
fn the_fullest_thread_is_shown_and_conspicuous_when_full() {
    let mut screen = under_load();
    let plan = fixture::sweep();
    let mut snapshot = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    snapshot.generator.hot_threads[1].cores = 0.97;
    screen.send_events(vec![Event::Snapshot(Box::new(snapshot))]);
    let frame = screen.frame(80, 24);
    let line = frame.lines().find(|line| line.contains("hubmark  lag")).unwrap();
    assert!(line.contains("poller") && line.contains(" 97 %"), "{line}");
    let yellow = screen.cells(80, 24, |cell| cell.fg == Color::Yellow);
    assert!(yellow.contains("97 %"), "{yellow}");
}

#[test]
fn live_throughput() {
    let plan = fixture::throughput();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(vec![
        Event::Repetition { step: plan.schedule[2], position: 2, attempt: 1 },
        Event::Phase { phase: Phase::Load, seconds: None },
    ]);
    let point = &plan.points[plan.schedule[2].point];
    for second in 0..4 {
        screen.send_events(vec![Event::Snapshot(Box::new(fixture::snapshot(
            point, second, 9_400.0,
        )))]);
    }
    screen.assert_frames("live_throughput", &[(80, 24), (120, 40)]);
}

/// Starts a search for two capacities, at its first repetition.
fn search() -> (Plan, TestScreen) {
    let plan = fixture::capacity_plan();
    let mut screen = TestScreen::start_run(&fixture::sweep());
    let step = ScheduledRepetition { point: 5, repetition: 4 };
    screen.send_events(vec![
        Event::Started { plan: Box::new(plan.clone()), record: "capacity.json".into(), done: 0 },
        Event::Repetition { step, position: 43, attempt: 1 },
        Event::Phase { phase: Phase::Load, seconds: Some(60.0) },
        Event::Snapshot(Box::new(fixture::snapshot(&plan.points[5], 12, 2_100.0))),
        Event::Capacity { search: 0, state: Box::new(fixture::capacity_search()) },
    ]);
    (plan, screen)
}

#[test]
fn a_capacity_search_is_logged() {
    let (_, mut screen) = search();
    screen.key(KeyCode::Char('e'));
    let frame = screen.frame(120, 40);
    assert!(frame.contains("proof, next 1,000 users"), "{frame}");
}

#[test]
fn a_capacity_search_has_a_different_map() {
    let (_, mut screen) = search();
    screen.key(KeyCode::Char('m'));
    screen.assert_frames("search", &SIZES);
    let next = screen.cells(120, 40, |cell| cell.symbol() == "▸");
    assert!(!next.is_empty(), "the next number of users is marked");
}

#[test]
fn the_last_updated_search_is_shown_first() {
    let (_, mut screen) = search();
    let mut other = fixture::finished_search();
    other.backend.name = "mariadb".to_owned();
    screen.send_events(vec![Event::Capacity { search: 1, state: Box::new(other) }]);
    screen.key(KeyCode::Char('m'));
    screen.assert_frames("searches", &[(120, 40)]);
    let frame = screen.frame(120, 40);
    let line = |text: &str| frame.lines().position(|line| line.contains(text));
    assert!(line("mariadb 2.8.0 · 100 B") < line("kafka 2.8.0 · 100 B"), "{frame}");
}

#[test]
fn a_finished_search_shows_its_answer_first() {
    let (_, mut screen) = search();
    let (search, plan) = (fixture::finished_search(), fixture::capacity_plan());
    let mut whole = fixture::snapshot(&plan.points[5], 62, 2_100.0);
    whole.ledger.delivered = whole.ledger.sent;
    whole.ledger.on_the_way = 0;
    let step = ScheduledRepetition { point: 5, repetition: 4 };
    screen.send_events(vec![
        Event::Finished {
            step,
            repetition: Box::new(fixture::repetition(&plan, step, 43, &whole)),
            seconds_left: None,
            tally: crate::measure::VerdictCounts::default(),
        },
        Event::Capacity { search: 0, state: Box::new(search) },
        Event::Ended { end: EndStatus::Complete, record: "capacity.json".into() },
    ]);
    screen.assert_frames("search_over", &[(80, 24), (120, 40)]);
    assert!(screen.frame(120, 40).contains("400 to 1,000 users (95 %)"));
}

#[test]
fn a_resumed_run_shows_the_repetitions_of_its_record() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let events = fixture::run_events(&plan, EndStatus::Complete);
    let mut recorded = events.iter().filter_map(|event| match event {
        Event::Finished { step, repetition, .. } => {
            Some(Event::AlreadyRecorded { step: *step, repetition: repetition.clone() })
        }
        _ => None,
    });
    let first = recorded.next().expect("a repetition");
    let Event::AlreadyRecorded { step, .. } = &first else { unreachable!() };
    let step = *step;
    screen.send_events(vec![first]);
    let Screen::Live(live) = &screen.model.screen else { panic!("it is live") };
    assert!(matches!(live.map_cell(step), crate::tui::model::MapCell::Done(_)));
    let end = Event::Ended { end: EndStatus::Stopped, record: "r.json".into() };
    screen.send_events(vec![end]);
    let Screen::Finished(finished) = &screen.model.screen else { panic!("it is over") };
    assert_eq!(finished.range(step.point, "delivery.p50").map(|range| range.n), Some(1));
}

#[test]
fn a_footprint_card_is_no_repetition() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(fixture::load_events(&plan, 0, 5, 2_100.0));
    let before = screen.frame(120, 40);
    assert!(before.contains("rep 1/3"), "{before}");
    let backend = plan.points[2].backend.clone();
    screen.send_events(vec![Event::Footprint { backend, what: "cold start 2 of 3".to_owned() }]);
    let frame = screen.frame(120, 40);
    assert!(frame.contains("footprint of mariadb 10.11: cold start 2 of 3"), "{frame}");
    assert!(!frame.contains("rep 1/3") && frame.contains("1/12"), "{frame}");
}

#[test]
fn no_text_has_the_colour_of_a_border() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(fixture::load_events(&plan, 0, 5, 2_100.0));
    for (width, height) in SIZES {
        let framed = screen.cells(width, height, |cell| cell.fg == Color::DarkGray);
        assert!(framed.contains('─'), "{framed}");
        assert!(!framed.chars().any(char::is_alphanumeric), "{width}×{height}: {framed}");
    }
}

#[test]
fn a_long_point_name_is_separated_from_the_repetition() {
    let plan = Plan { points: fixture::capacity_plan().points, ..fixture::sweep() };
    let mut screen = TestScreen::start_run(&fixture::sweep());
    let step = ScheduledRepetition { point: 13, repetition: 0 };
    screen.send_events(vec![
        Event::Started { plan: Box::new(plan), record: "r.json".into(), done: 0 },
        Event::Repetition { step, position: 0, attempt: 1 },
    ]);
    let frame = screen.frame(80, 24);
    assert!(frame.lines().next().is_some_and(|line| line.contains("100 B  rep 1/3")), "{frame}");
}

#[test]
fn a_server_at_its_limit_is_highlighted() {
    let plan = |cpus: f64| {
        let mut plan = fixture::first_look();
        plan.hub.limits.cpus = Some(crate::units::Cpus(cpus));
        plan
    };
    let used = |cpus: f64, limit: f64| {
        let plan = plan(limit);
        let mut screen = TestScreen::start_run(&plan);
        screen.send_events(fixture::load_events(&plan, 0, 5, 104.0));
        let mut snapshot = fixture::snapshot(&plan.points[0], 6, 104.0);
        for load in snapshot.servers.values_mut() {
            load.cpu_cores = Some(cpus);
        }
        screen.send_events(vec![Event::Snapshot(Box::new(snapshot))]);
        screen
    };
    let red = |screen: &TestScreen| screen.cells(80, 24, |cell| cell.bg == Color::Red);
    let screen = used(0.099, 0.1);
    assert!(red(&screen).contains("▲0.099/0.1 cores"), "{}", screen.frame(80, 24));
    let screen = used(0.05, 0.1);
    assert!(!red(&screen).contains("cores"));
    assert!(screen.frame(80, 24).contains(" 0.050/0.1 cores"), "{}", screen.frame(80, 24));
    let screen = used(1.96, 2.0);
    assert!(red(&screen).contains("▲1.96 of 2 cores"), "{}", screen.frame(80, 24));
}

#[test]
fn a_run_on_a_slow_hub_names_its_phase_and_never_promises_zero_seconds() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(vec![
        Event::Estimate { seconds_left: 60.0 },
        Event::Phase { phase: Phase::HubReader, seconds: None },
    ]);
    screen.advance(30);
    let frame = screen.frame(120, 40);
    assert!(frame.contains("reading the hub") && frame.contains("30 s left"), "{frame}");
    screen.advance(120);
    let frame = screen.frame(120, 40);
    assert!(frame.contains("over estimate") && !frame.contains("0 s left"), "{frame}");
}

#[test]
fn the_disk_of_the_hub_is_shown_where_a_server_s_writes_are_not_counted() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    let mut snapshot = fixture::snapshot(&plan.points[1], 20, 2_100.0);
    for server in snapshot.servers.values_mut() {
        server.block_written = None;
    }
    snapshot.hub = Some(HostMetrics { disk_written: Some(7_300_000.0), ..HostMetrics::default() });
    screen.send_events(vec![
        Event::Repetition { step: plan.schedule[1], position: 1, attempt: 1 },
        Event::Phase { phase: Phase::Load, seconds: Some(60.0) },
        Event::Snapshot(Box::new(snapshot)),
    ]);
    let frame = screen.frame(160, 45);
    assert!(frame.contains("7.30 MB/s host"), "{frame}");
}
