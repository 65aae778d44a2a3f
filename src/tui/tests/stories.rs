//! Ten days of an operator, played from the first key to the last frame.

use super::*;
use crate::tui::{
    model::Live,
    outside::{Ask, Export, Request},
    preferences::Runs,
};

/// The sizes at which a story is seen.
const SIGHTS: [(u16, u16); 2] = [(80, 24), (160, 45)];

/// A story: keys and events in, frames out.
struct Story {
    name: &'static str,
    stage: Stage,
    /// What was seen, at each of [`SIGHTS`].
    films: [String; 2],
}

impl Story {
    fn begin(name: &'static str) -> Self {
        let mut story = Self { name, stage: Stage::new(), films: Default::default() };
        story.see("the screen opens");
        story
    }

    /// Presses keys: letters, and names such as `<enter>`.
    fn press(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (code, after) = match named {
                Some((name, after)) => (self.named(name), after),
                None => (KeyCode::Char(first), &rest[first.len_utf8()..]),
            };
            self.stage.key(code);
            rest = after;
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the story's own")]
    fn named(&self, name: &str) -> KeyCode {
        match name {
            "enter" => KeyCode::Enter,
            "tab" => KeyCode::Tab,
            "esc" => KeyCode::Esc,
            "space" => KeyCode::Char(' '),
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "home" => KeyCode::Home,
            "back" => KeyCode::Backspace,
            "f5" => KeyCode::F(5),
            other => panic!("no key {other}"),
        }
    }

    /// What the operator sees now.
    fn see(&mut self, what: &str) {
        for (film, (width, height)) in self.films.iter_mut().zip(SIGHTS) {
            film.extend(["══ ", what, "\n", &self.stage.frame(width, height), "\n"]);
        }
    }

    /// What was asked to run.
    fn started(&mut self) -> Request {
        match self.stage.effects.pop() {
            Some(Effect::Start(request)) => *request,
            other => panic!("nothing was started: {other:?}"),
        }
    }

    fn shows(&self, text: &str) -> &Self {
        let frame = self.stage.frame(160, 45);
        assert!(frame.contains(text), "{text}:\n{frame}");
        self
    }

    /// Holds what was seen against what was seen when somebody last looked at it.
    fn end(self) {
        for (film, (width, height)) in self.films.into_iter().zip(SIGHTS) {
            insta::assert_snapshot!(format!("story_{}_{width}x{height}", self.name), film);
        }
    }
}

#[test]
fn a_first_look() {
    let mut story = Story::begin("first_look");
    story.press("<enter>");
    let plan = story.started().preview.plan;
    assert_eq!(plan, fixture::first_look());
    story.stage.tell(fixture::beginning(&plan));
    load(&mut story.stage, &plan, 0, 20, 104.0);
    story.see("the load is on");
    story.stage.tell(fixture::run(&plan, End::Complete).split_off(3));
    story.see("it is over");
    story.press("q");
    assert_eq!(story.stage.effects, [Effect::Quit]);
    story.end();
}

#[test]
fn another_backend_is_chosen() {
    let mut story = Story::begin("another_backend");
    story.press("<tab><enter><space><down><down><space>");
    story.see("another backend is marked");
    story.press("<enter>");
    story.shows("kafka:4.4.0").shows("docker");
    story.press("<f5>");
    let plan = story.started().preview.plan;
    story.stage.tell(fixture::beginning(&plan));
    load(&mut story.stage, &plan, 0, 10, 2_100.0);
    story.shows("kafka 4.4.0 · 100 users");
    story.see("it is measured");
    story.end();
}

#[test]
fn three_numbers_of_users_are_swept() {
    let mut story = Story::begin("sweep");
    story.press("<tab><down><down><down><down><enter>");
    story.press("<back><back><back>100, 200, 400");
    story.see("three numbers are typed");
    story.press("<enter>");
    story.shows("3 points × 1 = 3 repetitions");
    story.press("<f5>");
    let plan = story.started().preview.plan;
    assert_eq!(plan.points.len(), 3);
    let events = fixture::run(&plan, End::Complete);
    let second = events
        .iter()
        .position(|event| matches!(event, Event::Repetition { position, .. } if *position == 1));
    let mut events = events.into_iter();
    story.stage.tell(events.by_ref().take(second.expect("three repetitions") + 20).collect());
    story.press("m");
    story.see("the map while the second point is measured");
    story.stage.tell(events.collect());
    story.press("<down>");
    story.see("all three are measured");
    story.end();
}

#[test]
fn a_hub_throttles_while_it_is_watched() {
    let plan = fixture::sweep();
    let mut story = Story::begin("throttle");
    story.press("<down><down><enter>");
    story.started();
    story.stage.tell(fixture::beginning(&plan));
    load(&mut story.stage, &plan, 1, 38, 2_100.0);
    story.see("all is well");
    let mut hot = fixture::snapshot(&plan.points[1], 39, 6_400.0);
    hot.hub = Some(Vitals {
        temperature: Some(Celsius::from(84.0)),
        clock_mhz: Some(600.0),
        throttle_bits: Some(0b110),
        ..Vitals::default()
    });
    story.stage.tell(vec![Event::Snapshot(Box::new(hot))]);
    story.shows("THROTTLED");
    story.see("it is throttled");
    story.press("e");
    story.shows("the hub is held back by heat or by its supply");
    story.see("since when, the log says");
    story.end();
}

#[test]
fn the_display_is_frozen_and_looked_back_on() {
    let plan = fixture::sweep();
    let mut story = Story::begin("freeze");
    story.press("<down><down><enter>");
    story.started();
    story.stage.tell(fixture::beginning(&plan));
    load(&mut story.stage, &plan, 0, 61, 900.0);
    let last = fixture::snapshot(&plan.points[0], 62, 900.0);
    story.stage.tell(fixture::repetition_end(&plan, 0, &last));
    load(&mut story.stage, &plan, 1, 38, 2_100.0);
    story.press("f<left><left><left>");
    story.see("three seconds ago");
    let later = fixture::snapshot(&plan.points[1], 39, 2_100.0);
    story.stage.tell(vec![Event::Snapshot(Box::new(later))]);
    story.press("[");
    story.see("the repetition before");
    story.press("f");
    assert!(!story.stage.frame(160, 45).contains("frozen"));
    story.see("the present again");
    story.end();
}

#[test]
fn a_run_is_stopped_and_gone_on_with() {
    let plan = fixture::sweep();
    let mut story = Story::begin("stop_and_resume");
    story.press("<down><down><enter>");
    story.started();
    story.stage.tell(fixture::beginning(&plan));
    load(&mut story.stage, &plan, 0, 30, 2_100.0);
    story.press("s");
    story.see("asked how to stop");
    story.press("a");
    assert_eq!(story.stage.effects.pop(), Some(Effect::Stop(Stop::AfterRepetition)));
    let last = fixture::snapshot(&plan.points[0], 62, 2_100.0);
    story.stage.tell(fixture::repetition_end(&plan, 0, &last));
    let record = "records/2026-11-20T14-02-study-throughput.json".into();
    story.stage.tell(vec![Event::Ended { end: End::Stopped, record }]);
    story.see("stopped");
    story.press("og");
    let request = story.started();
    assert!(request.resume.is_some_and(|path| path.to_string_lossy().contains("throughput")));
    let mut events = fixture::beginning(&request.preview.plan);
    if let Event::Started { done, .. } = &mut events[0] {
        *done = 1;
    }
    story.stage.tell(events);
    load(&mut story.stage, &request.preview.plan, 1, 5, 2_100.0);
    story.see("it goes on from the next repetition");
    story.end();
}

#[test]
fn two_records_are_compared() {
    let mut story = Story::begin("compare");
    story.press("R");
    story.see("the records");
    story.press("<down><space><down>c");
    assert!(matches!(story.stage.asked.last(), Some(Ask::Compare(a, b)) if a != b));
    story.see("what differs");
    story.press("<tab>");
    story.see("as figures");
    story.end();
}

#[test]
fn a_profile_is_saved() {
    let mut story = Story::begin("save_profile");
    story.press("w=");
    story.see("what differs from the file");
    story.press("<esc>Swarm-look");
    story.see("asked for a name");
    story.press("<enter>");
    let Some(Ask::Keep { name, overrides, .. }) = story.stage.asked.last() else {
        panic!("{:?}", story.stage.asked)
    };
    assert_eq!((name.as_str(), overrides.len()), ("warm-look", 1));
    story.shows("▸warm-look");
    story.see("it is kept");
    story.end();
}

#[test]
fn a_record_is_exported() {
    let mut story = Story::begin("export");
    story.press("R<down><down><enter>x");
    story.see("asked in which form");
    story.press("r");
    assert!(matches!(story.stage.asked.last(), Some(Ask::Export(_, Export::Report))));
    assert!(
        matches!(story.stage.effects.as_slice(), [Effect::Copy(path)] if path.ends_with("html"))
    );
    story.see("where it lies");
    story.end();
}

#[test]
fn a_lost_session_is_recovered_from_with_the_run_still_going() {
    let plan = fixture::sweep();
    let mut story = Story::begin("lost_session");
    story.stage.model.runs = Runs::Kept;
    story.press("<down><down><enter>");
    story.started();
    story.stage.tell(fixture::beginning(&plan));
    load(&mut story.stage, &plan, 0, 30, 2_100.0);
    story.see("before the connection is lost");
    let Screen::Live(live) = &story.stage.model.screen else { panic!("a run is on") };
    let mut kept: Live = live.as_ref().clone();
    story.stage.say(Msg::Terminate);
    assert_eq!(story.stage.effects, [Effect::Quit], "the run is not stopped");

    // The run's own process goes on and keeps what a screen would have.
    let mut now = story.stage.now;
    for second in 31..=45 {
        now += Duration::from_secs(1);
        let snapshot = fixture::snapshot(&plan.points[0], second, 2_100.0);
        kept.apply(Event::Snapshot(Box::new(snapshot)), now);
    }
    let written = serde_json::to_string(&kept).expect("a run can be written down");
    story.stage = Stage::new();
    story.stage.now = now;
    story.stage.pass(0);
    story.stage.model.attach(Box::new(serde_json::from_str(&written).expect("and read")));
    story.see("the screen is back");
    story.press("f<home>");
    story.see("and has the seconds before");
    story.press("fq");
    story.see("it asks what shall become of the run");
    story.press("n");
    assert_eq!(story.stage.effects, [Effect::Stop(Stop::Now)]);
    story.end();
}
