//! The background of the operator's terminal: asked for once (OSC 11), and recognised in the input.
//!
//! Nothing waits for the reply, which some terminals never send. It arrives as keys would, possibly after the
//! first keys of the operator and over a slow connection much later: a filter takes it out of the input, so
//! that its letters are no commands, however late they arrive.

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// Asks for the background (OSC 11, xterm's control sequences).
pub const ASK_BACKGROUND: &str = "\x1b]11;?\x1b\\";
/// Longest pause between the first keys of a reply, which a terminal sends at once. After it they were
/// pressed by hand.
const MAX_PAUSE: Duration = Duration::from_millis(300);
/// Longest pause inside a reply whose connection stalls. What was received of it is then dropped.
const MAX_STALL: Duration = Duration::from_secs(5);
/// Longest reply, with room for notations that hubmark does not read.
const MAX_REPLY: usize = 64;
/// Beginning of a reply, which no operator types.
const REPLY_START: &str = "11;";
/// Beginning of a reply that hubmark reads; `rgba` has an opacity, too.
const RGB_START: &str = "11;rgb";
/// Luminance from which on a background is light.
const LIGHT: f64 = 0.5;

/// Brightness of the terminal's background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Background {
    /// Dark, or unknown.
    #[default]
    Dark,
    /// Light.
    Light,
}

/// Whether the terminal may be asked for its background, given a look-up of environment variables: the Linux
/// console and GNU screen do not reply, and might show the question.
pub fn may_ask_background(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let term = variable("TERM").unwrap_or_default();
    let in_screen = is_set("STY") || (term.starts_with("screen") && !is_set("TMUX"));
    !matches!(term.as_str(), "" | "linux" | "dumb") && !in_screen
}

/// Filter of the input that recognises the terminal's reply.
#[derive(Debug, Default)]
pub struct BackgroundFilter {
    /// Whether a reply may still arrive.
    is_expected: bool,
    /// Time of the escape key that was the last event: a slow connection may divide a reply after it.
    escaped: Option<Instant>,
    /// Events that may be the beginning of a reply, their text, and the time of the last one.
    held: Vec<Event>,
    text: String,
    last: Option<Instant>,
}

/// Input after the filter.
#[derive(Debug, Default, PartialEq)]
pub struct FilteredInput {
    /// Events that are no part of a reply, in their order.
    pub events: Vec<Event>,
    /// The background, if its reply is complete.
    pub background: Option<Background>,
}

impl BackgroundFilter {
    /// A filter that recognises a reply if the terminal is asked.
    pub fn new(is_expected: bool) -> Self {
        Self { is_expected, ..Self::default() }
    }

    /// When the held events are no reply, unless another event arrives before.
    pub fn release_time(&self) -> Option<Instant> {
        let limit = if self.is_reply() { MAX_STALL } else { MAX_PAUSE };
        self.last.map(|last| last + limit)
    }

    /// Returns the held events: since nothing followed them, they were pressed by hand. A reply that has
    /// begun beyond doubt is dropped instead.
    pub fn release(&mut self) -> Vec<Event> {
        let is_reply = self.is_reply();
        self.text.clear();
        self.last = None;
        let held = std::mem::take(&mut self.held);
        if is_reply { Vec::new() } else { held }
    }

    /// Filters an event that arrived at `at`.
    pub fn apply(&mut self, at: Instant, event: Event) -> FilteredInput {
        let mut events = if self.release_time().is_some_and(|time| at >= time) {
            self.release()
        } else {
            Vec::new()
        };
        let mut background = None;
        match event.as_key_press_event().filter(|_| self.is_expected) {
            // The size may change while a reply arrives.
            None => events.push(event),
            Some(key) if self.held.is_empty() => {
                let follows_escape = self
                    .escaped
                    .take()
                    .is_some_and(|escape| at.saturating_duration_since(escape) < MAX_PAUSE);
                if is_alt(key, ']') || (follows_escape && key.code == KeyCode::Char(']')) {
                    self.hold(at, event);
                } else {
                    self.escaped = (key.code == KeyCode::Esc).then_some(at);
                    events.push(event);
                }
            }
            Some(key) if self.is_reply() => {
                background = self.apply_rest(at, key, event, &mut events);
            }
            Some(key) => {
                let next = &REPLY_START[self.text.len()..];
                self.hold(at, event);
                match key.code {
                    KeyCode::Char(symbol) if next.starts_with(symbol) => self.text.push(symbol),
                    _ => events.extend(self.release()),
                }
            }
        }
        FilteredInput { events, background }
    }

    /// Handles a key inside a reply. Only the reply's own symbols are part of it.
    fn apply_rest(
        &mut self,
        at: Instant,
        key: KeyEvent,
        event: Event,
        events: &mut Vec<Event>,
    ) -> Option<Background> {
        let is_bell =
            key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('g');
        match key.code {
            // The end: a bell, or an escape and a backslash, which may arrive divided.
            _ if is_bell || key.code == KeyCode::Char('\\') => {
                let background = parse_reply(&self.text);
                *self = Self::default();
                return background;
            }
            KeyCode::Esc => self.last = Some(at),
            KeyCode::Char(symbol) if self.text.len() < MAX_REPLY => {
                self.text.push(symbol);
                self.last = Some(at);
            }
            _ => {
                self.release();
                events.push(event);
            }
        }
        None
    }

    /// Whether the held events are a reply beyond doubt.
    fn is_reply(&self) -> bool {
        self.text.starts_with(REPLY_START)
    }

    fn hold(&mut self, at: Instant, event: Event) {
        self.held.push(event);
        self.last = Some(at);
    }
}

fn is_alt(key: KeyEvent, symbol: char) -> bool {
    key.modifiers.contains(KeyModifiers::ALT) && key.code == KeyCode::Char(symbol)
}

/// Parses `11;rgb:ffff/ffff/ffff`.
fn parse_reply(text: &str) -> Option<Background> {
    let (_, colours) = text.strip_prefix(RGB_START)?.split_once(':')?;
    let share = |digits: &str| {
        let greatest = 16_f64.powi(i32::try_from(digits.len()).ok()?) - 1.0;
        Some(f64::from(u16::from_str_radix(digits, 16).ok()?) / greatest)
    };
    let shares: Vec<f64> = colours.split('/').map(share).collect::<Option<_>>()?;
    let [red, green, blue, ..] = shares.as_slice() else { return None };
    // The weights of the primaries in ITU-R BT.709.
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    Some(if luminance > LIGHT { Background::Light } else { Background::Dark })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: char, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(code), modifiers))
    }

    fn escape() -> Event {
        Event::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE))
    }

    fn keys(text: &str) -> Vec<Event> {
        text.chars().map(|symbol| key(symbol, KeyModifiers::NONE)).collect()
    }

    /// The keys as which a reply arrives.
    fn reply(text: &str) -> Vec<Event> {
        let ends = [']', '\\'].map(|symbol| vec![key(symbol, KeyModifiers::ALT)]);
        let [start, end] = ends;
        [start, keys(text), end].concat()
    }

    /// What passes of events with a pause before each, from an hour after the question on.
    fn filtered_with_pause(events: &[Event], pause: Duration) -> (Vec<Event>, Option<Background>) {
        let mut filter = BackgroundFilter::new(true);
        let mut at = Instant::now() + Duration::from_hours(1);
        let (mut passed, mut background) = (Vec::new(), None);
        for event in events {
            at += pause;
            let input = filter.apply(at, event.clone());
            passed.extend(input.events);
            background = background.or(input.background);
        }
        passed.extend(filter.release());
        (passed, background)
    }

    fn filtered(events: &[Event]) -> (Vec<Event>, Option<Background>) {
        filtered_with_pause(events, Duration::ZERO)
    }

    #[test]
    fn a_reply_is_taken_out_of_the_input_however_late_it_arrives() {
        for (text, background) in [
            ("11;rgb:ffff/ffff/ffff", Background::Light),
            ("11;rgb:ff/fd/e7", Background::Light),
            ("11;rgba:0000/0000/0000/ffff", Background::Dark),
            ("11;rgb:1e1e/1e1e/2e2e", Background::Dark),
        ] {
            let typed = key('R', KeyModifiers::NONE);
            let events = [vec![typed.clone()], reply(text), vec![typed.clone()]].concat();
            let expected = (vec![typed.clone(), typed], Some(background));
            assert_eq!(filtered(&events), expected, "{text}");
            let slow = filtered_with_pause(&events, Duration::from_millis(200));
            assert_eq!(slow, expected, "{text}, symbol by symbol");
        }
    }

    #[test]
    fn a_reply_that_cannot_be_read_or_is_divided_is_no_command_either() {
        for text in ["11;rgb:xx", "11;#ffffff", "11;rgb:ffff/ffff"] {
            assert_eq!(filtered(&reply(text)), (vec![], None), "{text}");
        }
        let white = keys("]11;rgb:ffff/ffff/ffff");
        let divided = [vec![escape()], white.clone(), vec![escape()], keys("\\")].concat();
        assert_eq!(filtered(&divided), (vec![escape()], Some(Background::Light)));
        let resized = [reply("11;rgb:")[..5].to_vec(), vec![Event::Resize(80, 24)]].concat();
        assert_eq!(filtered(&resized), (vec![Event::Resize(80, 24)], None));
    }

    #[test]
    fn a_reply_that_was_cut_off_swallows_no_keys_of_the_operator() {
        let (mut filter, now) = (BackgroundFilter::new(true), Instant::now());
        for event in &reply("11;rgb:ff")[..8] {
            assert_eq!(filter.apply(now, event.clone()), FilteredInput::default());
        }
        assert_eq!(filter.release_time(), Some(now + MAX_STALL));
        assert_eq!(filter.apply(now + MAX_STALL, keys("q")[0].clone()).events, keys("q"));
    }

    #[test]
    fn keys_that_are_no_reply_pass_in_their_order() {
        let control = key('g', KeyModifiers::CONTROL);
        let arrow = Event::Key(KeyEvent::new(KeyCode::Up, KeyModifiers::NONE));
        for events in [
            vec![key(']', KeyModifiers::ALT), key('q', KeyModifiers::NONE)],
            vec![key(']', KeyModifiers::ALT), key('1', KeyModifiers::NONE), control],
            vec![key(']', KeyModifiers::ALT), arrow],
            reply("10;rgb:ffff/ffff/ffff"),
            [vec![escape()], keys("]1q")].concat(),
            keys("]11;rgb"),
        ] {
            assert_eq!(filtered(&events), (events.clone(), None));
        }
    }

    #[test]
    fn a_key_that_begins_like_a_reply_is_held_for_a_moment_only() {
        let bracket = key(']', KeyModifiers::ALT);
        let (mut filter, now) = (BackgroundFilter::new(true), Instant::now());
        assert_eq!(filter.apply(now, bracket.clone()), FilteredInput::default());
        assert_eq!(filter.release_time(), Some(now + MAX_PAUSE));
        assert_eq!(filter.release(), std::slice::from_ref(&bracket));
        assert_eq!(filter.release_time(), None);
        let slowly = [vec![bracket], keys("11;r")].concat();
        assert_eq!(filtered_with_pause(&slowly, MAX_PAUSE), (slowly.clone(), None));
    }

    #[test]
    fn nothing_is_held_unless_a_reply_is_expected() {
        let mut filter = BackgroundFilter::new(false);
        for event in reply("11;rgb:ffff/ffff/ffff") {
            assert_eq!(filter.apply(Instant::now(), event.clone()).events, [event]);
        }
        let mut filter = BackgroundFilter::new(true);
        let again = [reply("11;rgb:ffff/ffff/ffff"), vec![key(']', KeyModifiers::ALT)]].concat();
        let passed: Vec<Event> = again
            .into_iter()
            .flat_map(|event| filter.apply(Instant::now(), event).events)
            .collect();
        assert_eq!(passed, [key(']', KeyModifiers::ALT)], "there is one reply");
    }

    #[test]
    fn only_terminals_that_reply_are_asked() {
        let may_ask = |variables: &[(&str, &str)]| {
            may_ask_background(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(may_ask(&[("TERM", "xterm-256color")]));
        assert!(may_ask(&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux")]));
        assert!(!may_ask(&[("TERM", "screen"), ("STY", "1.pts")]));
        assert!(!may_ask(&[("TERM", "linux")]));
        assert!(!may_ask(&[]));
    }
}
