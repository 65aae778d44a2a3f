//! The background of the operator's terminal: asked for once (OSC 11), and recognised in the input.
//!
//! Nothing waits for the reply, which some terminals never send. It arrives as keys would, possibly after the
//! first keys of the operator and over a slow connection much later: a filter takes it out of the input, so
//! that its letters are no commands.

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// Asks for the background (OSC 11, xterm's control sequences).
pub const ASK_BACKGROUND: &str = "\x1b]11;?\x1b\\";
/// Longest time after the question in which its reply is recognised.
const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// Longest reply: four digits for each colour and for the opacity.
const MAX_REPLY: usize = 32;
/// Beginning of a reply.
const REPLY_START: &str = "11;rgb";
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

/// Filter of the input that recognises the terminal's reply.
#[derive(Debug, Default)]
pub struct BackgroundFilter {
    asked: Option<Instant>,
    /// Events that may be the beginning of a reply, and their text.
    held: Vec<Event>,
    text: String,
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
    /// Whether a terminal, described by the environment variables that `variable` looks up, may be asked: the
    /// Linux console and GNU screen do not reply, and might show the question.
    pub fn may_ask(variable: impl Fn(&str) -> Option<String>) -> bool {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        let term = variable("TERM").unwrap_or_default();
        let in_screen = is_set("STY") || (term.starts_with("screen") && !is_set("TMUX"));
        !matches!(term.as_str(), "" | "linux" | "dumb") && !in_screen
    }

    /// Starts to recognise a reply.
    pub fn expect_reply(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// Filters an event that arrived at `at`.
    pub fn apply(&mut self, at: Instant, event: Event) -> FilteredInput {
        let only = |event| FilteredInput { events: vec![event], background: None };
        let Some(asked) = self.asked else { return only(event) };
        if at.saturating_duration_since(asked) > REPLY_LIMIT {
            self.asked = None;
            return self.give_up(event);
        }
        let Some(key) = event.as_key_press_event() else {
            return if self.held.is_empty() { only(event) } else { self.give_up(event) };
        };
        if self.held.is_empty() {
            if !is_alt(key, ']') {
                return only(event);
            }
            self.held.push(event);
            return FilteredInput::default();
        }
        let is_end = is_alt(key, '\\')
            || (key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('g'));
        if is_end {
            let background = parse_reply(&self.text);
            if background.is_none() {
                return self.give_up(event);
            }
            *self = Self::default();
            return FilteredInput { events: Vec::new(), background };
        }
        let KeyCode::Char(symbol) = key.code else { return self.give_up(event) };
        self.text.push(symbol);
        if is_reply_start(&self.text) {
            self.held.push(event);
            FilteredInput::default()
        } else {
            self.give_up(event)
        }
    }

    /// Returns the held events, which were no reply, and `last`.
    fn give_up(&mut self, last: Event) -> FilteredInput {
        self.text.clear();
        let mut events = std::mem::take(&mut self.held);
        events.push(last);
        FilteredInput { events, background: None }
    }
}

fn is_alt(key: KeyEvent, symbol: char) -> bool {
    key.modifiers.contains(KeyModifiers::ALT) && key.code == KeyCode::Char(symbol)
}

/// Whether a reply may begin with this text.
fn is_reply_start(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(REPLY_START) else { return REPLY_START.starts_with(text) };
    // `rgba` has an opacity, too.
    let digits = rest.strip_prefix('a').unwrap_or(rest);
    text.len() <= MAX_REPLY
        && (digits.is_empty()
            || digits.strip_prefix(':').is_some_and(|digits| {
                digits.chars().all(|symbol| symbol == '/' || symbol.is_ascii_hexdigit())
            }))
}

/// Parses `11;rgb:ffff/ffff/ffff`.
fn parse_reply(text: &str) -> Option<Background> {
    let (_, colours) = text.strip_prefix(REPLY_START)?.split_once(':')?;
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

    /// The keys as which a reply arrives.
    fn reply(text: &str) -> Vec<Event> {
        let mut events = vec![key(']', KeyModifiers::ALT)];
        events.extend(text.chars().map(|symbol| key(symbol, KeyModifiers::NONE)));
        events.push(key('\\', KeyModifiers::ALT));
        events
    }

    fn filtered(events: &[Event], seconds: u64) -> (Vec<Event>, Option<Background>) {
        let (mut filter, start) = (BackgroundFilter::default(), Instant::now());
        filter.expect_reply(start);
        let (mut passed, mut background) = (Vec::new(), None);
        for event in events {
            let input = filter.apply(start + Duration::from_secs(seconds), event.clone());
            passed.extend(input.events);
            background = background.or(input.background);
        }
        (passed, background)
    }

    #[test]
    fn a_reply_is_taken_out_of_the_input() {
        for (text, background) in [
            ("11;rgb:ffff/ffff/ffff", Background::Light),
            ("11;rgb:ff/fd/e7", Background::Light),
            ("11;rgba:0000/0000/0000/ffff", Background::Dark),
            ("11;rgb:1e1e/1e1e/2e2e", Background::Dark),
        ] {
            let typed = key('R', KeyModifiers::NONE);
            let events = [vec![typed.clone()], reply(text), vec![typed.clone()]].concat();
            assert_eq!(
                filtered(&events, 1),
                (vec![typed.clone(), typed], Some(background)),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_that_are_no_reply_pass_in_their_order() {
        let control = key('g', KeyModifiers::CONTROL);
        for events in [
            vec![key(']', KeyModifiers::ALT), key('q', KeyModifiers::NONE)],
            vec![key(']', KeyModifiers::ALT), key('1', KeyModifiers::NONE), control],
            reply("11;rgb:xx"),
            reply("10;rgb:ffff/ffff/ffff"),
            vec![key(']', KeyModifiers::ALT), Event::Resize(80, 24)],
        ] {
            assert_eq!(filtered(&events, 1), (events.clone(), None));
        }
    }

    #[test]
    fn a_reply_is_recognised_for_a_limited_time_and_only_when_asked_for() {
        let late = reply("11;rgb:ffff/ffff/ffff");
        assert_eq!(filtered(&late, 60), (late.clone(), None));
        let mut filter = BackgroundFilter::default();
        let first = filter.apply(Instant::now(), late[0].clone());
        assert_eq!(first.events, late[..1]);
    }

    #[test]
    fn only_terminals_that_reply_are_asked() {
        let may_ask = |variables: &[(&str, &str)]| {
            BackgroundFilter::may_ask(|name| {
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
