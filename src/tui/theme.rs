//! Styles by meaning. Colours are never the only carrier: what is wrong also has a word and a sign.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// The styles of one terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// The terminal's own sixteen colours, readable on whatever its background is.
    #[default]
    #[serde(rename = "16")]
    Sixteen,
    /// For a dark background, of 256 colours.
    Dark,
    /// For a light background, of 256 colours.
    Light,
    /// The brightest of the sixteen colours, and frames as bright as text.
    HighContrast,
    /// Bold, dim and reversed only.
    None,
}

/// What a colour is for.
#[derive(Debug, Clone, Copy)]
enum Role {
    Border,
    Accent,
    Second,
    Good,
    Warn,
    Bad,
}

impl Theme {
    /// All of them, with the names of the command line.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Sixteen, "16"),
        (Self::Dark, "dark"),
        (Self::Light, "light"),
        (Self::HighContrast, "high-contrast"),
        (Self::None, "none"),
    ];

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, named)| *named == name).map(|(theme, _)| *theme)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(theme, _)| *theme == self).map_or("", |(_, name)| name)
    }

    /// The theme after this one.
    #[must_use]
    pub fn next(self) -> Self {
        let here = Self::ALL.iter().position(|(theme, _)| *theme == self).unwrap_or(0);
        Self::ALL[(here + 1) % Self::ALL.len()].0
    }

    /// What a terminal shows of this theme: no colours where `NO_COLOR` is set, and the sixteen
    /// where `TERM` and `COLORTERM` promise no more.
    #[must_use]
    pub fn shown(self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if set("NO_COLOR").is_some() {
            return Self::None;
        }
        let many = set("COLORTERM").is_some()
            || set("TERM").is_some_and(|term| term.contains("256color") || term.contains("direct"));
        match self {
            Self::Dark | Self::Light if !many => Self::Sixteen,
            other => other,
        }
    }

    fn colour(self, role: Role) -> Style {
        use Role::{Accent, Bad, Border, Good, Second, Warn};
        let colour = match (self, role) {
            (Self::None, _) => return Style::new(),
            (Self::Sixteen, Border) => Color::DarkGray,
            (Self::Sixteen, Accent) => Color::Cyan,
            (Self::Sixteen, Second) => Color::Magenta,
            (Self::Sixteen, Good) => Color::Green,
            (Self::Sixteen, Warn) => Color::Yellow,
            (Self::Sixteen | Self::HighContrast, Bad) => Color::Red,
            (Self::Dark, Border) => Color::Indexed(240),
            (Self::Dark, Accent) => Color::Indexed(80),
            (Self::Dark, Second) => Color::Indexed(176),
            (Self::Dark, Good) => Color::Indexed(114),
            (Self::Dark, Warn) => Color::Indexed(221),
            (Self::Dark, Bad) => Color::Indexed(160),
            (Self::Light, Border) => Color::Indexed(248),
            (Self::Light, Accent) => Color::Indexed(25),
            (Self::Light, Second) => Color::Indexed(127),
            (Self::Light, Good) => Color::Indexed(28),
            (Self::Light, Warn) => Color::Indexed(130),
            (Self::Light, Bad) => Color::Indexed(124),
            (Self::HighContrast, Border) => Color::Reset,
            (Self::HighContrast, Accent) => Color::LightCyan,
            (Self::HighContrast, Second) => Color::LightMagenta,
            (Self::HighContrast, Good) => Color::LightGreen,
            (Self::HighContrast, Warn) => Color::LightYellow,
        };
        Style::new().fg(colour)
    }

    /// Names of screens and panels. With a colour of their own: those of panels stand on frames,
    /// and would else take theirs.
    pub fn title(self) -> Style {
        Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD)
    }

    /// Frames.
    pub fn border(self) -> Style {
        self.colour(Role::Border)
    }

    /// Words beside numbers, units, axes.
    pub fn label(self) -> Style {
        match self {
            Self::HighContrast => Style::new().fg(Color::Reset),
            _ => Style::new().fg(Color::Reset).add_modifier(Modifier::DIM),
        }
    }

    /// Keys, and the pane that has them.
    pub fn accent(self) -> Style {
        self.colour(Role::Accent).add_modifier(Modifier::BOLD)
    }

    /// Bars and lines of what is measured.
    pub fn data(self) -> Style {
        self.colour(Role::Accent)
    }

    /// A second series beside [`Theme::data`].
    pub fn second(self) -> Style {
        self.colour(Role::Second)
    }

    /// All is well: quiet.
    pub fn good(self) -> Style {
        self.colour(Role::Good)
    }

    /// A reason for doubt.
    pub fn warn(self) -> Style {
        self.colour(Role::Warn).add_modifier(Modifier::BOLD)
    }

    /// Something went wrong: the brightest thing on the screen.
    pub fn bad(self) -> Style {
        match (self, self.colour(Role::Bad).fg) {
            (Self::None, _) | (_, None) => {
                Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
            }
            (_, Some(red)) => Style::new().fg(Color::White).bg(red).add_modifier(Modifier::BOLD),
        }
    }

    /// A limit, drawn as a line.
    pub fn bad_line(self) -> Style {
        self.colour(Role::Bad)
    }

    /// From few to many.
    pub fn shades(self) -> [Style; 4] {
        let indexed =
            |colours: [u8; 4]| colours.map(|colour| Style::new().fg(Color::Indexed(colour)));
        match self {
            Self::None => [Style::new(); 4],
            Self::Dark => indexed([24, 31, 80, 195]),
            Self::Light => indexed([153, 110, 67, 18]),
            Self::Sixteen | Self::HighContrast => {
                [Color::Blue, Color::Cyan, Color::Yellow, Color::Red]
                    .map(|colour| Style::new().fg(colour))
            }
        }
    }

    /// The line that has the keys.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_shown_as_the_terminal_can() {
        let shown = |theme: Theme, variables: &[(&str, &str)]| {
            theme.shown(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(shown(Theme::Dark, &[("TERM", "xterm-256color")]), Theme::Dark);
        assert_eq!(shown(Theme::Dark, &[("TERM", "linux")]), Theme::Sixteen);
        assert_eq!(shown(Theme::Light, &[("COLORTERM", "truecolor")]), Theme::Light);
        assert_eq!(shown(Theme::HighContrast, &[("NO_COLOR", "1")]), Theme::None);
        assert_eq!(shown(Theme::HighContrast, &[("NO_COLOR", "")]), Theme::HighContrast);
    }

    #[test]
    fn every_theme_has_a_name_and_all_are_gone_through() {
        let mut theme = Theme::Sixteen;
        for _ in Theme::ALL {
            assert_eq!(Theme::named(theme.name()), Some(theme));
            theme = theme.next();
        }
        assert_eq!(theme, Theme::Sixteen);
    }
}
