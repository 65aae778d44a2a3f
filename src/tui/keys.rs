//! The key map: a pure function from a key and the place where it is pressed.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;

use super::{
    model::{Panel, Place},
    msg::Msg,
    outside::Stop,
};

/// What a key means.
pub fn message(key: KeyEvent, place: Place) -> Option<Msg> {
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
        return Some(Msg::Quit);
    }
    match place {
        Place::Text | Place::Filter => text(key),
        _ if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => None,
        Place::Profiles => profiles(key.code),
        Place::Form => form(key.code),
        Place::Choices => movement(key.code),
        Place::Live => live(key.code),
        Place::Finished => finished(key.code),
        Place::Help => help(key.code),
        Place::Stop => stop(key.code),
        Place::Add => add(key.code),
        Place::Quit => quit(key.code),
    }
}

fn movement(key: KeyCode) -> Option<Msg> {
    Some(match key {
        KeyCode::Up | KeyCode::Char('k') => Msg::Up,
        KeyCode::Down | KeyCode::Char('j') => Msg::Down,
        KeyCode::Left | KeyCode::Char('h') => Msg::Left,
        KeyCode::Right | KeyCode::Char('l') => Msg::Right,
        KeyCode::Tab => Msg::NextPane,
        KeyCode::BackTab => Msg::PreviousPane,
        KeyCode::Enter => Msg::Accept,
        KeyCode::Esc => Msg::Back,
        KeyCode::Char(' ') => Msg::Toggle,
        _ => return None,
    })
}

fn anywhere(key: KeyCode) -> Option<Msg> {
    Some(match key {
        KeyCode::Char('?') | KeyCode::F(1) => Msg::Help,
        KeyCode::Char('q') => Msg::Quit,
        _ => return None,
    })
}

fn profiles(key: KeyCode) -> Option<Msg> {
    match key {
        KeyCode::Enter => Some(Msg::Start),
        _ => form(key),
    }
}

fn form(key: KeyCode) -> Option<Msg> {
    match key {
        KeyCode::F(5) => Some(Msg::Start),
        KeyCode::Char('w') => Some(Msg::ToggleWarmup),
        KeyCode::Delete | KeyCode::Backspace => Some(Msg::Reset),
        _ => anywhere(key).or_else(|| movement(key)),
    }
}

fn text(key: KeyEvent) -> Option<Msg> {
    match key.code {
        KeyCode::Enter => Some(Msg::Accept),
        KeyCode::Esc => Some(Msg::Back),
        _ => to_input_request(&Event::Key(key)).map(Msg::Type),
    }
}

fn live(key: KeyCode) -> Option<Msg> {
    match key {
        KeyCode::Char('f') => Some(Msg::Freeze),
        KeyCode::Char('s') => Some(Msg::AskStop),
        KeyCode::Char('v') => Some(Msg::View(1)),
        KeyCode::Char('V') => Some(Msg::View(-1)),
        KeyCode::Char(digit @ '1'..='9') => Some(Msg::ViewNumber(digit as usize - '1' as usize)),
        KeyCode::Char('m') => Some(Msg::Show(Panel::Map)),
        KeyCode::Char('e') => Some(Msg::Show(Panel::Log)),
        KeyCode::Char('[') => Some(Msg::Turn(-1)),
        KeyCode::Char(']') => Some(Msg::Turn(1)),
        KeyCode::PageUp => Some(Msg::Seek(-10)),
        KeyCode::PageDown => Some(Msg::Seek(10)),
        KeyCode::Home => Some(Msg::Seek(isize::MIN)),
        KeyCode::End => Some(Msg::Seek(isize::MAX)),
        KeyCode::Char('/') => Some(Msg::Filter),
        KeyCode::Char('!') => Some(Msg::Sift),
        KeyCode::Char('b') => Some(Msg::ToggleBell),
        _ => anywhere(key).or_else(|| movement(key)),
    }
}

fn finished(key: KeyCode) -> Option<Msg> {
    match key {
        KeyCode::Char('r') => Some(Msg::Start),
        _ => anywhere(key).or_else(|| movement(key)),
    }
}

fn help(key: KeyCode) -> Option<Msg> {
    match key {
        KeyCode::Char('q') => Some(Msg::Back),
        _ => anywhere(key).or_else(|| movement(key)),
    }
}

fn stop(key: KeyCode) -> Option<Msg> {
    Some(match key {
        KeyCode::Char('a') => Msg::Stop(Stop::AfterRepetition),
        KeyCode::Char('n') => Msg::Stop(Stop::Now),
        KeyCode::Char('k') => Msg::Skip,
        KeyCode::Char('+') => Msg::AskAdd,
        KeyCode::Char('g') | KeyCode::Esc => Msg::Back,
        _ => return None,
    })
}

fn add(key: KeyCode) -> Option<Msg> {
    Some(match key {
        KeyCode::Enter => Msg::Accept,
        KeyCode::Up | KeyCode::Right | KeyCode::Char('+' | 'k' | 'l') => Msg::Up,
        KeyCode::Down | KeyCode::Left | KeyCode::Char('-' | 'j' | 'h') => Msg::Down,
        KeyCode::Char('g') | KeyCode::Esc => Msg::Back,
        _ => return None,
    })
}

fn quit(key: KeyCode) -> Option<Msg> {
    Some(match key {
        KeyCode::Char('a') => Msg::QuitAfter(Stop::AfterRepetition),
        KeyCode::Char('n') => Msg::QuitAfter(Stop::Now),
        KeyCode::Char('x') => Msg::Abandon,
        KeyCode::Char('g') | KeyCode::Esc => Msg::Back,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: KeyCode, modifiers: KeyModifiers, place: Place) -> String {
        format!("{:?}", message(KeyEvent::new(code, modifiers), place))
    }

    #[test]
    fn keys_mean_what_the_screen_says() {
        use KeyCode::{Char, Enter, Esc, F};
        let cases = [
            (Place::Profiles, Enter, "Some(Start)"),
            (Place::Profiles, F(5), "Some(Start)"),
            (Place::Profiles, Char('j'), "Some(Down)"),
            (Place::Form, Enter, "Some(Accept)"),
            (Place::Form, F(5), "Some(Start)"),
            (Place::Form, Char('w'), "Some(ToggleWarmup)"),
            (Place::Form, Char(' '), "Some(Toggle)"),
            (Place::Form, Char('q'), "Some(Quit)"),
            (Place::Text, Char('q'), "Some(Type(InsertChar('q')))"),
            (Place::Text, Char('w'), "Some(Type(InsertChar('w')))"),
            (Place::Text, Esc, "Some(Back)"),
            (Place::Choices, Char(' '), "Some(Toggle)"),
            (Place::Live, Char('f'), "Some(Freeze)"),
            (Place::Live, Char('s'), "Some(AskStop)"),
            (Place::Live, Char('?'), "Some(Help)"),
            (Place::Live, Enter, "Some(Accept)"),
            (Place::Live, Char('3'), "Some(ViewNumber(2))"),
            (Place::Live, Char('['), "Some(Turn(-1))"),
            (Place::Filter, Char('s'), "Some(Type(InsertChar('s')))"),
            (Place::Add, Enter, "Some(Accept)"),
            (Place::Stop, Char('k'), "Some(Skip)"),
            (Place::Live, Char('n'), "None"),
            (Place::Stop, Char('a'), "Some(Stop(AfterRepetition))"),
            (Place::Stop, Char('n'), "Some(Stop(Now))"),
            (Place::Stop, Esc, "Some(Back)"),
            (Place::Stop, Enter, "None"),
            (Place::Quit, Char('n'), "Some(QuitAfter(Now))"),
            (Place::Quit, Char('q'), "None"),
            (Place::Finished, Char('r'), "Some(Start)"),
            (Place::Finished, Esc, "Some(Back)"),
            (Place::Help, Char('?'), "Some(Help)"),
        ];
        for (place, key, meaning) in cases {
            assert_eq!(said(key, KeyModifiers::NONE, place), meaning, "{key:?} in {place:?}");
        }
    }

    #[test]
    fn ctrl_c_leaves_from_everywhere() {
        let places = [Place::Text, Place::Form, Place::Live, Place::Stop, Place::Help, Place::Quit];
        for place in places {
            assert_eq!(said(KeyCode::Char('c'), KeyModifiers::CONTROL, place), "Some(Quit)");
        }
    }

    #[test]
    fn no_key_with_control_or_alt_stops_a_run() {
        for modifiers in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
            assert_eq!(said(KeyCode::Char('n'), modifiers, Place::Stop), "None");
            assert_eq!(said(KeyCode::Char('s'), modifiers, Place::Live), "None");
        }
    }
}
