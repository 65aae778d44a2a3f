//! Eleven operator sessions, from the first key to the last frame.

use super::*;
use crate::tui::{
    model::LiveRun,
    preferences::RunOwner,
    requests::{ExportFormat, StartRequest},
};

/// Terminal sizes at which a session is recorded.
const STORY_SIZES: [(u16, u16); 5] = [(60, 20), (80, 23), (80, 24), (120, 36), (160, 45)];

/// Operator session: keys and events in, frames out.
struct Story {
    name: &'static str,
    screen: TestScreen,
    /// Recorded frames at each of [`STORY_SIZES`].
    recordings: [String; STORY_SIZES.len()],
}

impl Story {
    fn begin(name: &'static str) -> Self {
        let mut story = Self { name, screen: TestScreen::new(), recordings: Default::default() };
        story.capture("the screen opens");
        story
    }

    /// Presses keys: letters, and names such as `<enter>`.
    fn press(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (name, after) = named.unwrap_or_else(|| rest.split_at(first.len_utf8()));
            self.screen.press(name);
            rest = after;
        }
    }

    /// Records the present frames with a caption.
    fn capture(&mut self, what: &str) {
        for (recording, (width, height)) in self.recordings.iter_mut().zip(STORY_SIZES) {
            self.screen.model.size = (width, height);
            recording.extend(["══ ", what, "\n", &self.screen.frame(width, height), "\n"]);
        }
    }

    /// Takes the request that was started.
    fn started(&mut self) -> StartRequest {
        match self.screen.effects.pop() {
            Some(Effect::Start(request)) => *request,
            other => panic!("nothing was started: {other:?}"),
        }
    }

    fn assert_shows(&self, text: &str) -> &Self {
        let frame = self.screen.frame(160, 45);
        assert!(frame.contains(text), "{text}:\n{frame}");
        self
    }

    /// Compares the recorded frames with the stored snapshots.
    fn assert_snapshots(self) {
        for (recording, (width, height)) in self.recordings.into_iter().zip(STORY_SIZES) {
            insta::assert_snapshot!(format!("story_{}_{width}x{height}", self.name), recording);
        }
    }
}

#[test]
fn a_first_look() {
    let mut story = Story::begin("first_look");
    story.press("<enter>");
    let plan = story.started().preview.plan;
    assert_eq!(plan, fixture::first_look());
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 0, 20, 104.0);
    story.capture("the load is on");
    story.screen.send_events(fixture::run_events(&plan, EndStatus::Complete).split_off(3));
    story.capture("the run is finished");
    story.press("R");
    story.capture("its record is in the list");
    story.press("<esc>");
    story.assert_shows("Nothing lost");
    story.press("<esc>L");
    story.capture("the results are shown again");
    story.press("q");
    assert_eq!(story.screen.effects, [Effect::Quit]);
    story.assert_snapshots();
}

#[test]
fn another_backend_is_chosen() {
    let mut story = Story::begin("another_backend");
    story.press("<tab><enter><space><down><down><space>");
    story.capture("another backend is marked");
    story.press("<enter>");
    story.assert_shows("kafka:4.4.0").assert_shows("docker");
    let fields = story.screen.model.setup.fields();
    let partitions = fields.into_iter().find(|field| field.key() == "kafka.partitions");
    story.screen.select(partitions.expect("a field of this backend"));
    story.press("<enter><back>4<enter>");
    story.capture("a setting of the backend is changed");
    story.press("<f5>");
    let plan = story.started().preview.plan;
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 0, 10, 2_100.0);
    story.assert_shows("kafka 4.4.0 · 100 users");
    story.capture("it is measured");
    story.assert_snapshots();
}

#[test]
fn three_numbers_of_users_are_swept() {
    let mut story = Story::begin("sweep");
    story.press("<tab><down><down><down><down><enter>");
    story.press("<back><back><back>100, 200, 400");
    story.capture("three numbers are typed");
    story.press("<enter>");
    story.assert_shows("3 points × 1 = 3 repetitions");
    story.press("<f5>");
    let plan = story.started().preview.plan;
    assert_eq!(plan.points.len(), 3);
    let events = fixture::run_events(&plan, EndStatus::Complete);
    let second = events
        .iter()
        .position(|event| matches!(event, Event::Repetition { position, .. } if *position == 1));
    let mut events = events.into_iter();
    story
        .screen
        .send_events(events.by_ref().take(second.expect("three repetitions") + 20).collect());
    story.press("m");
    story.capture("the map while the second point is measured");
    story.screen.send_events(events.collect());
    story.press("<down>");
    story.capture("all three are measured");
    story.press("f<esc>");
    story.capture("back at the results from their record");
    story.assert_snapshots();
}

#[test]
fn a_hub_throttles_during_a_run() {
    let plan = fixture::sweep();
    let mut story = Story::begin("throttle");
    story.press("<down><down><enter>");
    story.started();
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 1, 38, 2_100.0);
    story.capture("all is well");
    let mut hot = fixture::snapshot(&plan.points[1], 39, 6_400.0);
    hot.hub = Some(HostMetrics {
        temperature: Some(Celsius::from(84.0)),
        clock_mhz: Some(600.0),
        throttle_bits: Some(0b110),
        ..HostMetrics::default()
    });
    story.screen.send_events(vec![Event::Snapshot(Box::new(hot))]);
    story.assert_shows("THROTTLED");
    story.capture("it is throttled");
    story.press("e");
    story.assert_shows("the hub is held back by heat or by its supply");
    story.capture("the log has the time");
    story.press("M");
    story.capture("the mouse is for the terminal, to select the line");
    story.assert_snapshots();
}

#[test]
fn a_load_is_steered_to_get_to_know_a_system() {
    let mut story = Story::begin("steering");
    story.press("<tab>");
    story.screen.select(Field::Steering);
    story.press("<space>");
    story.capture("steering is allowed");
    story.press("<f5>");
    let plan = story.started().preview.plan;
    assert!(plan.steering);
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 0, 9, 2_100.0);
    let mut planned = fixture::snapshot(&plan.points[0], 10, 2_100.0);
    planned.steering = Some(crate::event::SteeringState::default());
    story.screen.send_events(vec![Event::Snapshot(Box::new(planned))]);
    story.capture("the load can be steered");
    story.press("p");
    story.assert_shows("load paused");
    story.capture("it is paused");
    story.press("p++x");
    story.capture("asked which fault");
    story.press("p<enter>");
    let commands = story.screen.effects.drain(..).filter(|it| matches!(it, Effect::Steer(_)));
    assert_eq!(commands.count(), 5);
    let snapshot = |seconds| fixture::steered_snapshot(&plan.points[0], seconds, false);
    story.screen.send_events(vec![Event::Snapshot(Box::new(snapshot(40)))]);
    story.capture("the charts mark what was changed");
    let mut last = snapshot(62);
    last.ledger.delivered = last.ledger.sent;
    last.ledger.on_the_way = 0;
    story.screen.send_events(fixture::repetition_end_events(&plan, 0, &last));
    let record = "records/2026-11-20T14-02-steered.json".into();
    story.screen.send_events(vec![Event::Ended { end: EndStatus::Complete, record }]);
    story.assert_shows("1 repetition steered and not in the figures");
    story.capture("the repetition is not in the figures");
    story.assert_snapshots();
}

#[test]
fn the_display_is_frozen_and_moved_back() {
    let plan = fixture::sweep();
    let mut story = Story::begin("freeze");
    story.press("<down><down><enter>");
    story.started();
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 0, 61, 900.0);
    let last = fixture::snapshot(&plan.points[0], 62, 900.0);
    story.screen.send_events(fixture::repetition_end_events(&plan, 0, &last));
    send_load_events(&mut story.screen, &plan, 1, 38, 2_100.0);
    story.press("f<left><left><left>");
    story.capture("three seconds ago");
    let later = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    story.screen.send_events(vec![Event::Snapshot(Box::new(later))]);
    story.press("[");
    story.capture("the repetition before");
    story.press("f");
    assert!(!story.screen.frame(160, 45).contains("frozen"));
    story.capture("the present again");
    story.assert_snapshots();
}

#[test]
fn a_run_is_stopped_and_resumed() {
    let plan = fixture::sweep();
    let mut story = Story::begin("stop_and_resume");
    story.press("<down><down><enter>");
    story.started();
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 0, 30, 2_100.0);
    story.press("s");
    story.capture("asked how to stop");
    story.press("a<enter>");
    assert_eq!(story.screen.effects.pop(), Some(Effect::Stop(StopMode::AfterRepetition)));
    let last = fixture::snapshot(&plan.points[0], 62, 2_100.0);
    story.screen.send_events(fixture::repetition_end_events(&plan, 0, &last));
    let record = "records/2026-11-20T14-02-study-throughput.json".into();
    story.screen.send_events(vec![Event::Ended { end: EndStatus::Stopped, record }]);
    story.capture("stopped");
    story.press("og");
    let request = story.started();
    assert!(request.resume.is_some_and(|path| path.to_string_lossy().contains("throughput")));
    let mut events = fixture::start_events(&request.preview.plan);
    if let Event::Started { done, .. } = &mut events[0] {
        *done = 1;
    }
    story.screen.send_events(events);
    send_load_events(&mut story.screen, &request.preview.plan, 1, 5, 2_100.0);
    story.capture("it continues with the next repetition");
    story.assert_snapshots();
}

#[test]
fn two_records_are_compared() {
    let mut story = Story::begin("compare");
    story.press("R");
    story.capture("the records");
    story.press("<down><space><down>c");
    assert!(
        matches!(story.screen.requests.last(), Some(ServiceRequest::CompareRecords(a, b)) if a != b)
    );
    story.capture("what differs");
    story.press("<tab>");
    story.capture("as figures");
    story.press("<esc>");
    story.capture("back at the records");
    story.assert_snapshots();
}

#[test]
fn a_profile_is_saved() {
    let mut story = Story::begin("save_profile");
    story.press("w=");
    story.capture("what differs from the file");
    story.press("<esc>q");
    story.capture("asked about changes that are not saved");
    story.press("<esc>Swarm-look");
    story.capture("asked for a name");
    story.press("<enter>");
    let Some(ServiceRequest::SaveProfile { name, overrides, .. }) = story.screen.requests.last()
    else {
        panic!("{:?}", story.screen.requests)
    };
    assert_eq!((name.as_str(), overrides.len()), ("warm-look", 1));
    story.assert_shows("▸warm-look");
    story.capture("the profile is saved");
    story.assert_snapshots();
}

#[test]
fn a_record_is_exported() {
    let mut story = Story::begin("export");
    story.press("R<down><down><enter>x");
    story.capture("asked for the format");
    story.press("r");
    assert!(matches!(
        story.screen.requests.last(),
        Some(ServiceRequest::ExportRecord(_, ExportFormat::Report))
    ));
    assert!(
        matches!(story.screen.effects.as_slice(), [Effect::Copy(path)] if path.ends_with("html"))
    );
    story.capture("the export's path");
    story.assert_snapshots();
}

#[test]
fn a_lost_session_is_recovered_while_the_run_continues() {
    let plan = fixture::sweep();
    let mut story = Story::begin("lost_session");
    story.screen.model.run_owner = RunOwner::DetachedProcess;
    story.press("<down><down><enter>");
    story.started();
    story.screen.send_events(fixture::start_events(&plan));
    send_load_events(&mut story.screen, &plan, 0, 30, 2_100.0);
    story.capture("before the connection is lost");
    let Screen::Live(live) = &story.screen.model.screen else { panic!("a run is on") };
    let mut detached: LiveRun = live.as_ref().clone();
    story.screen.send(Msg::Terminate);
    assert_eq!(story.screen.effects, [Effect::Quit], "the run is not stopped");

    // The run's process continues and applies the events as a screen would.
    let mut now = story.screen.now;
    for second in 31..=45 {
        now += Duration::from_secs(1);
        let snapshot = fixture::snapshot(&plan.points[0], second, 2_100.0);
        detached.apply(Event::Snapshot(Box::new(snapshot)), now);
    }
    let json = serde_json::to_string(&detached).expect("the run can be serialized");
    story.screen = TestScreen::new();
    story.screen.now = now;
    story.screen.advance(0);
    story
        .screen
        .model
        .attach(Box::new(serde_json::from_str(&json).expect("the run can be deserialized")));
    story.capture("the screen is back");
    story.press("f<home>");
    story.capture("the seconds before the attachment");
    story.press("fq");
    story.capture("asked whether to stop the run");
    story.press("n<enter>");
    assert_eq!(story.screen.effects, [Effect::Stop(StopMode::Now)]);
    story.assert_snapshots();
}
